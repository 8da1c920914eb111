"""A client that does what a scenario needs, and the messages that it saw in short words."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from ibwire.sim.direct import Direct, DirectClient
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, Order

AAPL = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
QUIET = {"tickPrice", "tickSize", "tickString", "tickGeneric", "tickReqParams", "marketDataType"}
GREETING = ["managedAccounts", "nextValidId", "error 2104", "error 2106", "error 2158"]


def order(action: str = "BUY", size: str = "100", limit: float | None = None, **changes: Any) -> Order:
    """A market order, or a limit order at `limit`."""
    made = Order(action=action, totalQuantity=Decimal(size), orderType="MKT" if limit is None else "LMT")
    made.lmtPrice = limit
    for name, value in changes.items():
        assert hasattr(made, name)
        setattr(made, name, value)
    return made


def place(client: DirectClient, orderId: int, made: Order, contract: Contract = AAPL) -> None:
    """Send an order."""
    client.ask(o.PlaceOrder(orderId, contract, made))


def word(message: Any) -> str:
    """A message in short: its name, and what tells it from others of its kind."""
    name: str = type(message).NAME
    size: Any = getattr(getattr(message, "execution", None), "shares", None)
    if isinstance(message, i.OrderStatus):
        return f"{message.status} {message.orderId}"
    if isinstance(message, i.Error):
        about = "" if message.id == -1 else f" for {message.id}"
        return f"error {message.errorCode}{about}"
    if isinstance(message, i.ExecDetails):
        return f"exec {message.execution.orderId} {size.normalize():f}"
    return "commission" if name == "commissionAndFeesReport" else name


def words(messages: list[Any], *, opens: bool = False) -> list[str]:
    """What was said about orders and errors: no ticks, and no openOrder unless wanted."""
    hidden = QUIET if opens else QUIET | {"openOrder"}
    return [word(message) for message in messages if type(message).NAME not in hidden]


def start(scenario: str, version: int = 225, clientId: int = 1, **options: Any) -> tuple[Direct, DirectClient]:
    """A gateway that plays a scenario and a client that was greeted."""
    desk = Direct(scenario, **options)
    client = desk.client(version, clientId)
    desk.advance(0.01)
    return desk, client


def after(desk: Direct, client: DirectClient, seconds: float, *, opens: bool = False) -> list[str]:
    """What came within so long."""
    desk.advance(seconds)
    return words(client.messages(), opens=opens)
