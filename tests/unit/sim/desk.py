"""One gateway and its first client, for the tests of this folder."""

from __future__ import annotations

from typing import Any

from ibwire.sim.clock import NS_PER_S
from ibwire.sim.gateway import Gateway
from ibwire.spec.versions import MAX_CLIENT_VERSION
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract


def stock(symbol: str = "AAPL", **changes: Any) -> Contract:
    return Contract(**({"symbol": symbol, "secType": "STK", "exchange": "SMART", "currency": "USD"} | changes))


def pair(base: str = "EUR", quote: str = "USD") -> Contract:
    return Contract(symbol=base, secType="CASH", exchange="IDEALPRO", currency=quote)


def option(strike: float = 190.0, right: str = "C", expiry: str = "20260320") -> Contract:
    return stock(secType="OPT", strike=strike, right=right, lastTradeDateOrContractMonth=expiry)


def index(symbol: str = "SPX") -> Contract:
    return Contract(symbol=symbol, secType="IND", exchange="CBOE", currency="USD")


def coin(symbol: str = "BTC") -> Contract:
    return Contract(symbol=symbol, secType="CRYPTO", exchange="PAXOS", currency="USD")


def future(code: str = "ESH6") -> Contract:
    return Contract(localSymbol=code, secType="FUT", exchange="CME", currency="USD")


class Desk:
    """One gateway and its first client, started."""

    def __init__(self, seed: int = 7, server_version: int = MAX_CLIENT_VERSION, **settings: Any) -> None:
        self.gateway = Gateway(seed, **settings)
        self.session = self.gateway.connect("first", server_version)
        self.session.receive(o.StartApi(clientId=1))
        self.session.take()

    def ask(self, *messages: Any) -> list[Any]:
        """What comes at once."""
        for message in messages:
            self.session.receive(message)
        return self.session.take()

    def run(self, seconds: float = 2.0) -> list[Any]:
        """What comes as time goes by."""
        self.gateway.advance(self.gateway.clock.now_ns + int(seconds * NS_PER_S))
        return self.session.take()


def of(kind: type[Any], messages: list[Any]) -> list[Any]:
    return [message for message in messages if type(message) is kind]


def errors(messages: list[Any]) -> list[tuple[int, int]]:
    return [(message.id, message.errorCode) for message in of(i.Error, messages)]
