"""Live tables: what the rings said last, in process."""

from __future__ import annotations

import gc
import math
import os
import resource
import socket
import struct
import threading
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ibwire import _fastdecode, _reader, _ring, _tracker
from ibwire.client.quotes import TickReader
from ibwire.errors import ConfigError, ForkedClient, SessionLost
from ibwire.ring import impl
from ibwire.ring.records import dtype
from ibwire.ring.tables import LiveTables, live_tables
from ibwire.spec import records
from ibwire.spec.tables import STATUS_UNKNOWN, WIRE_STATUS_CODES
from ibwire.types import incoming as m
from ibwire.types import structs
from ibwire.wire import hot
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

SIZES = (records.QUOTE_ROW_BYTES, records.ORDER_ROW_BYTES)
PRICE, SIZE, BY_TICK = 1, 2, 99
STATUS, OPEN, EXECUTION, COMMISSION, ERROR = 3, 5, 11, 59, 4
OURS = 7


class Session:
    """Rings and tables of one session, produced by hand."""

    def __init__(self, quotes: int = 0, orders: int = 0, market: int = 1024, tape: int = 0) -> None:
        assert impl.NAME == "compiled"
        self.region = _ring.Region(market, quotes_capacity=quotes, orders_capacity=orders, tape_bytes=tape, sizes=SIZES)
        self.tape = _ring.Tape(self.region) if tape else None
        self.market = _ring.MarketRing(self.region)
        self.log = _ring.LogRing(tape=self.tape, origin=1)
        self.tables: LiveTables = live_tables(self.market, self.log, OURS)
        self.quotes, self.orders = self.tables
        self.seq = 0

    def publish(self) -> None:
        self.region.publish(self.seq)

    def tick(self, key: int, tick: int, price: float = math.nan, size: float = math.nan, kind: int = PRICE) -> None:
        self.seq += 1
        head = struct.pack("<QqBBHiqdd", self.seq, self.seq * 10, kind, 0, 0, tick, key, price, size)
        self.market.append(head.ljust(64, b"\0"))

    def entry(self, kind: int, *, flags: int = 0, payload: bytes = b"", **values: Any) -> None:
        self.seq += 1
        header = np.zeros(1, dtype("ORDER_STATUS"))
        for name in ("quantity", "filled", "remaining", "price", "avg_price", "last_price"):
            header[name] = math.nan
        for name in ("orderId", "permId", "clientId", "parentId"):
            header[name] = records.INT_UNSET
        for name in ("quantity_digits", "filled_digits", "remaining_digits"):
            header[name] = -1
        header["seq"], header["recv_ns"], header["kind"], header["flags"] = self.seq, self.seq * 10, kind, flags
        for name in ("status", "execId"):
            if name in values:
                header[name]["offset"], header[name]["length"] = len(payload), len(values[name])
                payload += values.pop(name).encode()
        for name, value in values.items():
            header[name] = value
        header["payload_bytes"] = len(payload)
        self.log.append(header.tobytes(), payload)

    def status(self, orderId: int, text: str, filled: float, remaining: float, **more: Any) -> None:
        values = {"clientId": OURS, "permId": 1000 + orderId, **more}
        self.entry(STATUS, orderId=orderId, status=text, filled=filled, remaining=remaining, **values)


# ------------------------------------------------------------------------------------------------------------- quotes


def test_a_quote_is_what_came_last_with_its_times() -> None:
    s = Session()
    s.tick(5, 1, 10.5, 3)
    s.tick(5, 2, 10.7, 4)
    s.tick(5, 4, 10.6, 1)
    s.tick(5, 0, size=9, kind=SIZE)
    assert s.quotes.read(5) is None  # nothing is there before it is published
    s.publish()
    q = s.quotes.read(5)
    assert q is not None
    assert (q.bid, q.bid_size, q.ask, q.ask_size, q.last, q.last_size) == (10.5, 9, 10.7, 4, 10.6, 1)
    assert (q.bid_ns, q.ask_ns, q.last_ns, q.recv_ns, q.seq, q.changes) == (40, 20, 30, 40, 4, 4)
    assert not q.delayed
    assert s.quotes.read(6) is None
    assert s.quotes.rows == 1


