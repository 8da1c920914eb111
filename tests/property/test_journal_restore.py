"""Beginning with a journal gives the orders that a whole replay gives; what it leaves out has ended, and is ours."""

from __future__ import annotations

import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibwire.io import journal_restore
from ibwire.io.journal_errors import JournalCorrupt
from ibwire.io.journal_format import Act, Kind, intent_of
from ibwire.io.journal_read import read, segments_of
from ibwire.io.journal_rebuild import MESSAGES, Rebuilt, rebuild
from ibwire.io.journal_restore import KEPT_NS, begin
from ibwire.ring import impl
from ibwire.spec.orderstates import ENDED, TRANSITIONS, Event, Flag, State, find_rule, resolve
from ibwire.trade.orders import OrderTable
from ibwire.trade.positions import packed
from ibwire.types import incoming, structs
from tests.property.journal_lives import AAPL, CLIENT, CODES, STATUSES, Life, World, later, name_of, picture

_LISTS = ("open_orders", "first_seq", "set_aside", "earlier")


def facts(rebuilt: Rebuilt) -> dict[str, Any]:
    found = {name: getattr(rebuilt, name) for name in Rebuilt.__slots__ if name not in _LISTS}
    found["open_orders"] = sorted(name_of(view) for view in rebuilt.open_orders)
    names = [view.order_id for view in rebuilt.open_orders if view.client_id == CLIENT]
    found["first_seq"] = {name: rebuilt.first_seq.get(name) for name in names}
    return found


def compare(directory: Path) -> int:
    """Find the orders of both ways equal; how many were set aside."""
    whole, some = OrderTable(CLIENT), OrderTable(CLIENT)
    all_facts, some_facts = rebuild(directory, whole), begin(directory, some, 0, later())
    assert facts(some_facts) == facts(all_facts)
    kept = {name_of(view): picture(view) for view in some}
    everything_in_order = [picture(view) for view in whole]
    everything = {name_of(view): picture(view) for view in whole}
    assert len(kept) == len(some) and len(everything) == len(whole)
    assert kept.keys() <= everything.keys()
    for name, one in kept.items():
        assert one == everything[name]
    for view in whole:
        if name_of(view) not in kept:
            assert view.is_done and view.client_id == CLIENT and view.perm_id
    assert len(whole) - len(some) == some_facts.set_aside
    assert sorted(str(fee) for fee in some.book.held_fees) == sorted(str(fee) for fee in whole.book.held_fees)
    _name_the_rest(whole, some)
    again = OrderTable(CLIENT)
    begin(directory, again, KEPT_NS)  # everything is of today
    assert [picture(view) for view in again] == everything_in_order
    return some_facts.set_aside


def _name_the_rest(whole: OrderTable, some: OrderTable) -> None:
    """Who names an order that was set aside finds it as it was, whichever way he names it."""
    missing = [view for view in whole if name_of(view) not in {name_of(one) for one in some}]
    now_ns = 10**12
    for number, view in enumerate(missing):
        match number % 6:
            case 0:
                assert some.get(view.order_id) is not None
            case 1:
                assert some.by_perm_id(view.perm_id) is not None
            case 2 if view.fills:
                fill = next(iter(view.fills.values()))
                told = incoming.ExecDetails(-1, fill.contract, fill.execution)
                assert {table.on_execution(told, now_ns).order_id for table in (whole, some)} == {view.order_id}
            case 3:
                told_id, text = view.order_id, "late"
                assert all(table.on_error(told_id, 201, text, now_ns) is not None for table in (whole, some))
            case 4:
                order = structs.Order(permId=view.perm_id)
                done = incoming.CompletedOrder(order=order, orderState=structs.OrderState(status="Cancelled"))
                for table in (whole, some):
                    table.on_completed_order(done, now_ns)
            case _:
                late = incoming.OrderStatus(
                    view.order_id, "Submitted", Decimal(0), Decimal(10), permId=view.perm_id, clientId=CLIENT
                )
                for table in (whole, some):
                    table.on_order_status(late, now_ns)
    assert {name_of(one): picture(one) for one in some} == {name_of(one): picture(one) for one in whole}
    assert some.get(10**9) is None and some.by_perm_id(10**9) is None


