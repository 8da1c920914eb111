"""Trading hours text of contract details: `20260302:0400-20260302:2000;...;20260307:CLOSED`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

SATURDAY = 5
DAYS_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Session:
    """Daily hours, `hhmm` in the instrument's zone; a start that is not before its end lies on the day before."""

    trading: tuple[str, str]
    liquid: tuple[str, str]
    weekends: bool = False


US_STOCK = Session(("0400", "2000"), ("0930", "1600"))
PLAIN = Session(("0900", "1730"), ("0900", "1730"))
US_INDEX = Session(("0930", "1615"), ("0930", "1615"))
FOREX = Session(("1715", "1700"), ("1715", "1700"))
US_FUTURE = Session(("1700", "1600"), ("0830", "1600"))
CRYPTO = Session(("0000", "2359"), ("0000", "2359"), weekends=True)


def hours_text(session: Session, span: tuple[str, str], first: date, days: int = DAYS_SHOWN) -> str:
    """Return the hours of `days` days from `first` on, for one of the two spans of a session."""
    start, end = span
    parts = []
    for offset in range(days):
        day = first + timedelta(days=offset)
        if day.weekday() >= SATURDAY and not session.weekends:
            parts.append(f"{day:%Y%m%d}:CLOSED")
            continue
        opens = day - timedelta(days=1) if start >= end else day
        parts.append(f"{opens:%Y%m%d}:{start}-{day:%Y%m%d}:{end}")
    return ";".join(parts)


def third_friday(year: int, month: int) -> date:
    """Return the usual expiry day of a month."""
    first = date(year, month, 1)
    return first + timedelta(days=(4 - first.weekday()) % 7 + 14)
