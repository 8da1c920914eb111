"""When an instrument trades, as matching asks it, and what the time texts of orders mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from ibwire.sim import zones
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.hours import Session, span_of

NEVER_NS = 1 << 62  # when a market that is always open closes
_SEARCH_DAYS = 15
_TIME = re.compile(r"(?:(\d{4})(\d\d)(\d\d)(?: {1,2}|-))?(\d\d):(\d\d)(?::(\d\d))?(?: ?([A-Za-z][A-Za-z0-9/_+-]*))?")


def parse_time(text: str, now_ns: int, default_zone: str = "UTC") -> int | None:
    """Return the moment (ns) that a time text of an order names, None when it names none.

    `yyyymmdd hh:mm:ss [zone]` and `yyyymmdd-hh:mm:ss` (UTC); without a date it is today's.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    zone = zones.known(match[7] or ("UTC" if "-" in text[:9] else default_zone))
    if zone is None:
        return None
    today = zones.local(zone, now_ns // NS_PER_S)
    year, month, day = (int(part) if part else 0 for part in match.groups()[:3])
    try:
        wall = datetime(
            year or today.year,
            month or today.month,
            day or today.day,
            int(match[4]),
            int(match[5]),
            int(match[6] or 0),
        )
    except ValueError:
        return None
    return zones.utc_s(zone, wall) * NS_PER_S


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a market is open at a moment, and when that changes next (ns)."""

    is_open: bool
    changes_ns: int


def opening(session: Session, zone: str, now_ns: int, *, outside: bool) -> Opening:
    """Return the state of a market at `now_ns`; `outside` counts the hours around the regular ones too."""
    if session.weekends and (session.trading if outside else session.liquid) == ("0000", "2359"):
        return Opening(True, NEVER_NS)
    now_s = now_ns // NS_PER_S
    today = zones.local(zone, now_s).date()
    for ahead in range(-1, _SEARCH_DAYS):
        span = span_of(session, zone, today + timedelta(days=ahead))
        if span is None:
            continue
        edges = (span.start_s, span.end_s) if outside else (span.liquid_start_s, span.liquid_end_s)
        opens_ns, closes_ns = (edge * NS_PER_S for edge in edges)
        if now_ns < opens_ns:
            return Opening(False, opens_ns)
        if now_ns < closes_ns:
            return Opening(True, closes_ns)
    raise AssertionError("every market opens at least once in two weeks")
