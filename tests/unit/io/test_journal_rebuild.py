"""Back from the journal: the table that a run had, whatever happened in it."""

from __future__ import annotations

import functools
import random
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import ibwire
from ibwire.errors import ConfigError, IbwireError
from ibwire.io import journal_restore, journal_table
from ibwire.io.journal import Act, FileJournal, MemoryJournal
from ibwire.io.journal_errors import JournalError, JournalFull, JournalLocked
from ibwire.io.journal_format import INTENT, Kind
from ibwire.io.journal_read import read
from ibwire.io.journal_rebuild import rebuild, replay
from ibwire.io.journal_table import journaled, restore
from ibwire.spec.orderstates import State
from ibwire.trade.orders import OrderTable
from ibwire.trade.view import OrderView
from ibwire.types import incoming, outgoing
from ibwire.types.constructors import limit, market, stock
from ibwire.types.structs import Order, OrderCancel
from ibwire.wire.codec import Codec, Role

_OBJECTS = ("contract", "order", "broker_contract", "broker_order", "placed_order", "pending_modifies")


def picture(table: Any) -> list[dict[str, Any]]:
    """Everything that a table knows, as plain values; orders as the bytes that they are on the wire."""
    codec = Codec(225, Role.CLIENT)
    found = []
    for view in table:
        values = {name: getattr(view, name) for name in slots() if name not in _OBJECTS}
        values["fills"] = {
            base: (one.exec_id, one.shares, one.price, one.side, one.ns, {n: str(fee) for n, fee in one.fees.items()})
            for base, one in view.fills.items()
        }
        placed = [view.order, view.placed_order, *view.pending_modifies]
        contract = view.contract
        values["wire"] = [one and codec.encode(outgoing.PlaceOrder(view.order_id, contract, one)) for one in placed]
        values["broker"] = (repr(view.broker_contract), repr(view.broker_order))
        found.append(values)
    return found


def slots() -> list[str]:
    return [name for name in OrderView.__slots__ if not name.startswith("_")]


def act(ib: Any, contract: Any, rng: random.Random) -> None:
    """One random thing that a program may do, also wrong things."""
    orders = ib.orders
    known = orders.all()
    match rng.randrange(8):
        case 0 | 1:
            orders.place(contract, market(rng.choice(["BUY", "SELL"]), rng.randrange(1, 200)))
        case 2 | 3:
            price = rng.choice([1.0, 100.0, 900.0])
            orders.place(contract, limit(rng.choice(["BUY", "SELL"]), rng.randrange(1, 200), price))
        case 4 if known:
            orders.cancel(rng.choice(known).order_id)
        case 5 if known:
            orders.cancel(rng.choice([9999, known[-1].order_id]))
        case 6 if known:
            changed = limit("BUY", rng.randrange(1, 300), rng.choice([1.0, 2.0, 500.0]))
            changed.orderId = rng.choice(known).order_id
            orders.place(contract, changed)
        case 7 if rng.random() < 0.5:
            orders.refresh()
        case 7:
            orders.place(contract, Order(action="BUY", orderType="XX", totalQuantity=Decimal(1)))


@pytest.mark.parametrize("version", [151, 176, 203, 225])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_rebuilt_table_is_the_one_of_the_run(tmp_path: Path, seed: int, version: int) -> None:
    rng = random.Random(seed * 1000 + version)
    with ibwire.connect("sim", state_dir=str(tmp_path), max_server_version=version, seed=seed, fsync="never") as ib:
        contract = ib.qualify(stock("AAPL"))
        for _ in range(40):
            try:
                act(ib, contract, rng)
            except IbwireError:
                pass
            if rng.random() < 0.3:
                waiting = [one for one in ib.orders.all() if not one.is_done]
                if waiting:
                    try:
                        rng.choice(waiting).wait("done", timeout=0.02)
                    except ibwire.WaitTimeout:
                        pass
        core = ib._core
        ib.close()
        live = picture(core.table)
    table = OrderTable(1)
    facts = replay(tmp_path, table)
    rebuilt = picture(table)
    assert len(rebuilt) == len(live) > 5
    for one, other in zip(rebuilt, live, strict=True):
        assert one == other
    assert facts.is_closed
    assert not facts.unanswered
    assert facts.epoch == 1
    assert facts.high_water == max(view.order_id for view in table if view.order_id != 9999)  # only cancelled, not used


