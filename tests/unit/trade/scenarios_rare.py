"""Scenarios for ``arrival``: what SEMANTICS 3.1, 5 and 6 name and an ordinary day does not bring."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from ibwire.spec.orderstates import State as S
from tests.unit.trade.arrival import Scenario, Step, all_but
from tests.unit.trade.scenarios import LIVE, MANUAL, cancel, completed, error, executed, fee, opened, place, status

_CANCEL_LISTED: Final = (Step("begin_snapshot"), opened("PendingCancel"), Step("end_snapshot"), Step("looked_up"))

NOT_YET: Final = (
    Scenario(
        "held inside TWS first", (place(),),
        (status("ApiPending"), opened("PendingSubmit"), status("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)},
    ),
    Scenario("held inside TWS, nothing more", (place(),), (status("ApiPending"),), {7: (S.SENT, 0)}),
    Scenario("held inside TWS, then refused", (place(),), (status("ApiPending"), error(200)), {7: (S.REJECTED, 0)}),
    Scenario(
        "held inside TWS, then filled at once", (place(),),
        (status("ApiPending"), status("Filled", 100, 0), executed("a.01.01", 100), fee("a.01.01")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "the exchange is closed", (place(),),
        (opened("PendingSubmit"), status("PendingSubmit"), status("PreSubmitted"), executed("a.01.01", 100),
         status("Filled", 100, 0)),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "the exchange is closed, and then refuses", (place(),),
        (status("PendingSubmit"), error(201), status("Inactive")),
        {7: (S.REJECTED, 0)},
    ),
    Scenario(
        "cancelled before it was acknowledged", (place(), cancel()),
        (status("ApiPending"), status("ApiCancelled"), error(202)), {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "ApiCancelled, and partly filled after all", (place(), cancel()),
        (status("ApiCancelled"), executed("a.01.01", 40), fee("a.01.01")), {7: (S.CANCELLED, 40)},
    ),
    Scenario(
        "ApiCancelled, and filled after all", (place(), cancel()),
        (status("ApiCancelled"), executed("a.01.01", 100), status("Filled", 100, 0)), {7: (S.FILLED, 100)},
    ),
    Scenario(
        "ApiCancelled, then Cancelled", (place(), cancel()), (status("ApiCancelled"), status("Cancelled"), error(202)),
        {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "not transmitted, then cancelled", (place(transmit=False), cancel()), (error(202),), {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "not transmitted, told as Inactive", (place(transmit=False),), (opened("Inactive"), status("Inactive")),
        {7: (S.UNTRANSMITTED, 0)},
    ),
    Scenario("refused with a code for the whole", (place(),), (error(103), error(201)), {7: (S.REJECTED, 0)}),
    Scenario("only Inactive", (place(),), (status("Inactive"), opened("Inactive")), {7: (S.INACTIVE, 0)}),
    Scenario("only Cancelled", (place(),), (opened("Cancelled"), status("Cancelled")), {7: (S.CANCELLED, 0)}),
    Scenario(
        "may have been refused", (place(),), (error(320), opened("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)}, (), sure=False, lookup=(opened(), status("Submitted")), also=(S.WORKING,),
    ),
    Scenario("too many messages, and no answer", (place(),), (error(100),), {7: (S.UNCERTAIN, 0)}, lookup=()),
    Scenario(
        "read-only, told with no id", (place(), Step("deadline")), (error(321, "read-only", -1),),
        {7: (S.UNCERTAIN, 0)}, lookup=(),
    ),
    Scenario("never left", (place(), Step("send_failed", 7, 0)), (), {7: (S.CREATED, 0)}),
    Scenario(
        "left in part", (place(), Step("send_failed", 7, 9)), (opened("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)}, sure=False, lookup=(opened(), status("Submitted")),
    ),
    Scenario(
        "what-if, answered twice", (place(whatIf=True),),
        (opened("", whatIf=True), opened("PreSubmitted", whatIf=True)),
        {7: (S.CREATED, 0)}, orders=1,
    ),
)  # fmt: skip

BACK: Final = (
    Scenario(
        "the exchange reconnects", LIVE, (status("PendingSubmit"), status("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "the session closes over a partial fill", LIVE,
        (executed("a.01.01", 40, cum=40), status("Submitted", 40, 60), status("PreSubmitted", 40, 60),
         status("PendingSubmit", 0, 0)),
        {7: (S.PARTIALLY_FILLED, 40)},
    ),
    Scenario(
        "everything zeroed", LIVE,
        (executed("a.01.01", 60, cum=60), status("Submitted", 60, 40), status("Submitted", 0, 0, permId=0)),
        {7: (S.PARTIALLY_FILLED, 60)},
    ),
    Scenario("de-activated while partly filled", LIVE, (executed("a.01.01", 30), status("Inactive", 30, 70)),
        {7: (S.INACTIVE, 30)}),
    Scenario(
        "de-activated, then cancelled", (*LIVE, cancel()), (status("Inactive"), status("Cancelled"), error(202)),
        {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "de-activated, then filled", LIVE,
        (status("Inactive"), executed("a.01.01", 100), status("Filled", 100, 0), fee("a.01.01")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "de-activated, and PendingSubmit again", LIVE, (status("Inactive"), status("PendingSubmit")),
        {7: (S.WORKING, 0)}, (), sure=False, lookup=(opened(), status("Submitted")), also=(S.INACTIVE,),
    ),
    Scenario(
        "held for shares to short", (place(),),
        (error(404), status("PreSubmitted", whyHeld="locate"), opened("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "cancel asked, de-activated instead", (*LIVE, cancel()), (status("PendingCancel"), status("Inactive")),
        {7: (S.INACTIVE, 0)}, ((0, 1),), sure=False, also=(S.CANCEL_REQUESTED,),
        lookup=(opened("Inactive"), status("Inactive")),
    ),
    Scenario(
        "PendingCancel goes back to PendingSubmit", (*LIVE, cancel()),
        (status("PendingCancel"), status("PendingSubmit")),
        {7: (S.CANCEL_REQUESTED, 0)},
    ),
    Scenario(
        "cancel refused, the list says PendingCancel, and it works on",
        (*LIVE, cancel(), error(161), *_CANCEL_LISTED), (status("PreSubmitted"), status("Submitted")),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "stale replay after Filled", (*LIVE, executed("a.01.01", 100)),
        (status("Filled", 100, 0), status("Submitted"), status("PendingCancel"), status("Inactive"),
         status("Cancelled"), status("PendingSubmit")),
        {7: (S.FILLED, 100)},
    ),
)  # fmt: skip

ENDINGS: Final = (
    Scenario(
        "a list says PendingCancel after 202", (*LIVE, cancel()),
        (error(202), opened("PendingCancel"), status("PendingCancel"), status("Cancelled")), {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "end of day, partly filled", LIVE,
        (executed("a.01.01", 30), status("Cancelled", 30, 70), error(202, "Order Canceled - reason: Order Expired")),
        {7: (S.EXPIRED, 30)},
    ),
    Scenario(
        "end of day, and a late fill of everything", LIVE,
        (status("Cancelled"), error(202, "expired"), executed("a.01.01", 100), status("Filled", 100, 0)),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "end of day against the cancel", (*LIVE, cancel()), (status("Cancelled"), error(202, "Order Expired")),
        {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "late fill of everything, told by a status too", (*LIVE, cancel()),
        (status("Cancelled"), error(202), executed("a.01.01", 100), status("Filled", 100, 0), opened("Filled")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "cancelled while a modify is on its way", (*LIVE, place(150), cancel()),
        (opened("Submitted", 150), status("PendingCancel"), status("Cancelled"), error(202)),
        {7: (S.CANCELLED, 0)}, lookup=(completed("Cancelled", 150),),
    ),
    Scenario(
        "ended by the exchange while a modify is on its way", (*LIVE, place(150)), (status("Cancelled"), error(202)),
        {7: (S.CANCELLED, 0)},
    ),
    Scenario(
        "modify refused as already filled", (*LIVE, place(150)),
        (error(201, "already filled"), executed("a.01.01", 100), status("Filled", 100, 0), fee("a.01.01")),
        {7: (S.FILLED, 100)},
    ),
    Scenario(
        "modify of a new order that is still being processed", (place(), opened("PendingSubmit"), place(150)),
        (error(2102), status("PreSubmitted"), status("Submitted")), {7: (S.WORKING, 0)},
    ),
    Scenario(
        "modify never answered", (*LIVE, place(150), Step("deadline")), (), {7: (S.WORKING, 0)}, sure=False,
        lookup=(opened("Submitted", 100), status("Submitted")),
    ),
    Scenario(
        "modify that could not be sent", (*LIVE, place(150), Step("send_failed", 7, 0)),
        (status("Submitted"), executed("a.01.01", 100)), {7: (S.FILLED, 100)},
    ),
    Scenario(
        "cancel that could not be sent", (*LIVE, cancel(), Step("send_failed", 7, 0)), (status("Submitted"),),
        {7: (S.WORKING, 0)},
    ),
    Scenario(
        "cancel at a restart", (*LIVE, cancel(), Step("link_lost")), (), {7: (S.UNCERTAIN, 0)}, lookup=(),
    ),
    Scenario(
        "cancel of an id that was never placed", (cancel(77),), (error(10147, "", 77), error(10147, "", 77)),
        {77: (S.UNCERTAIN, 0)}, lookup=(),
    ),
    Scenario(
        "1102 in the middle", (*LIVE, Step("restored")), (executed("a.01.01", 20), status("Submitted", 20, 80)),
        {7: (S.PARTIALLY_FILLED, 20)}, sure=False, lookup=(opened(), status("Submitted", 20, 80)),
    ),
    Scenario(
        "a code that nobody knows", LIVE, (error(99999, "?"), executed("a.01.01", 10), status("Submitted", 10, 90)),
        {7: (S.PARTIALLY_FILLED, 10)},
    ),
    Scenario(
        "a status text that nobody knows, of a new order", (place(),), (status("Dreaming"), opened("PreSubmitted")),
        {7: (S.WORKING, 0)},
    ),
)  # fmt: skip

GROUPS: Final = (
    Scenario(
        "everything is cancelled, whoever asked", (*LIVE, place(order_id=8)),
        (opened("Submitted", order_id=8, permId=8), status("Cancelled"), error(202), error(202, "", 8),
         status("Cancelled", order_id=8, permId=8)),
        {7: (S.CANCELLED, 0), 8: (S.CANCELLED, 0)}, all_but(5, (0, 3), (0, 4)),
    ),
    Scenario(
        "a child comes too soon", (place(transmit=False), place(order_id=8, parentId=7, transmit=False)),
        (error(10006, "", 8),), {7: (S.UNTRANSMITTED, 0), 8: (S.REJECTED, 0)},
    ),
    Scenario(
        "the last child is refused", (place(transmit=False), place(order_id=8, parentId=7)), (error(201, "no", 8),),
        {8: (S.REJECTED, 0)},
    ),
    Scenario(
        "modify of a child whose parent is gone",
        (*LIVE, executed("a.01.01", 100), place(order_id=8, parentId=7),
         opened("Submitted", order_id=8, permId=8, parentId=7), place(60, 8)),
        (error(135), opened("Submitted", 60, order_id=8, permId=8), executed("b.01.01", 10, order_id=8, permId=8)),
        {7: (S.FILLED, 100), 8: (S.PARTIALLY_FILLED, 10)},
    ),
    Scenario(
        "one-cancels-all, and both fill", (place(ocaGroup="g"), place(order_id=8, ocaGroup="g")),
        (executed("a.01.01", 100), executed("b.01.01", 100, order_id=8, permId=8), fee("a.01.01"),
         status("Filled", 100, 0), status("Filled", 100, 0, order_id=8, permId=8), fee("b.01.01")),
        {7: (S.FILLED, 100), 8: (S.FILLED, 100)}, orders=2,
    ),
    Scenario(
        "parts of one share", (place("0.5"),),
        (opened("Submitted", "0.5"), executed("a.01.01", "0.2"), executed("b.01.01", "0.3"), fee("a.01.01", 0.35),
         status("Filled", "0.5", 0)),
        {7: (S.FILLED, Decimal("0.5"))},
    ),
    Scenario(
        "of an earlier life, fills before anything else", (),
        (executed("a.01.01", 60, order_id=50, permId=500), opened("Submitted", order_id=50, permId=500),
         executed("b.01.01", 40, order_id=50, permId=500), status("Filled", 100, 0, order_id=50, permId=500)),
        {50: (S.FILLED, 100)}, orders=1,
    ),
    Scenario(
        "made in TWS and not transmitted", (), (opened("Inactive", order_id=0, **MANUAL),), {-66: (S.INACTIVE, 0)},
        orders=1,
    ),
)  # fmt: skip

RARE: Final = (*NOT_YET, *BACK, *ENDINGS, *GROUPS)
