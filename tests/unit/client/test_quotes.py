"""Tick records to quotes, made by the real decoder from real bytes."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.quotes import Quote, TickReader
from ibwire.ring import impl
from ibwire.spec import ticks
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

N = ticks.NUMBERS


class Feed:
    """Messages in, records out."""

    def __init__(self, version: int = 225) -> None:
        self.codec = Codec(version, Role.GATEWAY)
        self.market = impl.MarketRing(1024)
        self.decoder = impl.StreamDecoder(version, self.market, impl.LogRing(), impl.LogRing())
        self.cursor: Any = self.market.cursor()
        self.reader = TickReader()
        self.reader.add(1)

    def __call__(self, *messages: Any, now_ns: int = 5) -> set[int]:
        self.decoder.receive(b"".join(frame(self.codec.encode(message)) for message in messages), now_ns)
        return self.reader.feed(self.cursor.poll_bytes())

    @property
    def quote(self) -> Quote:
        return self.reader.quotes[1]


def price(kind: str, value: float, size: str | None = None, reqId: int = 1) -> incoming.TickPrice:
    return incoming.TickPrice(reqId, N[kind], value, Decimal(size) if size else None)


def size(kind: str, value: str) -> incoming.TickSize:
    return incoming.TickSize(1, N[kind], Decimal(value))


def test_nothing_is_known_at_first() -> None:
    quote = Quote()
    assert math.isnan(quote.bid) and math.isnan(quote.ask) and math.isnan(quote.mid)
    assert not quote.is_two_sided
    assert not quote.ask - quote.bid <= 0.03, "a comparison with what is not known is false"


@pytest.mark.parametrize("version", [176, 225])
def test_prices_and_sizes(version: int) -> None:
    feed = Feed(version)
    assert feed(price("BID", 187.41, "300"), price("ASK", 187.43, "200")) == {1}
    assert (feed.quote.bid, feed.quote.bid_size, feed.quote.ask, feed.quote.ask_size) == (187.41, 300, 187.43, 200)
    assert feed.quote.is_two_sided
    assert feed(size("BID_SIZE", "0.5")) == {1}
    assert feed.quote.bid_size == 0.5
    feed(price("LAST", 187.42, "7"))
    assert (feed.quote.last, feed.quote.last_size) == (187.42, 7)
    assert feed.quote.mid == (187.41 + 187.43) / 2


def test_the_newest_change_gives_time_and_sequence() -> None:
    feed = Feed()
    feed(price("BID", 1.0), price("ASK", 2.0), now_ns=77)
    assert (feed.quote.seq, feed.quote.recv_ns) == (2, 77)
    feed(incoming.TickString(1, N["LAST_TIMESTAMP"], "1700000000"), now_ns=99)
    assert (feed.quote.seq, feed.quote.recv_ns) == (2, 77), "what is no quote changes none"
    assert feed.reader.ticks[1] == 3


def test_a_price_without_a_size_keeps_the_size() -> None:
    feed = Feed()
    feed(price("BID", 1.0, "10"), price("BID", 1.1))
    assert (feed.quote.bid, feed.quote.bid_size) == (1.1, 10)


def test_minus_one_without_a_size_means_no_price() -> None:
    feed = Feed()
    feed(price("BID", 5.0, "10"), price("ASK", 6.0, "10"))
    feed(price("ASK", -1.0, "0"))
    assert math.isnan(feed.quote.ask) and math.isnan(feed.quote.ask_size)
    feed(price("BID", -1.0, "4"))
    assert feed.quote.bid == -1.0, "a combination may be quoted there"


def test_other_requests_and_other_tick_types_are_left_alone() -> None:
    feed = Feed()
    assert feed(price("BID", 5.0, reqId=2), price("HIGH", 9.0), size("VOLUME", "100")) == set()
    assert feed.quote == Quote()
    assert feed.reader.ticks == {1: 2}


def test_delayed_data_says_so() -> None:
    feed = Feed()
    feed(price("DELAYED_BID", 5.0, "1"), price("DELAYED_ASK", 6.0, "2"))
    assert (feed.quote.bid, feed.quote.ask, feed.quote.delayed) == (5.0, 6.0, True)
