"""When an instrument trades, and what the API's time texts mean: zones by rule, so that they are the same everywhere.

No zone database is asked: a machine without one would give other answers. The rules are those in force since 2007
(America) and 1996 (Europe).
"""

from __future__ import annotations

import re
from calendar import monthcalendar, timegm
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from ibwire.sim.clock import NS_PER_S
from ibwire.sim.hours import SATURDAY, Session

_HOUR_S = 3600
_DAY_S = 24 * _HOUR_S
_SEARCH_DAYS = 10
NEVER_NS = 1 << 62  # when a market that is always open closes
_TIME = re.compile(r"(?:(\d{4})(\d\d)(\d\d)(?: {1,2}|-))?(\d\d):(\d\d)(?::(\d\d))?(?: ?([A-Za-z][A-Za-z0-9/_+-]*))?")

_AMERICA, _EUROPE, _AUSTRALIA, _FIXED = "america", "europe", "australia", ""
# Zone -> (standard offset in hours, rule for summer time).
ZONES: dict[str, tuple[int, str]] = {
    "UTC": (0, _FIXED),
    "GMT": (0, _FIXED),
    "Z": (0, _FIXED),
    "US/Eastern": (-5, _AMERICA),
    "America/New_York": (-5, _AMERICA),
    "EST": (-5, _AMERICA),
    "US/Central": (-6, _AMERICA),
    "America/Chicago": (-6, _AMERICA),
    "US/Mountain": (-7, _AMERICA),
    "US/Pacific": (-8, _AMERICA),
    "America/Los_Angeles": (-8, _AMERICA),
    "MET": (1, _EUROPE),
    "CET": (1, _EUROPE),
    "Europe/Berlin": (1, _EUROPE),
    "Europe/Paris": (1, _EUROPE),
    "Europe/Zurich": (1, _EUROPE),
    "GB-Eire": (0, _EUROPE),
    "GB": (0, _EUROPE),
    "Europe/London": (0, _EUROPE),
    "Australia/NSW": (10, _AUSTRALIA),
    "Australia/Sydney": (10, _AUSTRALIA),
    "Japan": (9, _FIXED),
    "Asia/Tokyo": (9, _FIXED),
    "Hongkong": (8, _FIXED),
    "Asia/Hong_Kong": (8, _FIXED),
    "Singapore": (8, _FIXED),
}


def _sunday(year: int, month: int, number: int) -> date:
    """Return the `number`-th Sunday of a month, -1 the last."""
    days = [week[6] for week in monthcalendar(year, month) if week[6]]
    return date(year, month, days[number - 1 if number > 0 else number])


def _summer(rule: str, offset: int, utc: datetime) -> bool:
    """True while summer time is on at a moment (naive UTC)."""
    year = utc.year
    if rule == _EUROPE:
        turns = (_sunday(year, 3, -1), _sunday(year, 10, -1))
        first, last = (datetime(day.year, day.month, day.day, 1) for day in turns)
        return first <= utc < last
    if rule == _AMERICA:
        on, off = _sunday(year, 3, 2), _sunday(year, 11, 1)
        first = datetime(on.year, on.month, on.day, 2) - timedelta(hours=offset)
        last = datetime(off.year, off.month, off.day, 1) - timedelta(hours=offset)
        return first <= utc < last
    if rule == _AUSTRALIA:
        off, on = _sunday(year, 4, 1), _sunday(year, 10, 1)
        last = datetime(off.year, off.month, off.day, 2) - timedelta(hours=offset)
        first = datetime(on.year, on.month, on.day, 2) - timedelta(hours=offset)
        return utc < last or utc >= first
    return False


def offset_s(zone: str, time_s: int) -> int:
    """Return how far a zone's clock is ahead of UTC, seconds. Unknown zones count as UTC."""
    hours, rule = ZONES.get(zone, (0, _FIXED))
    if rule and _summer(rule, hours, datetime.fromtimestamp(time_s, UTC).replace(tzinfo=None)):
        hours += 1
    return hours * _HOUR_S


def _to_utc_s(zone: str, local_s: int) -> int:
    """Return the UTC second of a zone's clock reading."""
    guess = local_s - offset_s(zone, local_s)
    return local_s - offset_s(zone, guess)


def parse_time(text: str, now_ns: int, default_zone: str = "UTC") -> int | None:
    """Return the moment (ns) that a time text of the API names, None when it names none.

    `yyyymmdd hh:mm:ss [zone]` and `yyyymmdd-hh:mm:ss` (UTC); without a date it is today's.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        return None
    zone = match[7] or ("UTC" if "-" in text[:9] else default_zone)
    if zone not in ZONES:
        return None
    today = datetime.fromtimestamp(now_ns // NS_PER_S + offset_s(zone, now_ns // NS_PER_S), UTC)
    year, month, day = (int(part) if part else 0 for part in match.groups()[:3])
    try:
        moment = datetime(
            year or today.year,
            month or today.month,
            day or today.day,
            int(match[4]),
            int(match[5]),
            int(match[6] or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    return _to_utc_s(zone, timegm(moment.timetuple())) * NS_PER_S


@dataclass(frozen=True, slots=True)
class Opening:
    """Whether a market is open at a moment, and when that changes next (ns)."""

    is_open: bool
    changes_ns: int


def opening(session: Session, zone: str, now_ns: int, *, outside: bool) -> Opening:
    """Return the state of a market at `now_ns`; `outside` counts the hours around the regular ones too."""
    start, end = session.trading if outside else session.liquid
    if session.weekends and (start, end) == ("0000", "2359"):
        return Opening(True, NEVER_NS)
    now_s = now_ns // NS_PER_S
    today = datetime.fromtimestamp(now_s + offset_s(zone, now_s), UTC).date()
    for ahead in range(-1, _SEARCH_DAYS):
        day = today + timedelta(days=ahead)
        if day.weekday() >= SATURDAY and not session.weekends:
            continue
        opens = day - timedelta(days=1) if start >= end else day
        opens_ns, closes_ns = _moment_ns(zone, opens, start), _moment_ns(zone, day, end)
        if now_ns < opens_ns:
            return Opening(False, opens_ns)
        if now_ns < closes_ns:
            return Opening(True, closes_ns)
    raise AssertionError("no session within ten days")  # every session has working days


def _moment_ns(zone: str, day: date, hhmm: str) -> int:
    local_s = timegm(day.timetuple()) + int(hhmm[:2]) * _HOUR_S + int(hhmm[2:]) * 60
    return _to_utc_s(zone, local_s) * NS_PER_S