def test_minus_one_without_a_size_takes_the_side_away() -> None:
    s = Session()
    s.tick(5, 1, 10.5, 3)
    s.tick(5, 1, -1.0, 0)
    s.tick(6, 1, -1.0, 10)
    s.publish()
    gone, spread = s.quotes.read(5), s.quotes.read(6)
    assert gone is not None and math.isnan(gone.bid) and math.isnan(gone.bid_size)
    assert spread is not None and (spread.bid, spread.bid_size) == (-1.0, 10)


def test_delayed_data_is_marked_and_other_ticks_change_nothing() -> None:
    s = Session()
    s.tick(5, 66, 10.5, 3)
    s.tick(5, 6, 99.0, 3)  # HIGH
    s.tick(5, -3, 99.0, 3)
    s.tick(5, 4000, 99.0, 3)
    s.publish()
    q = s.quotes.read(5)
    assert q is not None and q.delayed and q.bid == 10.5 and q.changes == 1


def test_tick_by_tick_makes_a_quote_of_both_records() -> None:
    s = Session()
    head = struct.pack("<QqBBHiq", 1, 11, BY_TICK, 0, 0, 3, 9)
    first = head + struct.pack("<qddibb", 1_700_000_000, 1.25, 100, 0, 0, 0)
    second = struct.pack("<QqBBHiq", 1, 11, BY_TICK, 1, 0, 3, 9) + struct.pack("<dd", 1.5, 200)
    s.market.append(first.ljust(64, b"\0") + second.ljust(64, b"\0"))
    s.publish()
    q = s.quotes.read(9)
    assert q is not None
    assert (q.bid, q.bid_size, q.ask, q.ask_size) == (1.25, 100, 1.5, 200)


TICKS = st.tuples(
    st.integers(1, 4),
    st.sampled_from([0, 1, 2, 3, 4, 5, 6, 66, 67, 68, 69, 70, 71, 45]),
    st.sampled_from([-1.0, 0.0, 1.5, 100.25, math.nan]),
    st.sampled_from([-1.0, 0.0, 7.0, math.nan]),
    st.sampled_from([PRICE, SIZE, 45]),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(TICKS, max_size=60))
def test_the_table_says_what_the_plain_reader_says(ticks: list[tuple[int, int, float, float, int]]) -> None:
    s = Session()
    cursor = s.market.cursor()
    plain = TickReader()
    for key in range(1, 5):
        plain.add(key)
    for key, tick, price, size, kind in ticks:
        s.tick(key, tick, price, size, kind)
    s.publish()
    plain.feed(cursor.poll_bytes())
    for key in range(1, 5):
        want, got = plain.quotes[key], s.quotes.read(key)
        if got is None:
            assert want.seq == 0
            continue
        for name in ("bid", "ask", "last", "bid_size", "ask_size", "last_size", "seq", "recv_ns", "delayed"):
            assert getattr(got, name) == getattr(want, name) or math.isnan(getattr(want, name)), name
            assert math.isnan(getattr(want, name)) == math.isnan(getattr(got, name)), name


def test_a_table_in_process_grows_and_loses_nobody() -> None:
    s = Session()
    for key in range(10_000):
        s.tick(key, 1, key + 0.5, key)
        if key % 500 == 499:
            s.publish()
    s.publish()
    assert s.quotes.rows == 10_000
    assert s.quotes.refused == 0
    assert not s.quotes.is_full
    for key in range(0, 10_000, 7):
        q = s.quotes.read(key)
        assert q is not None and (q.reqId, q.bid, q.bid_size) == (key, key + 0.5, key)
    out = np.zeros(10_001, dtype("QUOTE_ROW"))
    assert s.quotes.snapshot(out) == 10_000
    rows = out[:10_000]
    assert sorted(rows["key"].tolist()) == list(range(10_000))
    assert (rows["bid"] == rows["key"] + 0.5).all()
    assert s.quotes.snapshot(np.zeros(10, dtype("QUOTE_ROW"))) == 10


