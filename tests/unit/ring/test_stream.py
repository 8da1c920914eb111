from __future__ import annotations

import math
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire.errors import ConsumerTooSlow, ProtocolError
from ibwire.ring.records import dtype
from ibwire.ring.store import Store, source
from ibwire.spec import records as R
from ibwire.spec.registry import INCOMING
from ibwire.types import incoming as m
from ibwire.types import structs as s
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from ibwire.wire.plan import proto_plan, text_plan
from tests.unit.ring.impls import IMPLS, Impl

TEXT, PROTO = 176, 225
VERSIONS = [TEXT, PROTO]


class Fed:
    """A stream decoder with its rings, cursors, and a gateway's codec for what to feed."""

    def __init__(self, impl: Impl, version: int, backlog: int = 1 << 20) -> None:
        self.version = version
        self.market, self.orders, self.control = impl.MarketRing(1024), impl.LogRing(backlog), impl.LogRing(backlog)
        self.ticks, self.order_cursor, self.control_cursor = (
            self.market.cursor(),
            self.orders.cursor(),
            self.control.cursor(),
        )
        self.decoder = impl.StreamDecoder(version, self.market, self.orders, self.control)
        self.gateway = Codec(version, Role.GATEWAY)

    def wire(self, *messages: Any) -> bytes:
        """Frames of messages; bytes stand for themselves as payloads."""
        return b"".join(frame(x if isinstance(x, bytes) else self.gateway.encode(x)) for x in messages)

    def feed(self, *messages: Any, recv_ns: int = 1000) -> int:
        return int(self.decoder.receive(self.wire(*messages), recv_ns))

    def rows(self, name: str) -> Any:
        """All market records of one kind, as that record's dtype."""
        polled = self.ticks.poll()
        kind = next(r.id for r in INCOMING.values() if r.record == name)
        return polled[polled["kind"] == kind].view(dtype(name))

    def one(self, name: str, message: Any) -> Any:
        self.feed(message)
        (row,) = self.rows(name)
        return row

    def order(self, message: Any) -> tuple[Any, Any]:
        """The header, as a record, and the entry of one order message."""
        self.feed(message)
        (entry,) = self.order_cursor.poll()
        name = INCOMING[entry.kind].record
        return np.frombuffer(entry.header, dtype(name))[0], entry


@pytest.fixture(params=VERSIONS)
def fed(request: pytest.FixtureRequest, impl: Impl) -> Fed:
    return Fed(impl, request.param)


def ref(entry: Any, column: Any) -> bytes:
    start, length = int(column["offset"]), int(column["length"])
    return bytes(entry.payload[start : start + length])


# ---------------------------------------------------------------------------------------------- market records


def test_a_price_fills_its_record(fed: Fed) -> None:
    attrib = s.TickAttrib(canAutoExecute=True, preOpen=True)
    row = fed.one("TICK_PRICE", m.TickPrice(9, 1, 187.41, Decimal("300.50"), attrib))
    assert (row["seq"], row["recv_ns"], row["kind"], row["part"], row["flags"]) == (1, 1000, 1, 0, 0)
    assert (row["key"], row["tickType"], row["price"], row["size"], row["mask"]) == (9, 1, 187.41, 300.5, 5)
    assert row["size_digits"] == 2
    assert row["price_digits"] == (2 if fed.version == TEXT else -1)


def test_what_is_not_set_is_marked(fed: Fed) -> None:
    row = fed.one("TICK_PRICE", m.TickPrice(9, 1, 187.41, None))
    assert math.isnan(row["size"])
    assert row["size_digits"] == -1
    assert row["flags"] & R.FLAG_UNSET
    row = fed.one("TICK_SIZE", m.TickSize(9, 0, Decimal(5)))
    assert not row["flags"] & R.FLAG_UNSET
    assert math.isnan(row["price"])


def test_two_parts_repeat_their_head(fed: Fed) -> None:
    message = m.TickOptionComputation(8, 13, 1, 0.25, 0.5, 3.75, 0.0, 0.0625, 0.125, None, 187.5)
    fed.feed(message)
    raw = fed.ticks.poll()
    assert raw["part"].tolist() == [0, 1]
    assert raw["seq"].tolist() == [1, 1]
    assert raw["key"].tolist() == [8, 8]
    assert raw["aux"].tolist() == [13, 13]
    row = raw.view(dtype("OPTION_COMPUTATION"))[0]
    names = ["impliedVol", "delta", "optPrice", "pvDividend", "gamma", "vega", "undPrice"]
    assert [float(row[n]) for n in names] == [0.25, 0.5, 3.75, 0.0, 0.0625, 0.125, 187.5]
    assert math.isnan(row["theta"])
    assert row["flags"] & R.FLAG_UNSET


