"""Trading hours: which days a market is open and from when to when, as text of contract details and as UTC seconds.

The text is `20260302:0400-20260302:2000;...;20260307:CLOSED`, in the instrument's own zone.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from ibwire.sim import zones

SATURDAY = 5
DAYS_SHOWN = 6
_LONGEST_PAUSE = 15  # days without a session in a row, at most


@dataclass(frozen=True, slots=True)
class Session:
    """Daily hours, `hhmm` in the instrument's zone; a start that is not before its end lies on the day before."""

    trading: tuple[str, str]
    liquid: tuple[str, str]
    weekends: bool = False
    us_holidays: bool = False


US_STOCK = Session(("0400", "2000"), ("0930", "1600"), us_holidays=True)
US_OPTION = Session(("0930", "1600"), ("0930", "1600"), us_holidays=True)
PLAIN = Session(("0900", "1730"), ("0900", "1730"))
US_INDEX = Session(("0930", "1615"), ("0930", "1615"), us_holidays=True)
FOREX = Session(("1715", "1700"), ("1715", "1700"))
US_FUTURE = Session(("1700", "1600"), ("0830", "1600"), us_holidays=True)
CRYPTO = Session(("0000", "2359"), ("0000", "2359"), weekends=True)


class Span(NamedTuple):
    """One day's session in UTC seconds: trading hours and, inside them, the liquid (regular) ones."""

    day: date
    start_s: int
    end_s: int
    liquid_start_s: int
    liquid_end_s: int


def _easter(year: int) -> date:
    a, b, c = year % 19, year // 100, year % 100
    d, e = divmod(b, 4)
    g = (8 * b + 13) // 25
    h = (19 * a + b - d - g + 15) % 30
    i, k = divmod(c, 4)
    ell = (32 + 2 * e + 2 * i - h - k) % 7
    m = (a + 11 * h + 22 * ell) // 451
    month, day = divmod(h + ell - 7 * m + 114, 31)
    return date(year, month, day + 1)


@lru_cache(maxsize=256)
def us_holidays(year: int) -> frozenset[date]:
    """Return the days of a year on which the US exchanges are closed all day."""

    def nth(month: int, weekday: int, count: int) -> date:
        first = date(year, month, 1)
        return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))

    may = date(year, 5, 31)
    days = {
        nth(1, 0, 3),
        nth(2, 0, 3),
        _easter(year) - timedelta(days=2),
        may - timedelta(days=may.weekday()),
        nth(9, 0, 1),
        nth(11, 3, 4),
    }
    fixed = [date(year, 1, 1), date(year, 7, 4), date(year, 12, 25)]
    if year >= 2022:
        fixed.append(date(year, 6, 19))
    for day in fixed:
        # On a Sunday the Monday is free, on a Saturday the Friday; not across a year's end.
        days.add(day + timedelta(days={5: -1, 6: 1}.get(day.weekday(), 0)))
    return frozenset(day for day in days if day.year == year)


def is_open_day(session: Session, day: date) -> bool:
    """Whether a day has a session."""
    if session.weekends:
        return True
    return day.weekday() < SATURDAY and not (session.us_holidays and day in us_holidays(day.year))


def _seconds(hhmm: str) -> int:
    return int(hhmm[:2]) * 3600 + int(hhmm[2:]) * 60


@lru_cache(maxsize=65_536)
def span_of(session: Session, zone: str, day: date) -> Span | None:
    """Return the session of a day, None when the market is closed."""
    if not is_open_day(session, day):
        return None
    edges = []
    for start, end in (session.trading, session.liquid):
        begins = day - timedelta(days=1) if start >= end else day
        edges += [zones.day_s(zone, begins, _seconds(start)), zones.day_s(zone, day, _seconds(end))]
    return Span(day, *edges)


def last_started(session: Session, zone: str, time_s: int) -> Span:
    """Return the session that runs at a time, or the last one before it."""
    day = zones.local(zone, time_s).date() + timedelta(days=1)
    for _ in range(_LONGEST_PAUSE):
        span = span_of(session, zone, day)
        if span is not None and span.start_s <= time_s:
            return span
        day -= timedelta(days=1)
    raise AssertionError("every market opens at least once in two weeks")


def following(session: Session, zone: str, day: date, step: int = 1) -> Span:
    """Return the first session after a day; with `step` -1 the last one before it."""
    for _ in range(_LONGEST_PAUSE):
        day += timedelta(days=step)
        span = span_of(session, zone, day)
        if span is not None:
            return span
    raise AssertionError("every market opens at least once in two weeks")


def hours_text(session: Session, span: tuple[str, str], first: date, days: int = DAYS_SHOWN) -> str:
    """Return the hours of `days` days from `first` on, for one of the two spans of a session."""
    start, end = span
    parts = []
    for offset in range(days):
        day = first + timedelta(days=offset)
        if not is_open_day(session, day):
            parts.append(f"{day:%Y%m%d}:CLOSED")
            continue
        opens = day - timedelta(days=1) if start >= end else day
        parts.append(f"{opens:%Y%m%d}:{start}-{day:%Y%m%d}:{end}")
    return ";".join(parts)


def third_friday(year: int, month: int) -> date:
    """Return the usual expiry day of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)