def test_a_fixed_table_that_is_full_counts_and_goes_on() -> None:
    s = Session(quotes=64)
    for key in range(100):
        s.tick(key, 1, key, 1)
    s.publish()
    assert (s.quotes.rows, s.quotes.capacity, s.quotes.refused) == (48, 48, 52)
    assert s.quotes.is_full
    s.tick(3, 1, 333, 1)
    s.publish()
    q = s.quotes.read(3)
    assert q is not None and q.bid == 333
    assert s.quotes.read(99) is None
    s.quotes.remove(3)
    s.tick(99, 1, 999, 1)
    s.publish()
    q = s.quotes.read(99)
    assert q is not None and q.bid == 999
    assert s.quotes.read(3) is None


def test_late_ticks_of_a_removed_id_are_dropped_until_it_is_added_again() -> None:
    s = Session()
    s.tick(5, 1, 10.5, 3)
    s.publish()
    s.quotes.remove(5)
    s.quotes.remove(6)  # before its first tick
    s.tick(5, 1, 11.5, 3)
    s.tick(6, 1, 11.5, 3)
    s.publish()
    assert s.quotes.read(5) is None
    assert s.quotes.read(6) is None
    assert s.quotes.rows == 0
    s.quotes.add(5)
    s.publish()
    q = s.quotes.read(5)
    assert q is not None and math.isnan(q.bid)
    s.tick(5, 2, 12.0, 1)
    s.publish()
    q = s.quotes.read(5)
    assert q is not None and math.isnan(q.bid) and q.ask == 12.0


def test_an_id_that_is_added_again_begins_with_nothing() -> None:
    s = Session()
    s.tick(5, 1, 10.5, 3)
    s.publish()
    s.quotes.remove(5)
    s.quotes.add(5)
    s.publish()
    q = s.quotes.read(5)
    assert q is not None and (q.changes, q.seq, q.recv_ns, q.bid_ns) == (0, 0, 0, 0)


@pytest.mark.parametrize("fixed", [0, 64])
def test_rows_are_used_again_and_again(fixed: int) -> None:
    s = Session(quotes=fixed)
    for key in range(3000):
        s.tick(key, 1, key, 1)
        s.publish()
        if key >= 20:
            s.quotes.remove(key - 20)
            s.publish()
            assert s.quotes.read(key - 20) is None
        for near in range(max(key - 19, 0), key + 1, 5):
            q = s.quotes.read(near)
            assert q is not None and q.bid == near
    assert s.quotes.refused == 0
    assert s.quotes.rows == 20


def test_overwritten_records_empty_the_quotes_and_are_counted() -> None:
    s = Session(market=64)
    s.tick(5, 1, 10.5, 3)
    s.publish()
    for _ in range(100):
        s.tick(6, 6, 1.0, 1)
    s.tick(6, 2, 2.0, 1)
    s.publish()
    q = s.quotes.read(5)
    assert q is not None and math.isnan(q.bid)
    q = s.quotes.read(6)
    assert q is not None and q.ask == 2.0


# ------------------------------------------------------------------------------------------------ a writer that died


def test_a_half_written_row_is_an_error_and_never_a_value() -> None:
    s = Session()
    for key in range(4):
        s.tick(key, 1, 10.5, 3)
    s.status(1, "Submitted", 0, 5)
    s.publish()
    _ring.leave_half_written(s.quotes, 2)
    _ring.leave_half_written(s.orders, OURS, 1)
    with pytest.raises(SessionLost, match="stopped while it wrote"):
        s.quotes.read(2)
    with pytest.raises(SessionLost, match="stopped while it wrote"):
        s.orders.read(OURS, 1)
    q = s.quotes.read(1)
    assert q is not None and q.bid == 10.5
    out = np.zeros(8, dtype("QUOTE_ROW"))
    assert s.quotes.snapshot(out) == 4
    torn = out[:4][out[:4]["flags"] & records.FLAG_TORN != 0]
    assert torn["key"].tolist() == [2]
    assert np.isnan(torn["bid"][0]) and np.isnan(torn["last_size"][0])
    assert np.isfinite(out[:4][out[:4]["key"] != 2]["bid"]).all()


def test_a_snapshot_wants_the_tables_own_dtype() -> None:
    s = Session()
    with pytest.raises(ConfigError, match="128 bytes"):
        s.quotes.snapshot(np.zeros(4, dtype("ORDER_ROW")))
    with pytest.raises(ConfigError, match="2 dimensions"):
        s.quotes.snapshot(np.zeros((4, 4), dtype("QUOTE_ROW")))
    frozen = np.zeros(4, dtype("QUOTE_ROW"))
    frozen.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        s.quotes.snapshot(frozen)