def test_the_next_life_begins_with_what_the_last_one_left(tmp_path: Path) -> None:
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        contract = ib.qualify(stock("AAPL"))
        done = ib.orders.place(contract, market("BUY", 10)).wait("done").order_id
        working = ib.orders.place(contract, limit("BUY", 10, 1.0)).wait("live").order_id
        with pytest.raises(JournalLocked):
            ibwire.connect("sim", state_dir=str(tmp_path))
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        states = {view.order_id: view.state for view in ib.orders.all()}
        assert states == {done: State.FILLED, working: State.UNCERTAIN}
        assert ib._core.journal.epoch == 2  # type: ignore[attr-defined]
        new = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 10, 1.0)).wait("live")
        assert new.order_id > working  # the new gateway would have given the same ids again
        core = ib._core
    table = OrderTable(1)
    facts = replay(tmp_path, table)
    assert picture(table) == picture(core.table)
    assert facts.epoch == 2


def test_an_order_of_long_ago_is_there_for_who_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long_ago = functools.partial(journal_restore.begin, kept_ns=0, wall_ns=1 << 62)
    monkeypatch.setattr(journal_table, "begin", long_ago)
    monkeypatch.setattr(journal_restore, "_POSITIONS", b"...")  # told within moments of the execution
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        contract = ib.qualify(stock("AAPL"))
        done = ib.orders.place(contract, market("BUY", 10)).wait("done")
        working = ib.orders.place(contract, limit("BUY", 10, 1.0)).wait("live").order_id
    events = [event.state for event in done.events]
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        heard: list[Any] = []
        ib.on_order(heard.append)
        assert [order.order_id for order in ib.orders.all()] == [working]
        found = ib.orders.get(done.order_id)
        assert found is not None and found.is_filled and found.filled == 10
        assert [event.state for event in found.events] == events
        assert ib.orders.get(done.order_id) is found
        assert ib.orders.get(10**6) is None
        assert {order.order_id for order in ib.orders.all()} == {working, done.order_id}
        new = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 10, 1.0)).wait("live")
        assert new.order_id > working
        assert heard and done.order_id not in {change.order.order_id for change in heard}


def test_a_dispute_is_in_the_journal(tmp_path: Path) -> None:
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        order = ib.orders.place(ib.qualify(stock("AAPL")), limit("BUY", 10, 1.0)).wait("live")
        core = ib._core
        with core.lock:
            core.table.on_dispute([order._track], core.now_ns())
            assert order._track.state is State.UNCERTAIN
    table = OrderTable(1)
    replay(tmp_path, table)
    assert picture(table) == picture(core.table)


class Link:
    server_version = 176


def journal_of(tmp_path: Path, record: Any) -> Path:
    with FileJournal(tmp_path, segment_bytes=1 << 16, thread=False) as journal:
        journal.session(1, 176, 1)
        record(journal)
    return tmp_path


def entry(message: Any, seq: int, kind: int = 3) -> Any:
    class Got:
        payload = Codec(176, Role.GATEWAY).encode(message)
        recv_ns, flags, code = seq * 10, 0, 0

    Got.seq, Got.kind = seq, kind  # type: ignore[attr-defined]
    return Got


def place(order_id: int) -> bytes:
    return Codec(176, Role.CLIENT).encode(outgoing.PlaceOrder(order_id, stock("AAPL"), limit("BUY", 10, 1.0)))


def status(order_id: int, text: str) -> incoming.OrderStatus:
    ten = Decimal(10)
    return incoming.OrderStatus(orderId=order_id, status=text, filled=Decimal(0), remaining=ten, permId=5, clientId=1)


def test_an_intent_without_an_outcome_is_told_and_uncertain(tmp_path: Path) -> None:
    journal_of(tmp_path, lambda journal: journal.intent(Act.PLACE, 7, place(7), 0, 50))
    table = OrderTable(1)
    facts = rebuild(tmp_path, table)
    assert [(one.order_id, one.act) for one in facts.unanswered] == [(7, Act.PLACE)]
    assert [view.order_id for view in facts.open_orders] == [7]
    assert table.get(7).state is State.UNCERTAIN  # type: ignore[union-attr]
    assert facts.high_water == 7


