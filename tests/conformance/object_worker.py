"""Runs a program made of official objects on our client, in a process where both packages can be imported.

Prints what the simulated gateway answered, as JSON.
"""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from typing import Any

from ibapi.contract import ComboLeg, Contract  # type: ignore[import-not-found, unused-ignore]
from ibapi.order import Order  # type: ignore[import-not-found, unused-ignore]
from ibapi.order_condition import PriceCondition, TimeCondition  # type: ignore[import-not-found, unused-ignore]
from ibapi.tag_value import TagValue  # type: ignore[import-not-found, unused-ignore]
from ibapi.wrapper import EWrapper  # type: ignore[import-not-found, unused-ignore]

from ibwire.compat.client import EClient
from ibwire.sim.server import serve
from ibwire.wire.codec import Codec, Role


class Wrapper(EWrapper):  # type: ignore[misc, unused-ignore]
    """An official wrapper with a few callbacks of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[Any] = []
        self.client: Any = None

    def error(self, reqId: int, *args: Any) -> None:
        self.heard.append(["error", len(args) + 1, *args[1:3]])

    def nextValidId(self, orderId: int) -> None:
        self.heard.append(["nextValidId", orderId])
        self.client.reqContractDetails(3, stock())

    def contractDetails(self, reqId: int, contractDetails: Any) -> None:
        self.heard.append(["contractDetails", contractDetails.contract.symbol])

    def contractDetailsEnd(self, reqId: int) -> None:
        self.heard.append(["contractDetailsEnd", reqId])
        self.client.disconnect()


def stock() -> Any:
    """A stock, as an official contract."""
    found = Contract()
    found.symbol, found.secType, found.currency, found.exchange = "AAPL", "STK", "USD", "SMART"
    return found


def order() -> Any:
    """An official order with lists of official objects."""
    found = Order()
    found.action, found.orderType, found.totalQuantity, found.lmtPrice = "BUY", "LMT", Decimal(3), 1.25
    found.algoStrategy, found.algoParams = "Vwap", [TagValue("maxPctVol", "0.1")]
    found.conditions = [PriceCondition(2, 265598, "SMART", True, 187.5), TimeCondition(False, "20260102 09:30:00 UTC")]
    return found


class Sent:
    """A link that keeps what it is given."""

    def __init__(self, server_version: int) -> None:
        self.server_version, self.connection_time, self.sent = server_version, "", list[bytes]()

    def is_open(self) -> bool:
        return True

    def send(self, payload: bytes) -> None:
        self.sent.append(payload)

    def close(self) -> None:
        pass


def placed(server_version: int) -> list[Any]:
    """What a gateway reads from an order with a combo."""
    link = Sent(server_version)
    wrapper = Wrapper()
    client: Any = EClient(wrapper)
    type(client)._ibwire_connector = lambda host, port, options: link
    client.connect("127.0.0.1", 1, 1)
    type(client)._ibwire_connector = None
    bag = stock()
    leg = ComboLeg()
    leg.conId, leg.ratio, leg.action, leg.exchange = 265598, 1, "BUY", "SMART"
    bag.secType, bag.comboLegs = "BAG", [leg]
    client.placeOrder(5, bag, order())
    got = Codec(server_version, Role.GATEWAY).decode(link.sent[-1])
    assert wrapper.heard == [], wrapper.heard
    conditions = [[c.condType, c.price or c.time] for c in got.order.conditions]
    params = [[p.tag, p.value] for p in got.order.algoParams]
    return [str(got.order.totalQuantity), got.order.lmtPrice, got.contract.comboLegs[0].conId, params, conditions]


def main() -> None:
    """Entry point."""
    wrapper = Wrapper()
    with serve() as server:
        client = EClient(wrapper)
        wrapper.client = client
        client.connect("127.0.0.1", server.port, 1)
        client.run()
    json.dump({"heard": wrapper.heard, "placed": [placed(150), placed(225)]}, sys.stdout)


if __name__ == "__main__":
    main()