def test_a_child_process_is_told_that_the_table_is_not_its_own() -> None:
    s = Session()
    s.tick(1, 1, 1.0, 1)
    s.publish()
    child = os.fork()
    if not child:
        try:
            s.quotes.read(1)
        except ForkedClient:
            os._exit(7)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


# ------------------------------------------------------------------------------------------------------------- orders


def test_an_order_is_what_the_gateway_said_last() -> None:
    s = Session()
    s.entry(
        OPEN, orderId=1, clientId=OURS, permId=0, quantity=100, quantity_digits=0, price=10.25, status="PreSubmitted"
    )
    s.status(1, "Submitted", 40, 60, avg_price=10.2, last_price=10.25, parentId=0, permId=55)
    s.publish()
    o = s.orders.read(OURS, 1)
    assert o is not None
    assert (o.clientId, o.orderId, o.permId) == (OURS, 1, 55)
    assert (o.status, o.status_code) == ("Submitted", WIRE_STATUS_CODES["Submitted"])
    assert (o.quantity, o.filled, o.remaining, o.limit_price, o.avg_price, o.last_price) == (
        *(100, 40, 60, 10.25, 10.2, 10.25),
    )
    assert (o.quantity_digits, o.filled_digits) == (0, -1)
    assert (o.seq, o.recv_ns, o.status_seq, o.opens, o.statuses) == (2, 20, 2, 1, 1)
    assert s.orders.find_perm(55).seq == 2  # type: ignore[union-attr]
    assert s.orders.find_perm(56) is None
    assert s.orders.read(OURS, 2) is None


def test_zeros_and_unset_never_replace_what_is_known() -> None:
    s = Session()
    s.status(1, "Submitted", 40, 60, avg_price=10.2, permId=55, parentId=9)
    s.status(1, "Submitted", 0, 0, avg_price=0, permId=0, parentId=0)
    s.status(1, "Submitted", math.nan, math.nan)
    s.publish()
    o = s.orders.read(OURS, 1)
    assert o is not None
    assert (o.filled, o.remaining, o.avg_price, o.permId, o.parentId) == (40, 60, 10.2, 55, 9)
    s.status(1, "Filled", 100, 0, permId=55)
    s.publish()
    o = s.orders.read(OURS, 1)
    assert o is not None and (o.filled, o.remaining) == (100, 0)


def test_an_unknown_status_is_kept_as_text_and_never_guessed() -> None:
    s = Session()
    s.status(1, "Submitted ", 0, 5)
    s.status(2, "PendingReplaceByTheExchange", 0, 5)
    s.publish()
    one, two = s.orders.read(OURS, 1), s.orders.read(OURS, 2)
    assert one is not None and (one.status, one.status_code) == ("Submitted ", STATUS_UNKNOWN)
    assert two is not None and (two.status, two.status_code) == ("PendingReplaceByTheExcha", STATUS_UNKNOWN)
    assert two.flags & records.ORDER_STATUS_CUT


def test_executions_count_once_and_commissions_find_their_order() -> None:
    s = Session()
    ids: dict[str, Any] = {"orderId": 1, "clientId": OURS, "permId": 55, "quantity_digits": 0}
    s.entry(COMMISSION, execId="a.01.01", price=1.0)  # before its execution: kept until that comes
    for _ in range(2):  # the answer to a request tells it again
        s.entry(EXECUTION, **ids, execId="a.01.01", quantity=40, filled=40, price=10.5, avg_price=10.5)
    s.entry(EXECUTION, **ids, execId="b.01.01", quantity=20, filled=60, price=11, avg_price=10.6)
    s.entry(COMMISSION, execId="b.01.01", price=0.35)
    s.publish()
    o = s.orders.read(OURS, 1)
    assert o is not None
    assert (o.executions, o.commissions, o.executed, o.last_price, o.avg_price) == (2, 2, 60, 11, 10.6)
    assert (o.total_filled, o.total_filled_digits, o.fees, o.fees_digits, o.corrections) == (60, 0, 1.35, 2, 0)
    assert s.orders.unkeyed == 1
    assert math.isnan(o.filled)
    s.entry(EXECUTION, **ids, execId="a.01.02", quantity=30, filled=30, price=10.5)
    s.publish()
    o = s.orders.read(OURS, 1)
    assert o is not None and (o.executions, o.corrections, o.total_filled, o.confirmed_filled) == (2, 1, 50, 50)


