from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.io.dispatch import Dispatcher
from ibwire.ring.log import LogRing
from ibwire.ring.market import MarketRing
from ibwire.ring.stream import StreamDecoder
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

GATEWAY = Codec(176, Role.GATEWAY)
MESSAGES = {
    "market": GATEWAY.encode(m.TickSize(1, 0, Decimal(5))),
    "long": GATEWAY.encode(m.TickString(1, 45, "x" * 100)),
    "two": GATEWAY.encode(m.TickOptionComputation(8, 13, 1, 0.25, 0.5, 3.75, 0.0, 0.5, 0.5, 0.5, 1.5)),
    "order": GATEWAY.encode(m.Error(id=1, errorCode=200)),
    "bad order": b"3\x00seven\0",
    "control": GATEWAY.encode(m.NextValidId(5)),
}


class Run:
    """Rings, a decoder, and a dispatcher that notes (what, seq) in the order of its calls."""

    def __init__(self, capacity: int = 1024) -> None:
        self.seen: list[tuple[str, int]] = []
        self.gaps: list[int] = []
        market, orders, control = MarketRing(capacity), LogRing(), LogRing()
        self.decoder = StreamDecoder(176, market, orders, control)
        self.dispatcher = Dispatcher(
            self.decoder, orders.cursor(), control.cursor(), market.cursor(), self.entry, self.market, self.gap
        )

    def entry(self, entry: Any) -> None:
        self.seen.append(("entry", entry.seq))

    def market(self, records: memoryview) -> None:
        for i in range(0, len(records), 64):
            (seq,) = struct.unpack_from("<Q", records, i)
            self.seen.append(("market", seq))

    def gap(self, lost: int) -> None:
        self.gaps.append(lost)
        self.seen.append(("gap", lost))

    def feed(self, *names: str) -> None:
        self.decoder.receive(b"".join(frame(MESSAGES[n]) for n in names), 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(MESSAGES)), st.booleans()), max_size=60))
def test_everything_comes_once_in_wire_order(messages: list[tuple[str, bool]]) -> None:
    run = Run()
    expected: list[tuple[str, int]] = []
    for seq, (name, dispatch) in enumerate(messages, 1):
        run.feed(name)
        if name in ("market", "two"):
            expected += [("market", seq)] * (2 if name == "two" else 1)
        else:
            expected.append(("entry", seq))  # also those that stand in two rings
        if dispatch:
            run.dispatcher.dispatch()
            assert run.seen == expected
    run.dispatcher.dispatch()
    assert run.seen == expected
    assert run.dispatcher.dispatch() == 0


def test_more_than_a_batch() -> None:
    run = Run(capacity=1 << 14)
    run.feed(*(["market"] * 1500 + ["order"] + ["control"] * 1500) * 3)
    assert run.dispatcher.dispatch() == 9003
    assert [seq for _, seq in run.seen] == list(range(1, 9004))


def test_a_gap_is_told_where_it_is() -> None:
    run = Run(capacity=64)
    run.feed("order", *["market"] * 200, "control")
    run.dispatcher.dispatch()
    assert run.gaps == [200 - 64]
    assert run.seen.index(("gap", 136)) < run.seen.index(("market", 138))
    assert run.seen[-1] == ("entry", 202)


def test_what_is_not_yet_in_every_ring_waits() -> None:
    run = Run()
    run.feed("control", "order")
    run.decoder.watermark = 1  # as if the second message were being stored right now
    run.dispatcher.dispatch()
    assert run.seen == [("entry", 1)]
    run.decoder.watermark = 2
    run.dispatcher.dispatch()
    assert run.seen == [("entry", 1), ("entry", 2)]


def test_after_an_exception_the_next_item_follows() -> None:
    run = Run()
    run.feed("control", "control")

    def once(entry: Any) -> None:
        run.seen.append(("entry", entry.seq))
        if entry.seq == 1:
            raise RuntimeError("user code")

    run.dispatcher._on_entry = once
    with pytest.raises(RuntimeError):
        run.dispatcher.dispatch()
    run.dispatcher.dispatch()
    assert run.seen == [("entry", 1), ("entry", 2)]


def test_rings_may_be_left_out() -> None:
    orders, control, market = LogRing(), LogRing(), MarketRing(64)
    decoder = StreamDecoder(176, market, orders, control)
    seen: list[int] = []
    dispatcher = Dispatcher(decoder, orders.cursor(), None, None, lambda e: seen.append(e.seq))
    decoder.receive(b"".join(frame(MESSAGES[n]) for n in ("market", "order", "control")), 1)
    assert dispatcher.dispatch() == 1
    assert seen == [2]
    dispatcher.close()