def anything(life: Life) -> None:
    """One random thing that may happen, also wrong things."""
    rng, table = life.rng, life.table
    known = range(max(1, life.world.next_id - 12), life.world.next_id + 1)
    one = rng.choice(known)
    match rng.randrange(20):
        case 0 | 1 | 2 | 3 | 4:
            order_id = life.place(outcome=rng.choice(["sent"] * 8 + ["failed", ""]))
            if rng.random() < 0.7:
                life.plain_life(order_id, rng.choice(["Filled", "Filled", "Cancelled"]))
        case 5:
            parent = life.place(transmit=False)
            child = life.place(parent=parent)
            for order_id in (parent, child):
                if rng.random() < 0.7:
                    life.plain_life(order_id, rng.choice(["Filled", "Cancelled"]))
        case 6:
            life.cancel(one, outcome=rng.choice(["sent", "sent", "failed", ""]))
        case 7 if table.get(one) is not None:
            life.place(one, outcome=rng.choice(["sent", "failed"]))
        case 8 | 9:
            perm = rng.choice([-1, -1, -1, 0, life.perm(one + 1), 70_000 + rng.randrange(50)])
            client = rng.choice([CLIENT] * 6 + [0, 7])
            life.status(one, rng.choice(STATUSES), rng.choice([0, 0, 10, 4]), client, perm)
        case 10:
            client, perm = rng.choice([(CLIENT, life.perm(one))] * 4 + [(7, 5), (0, life.perm(one)), (CLIENT, 0)])
            again = rng.randrange(1, life.world.execs + 1) if rng.random() < 0.3 and life.world.execs else 0
            life.execution(rng.choice([one, 0]), client, perm, rng.choice([4, 10]), 10, again)
        case 11:
            life.commission(life.world.execs + rng.randrange(3))
        case 12:
            life.arrives(incoming.Error(rng.choice([one, -1, 1 << 30, 9999]), 0, rng.choice(CODES), "no"))
        case 13:
            order = structs.Order(permId=rng.choice([life.perm(one), 123]), clientId=rng.choice([0, CLIENT]))
            state = structs.OrderState(status=rng.choice(["Filled", "Cancelled"]))
            life.arrives(incoming.CompletedOrder(order=order, orderState=state))
        case 14 if rng.random() < 0.2:
            life.arrives(incoming.OrderBound(life.perm(one), CLIENT, rng.choice([one, -5])))
        case 15 if rng.random() < 0.1:
            life.arrives(incoming.OpenOrder(one), garbled=True)
        case 16:
            life.table.begin_snapshot(rng.random() < 0.5)
            life.takes(rng.randrange(9))
            life.table.end_snapshot(life.world.tick(), rng.random() < 0.8)
        case 17:
            views = [view for view in table if view.order_id]
            life.table.on_executions_listed(rng.sample(views, min(2, len(views))))
            life.table.on_looked_up(life.world.tick())
        case 18 if rng.random() < 0.3:
            views = list(table)
            life.table.on_dispute(rng.sample(views, min(1, len(views))), life.world.tick())
        case 19:
            life.table.check_deadlines(life.world.tick() + rng.choice([0, 10**12]))
    if rng.random() < 0.6:
        life.takes(rng.randrange(8))


@pytest.mark.parametrize("seed", range(8))
def test_random_lives(tmp_path: Path, seed: int) -> None:
    world, aside = World(seed, 225 if seed % 2 else 176), 0
    for number in range(4):
        life = Life(tmp_path, world, None if not number else world.rng.choice([0, KEPT_NS]))
        for _ in range(45):
            anything(life)
        if world.rng.random() < 0.5:
            life.crash()
        else:
            life.close()
        aside = compare(tmp_path)
    assert aside > 5


def test_only_what_is_received_or_placed_brings_an_ended_order_back() -> None:
    """Why an order may be set aside: nothing that is told to all orders at once moves one that has ended."""
    moving = set()
    words = [0, *(int(flag) for flag in Flag), *(int(one | other) for one in Flag for other in Flag)]
    for state in ENDED:
        for event in Event:
            for word in words:
                rule = find_rule(state, word, event)
                cell = TRANSITIONS.get((state, rule.trigger))
                if cell is not None and resolve(cell.target, word & ~rule.clear | rule.set) not in ENDED:
                    moving.add(event)
    told_to_all = {Event.LINK_LOST, Event.DEADLINE, Event.RESTORED, Event.ABSENT, Event.LOOKED_UP, Event.UNDECODABLE}
    assert moving and not moving & told_to_all
    assert Event.PLACE in moving


def test_an_ended_order_stays_for_a_day_and_a_half(tmp_path: Path) -> None:
    world = World(1, 176)
    world.now_ns = time.monotonic_ns()
    life = Life(tmp_path, world, None)
    ended, working = life.place(), life.place()
    life.plain_life(ended)
    life.status(working, "Submitted")
    life.close()
    now = time.time_ns()
    for age_ns, left in ((0, 2), (KEPT_NS - 10**12, 2), (KEPT_NS + 10**12, 1), (-(10**15), 2)):
        table = OrderTable(CLIENT)
        facts = begin(tmp_path, table, wall_ns=now + age_ns)
        assert (len(table), facts.set_aside) == (left, 2 - left)
        assert [view.order_id for view in facts.open_orders] == [working]
        assert facts.high_water == working
        found = table.get(ended)
        assert found is not None and found.state is State.FILLED and len(found.fills) == 1
        assert len(table) == 2