def test_an_error_finds_an_order_and_makes_none() -> None:
    s = Session()
    s.orders.add(OURS, 3)
    s.status(1, "Submitted", 0, 5)
    s.publish()
    s.entry(ERROR, orderId=1, code=399)
    s.entry(ERROR, orderId=2, code=200)  # a request's
    s.entry(ERROR, orderId=3, code=201)
    s.entry(ERROR, orderId=-1, code=2104)
    s.publish()
    one, three = s.orders.read(OURS, 1), s.orders.read(OURS, 3)
    assert one is not None and (one.error_code, one.errors, one.error_seq, one.status) == (399, 1, 2, "Submitted")
    assert three is not None and (three.error_code, three.status, three.status_code) == (201, "", 0)
    assert s.orders.read(OURS, 2) is None
    assert s.orders.rows == 2


def test_whose_row_an_entry_is() -> None:
    s = Session()
    s.status(1, "Submitted", 0, 5, permId=0)
    s.status(1, "Submitted", 0, 5, permId=55)
    s.status(1, "Submitted", 1, 4, permId=0, clientId=0)  # ids sent as zeros
    s.status(0, "Submitted", 0, 9, permId=77, clientId=0)  # typed in by hand
    s.status(0, "Submitted", 0, 8, permId=0, clientId=0)  # nobody's
    s.publish()
    one, hand = s.orders.read(OURS, 1), s.orders.find_perm(77)
    assert one is not None and (one.permId, one.filled, one.statuses) == (55, 1, 3)
    assert hand is not None and (hand.clientId, hand.remaining) == (None, 9)
    assert (s.orders.rows, s.orders.unkeyed) == (2, 1)
    s.status(-4, "Submitted", 0, 9, permId=77, clientId=0)  # bound: it has an order id now
    s.publish()
    bound = s.orders.read(0, -4)
    assert bound is not None and (bound.permId, bound.statuses) == (77, 2)
    assert s.orders.rows == 2


def test_a_second_order_of_the_same_id_gets_its_own_row() -> None:
    s = Session()
    s.status(1, "Submitted", 0, 5, permId=55)
    s.status(1, "Submitted", 2, 3, permId=66)
    s.status(1, "Submitted", 3, 2, permId=66)
    s.status(1, "Submitted", 1, 4, permId=55)
    s.publish()
    first, second = s.orders.read(OURS, 1), s.orders.find_perm(66)
    assert first is not None and (first.permId, first.filled) == (55, 1)
    assert second is not None and (second.clientId, second.filled) == (None, 3)
    assert first.flags & second.flags & records.ORDER_CONFLICT


def test_an_undecodable_order_message_puts_every_row_in_doubt() -> None:
    s = Session()
    s.status(1, "Submitted", 0, 5)
    s.status(2, "Submitted", 0, 5)
    s.publish()
    s.log.append(struct.pack("<QqBBHiII", 3, 30, STATUS, 0, records.FLAG_UNDECODABLE, 3, 2, 0), b"xx")
    s.status(2, "Submitted", 0, 5)
    s.publish()
    one, two = s.orders.read(OURS, 1), s.orders.read(OURS, 2)
    assert one is not None and one.flags & records.ORDER_UNSURE and one.status == "Submitted"
    assert two is not None and not two.flags & records.ORDER_UNSURE
    assert s.orders.undecodable == 1


def test_a_full_order_table_says_so() -> None:
    s = Session(orders=8)
    for order in range(1, 10):
        s.status(order, "Submitted", 0, 5)
    s.publish()
    assert (s.orders.rows, s.orders.capacity, s.orders.refused, s.orders.is_full) == (6, 6, 3, True)
    s.status(2, "Filled", 5, 0)
    s.publish()
    o = s.orders.read(OURS, 2)
    assert o is not None and o.status == "Filled"
    s.orders.remove(OURS, 2)
    s.publish()
    assert not s.orders.is_full


