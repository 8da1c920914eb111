"""What must not be sent: a typed error, not one byte at the gateway, and nothing of what is on disk is lost."""

from __future__ import annotations

import hashlib
import os
import struct
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import ibwire
from ibwire.client import Client
from ibwire.client.modifying import ModifyPending
from ibwire.errors import ConfigError, IbwireError, OrderError
from ibwire.io.journal import FileJournal
from ibwire.io.journal_errors import JournalCorrupt, JournalLocked, JournalVersion
from ibwire.io.journal_format import FORMAT_VERSION, HEAD_BYTES
from ibwire.io.journal_read import read, segments_of
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import limit, market
from ibwire.types.structs import Contract, Order
from tests.unit.io.peer import Connection, Peer

ROOT = Path(__file__).resolve().parents[3]
AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
FUTURE = Contract(conId=1, symbol="ES", secType="FUT", exchange="CME", currency="USD")
HOLD = """
import sys
from ibwire.io.journal import FileJournal
held = FileJournal(sys.argv[1])
print("held", flush=True)
input()
"""
NAN, INF = float("nan"), float("inf")


class Gateway:
    """Keeps everything that a client sends; has one order of client 9 and tells of it."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.bytes = 0

    def script(self, connection: Connection) -> None:
        connection.send(incoming.ManagedAccounts("DU0000001"), incoming.NextValidId(10))
        while (payload := connection.payload()) is not None:
            message = connection.codec.decode(payload)
            self.answer(connection, message)
            self.bytes += len(payload)
            self.got.append(message)

    def answer(self, connection: Connection, message: Any) -> None:
        theirs = Order(orderId=17, clientId=9, permId=900, action="BUY", orderType="LMT", lmtPrice=1.0)
        theirs.totalQuantity = Decimal(5)
        match message:
            case outgoing.ReqOpenOrders():
                connection.send(incoming.OpenOrderEnd())
            case outgoing.ReqAllOpenOrders():
                by_hand = Order(permId=901, action="BUY", orderType="LMT", lmtPrice=1.0, totalQuantity=Decimal(5))
                for order in (theirs, by_hand):
                    connection.send(incoming.OpenOrder(order.orderId, AAPL, order))
                    connection.send(
                        incoming.OrderStatus(
                            order.orderId, "Submitted", Decimal(0), Decimal(5), permId=order.permId,
                            clientId=order.clientId,
                        )
                    )  # fmt: skip
                connection.send(incoming.OpenOrderEnd())
            case outgoing.ReqExecutions(reqId=number):
                connection.send(incoming.ExecDetailsEnd(number))
            case outgoing.ReqCompletedOrders():
                connection.send(incoming.CompletedOrdersEnd())
            case outgoing.PlaceOrder(orderId=number):
                status = "Cancelled" if number == 10 else "Submitted"
                connection.send(
                    incoming.OrderStatus(number, status, Decimal(0), Decimal(1), permId=70 + number, clientId=1)
                )


class Desk:
    """A client, and what its gateway got."""

    def __init__(self, ib: Client, gateway: Gateway) -> None:
        self.ib, self.gateway = ib, gateway
        self._marks = 0

    def mark(self) -> list[Any]:
        """What came in until now: a cancel that is sent now comes last."""
        self._marks += 1
        number = 1_000_000 + self._marks
        self.ib._core.link.send(self.ib._core.encode(outgoing.CancelOrder(number))[0], None)
        until = time.monotonic() + 20
        while not any(isinstance(one, outgoing.CancelOrder) and one.orderId == number for one in self.gateway.got):
            assert time.monotonic() < until
            time.sleep(0.001)
        return list(self.gateway.got)

    def refuses(self, error: type[IbwireError], match: str, action: Callable[[], object]) -> None:
        """The action raises, and the gateway gets nothing of it."""
        before = self.mark()
        orders = len(self.ib.orders.all())
        with pytest.raises(error, match=match):
            action()
        after = self.mark()
        assert len(after) == len(before) + 1, after[len(before) :]
        assert len(self.ib.orders.all()) == orders


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    gateway = Gateway()
    with Peer(gateway.script) as peer, ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path)) as ib:
        yield Desk(ib, gateway)


def terms(**fields: Any) -> Order:
    made = Order(action="BUY", orderType="LMT", totalQuantity=Decimal(1), lmtPrice=1.0)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


PRICES: list[tuple[dict[str, Any], str]] = [
    ({"lmtPrice": NAN}, "lmtPrice is nan"),
    ({"lmtPrice": Decimal("NaN")}, "lmtPrice is"),
    ({"lmtPrice": Decimal("sNaN")}, "lmtPrice is"),
    ({"lmtPrice": INF}, "lmtPrice is inf"),
    ({"lmtPrice": -0.01}, "lmtPrice is -0.01: below 0 for a STK"),
    ({"lmtPrice": None}, "without lmtPrice"),
    ({"lmtPrice": "187"}, "lmtPrice is '187'"),
    ({"lmtPrice": True}, "lmtPrice is True"),
    ({"orderType": "STP", "lmtPrice": None, "auxPrice": NAN}, "auxPrice is nan"),
    ({"orderType": "STP", "lmtPrice": None, "auxPrice": -1.0}, "auxPrice is -1.0: below 0"),
    ({"orderType": "STP LMT", "auxPrice": None}, "without auxPrice"),
    ({"orderType": "TRAIL", "lmtPrice": None, "auxPrice": 1.0, "trailStopPrice": NAN}, "trailStopPrice is nan"),
    ({"orderType": "TRAIL", "lmtPrice": None, "trailingPercent": -1.0}, "trailingPercent is -1.0"),
]
QUANTITIES: list[tuple[Contract, dict[str, Any], str]] = [
    (AAPL, {"totalQuantity": Decimal(0)}, "without a quantity"),
    (AAPL, {"totalQuantity": 0}, "without a quantity"),
    (AAPL, {"totalQuantity": Decimal(-5)}, "a quantity of"),
    (AAPL, {"totalQuantity": Decimal("NaN")}, "a quantity of"),
    (AAPL, {"totalQuantity": NAN}, "a quantity of nan"),
    (AAPL, {"totalQuantity": INF}, "a quantity of inf"),
    (AAPL, {"totalQuantity": None}, "without a quantity"),
    (AAPL, {"totalQuantity": "ten"}, "a quantity of ten"),
    (AAPL, {"totalQuantity": None, "cashQty": NAN}, "cashQty is nan"),
    (AAPL, {"totalQuantity": None, "cashQty": -1.0}, "cashQty is -1.0"),
    (FUTURE, {"totalQuantity": Decimal("0.5")}, "a quantity of 0.5 of a FUT"),
    (FUTURE, {"totalQuantity": 1.5}, "a quantity of 1.5 of a FUT"),
]


def test_prices_and_quantities(desk: Desk) -> None:
    live = desk.ib.orders.place(AAPL, terms(orderId=11)).wait("live")
    for fields, match in PRICES:
        desk.refuses(ConfigError, match, lambda: desk.ib.orders.place(AAPL, terms(**fields)))  # noqa: B023
        desk.refuses(ConfigError, match, lambda: live.modify(terms(**fields)))  # noqa: B023
    for contract, fields, match in QUANTITIES:
        desk.refuses(ConfigError, match, lambda: desk.ib.orders.place(contract, terms(**fields)))  # noqa: B023
    desk.refuses(ConfigError, "a quantity of", lambda: live.modify(totalQuantity=Decimal(-1)))
    desk.refuses(ConfigError, "lmtPrice is nan", lambda: live.modify(lmtPrice=NAN))
    assert live.is_live
    with pytest.raises(ConfigError):
        limit("BUY", 1, NAN)
    for quantity in (0, -3, NAN):
        with pytest.raises(ConfigError):
            market("BUY", quantity)
    assert desk.ib.orders.place(FUTURE, terms(lmtPrice=-3.0)).order_id  # has traded below 0


def test_contracts(desk: Desk) -> None:
    orders = desk.ib.orders
    loose = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
    desk.refuses(ConfigError, "AAPL is not qualified: it has no conId", lambda: orders.place(loose, terms()))
    desk.refuses(ConfigError, "a contract without symbol is not", lambda: orders.place(Contract(), terms()))
    desk.refuses(ConfigError, "NoneType and Order are no Contract", lambda: orders.place(None, terms()))  # type: ignore[arg-type]
    desk.refuses(ConfigError, "Order and Contract are no", lambda: orders.place(terms(), AAPL))  # type: ignore[arg-type]
    desk.refuses(ConfigError, "without action or orderType", lambda: orders.place(AAPL, Order()))
    for action in ("buy", "HOLD", "SLD", 1):
        match = f"the action is {action!r}"
        desk.refuses(ConfigError, match, lambda: orders.place(AAPL, terms(action=action)))  # noqa: B023


def test_ids(desk: Desk) -> None:
    orders = desk.ib.orders
    ended = orders.place(AAPL, terms()).wait("done")
    assert ended.order_id == 10

    def place(number: int) -> Callable[[], object]:
        return lambda: orders.place(AAPL, terms(orderId=number))

    desk.refuses(ConfigError, "order 10 is cancelled", place(10))
    desk.refuses(ConfigError, "order 10 is cancelled", lambda: ended.modify(lmtPrice=2.0))
    desk.refuses(ConfigError, "order id 9 is not above 10", place(9))
    for number in (-1, 1 << 30, 1 << 31, 1 << 40):
        desk.refuses(ConfigError, f"{number} cannot be an order id", place(number))
    for odd in (True, "10", None, 12.0):
        desk.refuses(ConfigError, "cannot be an order id", place(odd))  # type: ignore[arg-type]
    for odd in (0, 1 << 31, True, "10", None):
        desk.refuses(ConfigError, "cannot be an order id", lambda: orders.cancel(odd))  # type: ignore[arg-type]  # noqa: B023
    assert orders.place(AAPL, terms(orderId=15)).order_id == 15
    desk.refuses(ConfigError, "order id 12 is not above 15", place(12))


def test_orders_of_others(desk: Desk, tmp_path: Path) -> None:
    ib, orders = desk.ib, desk.ib.orders
    theirs, by_hand = ib._core.table.get(17, 9), ib._core.table.by_perm_id(901)
    assert theirs is not None and by_hand is not None and theirs.is_live and by_hand.is_live
    for view in (theirs, by_hand):
        order = view.broker_order
        assert isinstance(order, Order)
        desk.refuses(OrderError, "belongs to client", lambda: orders.cancel(view))  # noqa: B023
        desk.refuses(OrderError, "belongs to client", lambda: orders.modify(view, lmtPrice=2.0))  # type: ignore[arg-type]  # noqa: B023
        desk.refuses(OrderError, "belongs to client|which may be filled", lambda: orders.place(AAPL, order))  # noqa: B023
    copied = terms(orderId=17, clientId=9)
    desk.refuses(OrderError, "order 17 belongs to client 9", lambda: orders.place(AAPL, copied))
    copied = terms(permId=901)
    match = "permId 901 is order 0 of client 0, which may be filled"
    desk.refuses(OrderError, match, lambda: orders.place(AAPL, copied))
    copied.permId = 0
    assert orders.place(AAPL, copied).client_id == 1
    gateway = Gateway()
    with Peer(gateway.script) as peer, ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path / "2")) as other:
        elsewhere = other.orders.place(AAPL, terms(orderId=18)).wait("live")
        desk.refuses(ConfigError, "order 18 is at another gateway", lambda: orders.cancel(elsewhere))
        desk.refuses(ConfigError, "order 18 is of another connection", lambda: orders.modify(elsewhere, lmtPrice=2.0))


def test_orders_that_were_only_heard_of(desk: Desk) -> None:
    ib, orders = desk.ib, desk.ib.orders
    orders.cancel(4711)  # a cancel is never held up
    heard = orders.get(4711)
    assert heard is not None
    desk.refuses(ModifyPending, "order 4711 is uncertain", lambda: heard.modify(lmtPrice=2.0))
    desk.refuses(ModifyPending, "order 4711 is uncertain", lambda: heard.modify(terms()))
    desk.refuses(ModifyPending, "order 4711 is uncertain", lambda: orders.place(AAPL, terms(orderId=4711)))
    status = incoming.OrderStatus(4712, "Submitted", Decimal(0), Decimal(1), permId=4, clientId=1)
    ib._core.table.on_order_status(status, ib._core.now_ns())  # its terms never came
    told = orders.get(4712)
    assert told is not None and told.is_live
    match = "the terms of order 4712 are not known"
    desk.refuses(ConfigError, match, lambda: told.modify(lmtPrice=2.0))
    desk.refuses(ConfigError, match, lambda: told.modify(terms()))
    desk.refuses(ConfigError, match, lambda: orders.place(AAPL, terms(orderId=4712)))
    for view in (heard, told):
        view.cancel()
    assert [one.orderId for one in desk.mark() if isinstance(one, outgoing.CancelOrder)].count(4712) == 1


def test_orders_of_an_earlier_life(tmp_path: Path) -> None:
    gateway = Gateway()
    with Peer(gateway.script) as peer:
        with ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path)) as ib:
            old = ib.orders.place(AAPL, terms(orderId=11)).wait("live")
        with ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path)) as ib:
            desk = Desk(ib, gateway)
            mine = ib.orders.get(11)
            assert mine is not None and mine.is_uncertain  # this gateway lists nothing
            desk.refuses(ibwire.PacingError, "order 11 is uncertain", lambda: mine.modify(lmtPrice=2.0))
            desk.refuses(ConfigError, "of another connection", lambda: ib.orders.modify(old, lmtPrice=2.0))
            ib.orders.cancel(old)  # the same gateway and client id: it is the same order
            assert any(isinstance(one, outgoing.CancelOrder) and one.orderId == 11 for one in desk.mark())


# -- what is on disk --------------------------------------------------------------------------------------------------


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of a program that sent two orders, in several segments."""
    with Peer(Gateway().script) as peer, ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path)) as ib:
        ib.orders.place(AAPL, terms()).wait("done")
        ib.orders.place(AAPL, terms()).wait("live")
    return tmp_path