def test_tick_by_tick_takes_the_part_that_came(fed: Fed) -> None:
    last = s.HistoricalTickLast(1700000000, s.TickAttribLast(unreported=True), 10.5, Decimal("7"), "NYSE", "T")
    quote = s.HistoricalTickBidAsk(
        1700000001, s.TickAttribBidAsk(bidPastLow=True), 1.5, 2.5, Decimal("3"), Decimal("4.0")
    )
    fed.feed(m.TickByTick(1, 1, last=last), m.TickByTick(2, 3, bidAsk=quote))
    trade, both = fed.rows("TICK_BY_TICK")
    assert (trade["time"], trade["price"], trade["size"], trade["mask"]) == (1700000000, 10.5, 7, 2)
    assert (trade["exchange"], trade["exchange_len"], trade["conditions"]) == (b"NYSE", 4, b"T")
    assert math.isnan(trade["ask_price"])
    assert (both["price"], both["ask_price"], both["ask_size"], both["ask_size_digits"]) == (1.5, 2.5, 4, 1)
    assert both["mask"] == 1
    assert trade["flags"] == both["flags"] == 0


def test_a_text_that_fits_is_in_the_record_alone(fed: Fed) -> None:
    row = fed.one("TICK_STRING", m.TickString(3, 45, "x" * 31))
    assert (row["text"], row["text_len"], row["flags"]) == (b"x" * 31, 31, 0)
    assert fed.control_cursor.poll() == []


@pytest.mark.parametrize("value", ["x" * 32, "naïve"])
def test_a_text_that_does_not_is_in_the_control_ring_too(fed: Fed, value: str) -> None:
    row = fed.one("TICK_STRING", m.TickString(3, 45, value))
    assert row["flags"] & R.FLAG_LONG_TEXT
    (entry,) = fed.control_cursor.poll()
    assert entry.seq == row["seq"]
    assert entry.flags == row["flags"]
    assert Codec(fed.version, Role.CLIENT).decode(entry.payload) == m.TickString(3, 45, value)


@pytest.mark.parametrize(
    ("text", "digits", "exact"),
    [
        ("100", 0, True),
        ("0.00000001", 8, True),
        ("123456789012.345", 3, True),
        ("1234567890123.456", 3, False),
        ("12345678901234567890", 0, False),
        ("-0.50", 2, True),
    ],
)
def test_digits_of_sizes(fed: Fed, text: str, digits: int, exact: bool) -> None:
    row = fed.one("TICK_SIZE", m.TickSize(1, 0, Decimal(text)))
    assert row["size"] == float(text)
    assert row["size_digits"] == digits
    assert bool(row["flags"] & R.FLAG_LONG_NUMBER) is not exact
    assert len(fed.control_cursor.poll()) == (0 if exact else 1)
    if exact:
        assert f"{float(row['size']):.{digits}f}" == text


def test_a_number_beyond_its_place(impl: Impl) -> None:
    fed = Fed(impl, TEXT)
    row = fed.one("TICK_GENERIC", b"45\x006\x009876543210\x005000000000\x001.5\0")
    assert (row["key"], row["tickType"]) == (9876543210, -(2**31))
    assert row["flags"] == R.FLAG_LONG_NUMBER | R.FLAG_UNSET
    assert len(fed.control_cursor.poll()) == 1


@pytest.mark.parametrize("version", VERSIONS)
def test_every_path_of_a_record_has_a_source(version: int) -> None:
    missing = set()
    for row in INCOMING.values():
        if row.record:
            plan = text_plan(row, version) if version == TEXT else proto_plan(row, version)
            record = Store(plan).record
            missing |= {(record.name, p) for f in record.fields for p in f.paths if source(plan, p) is None}
    # Layouts shared by two messages, one of which has less.
    assert missing == {("TICK_SIZE", "price"), ("TICK_SIZE", "attrMask"), ("MARKET_DEPTH", "isSmartDepth")}


# ---------------------------------------------------------------------------------------------- orders and control


