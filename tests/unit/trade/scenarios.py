"""Scenarios for ``arrival``: the sequences of SEMANTICS 5 and 12 and of the recorded order flow, as data."""

from __future__ import annotations

from typing import Any, Final

from ibwire.spec.orderstates import State as S
from tests.unit.trade.arrival import Scenario, Step, all_but
from tests.unit.trade.messages import CLIENT, PERM, commission, execution, open_order, order, order_status, stock

BAG: Final = stock(secType="BAG")
LEG: Final = stock(secType="OPT")


def place(quantity: object = 100, order_id: int = 7, **over: Any) -> Step:
    return Step("place", order_id, order(quantity, **over))


def cancel(order_id: int = 7) -> Step:
    return Step("cancel", order_id)


def opened(status: str = "Submitted", quantity: object = 100, order_id: int = 7, **over: Any) -> Step:
    contract = over.pop("contract", None)
    message = open_order(order_id, status, quantity, **over)
    message.contract = contract or message.contract
    return Step("openOrder", 0, message)


def status(text: str, filled: object = 0, remaining: object = 100, order_id: int = 7, **over: Any) -> Step:
    return Step("orderStatus", 0, order_status(order_id, text, filled, remaining, **over))


def executed(exec_id: str, shares: object, price: float = 187.43, order_id: int = 7, **over: Any) -> Step:
    return Step("execDetails", 0, execution(order_id, exec_id, shares, price, **over))


def fee(exec_id: str, amount: object = 0.5) -> Step:
    return Step("commission", 0, commission(exec_id, amount))


def error(code: int, text: str = "", order_id: int = 7) -> Step:
    return Step("error", order_id, code, text)


def completed(text: str, quantity: object = 100, **over: Any) -> Step:
    return Step("completedOrder", 0, open_order(0, text, quantity, **over))


LIVE: Final = (place(), opened(), status("Submitted"))
CANCEL_SWAPS: Final = ((0, 1), (0, 2), (1, 2))

ORDINARY: Final = (
    Scenario(
        "market order", (place(),),
        (opened("PreSubmitted"), status("PreSubmitted"), executed("a.01.01", 100), opened("Filled"),
         status("Filled", 100, 0), fee("a.01.01")),
        {7: (S.FILLED, 100)}, orders=1,
    ),
    Scenario(
        "market order without a status", (place(),), (executed("a.01.01", 100), fee("a.01.01")), {7: (S.FILLED, 100)},
    ),
    Scenario(
        "two fills, everything twice", (place(),),
        (opened("PreSubmitted"), executed("a.01.01", 60, cum=60), fee("a.01.01", 0.6),
         executed("a.01.01", 60, cum=60), executed("b.01.01", 40, 187.42, cum=100), fee("b.01.01", 0.4),
         status("Filled", 100, 0), status("Filled", 100, 0)),
        {7: (S.FILLED, 100)}, orders=1,
    ),
    Scenario(
        "resting limit", (place(),),
        (opened("PreSubmitted"), status("PreSubmitted"), opened("Submitted"), status("Submitted"), status("Submitted")),
        {7: (S.WORKING, 0)}, lookup=(opened(), status("Submitted")),
    ),
    Scenario(
        "stop waiting for its trigger", (place(),),
        (opened("PreSubmitted"), status("PreSubmitted", whyHeld="trigger"), status("PreSubmitted", whyHeld="trigger")),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "not accepted by the destination yet", (place(),), (opened("PendingSubmit"), status("PendingSubmit")),
        {7: (S.ACKNOWLEDGED, 0)},
    ),
    Scenario(
        "partial fill, resting on", (place(),),
        (opened("Submitted"), executed("a.01.01", 60, cum=60), status("Submitted", 60, 40), fee("a.01.01"),
         opened("Submitted"), status("Submitted", 60, 40, permId=0)),
        {7: (S.PARTIALLY_FILLED, 60)}, lookup=(opened(), status("Submitted", 60, 40)),
    ),
    Scenario(
        "warnings", (place(),),
        (error(399, "waits for the open"), opened("PreSubmitted"), error(10349, "TIF"), status("PreSubmitted"),
         error(2109), error(404)),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "news that is not about the order", LIVE,
        (error(1100, "lost", -1), error(10089, "needs a subscription", 9001), error(354, "no data", 9002),
         error(10089, "needs a subscription"), error(10167), status("Submitted")),
        {7: (S.WORKING, 0)}, orders=1,
    ),
    Scenario(
        "size reduced", (place(),),
        (error(481, "reduced"), opened("Submitted", 80), executed("a.01.01", 80), status("Filled", 80, 0)),
        {7: (S.FILLED, 80)},
    ),
    Scenario(
        "permId late, executions with no order id", (place(),),
        (status("PreSubmitted", permId=0), opened("Submitted"), executed("a.01.01", 100, order_id=2147483647),
         fee("a.01.01"), status("Filled", 100, 0, permId=0)),
        {7: (S.FILLED, 100)}, orders=1,
    ),
    Scenario(
        "answers after the deadline", (place(), Step("deadline")), (opened("PreSubmitted"), status("PreSubmitted")),
        {7: (S.WORKING, 0)},
    ),
    Scenario("no answer ever", (place(), Step("deadline")), (), {7: (S.UNCERTAIN, 0)}, lookup=()),
)  # fmt: skip

