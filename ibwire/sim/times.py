"""Dates and times as clients write and read them in requests for history."""

from __future__ import annotations

import re
from datetime import datetime

from ibwire.sim import zones
from ibwire.sim.replies import ZONED_TIMES

_TIME = re.compile(r"(\d{8})(?:( +|-)(\d{2}:\d{2}(?::\d{2})?))?(?: *([A-Za-z][A-Za-z0-9/_+-]*))?")


class BadTime(ValueError):
    """A text that is no time of the API: error 10314."""


def parse(text: str, zone: str) -> int:
    """Return the UTC seconds of `yyyymmdd hh:mm:ss [Zone]` or `yyyymmdd-hh:mm:ss`; without a zone it is in `zone`.

    Raises
    ------
    BadTime
        If it is neither, or the zone is unknown.
    """
    match = _TIME.fullmatch(text.strip())
    if match is None:
        raise BadTime(f"'{text}' is neither 'yyyymmdd hh:mm:ss Zone' nor 'yyyymmdd-hh:mm:ss' in UTC")
    if match[2] == "-":
        if match[4] not in (None, "Z", "UTC"):
            raise BadTime(f"'{text}' has a dash, which means UTC, and a zone")
        zone = "UTC"
    elif match[4]:
        named = zones.known(match[4])
        if named is None:
            raise BadTime(f"the time zone '{match[4]}' is not known")
        zone = named
    clock = match[3] or "00:00:00"
    try:
        wall = datetime.strptime(f"{match[1]} {clock}{':00' if len(clock) == 5 else ''}", "%Y%m%d %H:%M:%S")
    except ValueError:
        raise BadTime(f"'{text}' is no date and time of the calendar") from None
    if not 1980 <= wall.year <= 2100:
        raise BadTime(f"'{text}' lies outside the years 1980 to 2100")
    return zones.utc_s(zone, wall)


def bar_time(time_s: int, zone: str, server_version: int) -> str:
    """Return an intraday bar's time as text in its zone; older clients get two spaces and no zone."""
    if server_version >= ZONED_TIMES:
        return zones.text(zone, time_s)
    return f"{zones.local(zone, time_s):%Y%m%d  %H:%M:%S}"
