"""The gate itself: fail closed, consistent between threads, deaf to hostile policies."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ibwire.client.quotes import Quote
from ibwire.errors import ConfigError, RiskRejected
from ibwire.spec.registry import OUTGOING
from ibwire.trade.exposure import Entry, exposure_of
from ibwire.trade.risk import ALLOW, Allow, Book, BookView, Cancel, Gate, Reject, Request, Verdict, lowers_risk
from ibwire.trade.risk_policies import MaxNotional, MaxPosition, MaxQuantity, OrderRate
from ibwire.trade.risk_requests import EFFECTS, Effect, Kind
from ibwire.types import outgoing
from ibwire.types.constructors import limit, market, option
from ibwire.types.structs import ComboLeg, Contract, Order

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
DU = "DU0000001"
MS = 1_000_000


class Clock:
    def __init__(self) -> None:
        self.ns = 1_000_000_000_000

    def __call__(self) -> int:
        return self.ns


class Says:
    """A policy that does as the test says."""

    needs: tuple[str, ...] = ()

    def __init__(self, answer: Any = ALLOW, name: str = "says") -> None:
        self.answer, self.name, self.asked, self.undone = answer, name, 0, 0

    def check(self, request: Request, book: BookView, now_ns: int) -> Verdict:
        self.asked += 1
        found: Verdict = self.answer(request, book) if callable(self.answer) else self.answer
        return found

    def undo(self, request: Request, now_ns: int) -> None:
        self.undone += 1


def make(*policies: Any, clock: Clock | None = None, **more: Any) -> Gate:
    lock = threading.Lock()
    book = Book(lock)
    book.on_told("positions")
    book.on_told("orders")
    return Gate(policies, clock_ns=clock or Clock(), lock=lock, book=book, **more)


def buy(quantity: float = 10, price: float = 100.0, **fields: Any) -> Request:
    return Request(AAPL, limit("BUY", quantity, price, **fields), DU)


def sell(quantity: float = 10, price: float = 100.0, **fields: Any) -> Request:
    return Request(AAPL, limit("SELL", quantity, price, **fields), DU)


def hold(book: Book, contract: Contract, quantity: float) -> None:
    """The gateway was asked, and named it."""
    book.on_positions_asked()
    book.on_position(DU, contract, quantity)
    book.on_positions_answered()


def clean(gate: Gate) -> bool:
    """Nothing of any request is left in the book."""
    return all(not line.entries and line.buy == line.sell == 0 for line in gate.book.lines.values()) and not gate._open


def test_every_message_of_a_client_has_one_effect() -> None:
    assert set(EFFECTS) == {row.name for row in OUTGOING.values()}
    cancels = {name for name, effect in EFFECTS.items() if effect is Effect.CANCELS}
    assert cancels == {"cancelOrder", "reqGlobalCancel"}
    assert EFFECTS["placeOrder"] is EFFECTS["exerciseOptions"] is Effect.ADDS


def test_policies_are_asked_in_order_and_the_first_no_decides() -> None:
    first, no, never = Says(), Says(Reject("because"), "no"), Says()
    gate = make(first, no, never)
    with pytest.raises(RiskRejected, match="no: because") as caught:
        gate.admit(buy())
    assert caught.value.policy == "no"
    assert (first.asked, never.asked, first.undone, no.undone) == (1, 0, 1, 0)
    assert clean(gate)
    assert (gate.admitted, gate.refused) == (0, 1)


@pytest.mark.parametrize("answer", [None, True, "ok", 1, Allow])
def test_what_is_no_verdict_refuses(answer: Any) -> None:
    gate = make(Says(lambda request, book: answer))
    with pytest.raises(RiskRejected, match="no verdict"):
        gate.admit(buy())
    assert clean(gate)


@pytest.mark.parametrize("error", [ValueError("x"), RiskRejected("x"), MemoryError(), RecursionError()])
def test_an_exception_in_a_policy_refuses(error: Exception) -> None:
    def fails(request: Request, book: BookView) -> Verdict:
        raise error

    gate = make(Says(), Says(fails, "hostile"))
    with pytest.raises(RiskRejected, match=f"hostile: {type(error).__name__}"):
        gate.admit(buy())
    assert clean(gate)


def test_ctrl_c_in_a_policy_goes_through_and_leaves_nothing() -> None:
    def interrupted(request: Request, book: BookView) -> Verdict:
        raise KeyboardInterrupt

    gate = make(Says(interrupted))
    with pytest.raises(KeyboardInterrupt):
        gate.admit(buy())
    assert clean(gate)


def test_an_allow_of_ones_own_is_an_allow() -> None:
    assert make(Says(Allow())).admit(buy()) is not None


def test_a_late_verdict_refuses() -> None:
    clock = Clock()

    def slow(request: Request, book: BookView) -> Verdict:
        clock.ns += 51 * MS
        return ALLOW

    gate = make(Says(slow), clock=clock, budget_ms=50)
    with pytest.raises(RiskRejected, match="took 51"):
        gate.admit(buy())
    assert clean(gate)


def test_a_policy_that_never_returns_holds_only_its_caller() -> None:
    clock, begun, go_on = Clock(), threading.Event(), threading.Event()

    def hangs(request: Request, book: BookView) -> Verdict:
        if request.quantity == 90:
            begun.set()
            go_on.wait()
        return ALLOW

    gate = make(Says(hangs), MaxQuantity(100, "contract"), clock=clock, budget_ms=50)
    caught: list[RiskRejected] = []

    def hang() -> None:
        try:
            gate.admit(buy(90))
        except RiskRejected as error:
            caught.append(error)

    thread = threading.Thread(target=hang)
    thread.start()
    begun.wait()
    assert gate.admit(buy(10)) is not None  # at once, beside it
    with pytest.raises(RiskRejected, match="max quantity"):
        gate.admit(buy(10))  # the other one still counts: it may yet be allowed
    clock.ns += 51 * MS
    assert gate.admit(buy(89)) is not None  # now the first can only be refused
    assert gate.admit(buy(1)) is not None
    go_on.set()
    thread.join()
    assert [error.policy for error in caught] == [""]
    assert gate.book.lines[DU, 265598].buy == 100


def test_two_threads_cannot_both_pass_one_limit() -> None:
    # Both are inside a policy at the same time; the second in line sees the first.
    both = threading.Barrier(2)

    def meet(request: Request, book: BookView) -> Verdict:
        both.wait()
        return ALLOW

    for _ in range(30):
        gate = make(Says(meet), MaxPosition(100), budget_ms=60_000)
        results: list[str] = []

        def place(gate: Gate = gate, results: list[str] = results) -> None:
            try:
                gate.admit(buy(60))
                results.append("in")
            except RiskRejected:
                results.append("out")

        threads = [threading.Thread(target=place) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(results) == ["in", "out"]  # and not both out either
        assert gate.book.lines[DU, 265598].buy == 60


def test_many_threads_fill_a_limit_and_never_pass_it() -> None:
    gate = make(MaxPosition(100), OrderRate(1000), budget_ms=60_000)
    passed: list[float] = []

    def place(size: int) -> None:
        for number in range(200):
            try:
                view = gate.admit(buy(size))
            except RiskRejected:
                continue
            if number % 3:
                gate.not_sent(view)
            else:
                gate.sent(view, (size, number))
                passed.append(size)

    threads = [threading.Thread(target=place, args=(size,)) for size in (3, 5, 7, 11)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    line = gate.book.lines[DU, 265598]
    assert line.buy == sum(passed) <= 100
    assert line.buy > 100 - 11
    assert gate._open == []


def test_a_limit_is_open_again_when_the_order_has_ended() -> None:
    gate = make(MaxPosition(100))
    gate.sent(gate.admit(buy(100)), 1)
    with pytest.raises(RiskRejected):
        gate.admit(buy(1))
    gate.book.on_fill(DU, AAPL, 40, 100.0)
    gate.book.on_order(1, DU, AAPL, 1, 60, 100.0)
    with pytest.raises(RiskRejected):
        gate.admit(buy(1))
    gate.book.on_order(1, DU, AAPL, 1, 0)  # the rest was cancelled
    gate.sent(gate.admit(buy(60)), 2)
    with pytest.raises(RiskRejected):
        gate.admit(buy(0.0001))


def test_an_order_that_was_not_sent_is_forgotten() -> None:
    rate = OrderRate(1, 60_000)
    gate = make(rate)
    view = gate.admit(buy())
    gate.not_sent(view)
    gate.not_sent(view)
    assert clean(gate)
    gate.admit(buy())


def test_a_shut_gate_asks_nobody() -> None:
    policy = Says()
    gate = make(policy)
    gate.shut = "killed by ops"
    with pytest.raises(RiskRejected, match="killed by ops"):
        gate.admit(buy())
    assert policy.asked == 0
    empty = make()
    empty.shut = "killed"
    with pytest.raises(RiskRejected, match="killed"):
        empty.admit(buy())
    empty.shut = ""
    assert empty.admit(buy()) is None


def test_a_cancel_refuses_and_is_carried_out() -> None:
    told: list[Any] = []
    verdict = Cancel("enough", "everything")
    gate = make(Says(verdict), on_cancel=lambda *args: told.append(args))
    request = buy()
    with pytest.raises(RiskRejected, match="enough"):
        gate.admit(request)
    assert told == [(verdict, request, gate.policies[0].name)]
    alone = make(Says(Cancel("stop")))
    with pytest.raises(RiskRejected, match="stop"):
        alone.admit(buy())
    assert alone.shut == "stop"  # nobody to carry it out: at least nothing new
    with pytest.raises(ConfigError, match="scope"):
        Cancel("x", "all")


def test_a_watch_that_fails_shuts_the_gate() -> None:
    class Watches(Says):
        def watch(self, book: Book, now_ns: int) -> Verdict:
            raise ValueError("broken")

    gate = make(Watches())
    gate.watch(0)
    with pytest.raises(RiskRejected, match="broken"):
        gate.admit(buy())


def test_a_policy_that_needs_what_nobody_tells_is_refused_at_once() -> None:
    with pytest.raises(ConfigError, match="max position needs orders, positions"):
        make(MaxPosition(1), knows=())
    with pytest.raises(ConfigError, match="is no policy"):
        make(object())
    with pytest.raises(ConfigError, match="budget_ms"):
        make(budget_ms=0)


def test_a_modify_counts_what_it_adds() -> None:
    gate = make(MaxPosition(100))
    first = limit("BUY", 60, 100.0)
    gate.sent(gate.admit(Request(AAPL, first, DU)), 1)
    with pytest.raises(RiskRejected):
        gate.admit(Request(AAPL, replace(first, totalQuantity=Decimal(101)), DU, first, 1))
    view = gate.admit(Request(AAPL, replace(first, totalQuantity=Decimal(100)), DU, first, 1))
    assert view is not None
    assert (view.request.kind, view.buy) == (Kind.MODIFY, 100)
    gate.sent(view, 1)
    assert gate.book.lines[DU, 265598].buy == 100
    gate.book.on_order(1, DU, AAPL, 1, 0)
    assert clean(gate)


BEFORE = limit("BUY", 10, 100.0)


@pytest.mark.parametrize(
    ("change", "lowers"),
    [
        ({"totalQuantity": Decimal(9)}, True),
        ({"totalQuantity": Decimal(11)}, False),
        ({"totalQuantity": None}, False),
        ({"lmtPrice": 99.0}, True),
        ({"lmtPrice": 101.0}, False),
        ({"lmtPrice": float("nan")}, False),
        ({"lmtPrice": None}, False),
        ({"tif": "GTC"}, False),
        ({"action": "SELL"}, False),
        ({"transmit": False}, False),
        ({"account": "DU0000002"}, False),
        ({}, True),
    ],
)
def test_which_modifies_add_no_risk(change: dict[str, Any], lowers: bool) -> None:
    assert lowers_risk(replace(BEFORE, **change), BEFORE) is lowers


def test_a_sell_is_changed_the_other_way_round() -> None:
    before = limit("SELL", 10, 100.0)
    assert lowers_risk(replace(before, lmtPrice=101.0), before)
    assert not lowers_risk(replace(before, lmtPrice=99.0), before)
    stop = Order(action="SELL", totalQuantity=Decimal(1), orderType="STP LMT", lmtPrice=99.0, auxPrice=100.0)
    assert not lowers_risk(replace(stop, lmtPrice=100.0), stop)  # it may not protect any more


def test_a_bracket_counts_as_what_can_come_of_it() -> None:
    gate = make(MaxPosition(100))
    parent = gate.admit(buy(100))
    gate.sent(parent, 1)
    for number, price in ((2, 110.0), (3, 90.0)):
        gate.sent(gate.admit(sell(100, price, parentId=1)), number)
    line = gate.book.lines[DU, 265598]
    assert (line.buy, line.sell) == (100, 100)  # one of the two
    gate.book.on_fill(DU, AAPL, 30, 100.0)
    gate.book.on_order(1, DU, AAPL, 1, 70, 100.0)
    assert (line.position, line.buy, line.sell) == (30, 70, 100)
    gate.book.on_fill(DU, AAPL, 70, 100.0)
    gate.book.on_order(1, DU, AAPL, 1, 0)
    assert (line.position, line.buy, line.sell) == (100, 0, 100)  # one of the two


def test_one_of_a_group_counts() -> None:
    line: Any = None
    entries = {Entry(line, -1, 5, 1, 0, "g"), Entry(line, -1, 7, 2, 0, "g"), Entry(line, 1, 2, 3), Entry(line, 0, 1)}
    assert exposure_of(entries) == (3, 8)


def test_a_group_that_may_overfill_counts_whole() -> None:
    gate = make(MaxPosition(100))
    gate.sent(gate.admit(buy(60, ocaGroup="g", ocaType=3)), 1)
    with pytest.raises(RiskRejected):
        gate.admit(buy(60, ocaGroup="g", ocaType=3))
    gate.sent(gate.admit(buy(40, ocaGroup="g", ocaType=3)), 2)
    assert gate.book.lines[DU, 265598].buy == 100


def test_the_orders_of_a_group_are_changed_as_any_other() -> None:
    gate = make(MaxPosition(100))
    first = limit("BUY", 100, 100.0, ocaGroup="g", ocaType=1)
    gate.sent(gate.admit(Request(AAPL, first, DU)), 1)
    gate.sent(gate.admit(buy(100, ocaGroup="g", ocaType=1)), 2)
    for change in ({"totalQuantity": Decimal(101)}, {"ocaGroup": ""}, {"ocaGroup": "h"}, {"ocaType": 3}):
        with pytest.raises(RiskRejected):
            gate.admit(Request(AAPL, replace(first, **change), DU, first, 1))
    gate.sent(gate.admit(Request(AAPL, replace(first, lmtPrice=101.0), DU, first, 1)), 1)
    assert gate.book.lines[DU, 265598].buy == 100


def test_children_on_the_side_of_their_parent_all_count() -> None:
    gate = make(MaxPosition(100))
    gate.sent(gate.admit(buy(40)), 1)
    gate.sent(gate.admit(buy(30, parentId=1)), 2)
    gate.sent(gate.admit(buy(30, parentId=1)), 3)
    assert gate.book.lines[DU, 265598].buy == 100
    gate.book.on_order(1, DU, AAPL, 1, 0)
    assert gate.book.lines[DU, 265598].buy == 60


def test_exits_count_from_the_start() -> None:
    gate = make(MaxPosition(100))
    gate.sent(gate.admit(buy(50)), 1)
    gate.sent(gate.admit(sell(50, parentId=1)), 2)
    gate.book.on_position(DU, AAPL, 50)  # the entry has filled, its execution comes later
    with pytest.raises(RiskRejected):
        gate.admit(sell(101))
    assert gate.admit(sell(50)) is not None


def test_a_combination_counts_in_its_legs() -> None:
    legs = [ComboLeg(265598, 1, "BUY", "SMART"), ComboLeg(272093, 2, "SELL", "SMART")]
    pair = Contract(symbol="AAPL,MSFT", secType="BAG", exchange="SMART", currency="USD", comboLegs=legs)
    gate = make(MaxPosition(100), MaxQuantity(90))
    hold(gate.book, AAPL, 70)
    with pytest.raises(RiskRejected, match="max position"):
        gate.admit(Request(pair, limit("BUY", 31, 1.0), DU))
    with pytest.raises(RiskRejected, match="max quantity"):
        gate.admit(Request(pair, limit("SELL", 46, 1.0), DU))  # 92 of the second
    gate.sent(gate.admit(Request(pair, limit("BUY", 30, 1.0), DU)), 1)
    with pytest.raises(RiskRejected, match="max position"):
        gate.admit(buy(1))
    gate.book.on_order(1, DU, replace(pair, conId=28812380), 1, 10, 1.0)
    gate.book.on_fill(DU, replace(pair, conId=28812380), 20, 1.0)
    first, second = gate.book.lines[DU, 265598], gate.book.lines[DU, 272093]
    assert (first.position, first.buy, second.position, second.sell) == (90, 10, -40, 20)
    gate.book.on_order(1, DU, pair, 1, 0)
    assert clean(gate)
    with pytest.raises(RiskRejected, match="its worth is unknown"):
        make(MaxNotional(1e9)).admit(Request(pair, limit("BUY", 1, 0.01), DU))  # not what its price says


def test_an_amount_of_money_beside_a_quantity_is_not_known() -> None:
    view = make(Says()).admit(buy(1, cashQty=1e6))
    assert view is not None
    assert (view.request.quantity, view.notional) == (float("inf"), float("inf"))


def test_a_market_order_is_worth_what_it_was_judged_by() -> None:
    gate = make(Says())
    gate.book.on_position(DU, AAPL, 0, 10.0)  # bought long ago
    gate.book.on_quote(265598, Quote(99.0, 101.0, 100.0))
    gate.sent(gate.admit(Request(AAPL, market("BUY", 10), DU)), 1)
    gate.book.on_order(1, DU, AAPL, 1, 10)
    assert gate.book.lines[DU, 265598].gross == 1010


def test_a_position_and_its_fills_come_in_any_order() -> None:
    gate = make(MaxPosition(100))
    book, line = gate.book, gate.book.line(DU, AAPL)

    def held() -> tuple[float, float]:
        return line.lowest, line.highest

    book.on_fill(DU, AAPL, 10, 1.0)
    assert held() == (0, 10)  # the number may have it in it: only the next one tells
    book.on_position(DU, AAPL, 10)
    assert held() == (10, 10)
    book.on_position(DU, AAPL, 30)  # ahead of its execution, or somebody else's
    assert held() == (10, 30)
    with pytest.raises(RiskRejected):
        gate.admit(buy(71))
    with pytest.raises(RiskRejected):
        gate.admit(sell(111))
    book.on_fill(DU, AAPL, 20, 1.0)
    assert held() == (30, 30)
    book.on_fill(DU, AAPL, 5, 1.0)
    book.on_fill(DU, AAPL, 5, 1.0)
    book.on_position(DU, AAPL, 35)  # of the first only
    assert held() == (35, 45)
    book.on_position(DU, AAPL, 40)
    assert held() == (40, 40)


def test_what_the_gateway_is_asked_for_settles_it() -> None:
    gate = make(MaxPosition(100))
    book, line = gate.book, gate.book.line(DU, AAPL)
    book.on_position(DU, AAPL, 50)  # somebody else's
    book.on_fill(DU, AAPL, 10, 1.0, looked_up=True)
    book.on_fill(DU, AAPL, 10, 1.0)
    assert (line.lowest, line.highest, book.is_settled) == (10, 70, False)
    book.on_positions_asked()
    book.on_fill(DU, AAPL, 1, 1.0)
    book.on_position(DU, AAPL, 60)
    book.on_positions_answered()
    assert (line.lowest, line.highest) == (60, 61)
    book.on_position(DU, AAPL, 61)
    assert (line.lowest, line.highest, book.is_settled) == (61, 61, True)
    book.on_positions_asked()
    book.on_positions_answered()  # it was not named: it is closed
    assert (line.lowest, line.highest) == (0, 0)


def test_a_fill_before_the_first_position_is_in_it_or_not() -> None:
    book = Book(threading.Lock())
    book.on_positions_asked()
    book.on_fill(DU, AAPL, 10, 1.0)
    book.on_position(DU, AAPL, 50)
    book.on_positions_answered()
    line = book.line(DU, AAPL)
    assert (line.lowest, line.highest) == (50, 60)


def test_exercise_of_options_is_worth_its_strike() -> None:
    call = option("AAPL", "20261218", 200, "C", multiplier="100", conId=7)
    request = Request.of_message(outgoing.ExerciseOptions(1, call, 1, 3, DU))
    view = make(MaxQuantity(1000)).admit(request)
    assert view is not None
    assert (request.kind, view.notional, request.side) == (Kind.EXERCISE, 60_000, 1)
    setting = Request.of_message(outgoing.UpdateConfig(1))
    with pytest.raises(RiskRejected):
        make(Says(Reject("no"))).admit(setting)
    assert make(Says()).admit(setting) is not None


def test_unknown_money_is_infinite_and_heals() -> None:
    gate = make(Says())
    view = gate.admit(Request(AAPL, market("BUY", 10), DU))
    assert view is not None
    assert view.notional == view.line_gross == view.total_gross == float("inf")
    gate.not_sent(view)
    again = gate.admit(buy(10, 100.0))
    assert again is not None
    assert (again.notional, again.total_gross, again.account_spent) == (1000, 1000, 1000)
