"""What else happens in half of the histories (``tools/histories.py``): groups of orders, outages, sends that fail.

Brackets and one-cancels-all groups; questions about margin; a day that ends and a gateway that restarts; cancels by
somebody else; modifies that are taken back or overtaken; ids that go back; executions that are amended twice at once,
or busted unheard; IB out of reach while TWS is there; bytes that did not leave, or not all of them. Drawn from a stream
of their own, so that the other half of the histories lives as before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ibwire.sim import replies
from ibwire.types import incoming, outgoing
from ibwire.types.structs import Contract, Order

if TYPE_CHECKING:
    from ibwire.sim.working import WorkingOrder
    from ibwire.trade.view import OrderView
    from tools.histories import History

_LOST, _RESTORED = 1100, (1101, 1102)
_NO_ID: Final = -1


def bracket(history: History) -> None:
    """A parent that two children wait for; the last one lets all three go, unless it is lost."""
    rng = history.more
    contract = rng.choice(history.contracts)
    buys = rng.chance(1, 2)
    size = Decimal(rng.between(1, 40) * 10)
    parent = _limit(history, contract, buys, size, rng.between(-30, 60))
    profit = _limit(history, contract, not buys, size, rng.between(-60, 0))
    loss = _limit(history, contract, not buys, size, 0)
    loss.orderType, loss.lmtPrice, loss.auxPrice = "STP", None, _price(history, contract, not buys, -rng.between(5, 60))
    ids = [history.new_id() for _ in range(3)]
    for order_id, order in zip(ids, (parent, profit, loss), strict=True):
        order.transmit = order is loss
        order.parentId = 0 if order is parent else ids[0]
        if history.session is not None:  # a send that broke off ended it
            history.put(order_id, contract, order)


def group(history: History) -> None:
    """Orders of which one cancels or reduces the others."""
    rng = history.more
    kind, size = rng.between(1, 3), Decimal(rng.between(1, 40) * 10)
    name = f"g{history.ids.used}"
    for _ in range(rng.between(2, 3)):
        contract = rng.choice(history.contracts)
        order = _limit(history, contract, rng.chance(1, 2), size, rng.between(-60, 30))
        order.ocaGroup, order.ocaType = name, kind
        if history.session is not None:
            history.put(history.new_id(), contract, order)


def _limit(history: History, contract: Contract, buys: bool, size: Decimal, better: int) -> Order:
    price = _price(history, contract, buys, better)
    action = "BUY" if buys else "SELL"
    return Order(action=action, totalQuantity=size, orderType="LMT", lmtPrice=price, tif="GTC")


def _price(history: History, contract: Contract, buys: bool, better: int) -> float:
    """So many cents to the side where it fills."""
    instrument = history.gateway.resolve(contract)
    assert instrument is not None
    steps = history.gateway.market.process(instrument).mark
    return float(instrument.price(steps + (better if buys else -better)))


def what_if(history: History) -> None:
    """A question about margin and fees."""
    contract = history.more.choice(history.contracts)
    order = _limit(history, contract, True, Decimal(10), 0)
    order.whatIf = True
    history.put(history.new_id(), contract, order)


def there_and_back(history: History) -> None:
    """An order is modified, and right after it, or a little later, modified back to what it was."""
    views = [view for view in history.own() if view.is_live and view.placed_order is not None]
    if not views:
        return
    view = history.more.choice(views)
    old = view.broker_order or view.placed_order
    other = Decimal(history.more.between(1, 40) * 10)
    _put(history, view, replace(view.order, transmit=True, totalQuantity=other))
    history.advance(history.more.choice((0, 0, 20, 200)))
    if history.session is not None and not view.is_done:
        terms = {"totalQuantity": old.totalQuantity, "lmtPrice": view.order.lmtPrice}
        _put(history, view, replace(view.order, transmit=True, **terms))


def _put(history: History, view: OrderView, order: Order) -> None:
    """A modify, which is refused here and there where there is trouble."""
    history.is_doomed = history.trouble > 0 and history.more.chance(1, 3)
    history.put(view.order_id, view.contract, order)
    history.is_doomed = False


def _resting(history: History) -> list[OrderView]:
    """Own orders that are live here and there, with something left to fill."""
    found = []
    for view in history.own():
        there = history.theirs(view.order_id)
        if view.is_live and view.placed_order is not None and there is not None and there.number and not there.done:
            found.append(view)
    return found


def old_terms(history: History) -> None:
    """An openOrder from before a modify comes after it was accepted; then the order fills to its old size."""
    views = _resting(history)
    if not views:
        return
    view = history.more.choice(views)
    there = history.theirs(view.order_id)
    assert there is not None
    old, size = replies.open_order(there.snapshot()), there.size(there.total_units)
    history.put(view.order_id, view.contract, replace(view.order, transmit=True, totalQuantity=size * 2))
    history.advance(history.more.choice((0, 60, 100)))
    if history.session is None:
        return
    history.receive(old)
    _fill(history, there, size)


def refused_back(history: History) -> None:
    """A modify is taken back; that is refused, with a Cancelled that means nothing, and an old openOrder before it."""
    views = _resting(history)
    if not views:
        return
    view = history.more.choice(views)
    there = history.theirs(view.order_id)
    assert there is not None
    old, size = replies.open_order(there.snapshot()), there.size(there.total_units)
    first = view.order
    history.put(view.order_id, view.contract, replace(first, transmit=True, totalQuantity=size * 2))
    history.advance(history.more.choice((0, 60, 100)))
    if history.session is None or view.is_done:
        return
    history.is_doomed = True
    history.put(view.order_id, view.contract, replace(first, transmit=True, totalQuantity=size))
    history.is_doomed = False
    if history.session is not None:
        history.receive(old)


def bust_in_an_outage(history: History) -> None:
    """What an order has executed is busted unheard, and as much is executed anew, before it is looked up."""
    views = _resting(history)
    if not views or history.is_dark:
        return
    there = history.theirs(history.more.choice(views).order_id)
    assert there is not None
    if not there.filled_units:
        _fill(history, there, there.size(there.open_units // 2))
        history.advance(60)
    if history.session is None or there.done:
        return
    outage(history)
    fills = [fill for fill in history.gateway.engine.executions(1) if fill.order.orderId == there.request.orderId]
    for fill in fills:
        history.change(fill, size=Decimal(0))
    history.gateway.advance(history.now + 20_000_000)
    outage(history)
    _fill(history, there, sum((fill.qty for fill in fills), Decimal(0)))


def _fill(history: History, there: WorkingOrder, executed: Decimal) -> None:
    """Fill an order until so much of it is executed, if it can be."""
    size = executed - there.size(there.filled_units)
    if not there.done and there.number and 0 < size <= there.size(there.open_units):
        history.gateway.force.fill(1, there.request.orderId, size, Decimal(100))


def outage(history: History) -> None:
    """TWS loses IB: what happens to orders meanwhile is never told. And back."""
    code = history.more.choice(_RESTORED) if history.is_dark else _LOST
    history.is_dark = not history.is_dark
    history.receive(incoming.Error(_NO_ID, 0, code, "IB"))


def cancel_all(history: History) -> None:
    """Somebody else cancels everything."""
    history.gateway.engine.cancel_all()


def end_day(history: History) -> None:
    """Orders for the day expire."""
    history.gateway.engine.end_day()


def restart(history: History) -> None:
    """The gateway restarts: the link is gone, and what was not transmitted."""
    history.disconnect()
    history.gateway.restart()


def ids_back(history: History) -> None:
    """The next session is told a lower id."""
    history.gateway.force.next_id(1, history.more.between(1, max(history.ids.used, 1)))
    history.disconnect()


def amend_twice(history: History) -> None:
    """A correction and right after it a bust, or another correction: the later one may come first."""
    fills = history.gateway.engine.executions()
    if fills:
        fill = history.more.choice(fills)
        fill = history.change(fill, price=fill.price + Decimal("0.01"))
        if history.more.chance(1, 2):
            history.change(fill, size=Decimal(0))
        else:
            history.change(fill, price=fill.price + Decimal("0.01"))


def correct_a_size(history: History) -> None:
    """A part of an execution is taken back."""
    fills = [fill for fill in history.gateway.engine.executions() if fill.qty > 1]
    if fills:
        fill = history.more.choice(fills)
        history.change(fill, size=Decimal(history.more.between(1, int(fill.qty) - 1)))


def fail_to_send(history: History, message: outgoing.PlaceOrder | outgoing.CancelOrder) -> None:
    """No byte of a message leaves; or some, and then the link is gone."""
    if history.more.chance(1, 2):
        history.seen["send failed"] += 1
        history.table.on_send_failed(message.orderId, history.now, "no room")
    else:
        history.seen["send broke off"] += 1
        history.table.on_send_failed(message.orderId, history.now, "reset", wrote_bytes=9)
        history.disconnect()


QUIET: Final[tuple[Callable[[History], None], ...]] = (bracket, bracket, group, what_if, end_day, there_and_back)
"""Without any loss."""
HARSH: Final[tuple[Callable[[History], None], ...]] = (
    bracket,
    group,
    outage,
    outage,
    cancel_all,
    end_day,
    restart,
    ids_back,
    amend_twice,
    correct_a_size,
    there_and_back,
    there_and_back,
    old_terms,
    refused_back,
    bust_in_an_outage,
)