ENDS: Final = (
    Scenario(
        "cancel", (*LIVE, cancel()), (status("PendingCancel"), status("Cancelled"), error(202, "Order Canceled")),
        {7: (S.CANCELLED, 0)}, lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "cancel of an order just placed", (place(), cancel()),
        (opened("PreSubmitted"), status("Submitted"), status("PendingCancel"), status("Cancelled"), error(202),
         opened("Cancelled")),
        {7: (S.CANCELLED, 0)}, ((2, 3), (2, 4), (3, 4), (2, 5), (3, 5), (4, 5)), lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "partial fill, then cancelled", (place(), opened(), cancel()),
        (status("Submitted", 60, 40), executed("a.01.01", 60, cum=60), fee("a.01.01"), status("PendingCancel", 60, 40),
         status("Cancelled", 60, 40), error(202)),
        {7: (S.CANCELLED, 60)},
        ((0, 1), (0, 2), (1, 2), (1, 3), (1, 4), (1, 5), (2, 3), (2, 4), (2, 5), (3, 4), (3, 5), (4, 5)),
        lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "late fill after Cancelled", (*LIVE, cancel()),
        (status("Cancelled"), error(202), executed("a.01.01", 40), fee("a.01.01")),
        {7: (S.CANCELLED, 40)}, lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "late fill of everything", (*LIVE, cancel()),
        (status("Cancelled"), error(202), executed("a.01.01", 40), executed("b.01.01", 60), fee("a.01.01"),
         status("Submitted")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "IOC that found nothing", (place(),),
        (opened("PreSubmitted"), status("PendingCancel"), status("Cancelled"), error(202, "Order Canceled")),
        {7: (S.CANCELLED, 0)}, ((1, 2), (1, 3), (2, 3)), lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "FOK", (place(),), (opened("PreSubmitted"), status("PreSubmitted"), opened("Inactive"), status("Inactive")),
        {7: (S.INACTIVE, 0)}, ((0, 1), (2, 3)), lookup=(completed("Inactive"),),
    ),
    Scenario(
        "end of day", (*LIVE,), (status("Cancelled"), error(202, "Order Canceled - reason: Order Expired")),
        {7: (S.EXPIRED, 0)},
    ),
    Scenario("refused by TWS", (place(),), (error(200, "no contract"),), {7: (S.REJECTED, 0)}),
    Scenario(
        "refused by IB", (place(),),
        (error(201, "margin"), status("Inactive"), opened("Inactive"), status("Cancelled")),
        {7: (S.REJECTED, 0)},
    ),
    Scenario(
        "refused by IB after PreSubmitted", (place(),),
        (opened("PreSubmitted"), status("PreSubmitted"), error(201, "margin"), status("Inactive"), opened("Inactive")),
        {7: (S.REJECTED, 0)}, ((0, 1), (2, 3), (2, 4), (3, 4)),
    ),
    Scenario(
        "the broker ends what is partly filled", (place(),),
        (opened("Submitted"), executed("a.01.01", 30), fee("a.01.01"), error(201, "margin"), status("Cancelled", 30)),
        {7: (S.REJECTED, 30)}, ((0, 1), (0, 2), (1, 2), (3, 4), (2, 3), (2, 4)),
    ),
    Scenario(
        "a hold that is lifted", (place(),),
        (opened("PreSubmitted"), status("Inactive"), status("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)}, (), sure=False, lookup=(opened(), status("Submitted")), also=(S.INACTIVE,),
    ),
)  # fmt: skip

RACES: Final = (
    Scenario(
        "cancel against fill", (*LIVE, cancel()),
        (status("PendingCancel"), executed("a.01.01", 100), fee("a.01.01"), opened("Filled"), status("Filled", 100, 0),
         error(10148, "state: Filled")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "cancel against fill, no status", (*LIVE, cancel()),
        (error(161), executed("a.01.01", 100), status("Submitted")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "cancel refused, it works on", (*LIVE, cancel()), (status("PendingCancel"), error(161), status("Submitted")),
        {7: (S.WORKING, 0)}, (), lookup=(opened(), status("Submitted")),
    ),
    Scenario("cancel of nothing", (*LIVE, cancel()), (error(10147), status("Submitted")), {7: (S.UNCERTAIN, 0)},
        lookup=()),
    Scenario("cancel of nothing, older code", (*LIVE, cancel()), (error(135),), {7: (S.CANCELLED, 0)}, (), sure=False,
        lookup=(completed("Cancelled"),)),
    Scenario("cannot be cancelled now", (*LIVE, cancel()), (error(136),), {7: (S.WORKING, 0)}, (), sure=False,
        lookup=(opened(), status("Submitted"))),
    Scenario(
        "cancelled by the exchange, the cancel was moot", (*LIVE, cancel()),
        (error(161), status("Cancelled"), error(202), status("Submitted")),
        {7: (S.CANCELLED, 0)}, (), lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "modify accepted", (*LIVE, place(150)),
        (opened("Submitted", 150), status("Submitted", 0, 150), opened("Submitted", 150), executed("a.01.01", 100),
         executed("b.01.01", 50), status("Filled", 150, 0)),
        {7: (S.FILLED, 150)},
    ),
    Scenario(
        "modify to less, filled at that", (*LIVE, place(50)),
        (opened("Submitted", 50), executed("a.01.01", 50), fee("a.01.01"), status("Filled", 50, 0)),
        {7: (S.FILLED, 50)},
    ),
    Scenario(
        "modify accepted, an old openOrder among the new", (*LIVE, place(150)),
        (opened("Submitted", 100), opened("Submitted", 150), executed("a.01.01", 100), status("Submitted", 100, 50)),
        {7: (S.PARTIALLY_FILLED, 100)}, ((1, 2), (2, 3), (1, 3), (0, 2), (0, 3)), lookup=(opened("Submitted", 150),),
    ),
    Scenario(
        "modify refused", (*LIVE, place(150)), (error(201, "no"), status("Submitted"), opened("Submitted")),
        {7: (S.WORKING, 0)}, lookup=(opened(),),
    ),
    Scenario(
        "modify refused, then filled at the old quantity", (*LIVE, place(150)),
        (error(110), executed("a.01.01", 100), fee("a.01.01")), {7: (S.FILLED, 100)},
    ),
    Scenario(
        "modify refused, with a Cancelled that means nothing", (*LIVE, place(150)),
        (error(201, "no"), status("Cancelled"), status("Submitted"), opened("Submitted")),
        {7: (S.WORKING, 0)}, (), sure=False, lookup=(opened(), status("Submitted")),
    ),
    Scenario(
        "modify refused, and really cancelled", (*LIVE, place(150)), (error(201, "no"), status("Cancelled")),
        {7: (S.CANCELLED, 0)}, (), sure=False, lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "modify against fill", (*LIVE, place(150)),
        (executed("a.01.01", 100), fee("a.01.01"), status("Filled", 100, 0), error(104), opened("Filled")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "two modifies, one of them refused", (*LIVE, place(150), place(120)),
        (opened("Submitted", 150), error(2102), executed("a.01.01", 120), status("Submitted", 120, 30)),
        {7: (S.PARTIALLY_FILLED, 120)}, ((0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)),
        lookup=(opened("Submitted", 150),),
    ),
    Scenario(
        "modify of a placement that was refused", (place(), place(150)), (error(201), error(135)),
        {7: (S.REJECTED, 0)}, (), sure=False,
    ),
)  # fmt: skip

EXECUTIONS: Final = (
    Scenario(
        "correction", (place(),),
        (executed("a.01.01", 60, 10.0), executed("a.01.02", 50, 10.5), executed("b.01.01", 40, 11.0),
         fee("a.01.01", 1), fee("a.01.02", 2), status("Submitted", 90, 10), opened()),
        {7: (S.PARTIALLY_FILLED, 90)}, all_but(7, (1, 2)), lookup=(opened(), status("Submitted", 90, 10)),
    ),
    Scenario(
        "correction of what had filled it", (place(),),
        (executed("a.01.01", 100), executed("a.01.02", 60), status("Submitted", 60, 40)),
        {7: (S.PARTIALLY_FILLED, 60)}, (), sure=False, lookup=(opened(), status("Submitted", 60, 40)),
    ),
    Scenario(
        "bust after Filled", (place(),),
        (opened("Submitted"), executed("a.01.01", 100, cum=100), fee("a.01.01"), status("Filled", 100, 0),
         executed("a.01.02", 0, cum=0), fee("a.01.02", 0)),
        {7: (S.FILLED, 0)},
    ),
    Scenario(
        "bust of the only fill", (place(),),
        (opened("Submitted"), executed("a.01.01", 60, cum=60), executed("a.01.02", 0, cum=0), status("Submitted")),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "combination", (place(10),),
        (opened("Submitted", 10, contract=BAG), executed("l.01.01", 10, contract=LEG, cum=10), fee("l.01.01"),
         executed("m.01.01", 20, contract=LEG, cum=20), executed("c.01.01", 10, 1.5, contract=BAG, cum=10),
         status("Filled", 10, 0), fee("m.01.01")),
        {7: (S.FILLED, 10)},
    ),
    Scenario(
        "advisor's order, divided", (place(100, faGroup="G"),),
        (opened("Submitted", faGroup="G"), executed("m.01.01", 100, acctNumber="DF0000001", cum=100),
         executed("a.01.01", 60, acctNumber="DU0000001", cum=60), fee("a.01.01", 0.6),
         executed("b.01.01", 40, acctNumber="DU0000002", cum=40), fee("b.01.01", 0.4), fee("m.01.01", 1)),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "advisor's order, half of it", (place(100, faGroup="G"),),
        (opened("Submitted", faGroup="G"), executed("m.01.01", 50, acctNumber="DF0000001", cum=50),
         executed("a.01.01", 30, acctNumber="DU0000001", cum=30),
         executed("b.01.01", 20, acctNumber="DU0000002", cum=20)),
        {7: (S.PARTIALLY_FILLED, 50)},
    ),
    Scenario(
        "advisor's order, allocations only", (place(100, faGroup="G"),),
        (executed("a.01.01", 60, acctNumber="DU0000001", cum=60), opened("Submitted", faGroup="G"),
         executed("b.01.01", 40, acctNumber="DU0000002", cum=40)),
        {7: (S.FILLED, 100)},
    ),
)  # fmt: skip

MANUAL: Final = {"permId": 66, "clientId": 0}
OTHERS: Final = (
    Scenario(
        "typed into TWS", (),
        (opened("PreSubmitted", order_id=0, **MANUAL), executed("x.01.01", 100, order_id=0, **MANUAL), fee("x.01.01"),
         status("Filled", 100, 0, order_id=0, **MANUAL)),
        {-66: (S.FILLED, 100)}, orders=1,
    ),
    Scenario(
        "typed into TWS, then bound", (),
        (opened("Submitted", order_id=0, **MANUAL), Step("orderBound", 0, order_status(-5, "", **MANUAL)),
         status("Submitted", 40, 60, order_id=-5, **MANUAL), executed("x.01.01", 40, order_id=-5, **MANUAL)),
        {-66: (S.PARTIALLY_FILLED, 40)}, orders=1,
    ),
    Scenario(
        "another client's", (place(),),
        (opened("Submitted"), opened("Submitted", clientId=5, permId=55), status("Submitted", clientId=5, permId=55),
         executed("x.01.01", 100, clientId=5, permId=55), executed("a.01.01", 40), fee("x.01.01")),
        {7: (S.PARTIALLY_FILLED, 40), -55: (S.FILLED, 100)}, orders=2,
    ),
    Scenario(
        "two permIds under one order id", (place(),),
        (status("Submitted"), status("Submitted", permId=5), executed("a.01.01", 10, permId=5),
         executed("b.01.01", 20)),
        {-PERM: (S.PARTIALLY_FILLED, 20), -5: (S.PARTIALLY_FILLED, 10)}, orders=2,
    ),
    Scenario(
        "one-cancels-all", (place(ocaGroup="g"), place(order_id=8, ocaGroup="g")),
        (opened("Submitted"), opened("Submitted", order_id=8, permId=8), executed("a.01.01", 100),
         status("Filled", 100, 0), status("Cancelled", order_id=8, permId=8), error(202, "", 8)),
        {7: (S.FILLED, 100), 8: (S.CANCELLED, 0)}, ((4, 5), (0, 1), (2, 3), (0, 2), (0, 3), (2, 4), (3, 4)),
    ),
    Scenario(
        "bracket",
        (place(transmit=False), place(order_id=8, parentId=7, transmit=False), place(order_id=9, parentId=7)),
        (opened("PreSubmitted"), opened("PreSubmitted", order_id=8, permId=8, parentId=7),
         opened("PreSubmitted", order_id=9, permId=9, parentId=7), executed("a.01.01", 100), fee("a.01.01"),
         status("Filled", 100, 0), status("Submitted", order_id=8, permId=8),
         executed("b.01.01", 100, order_id=8, permId=8),
         status("Filled", 100, 0, order_id=8, permId=8), status("PendingCancel", order_id=9, permId=9),
         status("Cancelled", order_id=9, permId=9), error(202, "", 9)),
        {7: (S.FILLED, 100), 8: (S.FILLED, 100), 9: (S.CANCELLED, 0)}, ((9, 10), (9, 11), (10, 11)), orders=3,
    ),
    Scenario("never transmitted", (place(transmit=False),), (), {7: (S.UNTRANSMITTED, 0)}),
    Scenario(
        "a Cancelled that could not be read", (place(),), (opened("Submitted"), Step("undecodable", 7)),
        {7: (S.CANCELLED, 0)}, (), sure=False, lookup=(completed("Cancelled"),),
    ),
    Scenario(
        "an execution that could not be read", (*LIVE,), (Step("undecodable"), status("Submitted", 60, 40)),
        {7: (S.PARTIALLY_FILLED, 60)}, (), sure=False,
        lookup=(opened(), status("Submitted", 60, 40), executed("a.01.01", 60)),
    ),
    Scenario(
        "a status text that nobody knows", (*LIVE,), (status("Dreaming"), executed("a.01.01", 10)),
        {7: (S.PARTIALLY_FILLED, 10)},
    ),
    Scenario(
        "replayed by a new session", (*LIVE, place(150), cancel(), Step("link_lost")),
        (opened("Submitted", 100), status("Submitted", 30, 70), executed("a.01.01", 30)),
        {7: (S.PARTIALLY_FILLED, 30)}, lookup=(opened(), status("Submitted", 30, 70)),
    ),
    Scenario(
        "found cancelled by a new session", (*LIVE, place(150), Step("link_lost")),
        (completed("Cancelled"), executed("a.01.01", 30), fee("a.01.01")),
        {7: (S.CANCELLED, 30)},
    ),
)  # fmt: skip

SCENARIOS: Final = (*ORDINARY, *ENDS, *RACES, *EXECUTIONS, *OTHERS)
assert CLIENT == 1
