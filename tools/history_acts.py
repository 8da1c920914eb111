"""What else happens in half of the histories (``tools/histories.py``): groups of orders, outages, sends that fail.

Brackets and one-cancels-all groups; questions about margin; a day that ends and a gateway that restarts; cancels by
somebody else; ids that go back; executions that are amended twice at once; IB out of reach while TWS is there; bytes
that did not leave, or not all of them. Drawn from a stream of their own, so that a seed's other half lives as before.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from ibwire.types import incoming, outgoing
from ibwire.types.structs import Contract, Order

if TYPE_CHECKING:
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


QUIET: Final[tuple[Callable[[History], None], ...]] = (bracket, bracket, group, what_if, end_day)
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
)