def test_an_order_that_took_in_another_goes_by_that_ones_id() -> None:
    s = Session()
    nameless: dict[str, Any] = {"orderId": 0, "clientId": OURS, "price": 2}
    s.entry(EXECUTION, execId="e.01", filled=1, permId=0, **nameless)
    s.status(7, "Submitted", 0, 5, permId=70)
    s.publish()
    assert s.orders.rows == 1
    s.entry(EXECUTION, execId="e.02", filled=2, permId=70, **nameless)  # so both are one
    s.publish()
    assert s.orders.read(OURS, 7) is None
    found = s.orders.find_perm(70)
    assert found is not None and found.clientId is None
    for remaining in (4, 3):
        s.status(7, "Submitted", 0, remaining, permId=70)
        s.publish()
        o = s.orders.read(OURS, 7)
        assert o is not None and (o.permId, o.remaining, o.executions) == (70, remaining, 1)
    assert s.orders.rows == 1


def test_two_orders_of_one_id_stay_apart_whoever_spoke_last() -> None:
    s = Session()
    for n in range(1, 4):
        s.status(7, "Submitted", 0, n, permId=70)
        s.status(7, "Submitted", 0, 10 * n, permId=71)
        s.status(7, "Submitted", 0, 10 * n + 1)  # of a third
        s.status(7, "Submitted", 0, n + 1, permId=0)  # of whom the id leads to
        s.publish()
        first, second = s.orders.find_perm(70), s.orders.find_perm(71)
        assert first is not None and (first.orderId, first.remaining) == (7, n + 1)
        assert second is not None and (second.clientId, second.remaining) == (None, 10 * n)
    assert s.orders.rows == 3


def test_a_session_that_is_gone_leaves_no_memory_behind() -> None:
    def resident() -> int:
        gc.collect()
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def fill() -> None:
        s = Session()
        for order in range(1, 1501):
            s.status(order, "Submitted", 0, order)
        s.publish()
        assert s.orders.rows == 1500

    for _ in range(2):
        fill()
    before = resident()
    for _ in range(16):
        fill()
    assert resident() - before < 16 << 20


def test_a_reader_with_nothing_to_do_makes_room_for_what_comes_next() -> None:
    s = Session()
    decoder = _fastdecode.StreamDecoder(hot.tables(176), s.market, s.log, _ring.LogRing())
    codec = Codec(176, Role.GATEWAY)
    ours, theirs = socket.socketpair()
    reader = _reader.Reader(ours.fileno(), decoder, s.region, orders=s.log)

    def send(orders: range) -> int:
        """Returns how many pages it took to receive them."""
        for order in orders:
            status = m.OrderStatus(orderId=order, status="Submitted", remaining=Decimal(5), permId=order, clientId=OURS)
            theirs.sendall(frame(codec.encode(status)))
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        until = decoder.seq + len(orders)
        while decoder.seq < until:
            assert reader.receive(10_000) > 0
        return resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before

    assert reader.receive(0) == -1  # nothing comes: there is time
    send(range(1, 6))  # the code itself, and the receive buffer
    assert send(range(6, 61)) < 8
    assert s.orders.capacity == 192
    send(range(61, 131))
    pause = threading.Event()
    for _ in range(100):  # about twice a second
        if s.orders.capacity > 192:
            break
        pause.wait(0.05)
        reader.receive(0)
    assert (s.orders.rows, s.orders.capacity) == (130, 768)
    assert send(range(131, 190)) < 8
    out = np.zeros(200, dtype("ORDER_ROW"))
    assert s.orders.snapshot(out) == 189
    assert sorted(out["key2"][:189].tolist()) == list(range(1, 190))
    theirs.close()
    ours.close()