def damage(state: Path, number: int, change: Callable[[bytearray], None]) -> None:
    path = segments_of(state)[number]
    data = bytearray(path.read_bytes())
    change(data)
    path.write_bytes(data)


def newer(data: bytearray) -> None:
    struct.pack_into("<I", data, 8, FORMAT_VERSION + 1)
    struct.pack_into("<I", data, HEAD_BYTES - 4, zlib.crc32(data[: HEAD_BYTES - 4]))


def hole(data: bytearray) -> None:
    data[HEAD_BYTES + 300 : HEAD_BYTES + 700] = bytes(400)


def flip(data: bytearray) -> None:
    data[HEAD_BYTES + 300] ^= 1


def refuses_to_begin(state: Path, error: type[IbwireError], match: str) -> None:
    """Connecting raises; nobody was called, and no file is another one."""

    def picture() -> dict[str, str]:
        files = [path for path in state.rglob("*") if path.is_file() and path.suffix != ".lock"]
        return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = picture()
    with Peer(Gateway().script) as peer:
        with pytest.raises(error, match=match):
            ibwire.connect("paper", port=peer.port, state_dir=str(state))
        assert peer.accepted == 0  # not even the handshake
    assert picture() == before


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        (newer, JournalVersion, f"has format {FORMAT_VERSION + 1}, this ibwire knows up to {FORMAT_VERSION}"),
        (hole, JournalCorrupt, "no good entry, but there are more behind it"),
        (flip, JournalCorrupt, "no good entry, but there are more behind it"),
    ],
)
def test_a_journal_that_cannot_be_trusted(
    state: Path, change: Callable[[bytearray], None], error: type[IbwireError], match: str
) -> None:
    damage(state, 0, change)
    refuses_to_begin(state, error, match)


