"""Time zones by rule, not from the machine's own tables, which differ: the zones that the world's instruments use.

The rules are those in force since 2007 (US) and 1996 (EU); earlier US years begin and end summer time by the rule of
1987 to 2006. Times are whole seconds since 1970-01-01 UTC.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache

_HOUR = 3600
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EPOCH = datetime(1970, 1, 1)
DAY_S = 86_400


def _nth_sunday(year: int, month: int, nth: int) -> int:
    """Day number of the nth Sunday of a month; 0 is the last one."""
    if nth:
        first = date(year, month, 1)
        return first.toordinal() + (6 - first.weekday()) % 7 + 7 * (nth - 1) - _EPOCH_DAY
    last = date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)
    return last.toordinal() - (last.weekday() + 1) % 7 - _EPOCH_DAY


Summer = Callable[[int, int], tuple[int, int]]


def _us(year: int, standard_s: int) -> tuple[int, int]:
    first, last = ((3, 2), (11, 1)) if year >= 2007 else ((4, 1), (10, 0))
    begin, end = _nth_sunday(year, *first), _nth_sunday(year, *last)
    return begin * DAY_S + 2 * _HOUR - standard_s, end * DAY_S + _HOUR - standard_s


def _eu(year: int, standard_s: int) -> tuple[int, int]:
    return _nth_sunday(year, 3, 0) * DAY_S + _HOUR, _nth_sunday(year, 10, 0) * DAY_S + _HOUR


def _nsw(year: int, standard_s: int) -> tuple[int, int]:
    """South of the equator: the span is that without summer time, and `ZONES` says so by its sign."""
    begin, end = _nth_sunday(year, 4, 1), _nth_sunday(year, 10, 1)
    return begin * DAY_S + 2 * _HOUR - standard_s, end * DAY_S + 2 * _HOUR - standard_s


# Zone -> (offset outside the span in seconds, offset inside, rule of the span).
ZONES: dict[str, tuple[int, int, Summer | None]] = {
    "UTC": (0, 0, None),
    "US/Eastern": (-5 * _HOUR, -4 * _HOUR, _us),
    "US/Central": (-6 * _HOUR, -5 * _HOUR, _us),
    "US/Pacific": (-8 * _HOUR, -7 * _HOUR, _us),
    "GB-Eire": (0, _HOUR, _eu),
    "MET": (_HOUR, 2 * _HOUR, _eu),
    "Japan": (9 * _HOUR, 9 * _HOUR, None),
    "Hongkong": (8 * _HOUR, 8 * _HOUR, None),
    "Australia/NSW": (11 * _HOUR, 10 * _HOUR, _nsw),
}

# Other names of the same zones, as clients write them.
ALIASES: dict[str, str] = {
    "GMT": "UTC",
    "Etc/UTC": "UTC",
    "Z": "UTC",
    "America/New_York": "US/Eastern",
    "EST": "US/Eastern",
    "EST5EDT": "US/Eastern",
    "America/Chicago": "US/Central",
    "CST": "US/Central",
    "America/Los_Angeles": "US/Pacific",
    "PST": "US/Pacific",
    "Europe/London": "GB-Eire",
    "Europe/Berlin": "MET",
    "Europe/Paris": "MET",
    "Europe/Zurich": "MET",
    "Europe/Amsterdam": "MET",
    "Europe/Rome": "MET",
    "Europe/Stockholm": "MET",
    "CET": "MET",
    "Asia/Tokyo": "Japan",
    "JST": "Japan",
    "Asia/Hong_Kong": "Hongkong",
    "Australia/Sydney": "Australia/NSW",
}


def known(name: str) -> str | None:
    """Return the world's name of a zone, None for one it does not know."""
    name = ALIASES.get(name, name)
    return name if name in ZONES else None


@lru_cache(maxsize=1024)
def _span(zone: str, year: int) -> tuple[int, int]:
    outside, inside, rule = ZONES[zone]
    if rule is None:
        return 0, 0
    return rule(year, inside if rule is _nsw else outside)


def offset_s(zone: str, time_s: int) -> int:
    """Return local time less UTC at a UTC time, in seconds."""
    outside, inside, rule = ZONES[zone]
    if rule is None:
        return outside
    begin, end = _span(zone, (_EPOCH + timedelta(seconds=time_s)).year)
    return inside if begin <= time_s < end else outside


def local(zone: str, time_s: int) -> datetime:
    """Return the wall-clock time there, without a zone."""
    return _EPOCH + timedelta(seconds=time_s + offset_s(zone, time_s))


def utc_s(zone: str, wall: datetime) -> int:
    """Return the UTC time of a wall-clock time there; of two, the earlier."""
    naive = (wall - _EPOCH) // timedelta(seconds=1)
    guess = naive - max(ZONES[zone][:2])
    if guess + offset_s(zone, guess) == naive:
        return guess
    return naive - min(ZONES[zone][:2])


def day_s(zone: str, day: date, seconds: int) -> int:
    """Return the UTC time of a day's wall-clock time there, given in seconds since its midnight."""
    return utc_s(zone, datetime(day.year, day.month, day.day) + timedelta(seconds=seconds))


def text(zone: str, time_s: int) -> str:
    """Return `yyyymmdd hh:mm:ss Zone`."""
    return f"{local(zone, time_s):%Y%m%d %H:%M:%S} {zone}"


def utc_text(time_s: int) -> str:
    """Return `yyyymmdd-hh:mm:ss`, which is UTC."""
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y%m%d-%H:%M:%S")