def test_a_reader_with_nothing_to_do_has_the_next_segment_ready() -> None:
    s = Session()
    decoder = _fastdecode.StreamDecoder(hot.tables(176), s.market, s.log, _ring.LogRing())
    ours, theirs = socket.socketpair()
    reader = _reader.Reader(ours.fileno(), decoder, s.region, orders=s.log)
    held = s.log.held_bytes
    assert reader.receive(0) == -1 and s.log.held_bytes == held
    error = frame(Codec(176, Role.GATEWAY).encode(m.Error(id=1, errorCode=200, errorMsg="x" * 10_000)))
    for _ in range(60):
        theirs.sendall(error)
        assert reader.receive(10_000) > 0
    pause = threading.Event()
    for _ in range(100):
        if s.log.held_bytes > held:
            break
        pause.wait(0.05)
        reader.receive(0)
    assert s.log.held_bytes == 2 * held and s.log.segments == 1
    for _ in range(60):
        theirs.sendall(error)
        assert reader.receive(10_000) > 0
    assert s.log.segments == 2 and s.log.held_bytes == 2 * held
    assert s.log.appended == 120
    theirs.close()
    ours.close()


def test_thousands_of_orders_and_executions_in_a_table_that_grows() -> None:
    s = Session()
    for order in range(1, 4001):
        s.status(order, "Submitted", 0, order)
        s.entry(EXECUTION, orderId=order, clientId=OURS, permId=1000 + order, execId=f"e{order}", filled=1, price=2)
        s.entry(COMMISSION, execId=f"e{order}")
        if order % 100 == 0:
            s.publish()
    s.publish()
    assert (s.orders.rows, s.orders.unkeyed) == (4000, 0)
    out = np.zeros(4000, dtype("ORDER_ROW"))
    assert s.orders.snapshot(out) == 4000
    assert (out["remaining"] == out["key2"]).all()
    assert (out["permId"] == out["key2"] + 1000).all()
    assert (out["executions"] == 1).all() and (out["commissions"] == 1).all()
    assert set(out["status"].tolist()) == {b"Submitted"}


@pytest.mark.parametrize("version", [176, 225])
def test_the_decoder_fills_the_tables_with_its_own_publication(version: int) -> None:
    s = Session()
    control = _ring.LogRing()
    rings: tuple[Any, ...] = (s.market, s.log, control)
    decoder = impl.StreamDecoder(version, *rings)
    gateway = Codec(version, Role.GATEWAY)
    by_tick = structs.HistoricalTickBidAsk(
        time=1, tickAttribBidAsk=structs.TickAttribBidAsk(), priceBid=1.25, priceAsk=1.5, sizeBid=Decimal(100),
        sizeAsk=Decimal(200),
    )  # fmt: skip
    messages: list[Any] = [
        m.TickPrice(reqId=5, tickType=1, price=10.5, size=Decimal(3)),
        m.TickByTick(reqId=9, tickType=3, bidAsk=by_tick),
        m.OrderStatus(
            orderId=1, status="Submitted", filled=Decimal(1), remaining=Decimal(4), permId=55, clientId=OURS,
            avgFillPrice=10.5, lastFillPrice=10.5,
        ),
        m.Error(id=1, errorCode=399, errorMsg="held"),
    ]  # fmt: skip
    decoder.receive(b"".join(frame(gateway.encode(message)) for message in messages), 1234)
    q, both, o = s.quotes.read(5), s.quotes.read(9), s.orders.read(OURS, 1)
    assert q is not None and (q.bid, q.bid_size, q.seq, q.recv_ns) == (10.5, 3, 1, 1234)
    assert both is not None and (both.bid, both.bid_size, both.ask, both.ask_size) == (1.25, 100, 1.5, 200)
    assert o is not None and (o.status, o.filled, o.remaining, o.permId) == ("Submitted", 1, 4, 55)
    assert (o.error_code, o.seq, o.recv_ns, o.filled_digits) == (399, 4, 1234, 0)


def test_the_compiled_rows_have_the_places_of_the_spec() -> None:
    assert dtype("QUOTE_ROW").itemsize == records.QUOTE_ROW_BYTES
    s = Session()
    s.tick(5, 4, 1.0, 2.0)
    s.publish()
    raw = s.quotes.read_bytes(5)
    assert raw is not None
    row = np.frombuffer(raw, dtype("QUOTE_ROW"))[0]
    q = s.quotes.read(5)
    assert (row["key"], row["last"], row["last_size"], row["last_ns"], row["changes"]) == (5, 1.0, 2.0, 10, 1)
    assert q is not None and q.last_ns == 10
    assert _tracker.OrderTable(_ring.Region(64)).read_bytes(1, 1) is None