def test_an_order_status_is_header_and_payload(fed: Fed) -> None:
    message = m.OrderStatus(7, "Submitted", Decimal(40), Decimal("60.5"), 187.42, 904117, 3, 187.5, 1, "locate", 0.0)
    header, entry = fed.order(message)
    assert (entry.seq, entry.kind, entry.recv_ns) == (1, 3, 1000)
    assert len(entry.header) == R.ORDER_HEADER_BYTES
    assert (header["orderId"], header["permId"], header["clientId"], header["parentId"]) == (7, 904117, 1, 3)
    assert (header["filled"], header["remaining"], header["remaining_digits"]) == (40, 60.5, 1)
    assert (header["avg_price"], header["last_price"]) == (187.42, 187.5)
    assert ref(entry, header["status"]) == b"Submitted"
    assert ref(entry, header["text"]) == b"locate"
    assert header["payload_bytes"] == len(entry.payload)
    assert Codec(fed.version, Role.CLIENT).decode(entry.payload) == message
    assert math.isnan(header["quantity"])
    assert fed.control_cursor.poll() == []


def test_an_open_order_refers_into_nested_structs(fed: Fed) -> None:
    order = s.Order(permId=5, clientId=2, action="BUY", totalQuantity=Decimal(100), orderType="LMT", lmtPrice=1.25)
    order.account, order.orderRef = "DU0000001", "mine"
    state = s.OrderState(status="PreSubmitted")
    header, entry = fed.order(m.OpenOrder(11, s.Contract(symbol="AAPL", exchange="SMART"), order, state))
    found = {name: ref(entry, header[name]) for name in ("status", "side", "orderRef", "account", "symbol", "text")}
    assert found == {
        "status": b"PreSubmitted",
        "side": b"BUY",
        "orderRef": b"mine",
        "account": b"DU0000001",
        "symbol": b"AAPL",
        "text": b"LMT",
    }
    assert (header["orderId"], header["quantity"], header["price"]) == (11, 100, 1.25)


def test_errors_go_to_the_order_ring(fed: Fed) -> None:
    header, entry = fed.order(m.Error(id=7, errorCode=202, errorMsg="Order Canceled"))
    assert (header["orderId"], header["code"], entry.code) == (7, 202, 202)
    assert ref(entry, header["text"]) == b"Order Canceled"


def test_a_commission_has_no_order_id(fed: Fed) -> None:
    report = s.CommissionAndFeesReport(execId="0001.01", commissionAndFees=1.5, currency="USD")
    header, entry = fed.order(m.CommissionAndFeesReport(report))
    assert header["orderId"] == R.INT_UNSET
    assert header["price"] == 1.5
    assert ref(entry, header["execId"]) == b"0001.01"


def test_everything_else_goes_raw_to_the_control_ring(fed: Fed) -> None:
    fed.feed(m.NextValidId(5))
    (entry,) = fed.control_cursor.poll()
    assert (entry.seq, entry.kind, entry.flags) == (1, 9, 0)
    assert entry.payload == fed.gateway.encode(m.NextValidId(5))


def test_one_sequence_over_all_rings(fed: Fed) -> None:
    size = m.TickSize(1, 0, Decimal(5))
    assert fed.feed(size, m.NextValidId(5), m.Error(id=1, errorCode=200), size) == 4
    assert fed.ticks.poll()["seq"].tolist() == [1, 4]
    assert [e.seq for e in fed.control_cursor.poll()] == [2]
    assert [e.seq for e in fed.order_cursor.poll()] == [3]
    assert fed.decoder.watermark == 4


# ---------------------------------------------------------------------------------------------- bad bytes


def bad_payload(version: int, kind: int, body: bytes) -> bytes:
    return b"%d\0" % kind + body if version < 201 else (kind + 200).to_bytes(4, "big") + b"\x0a\x7f"


def test_a_bad_market_frame_is_reported_and_the_stream_goes_on(fed: Fed) -> None:
    bad = bad_payload(fed.version, 1, b"6\x001\x00x\0")
    assert fed.feed(bad, m.TickSize(1, 0, Decimal(5))) == 2
    assert fed.ticks.poll()["seq"].tolist() == [2]
    (entry,) = fed.control_cursor.poll()
    assert (entry.seq, entry.kind, entry.flags, entry.payload) == (1, 1, R.FLAG_UNDECODABLE, bad)
    assert "tickPrice" in fed.decoder.explain(entry.payload)
    assert fed.order_cursor.poll() == []
    assert fed.decoder.stats["bad_frames"] == 1


def test_a_bad_order_frame_reaches_the_order_ring_too(fed: Fed) -> None:
    fed.feed(bad_payload(fed.version, 3, b"seven\0"))
    (entry,) = fed.control_cursor.poll()
    (order,) = fed.order_cursor.poll()
    assert (order.seq, order.kind, order.flags, order.payload) == (1, 3, R.FLAG_UNDECODABLE, entry.payload)
    assert entry.flags == R.FLAG_UNDECODABLE


