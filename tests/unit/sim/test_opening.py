"""When markets are open, and what time texts mean."""

from __future__ import annotations

import pytest

from ibwire.sim import hours
from ibwire.sim.clock import utc_text
from ibwire.sim.opening import NEVER_NS, opening, parse_time


def at(text: str) -> int:
    found = parse_time(text, 0)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("20260302 09:30:00 US/Eastern", "20260302-14:30:00"),
        ("20260302-14:30:00", "20260302-14:30:00"),
        ("20260302  14:30:00", "20260302-14:30:00"),
        ("20260702 09:30 Europe/Berlin", "20260702-07:30:00"),
        ("16:00:00 US/Eastern", "20260302-21:00:00"),
    ],
)
def test_time_texts(text: str, utc: str) -> None:
    found = parse_time(text, at("20260302-12:00:00"))
    assert found is not None and utc_text(found) == utc


@pytest.mark.parametrize("text", ["", "soon", "20261302 10:00:00", "20260230 10:00:00", "20260302 10:00:00 Nowhere"])
def test_texts_that_name_no_time(text: str) -> None:
    assert parse_time(text, 0) is None


@pytest.mark.parametrize(
    ("session", "zone", "now", "outside", "is_open", "changes"),
    [
        (hours.US_STOCK, "US/Eastern", "20260302-14:30:00", False, True, "20260302-21:00:00"),
        (hours.US_STOCK, "US/Eastern", "20260302-21:00:00", False, False, "20260303-14:30:00"),
        (hours.US_STOCK, "US/Eastern", "20260302-21:00:00", True, True, "20260303-01:00:00"),
        (hours.US_STOCK, "US/Eastern", "20260306-21:00:00", False, False, "20260309-13:30:00"),  # a week-end, summer
        (hours.US_FUTURE, "US/Central", "20260302-22:30:00", True, False, "20260302-23:00:00"),
        (hours.US_FUTURE, "US/Central", "20260301-23:30:00", True, True, "20260302-22:00:00"),  # Sunday evening
        (hours.US_STOCK, "US/Eastern", "20260402-20:00:00", False, False, "20260406-13:30:00"),  # Good Friday
        (hours.PLAIN, "Japan", "20260302-14:30:00", False, False, "20260303-00:00:00"),
    ],
)
def test_opening(session: hours.Session, zone: str, now: str, outside: bool, is_open: bool, changes: str) -> None:
    found = opening(session, zone, at(now), outside=outside)
    assert (found.is_open, utc_text(found.changes_ns)) == (is_open, changes)


def test_some_markets_never_close() -> None:
    assert opening(hours.CRYPTO, "US/Central", 0, outside=False) == (opening(hours.CRYPTO, "Japan", 5, outside=True))
    assert opening(hours.CRYPTO, "US/Central", 0, outside=False).changes_ns == NEVER_NS