def test_what_the_program_may_not_have_seen_is_given_to_the_table(tmp_path: Path) -> None:
    """It died with a message received: what its table had said before is not the last word."""
    life = Life(tmp_path, World(1, 176), None)
    order_id = life.place()
    life.plain_life(order_id, "Cancelled")
    life.takes(9)
    life.place()
    life.status(order_id, "Submitted")
    life.crash()
    table = OrderTable(CLIENT)
    assert begin(tmp_path, table, 0, later()).set_aside == 0
    assert [view.state for view in table] == [State.UNCERTAIN, State.UNCERTAIN]


def test_an_order_that_was_placed_again_is_open_again(tmp_path: Path) -> None:
    """Also where its journal tells of no change of its state since."""
    life = Life(tmp_path, World(1, 176), None)
    again, other = life.place(), life.place()
    for order_id in (again, other):
        life.plain_life(order_id, "Cancelled")
    life.takes(99)
    intent = next(entry for entry in read(tmp_path) if entry.kind == Kind.INTENT)
    seq = life.journal.intent(Act.PLACE, again, intent_of(intent).frame, life.taken, life.world.tick())
    life.journal.sent(seq, again, 300, life.taken, life.world.tick())
    life.journal.close()
    table = OrderTable(CLIENT)
    assert begin(tmp_path, table, 0, later()).set_aside == 1
    assert [(view.order_id, view.state) for view in table] == [(again, State.UNCERTAIN)]


def test_positions_are_counted_from_every_execution_since_they_were_told(tmp_path: Path) -> None:
    world = World(1, 176)
    life = Life(tmp_path, world, None)
    key, minutes = ("DU0000001", AAPL.conId), 60_000_000_000
    for told in range(3):  # what an execution before a list did may be in question until the list after it
        life.plain_life(life.place())
        life.takes(99)
        world.now_ns += 10 * minutes
        life.table.on_positions(packed({key: Decimal(10 * told + 10)}), "20260105", world.tick())
        world.now_ns += 10 * minutes
    life.plain_life(life.place())
    life.close()
    whole, some = OrderTable(CLIENT), OrderTable(CLIENT)
    rebuild(tmp_path, whole)
    assert begin(tmp_path, some, 0, later()).set_aside == 2
    assert sorted(view.order_id for view in some) == [3, 4]
    assert some.held.expected(key) == whole.held.expected(key) == 40
    assert some.get(1) is not None and some.held.expected(key) == 40


def test_a_child_that_released_its_parent_stays_with_it(tmp_path: Path) -> None:
    """Also where the gateway never said that it is a child: its history tells of the release."""
    life = Life(tmp_path, World(1, 176), None)
    parent = life.place(transmit=False)
    child = life.place(parent=parent)
    life.execution(child, CLIENT, life.perm(child), 10, 10)
    life.status(parent, "Submitted")
    life.takes(99)
    life.close()
    assert life.table.get(child).is_filled
    assert compare(tmp_path) == 0


@pytest.mark.parametrize("wrong", ["gap", "garbled"])
def test_a_journal_that_lacks_something_is_decoded(tmp_path: Path, wrong: str) -> None:
    life = Life(tmp_path, World(1, 176), None)
    for _ in range(3):
        life.plain_life(life.place())
    life.takes(99)
    if wrong == "gap":
        life.journal._put(Kind.GAP, life.world.tick(), (1).to_bytes(8, "little"))
    else:
        life.journal._put(Kind.TRANSITION, life.world.tick(), b"{}")
    life.close()
    assert begin(tmp_path, OrderTable(CLIENT), 0, later()).set_aside == 0


def test_a_removed_segment_takes_its_orders_along(tmp_path: Path) -> None:
    life = Life(tmp_path, World(1, 176), None)
    while len(segments_of(tmp_path)) < 3:
        life.plain_life(life.place())
        life.takes(99)
    life.close()
    table = OrderTable(CLIENT)
    assert begin(tmp_path, table, 0, later()).set_aside > 20
    segments_of(tmp_path)[0].unlink()
    assert table.get(1) is None and table.get(2) is None


def test_a_damaged_journal_is_refused(tmp_path: Path) -> None:
    life = Life(tmp_path, World(1, 176), None)
    for _ in range(5):
        life.plain_life(life.place())
    life.close()
    path = segments_of(tmp_path)[0]
    data = bytearray(path.read_bytes())
    data[2000] ^= 1
    path.write_bytes(data)
    with pytest.raises(JournalCorrupt, match="there are more behind it"):
        begin(tmp_path, OrderTable(CLIENT))


def test_without_compiled_code_everything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    life = Life(tmp_path, World(1, 176), None)
    life.plain_life(life.place())
    life.close()
    monkeypatch.setattr(impl, "NAME", "plain")
    table = OrderTable(CLIENT)
    assert begin(tmp_path, table, 0, later()).set_aside == 0
    assert len(table) == 1


def test_every_message_of_the_order_table_is_known_to_the_index() -> None:
    assert journal_restore._ROLES.keys() == {*MESSAGES, "commissionAndFeesReport", "error"}