def test_a_hole_in_a_segment_that_was_complete(tmp_path: Path) -> None:
    with FileJournal(tmp_path / "journal", segment_bytes=1 << 16) as journal:
        journal.session(1, 176, 1)
        for number in range(4000):
            journal.note("x" * 60, number)
    assert len(segments_of(tmp_path)) > 4
    damage(tmp_path, 1, flip)
    refuses_to_begin(tmp_path, JournalCorrupt, "the segment does not end as it should")
    segments_of(tmp_path)[1].unlink()
    refuses_to_begin(tmp_path, JournalCorrupt, "segment 3 follows segment 1: there is a hole")


def test_a_journal_of_another_client_id(state: Path) -> None:
    with Peer(Gateway().script) as peer:
        with pytest.raises(ibwire.errors.JournalError, match="the journal is of client id 1, the table of 2"):
            ibwire.connect("paper", port=peer.port, client_id=2, state_dir=str(state))
    assert sum(1 for _ in read(state)) > 10


def test_ids_that_cannot_be_read(state: Path) -> None:
    (state / "order-ids").write_text("ibwire ids 1 4 00000000\n")
    before = list(read(state))
    with Peer(Gateway().script) as peer:
        with pytest.raises(ConfigError, match="damaged or not a file of order ids"):
            ibwire.connect("paper", port=peer.port, state_dir=str(state))
        assert peer.accepted == 0
    assert list(read(state))[: len(before)] == before


