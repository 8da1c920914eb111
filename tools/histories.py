"""Random lives of orders against the simulated gateway, with faults, in virtual time and without sockets.

    python -m tools.histories --count 1000 [--seed 1]      exit code 1 and one line for each history that fails
    python -m tools.histories --only SEED --verbose        one of them again, message by message

A history is a client (order table, ids, reconcile plan, the client's own intake of bytes) and a gateway whose messages
are delayed, doubled, turned round, made unreadable and lost with the link; placements vanish, modifies and cancels are
refused or lost, orders are rejected, held, filled late, corrected, busted and forgotten; and in every second history
what is in ``tools/history_acts.py``: groups, outages, restarts, bytes that do not leave. At its end, when everything
has been asked for, the client's book is the gateway's own, or says uncertain; meanwhile it never called an order ended
that was not, and sent none twice. A seed is a history, on every machine.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ibwire.client.intake import Intake
from ibwire.sim.checks import Refusal
from ibwire.sim.client import ClientSession
from ibwire.sim.forcing import DROP
from ibwire.sim.gateway import Gateway
from ibwire.sim.orders import Fill
from ibwire.sim.rng import Rng
from ibwire.sim.working import Manners
from ibwire.spec.orderstates import State
from ibwire.trade.identity import Ids
from ibwire.trade.orders import OrderTable
from ibwire.trade.reconcile import Ask, Kind, Reconcile
from ibwire.trade.view import OrderView
from ibwire.types import incoming, outgoing
from ibwire.types.structs import Contract, ExecutionFilter, Order, OrderCancel
from ibwire.wire.codec import Codec, Role
from tools import history_acts
from tools.history_truth import CLIENT, Truth, Wrong

VERSIONS: Final = (151, 163, 178, 193, 200, 203, 213, 225)
SYMBOLS: Final = ("AAPL", "MSFT")
MS: Final = 1_000_000
DAY: Final = "20260302"
QUIET_MS: Final = 40_000
_END: Final = {
    incoming.OpenOrderEnd: Ask.OPEN_ORDERS,
    incoming.ExecDetailsEnd: Ask.EXECUTIONS,
    incoming.CompletedOrdersEnd: Ask.COMPLETED_ORDERS,
}
_CODECS: Final[dict[tuple[int, Role], Codec]] = {}


def codec(version: int, role: Role) -> Codec:
    """A codec, made once for each version and role."""
    if (version, role) not in _CODECS:
        _CODECS[version, role] = Codec(version, role)
    return _CODECS[version, role]


@dataclass(frozen=True, slots=True)
class Entry:
    """One message as a ring hands it over."""

    recv_ns: int
    kind: int
    payload: bytes


class History(Truth):
    """One life. ``run`` raises :class:`Wrong` with what was wrong."""

    def __init__(self, seed: int, verbose: bool = False, wider: bool | None = None) -> None:
        self.seed, self.verbose = seed, verbose
        self.more = Rng.of(seed, "more")
        drawn = self.more.chance(1, 2)
        self.is_wide = drawn if wider is None else wider
        self.rng = rng = Rng.of(seed, "history")
        self.version = rng.choice(VERSIONS)
        manners = Manners(
            status_first=rng.choice((0, 50)),
            duplicates=rng.choice((0, 30)),
            repeat_with_commission=rng.chance(1, 3),
            perm_id_late_ns=rng.choice(((0, 0), (MS, 30 * MS))),
            pending_submit=rng.chance(1, 3),
            pending_cancel=rng.chance(2, 3),
            cancel_text_first=rng.chance(1, 3),
        )
        self.gateway = Gateway(seed, ticks_per_s=4, manners=manners)
        self.clock = self.gateway.clock
        self.gateway.order_filter = self._on_the_way
        self.gateway.force.on_place(self._fate_of_place)
        self.gateway.force.on_cancel(self._fate_of_cancel)
        self.delays = rng.choice((0, 0, 3, 50))  # ms
        self.trouble = rng.choice((0, 1, 3, 8))  # per cent of messages and requests
        self.calm = False
        self.is_dark = False  # TWS has lost IB
        self.is_doomed = False  # what is sent now is refused
        self.table = OrderTable(CLIENT)
        self.ids = Ids()
        self.intake = self.new_intake()
        self.session: ClientSession | None = None
        self.plan: Reconcile | None = None
        self.next_look_ns = 0
        self.last_plan = None
        self.told_busts = set()
        self.told_fees = set()
        self.taken_back = Counter()
        self.told_filled = {}
        self.told_most = {}
        self.checked = {}
        self.unread_about = set()
        self.sent = set()
        self.seen = Counter()
        self.contracts = [Contract(symbol=s, secType="STK", exchange="SMART", currency="USD") for s in SYMBOLS]

    # -- faults ------------------------------------------------------------------------------------------------------

    def _strikes(self) -> bool:
        return not self.calm and self.rng.below(100) < self.trouble

    def _strikes_more(self) -> bool:
        return self.is_wide and not self.calm and self.more.below(100) < self.trouble

    def _on_the_way(self, session: ClientSession, event: object, messages: list[Any]) -> Iterable[tuple[int, Any]]:
        if self.is_dark:
            self.seen["lost in an outage"] += len(messages)
            return
        for message in messages:
            delay = 0 if self.calm or not self.delays else self.rng.below(self.delays * MS)
            yield delay, message
            if self._strikes():
                yield self.rng.below(2 * max(self.delays, 1) * MS), message
            if self._strikes_more() and isinstance(message, incoming.OpenOrder | incoming.OrderStatus):
                self.seen["told again much later"] += 1
                yield self.more.below(3_000 * MS), message

    def _fate_of_place(self, request: Any, live: bool) -> Any:
        if self.is_doomed and live:
            if self.more.chance(1, 2):
                self.gateway.force.status(CLIENT, request.orderId, "Cancelled")  # it means nothing
            return Refusal(201, "Order rejected: no")
        if self._strikes():
            self.seen["modify or placement met a rule"] += 1
            if live:
                if self.rng.chance(1, 3):  # the Cancelled that means nothing
                    self.gateway.force.status(CLIENT, request.orderId, "Cancelled")
                return self.rng.choice((Refusal(201, "Order rejected: no"), Refusal(110, "price"), DROP))
            return self.rng.choice((Refusal(201, "Order rejected: no"), Refusal(103, "id"), DROP))
        return None

    def _fate_of_cancel(self, clientId: int, orderId: int) -> Any:
        if self._strikes():
            self.seen["cancel met a rule"] += 1
            return self.rng.choice((Refusal(161, "not cancellable"), Refusal(10148, "state"), DROP, DROP))
        return None

    # -- the wire ----------------------------------------------------------------------------------------------------

    @property
    def now(self) -> int:
        return self.clock.now_ns

    def say(self, mark: str, what: object = "") -> None:
        if self.verbose:  # the text of a message costs more than what is done with it
            print(f"{(self.now // MS) % 10_000_000:>8} {mark}{what}")

    def send(self, message: Any, certain: bool = False) -> None:
        """Bytes to the gateway; with the link's luck they arrive."""
        assert self.session is not None
        self.say("> ", message)
        payload = codec(self.version, Role.CLIENT).encode(message)
        if isinstance(message, outgoing.PlaceOrder | outgoing.CancelOrder) and self._strikes_more():
            history_acts.fail_to_send(self, message)
            return
        if not certain and self._strikes():
            self.seen["request lost"] += 1
            return
        self.session.receive(codec(self.version, Role.GATEWAY).decode(payload))

    def deliver(self, share: int = 100) -> None:
        """What the gateway has said arrives; of a link that breaks, the first `share` per cent."""
        if self.session is None:
            return
        messages = self.session.take()
        for message in messages[: len(messages) * share // 100]:
            self.receive(message)

    def receive(self, message: Any) -> None:
        payload = codec(self.version, Role.GATEWAY).encode(message)
        ask = _END.get(type(message))
        if ask is None and self.rng.below(300) < self.trouble and not self.calm and self._is_order(message):
            self.seen["unreadable"] += 1
            self.say("<!", message)
            payload = payload[: max(5, len(payload) // 2)]
        elif ask is not None and self._strikes():
            self.seen["end marker lost"] += 1
            return
        else:
            self.say("< ", message)
        bad = self.intake.bad
        if isinstance(message, incoming.CommissionAndFeesReport):
            self.told_fees.add(message.commissionAndFeesReport.execId)
        self.take(Entry(self.now, message.MSG_ID, payload))
        if self.intake.bad > bad:
            self.check_doubted(message)
        else:
            self.hear(message)
        if ask is not None and self.plan is not None:
            self.plan.ended(ask, self.now)
        self.check_now()

    def _is_order(self, message: Any) -> bool:
        return isinstance(message, incoming.OpenOrder | incoming.OrderStatus | incoming.ExecDetails)

    def new_intake(self) -> Intake:
        """What sorts the messages of one session."""
        return Intake(codec(self.version, Role.CLIENT), self.table)

    def take(self, entry: Entry) -> None:
        """One message, as bytes."""
        self.intake.take(entry)

    def connect(self) -> None:
        self.session = self.gateway.connect(f"link {self.now}", self.version)
        self.seen["connected"] += 1
        self.table.on_reconnect(self.now)
        self.intake = self.new_intake()
        self.send(outgoing.StartApi(clientId=CLIENT), certain=True)
        self.deliver()
        self.ids.learn(self.intake.next_order_id or 0)
        self.plan = self.reconcile()

    def disconnect(self) -> None:
        assert self.session is not None
        self.deliver(self.rng.below(101))
        self.seen["link lost"] += 1
        self.say("-- link lost")
        self.session.close()
        self.session, self.is_dark = None, False
        if self.plan is not None:
            self.plan.session_lost()
            self.last_plan, self.plan = self.plan, None
        self.table.on_link_lost("gone", self.now)
        for view in self.table:
            if (view.may_fill or view.state is State.UNTRANSMITTED) and not view.is_uncertain:
                self.wrong(view, None, "is not uncertain without a link")

    # -- time --------------------------------------------------------------------------------------------------------

    def advance(self, ms: int) -> None:
        end = self.now + ms * MS
        fresh = True  # what was done since the last time may be answered already
        while (now := self.now) < end:
            due = self.table.next_deadline_ns()
            stops = [at for at in (due, self.plan.due_ns if self.plan else None) if at is not None and at > now]
            stops += [end, now + (500 if self.calm else 20) * MS * (1 if fresh else self._idle_rounds(now))]
            fresh = False
            self.gateway.advance(min(stops))
            self.deliver()
            for view in self.table.check_deadlines(self.now):
                self.seen["deadline"] += 1
                self.say("-- deadline ", view)
            self.look_up()

    def _idle_rounds(self, now: int) -> int:
        """How many rounds it takes until the gateway or a look-up has something to do: those before it do nothing."""
        if self.session is not None and self.session.outbox:
            return 1
        round_ns = (500 if self.calm else 20) * MS
        todo = [now + QUIET_MS * MS, self.clock.next_due_ns() or 0]
        if self.session is not None and self.plan is None and self.next_look_ns > now:
            todo.append(self.next_look_ns)
        return max(1, -((now - min(filter(None, todo))) // round_ns))

    def _wants_look_up(self) -> bool:
        again = (self.last_plan is not None and not self.last_plan.complete) or self.intake.wants_refresh
        return again or any(view.needs_query for view in self.table)

    def look_up(self) -> None:
        """Ask what is to be asked: the plan goes on, or begins when an order wants it."""
        if self.session is None:
            return
        if self.plan is None and self.now >= self.next_look_ns and self._wants_look_up():
            self.plan, self.intake.wants_refresh = self.reconcile(), False
            self.seen["looked up"] += 1
        plan = self.plan
        while plan is not None and plan is self.plan and (ask := plan.asks(self.now)) is not None:
            self.ask(ask)
            if not self._strikes_more():  # else the program acts before the answer is there
                self.deliver()
        if plan is not None and plan.done and plan is self.plan:
            self.last_plan, self.plan = plan, None
            self.check_blind(plan.complete)
            for difference in plan.differences:
                if difference.kind is Kind.MISSING_THERE and difference.ours.startswith("execution"):
                    self.told_busts.add(difference.order_id)
            self.next_look_ns = self.now + 1_000 * MS
            self.say("-- ", plan.differences)

    def reconcile(self) -> Reconcile:
        return Reconcile(self.table, self.now, day=DAY)

    def ask(self, ask: Ask) -> None:
        if ask is Ask.OPEN_ORDERS:
            self.send(outgoing.ReqOpenOrders())
        elif ask is Ask.EXECUTIONS:
            self.send(outgoing.ReqExecutions(self.ids.take_request(), ExecutionFilter()))
        else:
            self.send(outgoing.ReqCompletedOrders(apiOnly=False))

    # -- what a program does -----------------------------------------------------------------------------------------

    def act(self) -> None:
        if self.is_wide and self.session is not None and self.more.chance(1, 6):
            other = self.more.choice(history_acts.HARSH if self.trouble else history_acts.QUIET)
            self.seen[other.__name__] += 1
            self.say("-- ", other.__name__)
            other(self)
        choice = self.rng.below(100)
        if self.session is None:
            if choice < 50:
                self.connect()
        elif choice < 40:
            self.place()
        elif choice < 55:
            self.modify()
        elif choice < 70:
            self.cancel()
        elif choice < 70 + self.trouble:
            self.disconnect()
        elif choice < 70 + 3 * self.trouble:
            self.force()

    def price(self, contract: Contract) -> Decimal:
        instrument = self.gateway.resolve(contract)
        assert instrument is not None
        near = Decimal(str(self.gateway.market.mark_price(instrument)))
        return instrument.price((instrument.steps(near.quantize(Decimal("0.01"))) or 0) + self.rng.between(-60, 60))

    def new_id(self) -> int:
        order_id = self.ids.reserve()
        if order_id in self.sent:
            raise Wrong(f"id {order_id} was given out twice")
        self.sent.add(order_id)
        return order_id

    def place(self) -> None:
        order_id = self.new_id()
        contract = self.rng.choice(self.contracts)
        order = Order(
            action=self.rng.choice(("BUY", "SELL")),
            totalQuantity=Decimal(self.rng.between(1, 40) * 10),
            orderType=self.rng.choice(("MKT", "LMT", "LMT", "LMT", "STP")),
            tif=self.rng.choice(("DAY", "DAY", "GTC", "IOC")),
            orderRef=f"h{order_id}",
            transmit=not self.rng.chance(1, 12),
        )
        price = float(self.price(contract))
        order.lmtPrice = price if order.orderType == "LMT" else None
        order.auxPrice = price if order.orderType == "STP" else None
        if order.orderType == "STP":
            order.tif = "GTC"
        self.put(order_id, contract, order)

    def put(self, order_id: int, contract: Contract, order: Order) -> None:
        order.orderId, order.clientId = order_id, CLIENT
        self.table.on_place(order_id, contract, order, self.now)
        self.send(outgoing.PlaceOrder(order_id, contract, order))

    def own(self) -> list[OrderView]:
        return [view for view in self.table if view.client_id == CLIENT and view.order_id in self.sent]

    def modify(self) -> None:
        able = [v for v in self.own() if v.may_fill or v.state is State.UNTRANSMITTED]
        if not able:
            return
        view = self.rng.choice(able)
        order: Order = replace(view.order, transmit=True, totalQuantity=Decimal(self.rng.between(1, 40) * 10))
        if order.lmtPrice is not None and self.rng.chance(1, 2):
            order.lmtPrice = float(self.price(view.contract))
        self.put(view.order_id, view.contract, order)

    def cancel(self) -> None:
        views = self.own()
        if views:
            view = self.rng.choice(views)
            self.table.on_cancel_request(view.order_id, self.now)
            self.send(outgoing.CancelOrder(view.order_id, OrderCancel()))

    # -- what the gateway does by itself -------------------------------------------------------------------------------

    def force(self) -> None:
        orders = [order for order in self.gateway.engine.orders.values() if order.number]
        if not orders:
            return
        order, force = self.rng.choice(orders), self.gateway.force
        order_id = order.request.orderId
        kind = self.rng.below(9)
        self.seen[f"forced {kind}"] += 1
        self.say(f"-- force {kind} on {order_id}")
        if kind == 0 and not order.done and not order.filled_units:
            force.reject(CLIENT, order_id, 201, "Order rejected: margin")
        elif kind == 1 and not order.done:
            force.cancel(CLIENT, order_id)
        elif kind == 2:
            force.hold(CLIENT, order_id, "locate", warning=(404, "Shares are sought"))
        elif kind == 3 and order.frozen:
            force.release(CLIENT, order_id)
        elif kind == 4 and order.open_units and order.status != "Inactive":
            force.fill(CLIENT, order_id, order.size(order.open_units), Decimal(100))
        elif kind in (5, 6):
            self.amend(bust=kind == 6)
        elif kind == 7:
            force.warn(CLIENT, order_id, self.rng.choice((399, 2109, 10349)), "a warning")
        elif kind == 8 and not order.done and self.rng.chance(1, 4):
            force.forget(CLIENT, order_id)  # as by a restart: the socket goes with it
            self.seen["forgotten"] += 1
            self.disconnect()

    def amend(self, bust: bool) -> None:
        fills = self.gateway.engine.executions()
        if not fills:
            return
        fill = self.rng.choice(fills)
        if bust:
            self.change(fill, size=Decimal(0))
        else:
            self.change(fill, price=fill.price + Decimal("0.01"))

    def change(self, fill: Fill, size: Decimal | None = None, price: Decimal | None = None) -> Fill:
        """An execution is corrected, or with size 0 busted."""
        order = self.theirs(fill.order.orderId)
        before = order.filled_units if order is not None else 0
        changed = self.gateway.force.correct(fill.execId, size, price)
        if order is not None:
            self.taken_back[fill.order.orderId] += before - order.filled_units
        return changed

    # -- a life ------------------------------------------------------------------------------------------------------

    def run(self, steps: int = 25) -> Counter[str]:
        """Live, then be left in peace, then be compared."""
        self.connect()
        for _ in range(steps):
            self.act()
            self.advance(self.rng.choice((0, 1, 5, 20, 200, 3_000)))
        self.calm = True
        if self.session is None:
            self.connect()
        if self.is_dark:
            history_acts.outage(self)
        self.advance(QUIET_MS)
        self.compare(strict=False)
        self.table.on_restored("at the end everything is asked for", self.now)
        self.plan = self.reconcile()
        self.advance(3_000)
        self.compare(strict=True)
        return self.seen


def run_many(count: int, first: int = 1, report: int = 10) -> tuple[list[str], Counter[str]]:
    """Run histories `first`..`first` + `count` - 1.

    Returns
    -------
    failures, seen
        One text for each that failed, with the command that repeats it; and how often what happened.
    """
    failures, seen = [], Counter[str]()
    for seed in range(first, first + count):
        try:
            seen += History(seed).run()
        except Exception as error:
            text = str(error) if isinstance(error, Wrong) else f"seed {seed}: {type(error).__name__}: {error}"
            failures.append(f"{text}\n    again: python -m tools.histories --only {seed} --verbose")
            if len(failures) >= report:
                break
    return failures, seen


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1, help="the first")
    parser.add_argument("--only", type=int, help="one seed alone")
    parser.add_argument("--verbose", action="store_true")
    args = parser.parse_args()
    if args.only is not None:
        History(args.only, args.verbose).run()
        return 0
    failures, seen = run_many(args.count, args.seed)
    print("\n".join(failures))
    print(f"{args.count} histories, {len(failures)} failed; " + ", ".join(f"{k} {n}" for k, n in sorted(seen.items())))
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
