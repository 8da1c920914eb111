"""What the programs here share: the callbacks that came, as JSON lines at the end.

Runs on every official release and on ibwire: standard library and ``ibapi`` only. One line for each callback,
``{"name": ..., "id": ..., "args": {parameter: value}}`` in their order; then one line ``{"defaults": {class:
{attribute: value}}}`` of new objects of the classes that occurred, and one ``{"result": {...}}``.
"""

import argparse
import decimal
import enum
import json
import sys
import threading
import time
from typing import Any

from ibapi.contract import Contract
from ibapi.order import Order

PATIENCE_S = 10  # for one answer
IDS = ("reqId", "orderId", "tickerId")


def arguments() -> argparse.Namespace:
    """Port, client id, and the release in whose way the program speaks."""
    parser = argparse.ArgumentParser()
    parser.add_argument("port", type=int)
    parser.add_argument("--client-id", type=int, default=1)
    parser.add_argument("--generation", default="10.46")
    args = parser.parse_args()
    args.generation = tuple(map(int, args.generation.split(".")[:2]))
    return args


class Trace:
    """Callbacks in their order; may be waited for from another thread."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []
        self.defaults: dict[str, Any] = {}
        self._changed = threading.Condition()

    def add(self, name: str, **args: Any) -> None:
        """Note one callback."""
        line = {"name": name, "id": next((args[key] for key in IDS if key in args), None)}
        line["args"] = {key: self.plain(value) for key, value in args.items()}
        with self._changed:
            self.lines.append(line)
            self._changed.notify_all()

    def wait(self, fits: Any, since: int = 0, patience_s: float = PATIENCE_S) -> Any:
        """The first callback from number `since` on that fits, None when none came in time."""
        until = time.monotonic() + patience_s
        with self._changed:
            while True:
                while since < len(self.lines):
                    line = self.lines[since]
                    if fits(line):
                        return line
                    since += 1
                left = until - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    return None

    def plain(self, value: Any) -> Any:
        """A value as JSON: numbers by value whatever their type, objects by their attributes."""
        if value is None or isinstance(value, (bool, str)):
            return value
        if isinstance(value, enum.Enum):
            return value.name
        if isinstance(value, (int, float, decimal.Decimal)):
            number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
            if number.is_finite() and abs(number) < 10**40:
                return {"n": f"{number.normalize():f}"}
            return {"n": str(number + 0)}
        if isinstance(value, (set, frozenset)):
            return sorted((self.plain(item) for item in value), key=json.dumps)
        if isinstance(value, (list, tuple)):
            return [self.plain(item) for item in value]
        if isinstance(value, dict):
            return sorted(([self.plain(key), self.plain(item)] for key, item in value.items()), key=json.dumps)
        name = type(value).__name__
        if name not in self.defaults:
            self.defaults[name] = {}
            try:
                self.defaults[name] = self.plain(type(value)())["v"]
            except TypeError:
                pass  # it cannot be made of nothing
        attributes = vars(value).items()
        return {"o": name, "v": {key: self.plain(item) for key, item in attributes if not key.startswith("_")}}

    def print(self, **result: Any) -> None:
        """Write it all."""
        with self._changed:
            for line in self.lines:
                print(json.dumps(line))
        print(json.dumps({"defaults": self.defaults}))
        print(json.dumps({"result": result}))
        sys.stdout.flush()


def stock(symbol: str = "AAPL") -> Any:
    contract = Contract()
    contract.symbol = symbol
    contract.secType = "STK"
    contract.exchange = "SMART"
    contract.currency = "USD"
    return contract


def order(action: str, orderType: str, quantity: int, price: "float | None" = None) -> Any:
    made = Order()
    made.action = action
    made.orderType = orderType
    made.totalQuantity = decimal.Decimal(quantity)
    if price is not None:
        made.lmtPrice = price
    if hasattr(made, "eTradeOnly"):  # 9.81 begins with True, which gateways refuse
        made.eTradeOnly = False
        made.firmQuoteOnly = False
    return made