def test_two_programs_on_one_journal(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path / "journal")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT) as other:
        assert other.stdout is not None and other.stdout.readline()
        try:
            refuses_to_begin(tmp_path, JournalLocked, f"is written by process {other.pid}")
        finally:
            other.communicate(b"\n")
    with Peer(Gateway().script) as peer, ibwire.connect("paper", port=peer.port, state_dir=str(tmp_path)) as ib:
        ib.orders.place(AAPL, terms()).wait("done")
        with pytest.raises(JournalLocked, match=f"another client of this process .{os.getpid()}."):
            ibwire.connect("paper", port=peer.port, client_id=2, state_dir=str(tmp_path))
        assert peer.accepted == 1


def test_what_was_cut_and_what_is_unknown_is_told(state: Path) -> None:
    last = list(read(state))[-1]
    damage(state, 0, lambda data: data.__setitem__(slice(last.offset, last.offset + 8), b"\x01" * 8))
    with Peer(Gateway().script) as peer, ibwire.connect("paper", port=peer.port, state_dir=str(state)) as ib:
        told = [text for code, text in ib.notices if code == 0]
        assert len(told) == 1
        assert "are no whole entry: a torn tail, not used" in told[0]
        order = ib.orders.get(11)
        assert order is not None and order.is_uncertain