def test_messages_go_where_the_table_had_them(tmp_path: Path) -> None:
    """The receiving thread wrote an answer down before the table had it; a command of then was not after it."""

    def record(journal: Any) -> None:
        journal.intent(Act.PLACE, 1, place(1), 0, 1)
        journal.received(entry(status(1, "Submitted"), 5))
        journal.intent(Act.CANCEL, 1, Codec(176, Role.CLIENT).encode(outgoing.CancelOrder(1, OrderCancel())), 4, 60)
        journal.received(entry(status(1, "Cancelled"), 6))

    table = OrderTable(1)
    replay(journal_of(tmp_path, record), table)
    view = table.get(1)
    assert view is not None
    assert [one.state for one in view.events] == ["journaled", "cancel sent", "Submitted", "Cancelled"]


def test_a_table_of_another_client_is_refused(tmp_path: Path) -> None:
    journal_of(tmp_path, lambda journal: None)
    with pytest.raises(JournalError, match="client id 1, the table of 2"):
        replay(tmp_path, OrderTable(2))


def test_an_input_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    journal_of(tmp_path, lambda journal: journal.told("on_moonrise", 0, 1))
    with pytest.raises(JournalError, match="on_moonrise"):
        replay(tmp_path, OrderTable(1))


def test_an_act_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    def record(journal: Any) -> None:
        journal._put(Kind.INTENT, 1, INTENT.pack(1, 0, 9, 0, 0))

    journal_of(tmp_path, record)
    with pytest.raises(JournalError, match="intends act 9, which is not known here"):
        replay(tmp_path, OrderTable(1))


def test_a_kill_stands_there_until_its_release(tmp_path: Path) -> None:
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        ib.risk.kill("drill")
    assert "drill" in replay(tmp_path, None).killed
    with ibwire.connect("sim", state_dir=str(tmp_path)) as ib:
        assert ib.risk.release("Ann")
        ib.override("Ann", "looked at every position")
        with pytest.raises(ConfigError, match="says who it is"):
            ib.override(" ", "nobody did this")
    with pytest.raises(JournalFull, match="what Ann did by hand was not written down: the journal is closed"):
        ib.override("Ann", "came too late")
    assert replay(tmp_path, None).killed == ""
    by_hand = [one.json() for one in read(tmp_path) if one.kind == Kind.OVERRIDE]
    assert [(one["name"], one["what"]) for one in by_hand] == [
        ("Ann", "release of the kill switch"), ("Ann", "looked at every position"),
    ]  # fmt: skip


def test_kills_and_marks_are_remembered(tmp_path: Path) -> None:
    def record(journal: Any) -> None:
        journal.kill("engaged", "mine", "daily loss", 1)
        journal.kill("released", "mine", "by hand", 2)
        journal.kill("engaged", "everything", "by signal", 3)
        journal.override("A. Trader", "raised the limit", 4)
        journal.high_water(4711, 5)
        journal.verdict(3, "reject", "max_quantity", "too large", 6)

    facts = replay(journal_of(tmp_path, record), None)
    assert facts.killed == "by signal"
    assert facts.high_water == 4711
    assert facts.is_closed


def test_a_journaled_table_tells_inputs_once_and_changes(tmp_path: Path) -> None:
    journal = MemoryJournal()
    table = journaled(OrderTable, journal, lambda: 3, lambda: 25)(1)
    table.on_place(1, stock("AAPL"), limit("BUY", 1, 1.0), 10)
    table.on_reconnect(20, "new session")  # calls on_link_lost itself
    table.on_reconnect(now_ns=30)
    table.begin_snapshot()  # is told no time
    labels = [(one.label, one.ns) for one in journal.reading()]
    assert labels == [("transition", 10), ("input", 20), ("transition", 20), ("input", 30), ("input", 25)]
    told = list(journal.reading())
    assert told[0].json()["to"] == "sent"
    assert told[2].json() == {"orderId": 1, "permId": 0, "from": "sent", "to": "uncertain", "title": "uncertain"}
    assert restore(OrderTable(1), journal) is None
