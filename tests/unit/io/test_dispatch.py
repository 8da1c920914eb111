from __future__ import annotations

import struct
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire._ring import MergedCursor
from ibwire.io.dispatch import Dispatcher
from ibwire.types import incoming as m
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from tests.unit.ring.impls import IMPLS

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

    def __init__(self, kind: str, capacity: int = 1024) -> None:
        """``kind``: plain or compiled rings and dispatcher, and which market ring."""
        self.seen: list[tuple[str, int]] = []
        self.gaps: list[int] = []
        self.fails_at = 0
        name, market_kind = kind.split("-")
        impl = IMPLS[name]
        market, orders, control = impl.MarketRing(capacity), impl.LogRing(), impl.LogRing()
        self.market_ring = market
        every = impl.EveryRing(market) if market_kind == "every" else None
        self.decoder = impl.StreamDecoder(176, market, orders, control, every=every)
        cursors = orders.cursor(), control.cursor(), (every or market).cursor()
        calls = self.entry, self.market, self.gap
        if name == "plain":
            self.dispatcher: Any = Dispatcher(self.decoder, *cursors, *calls)
        else:
            self.dispatcher = MergedCursor(market.region, *cursors, *calls)

    def entry(self, entry: Any) -> None:
        self.seen.append(("entry", entry.seq))
        if entry.seq == self.fails_at:
            raise RuntimeError("user code")

    def market(self, records: bytes | memoryview) -> None:
        for i in range(0, len(records), 64):
            (seq,) = struct.unpack_from("<Q", records, i)
            self.seen.append(("market", seq))

    def gap(self, lost: int) -> None:
        self.gaps.append(lost)
        self.seen.append(("gap", lost))

    def set_watermark(self, seq: int) -> None:
        if hasattr(self.market_ring, "region"):
            self.market_ring.region.publish(seq)
        else:
            self.decoder.watermark = seq

    def feed(self, *names: str) -> None:
        self.decoder.receive(b"".join(frame(MESSAGES[n]) for n in names), 1)


KINDS = ("plain-latest", "plain-every", "compiled-latest", "compiled-every")


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=50)
@given(messages=st.lists(st.tuples(st.sampled_from(sorted(MESSAGES)), st.booleans()), max_size=60))
def test_everything_comes_once_in_wire_order(kind: str, messages: list[tuple[str, bool]]) -> None:
    run = Run(kind)
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


def test_more_than_a_batch(kind: str) -> None:
    run = Run(kind, capacity=1 << 14)
    run.feed(*(["market"] * 1500 + ["order"] + ["control"] * 1500) * 3)
    assert run.dispatcher.dispatch() == 9003
    assert [seq for _, seq in run.seen] == list(range(1, 9004))


@pytest.mark.parametrize("kind", ["plain-latest", "compiled-latest"])
def test_a_gap_is_told_where_it_is(kind: str) -> None:
    run = Run(kind, capacity=64)
    run.feed("order", *["market"] * 200, "control")
    run.dispatcher.dispatch()
    (lost,) = run.gaps
    assert 200 - 64 <= lost < 200 - 64 + 16  # the compiled ring's mark moves in steps
    assert run.seen == [("entry", 1), ("gap", lost), *(("market", n) for n in range(2 + lost, 202)), ("entry", 202)]


def test_what_is_not_yet_in_every_ring_waits(kind: str) -> None:
    run = Run(kind)
    run.feed("control", "order")
    run.set_watermark(1)  # as if the second message were being stored right now
    run.dispatcher.dispatch()
    assert run.seen == [("entry", 1)]
    run.set_watermark(2)
    run.dispatcher.dispatch()
    assert run.seen == [("entry", 1), ("entry", 2)]


def test_after_an_exception_the_next_item_follows(kind: str) -> None:
    run = Run(kind)
    run.feed("control", "control")

    run.fails_at = 1
    with pytest.raises(RuntimeError):
        run.dispatcher.dispatch()
    run.dispatcher.dispatch()
    assert run.seen == [("entry", 1), ("entry", 2)]


def test_rings_may_be_left_out(kind: str) -> None:
    impl = IMPLS[kind.partition("-")[0]]
    orders, control, market = impl.LogRing(), impl.LogRing(), impl.MarketRing(64)
    decoder = impl.StreamDecoder(176, market, orders, control)
    seen: list[int] = []
    source, make = (decoder, Dispatcher) if impl.name == "plain" else (market.region, MergedCursor)
    dispatcher: Any = make(source, orders.cursor(), None, None, lambda e: seen.append(e.seq))
    decoder.receive(b"".join(frame(MESSAGES[n]) for n in ("market", "order", "control")), 1)
    assert dispatcher.dispatch() == 1
    assert seen == [2]
    dispatcher.close()