def test_a_frame_without_an_id(fed: Fed) -> None:
    fed.feed(b"x")
    (entry,) = fed.control_cursor.poll()
    assert (entry.kind, entry.flags) == (0, R.FLAG_UNDECODABLE)
    assert "no message id" in fed.decoder.explain(entry.payload)


def test_an_unknown_id_is_no_failure(fed: Fed) -> None:
    payload = b"199\x00x\0" if fed.version == TEXT else (199).to_bytes(4, "big")
    fed.feed(payload)
    (entry,) = fed.control_cursor.poll()
    assert (entry.kind, entry.code, entry.flags, entry.payload) == (0, 199, 0, payload)
    stats = fed.decoder.stats
    assert (stats["unknown"], stats["bad_frames"], stats["messages"]) == (1, 0, 1)


def test_surplus_is_accepted_flagged_and_counted(fed: Fed) -> None:
    surplus = b"more\0" if fed.version == TEXT else b"\xf8\x7f\x01"
    row = fed.one("TICK_SIZE", fed.gateway.encode(m.TickSize(1, 0, Decimal(5))) + surplus)
    assert row["flags"] == R.FLAG_EXTRA
    assert fed.decoder.stats["extra"] == 1


@pytest.mark.parametrize("junk", [b"\0\0\0\0", b"\x01\0\0\0", b"HTTP/1.1 400 Bad Request\r\n"])
def test_lost_framing_ends_the_stream(fed: Fed, junk: bytes) -> None:
    with pytest.raises(ProtocolError):
        fed.decoder.receive(fed.wire(m.NextValidId(5)) + junk, 1)
    assert [e.seq for e in fed.control_cursor.poll()] == [1]
    assert fed.decoder.watermark == 1
    with pytest.raises(ProtocolError):
        fed.feed(m.NextValidId(6))
    assert fed.control_cursor.poll() == []


def test_an_unread_backlog_ends_the_stream(impl: Impl) -> None:
    fed = Fed(impl, TEXT, backlog=4 << 20)
    with pytest.raises(ConsumerTooSlow):
        for _ in range(5000):
            fed.feed(m.Error(id=1, errorCode=200, errorMsg="x" * 5000))


def test_stats_count_bytes_and_messages(fed: Fed) -> None:
    data = fed.wire(m.NextValidId(5), m.TickSize(1, 0, Decimal(5)))
    fed.decoder.receive(data + b"\0\0", 1)
    assert fed.decoder.stats["messages"] == 2
    assert fed.decoder.stats["bytes"] == len(data) + 2
    assert fed.decoder.pending_bytes == 2


# ---------------------------------------------------------------------------------------------- chunking


def sample(fed: Fed) -> bytes:
    return fed.wire(
        m.TickPrice(9, 1, 187.41, Decimal("300.5")),
        m.NextValidId(5),
        m.TickString(3, 45, "x" * 200),
        m.OrderStatus(7, "Submitted", Decimal(40), Decimal(60), 187.42, 904117, 0, 187.5, 1, "", 0.0),
        m.TickOptionComputation(8, 13, 1, 0.25, 0.5, 3.75, 0.0, 0.0625, 0.125, None, 187.5),
        b"1" if fed.version == TEXT else b"\0\0\0\xc9\xff",
        m.Error(id=7, errorCode=202, errorMsg="gone"),
    )


def drained(fed: Fed) -> tuple[bytes, list[Any], list[Any]]:
    def plain(entries: list[Any]) -> list[Any]:
        return [(e.seq, e.kind, e.flags, bytes(e.header), bytes(e.payload)) for e in entries]

    return fed.ticks.poll_bytes(), plain(fed.order_cursor.poll()), plain(fed.control_cursor.poll())


@pytest.mark.parametrize("name", sorted(IMPLS))
@pytest.mark.parametrize("version", VERSIONS)
@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 600), max_size=12))
def test_any_chunking_equals_one_chunk(name: str, version: int, cuts: list[int]) -> None:
    whole, pieces = Fed(IMPLS[name], version), Fed(IMPLS[name], version)
    data = sample(whole)
    whole.decoder.receive(data, 5)
    edges = [0, *sorted(min(c, len(data)) for c in cuts), len(data)]
    for start, end in pairwise(edges):
        pieces.decoder.receive(memoryview(data)[start:end], 5)
    assert drained(pieces) == drained(whole)
    assert pieces.decoder.stats == whole.decoder.stats


def test_one_byte_at_a_time(fed: Fed, impl: Impl) -> None:
    whole = Fed(impl, fed.version)
    data = sample(fed)
    assert whole.decoder.receive(data, 5) == sum(fed.decoder.receive(data[i : i + 1], 5) for i in range(len(data)))
    assert drained(fed) == drained(whole)
