"""One official client on a tour of a gateway: ``PYTHONPATH=<oracle's folder> python client_worker.py PORT CLIENT_ID``.

Standard library only, and importable nowhere else: each release needs a process of its own. Prints one JSON object:
``version`` (the agreed server version) and ``events``, every callback as [name, plain fields]; exits with 1 and says
what it was waiting for when that does not come.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]  # our names shadow nothing

import queue  # noqa: E402
import threading  # noqa: E402
from collections.abc import Callable  # noqa: E402
from decimal import Decimal  # noqa: E402
from typing import Any  # noqa: E402

from ibapi.client import EClient  # noqa: E402
from ibapi.contract import Contract  # noqa: E402
from ibapi.execution import ExecutionFilter  # noqa: E402
from ibapi.order import Order  # noqa: E402
from ibapi.wrapper import EWrapper  # noqa: E402

PATIENCE_S = 30
Event = tuple[str, list[Any]]
# Callback -> what of its arguments to keep.
KEEP: dict[str, Callable[..., list[Any]]] = {
    "managedAccounts": lambda accounts: [accounts],
    "nextValidId": lambda orderId: [orderId],
    "contractDetails": lambda reqId, details: [reqId, details.contract.conId, details.longName, details.minTick],
    "contractDetailsEnd": lambda reqId: [reqId],
    "marketDataType": lambda reqId, kind: [reqId, kind],
    "tickReqParams": lambda reqId, minTick, *rest: [reqId, minTick],
    "tickPrice": lambda reqId, tickType, price, attrib: [reqId, int(tickType), price],
    "tickSize": lambda reqId, tickType, size: [reqId, int(tickType), float(size)],
    "openOrder": lambda orderId, contract, order, state: [
        *(orderId, contract.conId, order.orderType, float(order.totalQuantity), order.permId, state.status),
    ],
    "openOrderEnd": list,
    "orderStatus": lambda orderId, status, filled, remaining, *rest: [orderId, status, float(filled), float(remaining)],
    "execDetails": lambda reqId, contract, e: [reqId, contract.symbol, e.execId, e.side, float(e.shares), e.price],
    "execDetailsEnd": lambda reqId: [reqId],
    "commissionReport": lambda report: [report.execId, report.commission, report.currency],
    "commissionAndFeesReport": lambda report: [report.execId, report.commissionAndFees, report.currency],
    "completedOrder": lambda contract, order, state: [contract.symbol, float(order.filledQuantity), state.status],
    "completedOrdersEnd": list,
    "updateAccountValue": lambda key, value, currency, account: [key, value, currency, account],
    "updatePortfolio": lambda contract, size, *rest: [contract.symbol, float(size)],
    "accountDownloadEnd": lambda account: [account],
    "position": lambda account, contract, size, cost: [account, contract.symbol, float(size), cost],
    "positionEnd": list,
    "accountSummary": lambda reqId, account, tag, value, currency: [reqId, account, tag, value, currency],
    "accountSummaryEnd": lambda reqId: [reqId],
    "currentTime": lambda time: [time],
    "historicalDataEnd": lambda reqId, start, end: [reqId, start, end],
}


class Wrapper(EWrapper):  # type: ignore[misc]  # untyped
    """Keeps what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def error(self, *args: Any) -> None:
        # Later releases put a time between id and code.
        reqId, code, text = args[0], *[a for a in args[1:] if not (isinstance(a, int) and a > 10**9)][:2]
        self.arrived.put(("error", [reqId, code, text]))


def keeper(name: str) -> Callable[..., None]:
    def keep(self: Wrapper, *args: Any) -> None:
        self.arrived.put((name, KEEP[name](*args)))

    return keep


for callback in KEEP:
    setattr(Wrapper, callback, keeper(callback))


class Tour:
    """Asks, waits, remembers."""

    def __init__(self, port: int, clientId: int) -> None:
        self.wrapper = Wrapper()
        self.client = EClient(self.wrapper)
        self.events: list[Event] = []
        self.client.connect("127.0.0.1", port, clientId)
        self.reader = threading.Thread(target=self.client.run, daemon=True)
        self.reader.start()

    def until(self, name: str, fits: Callable[[list[Any]], bool] = lambda fields: True) -> list[Any]:
        """Wait for a callback and return what was kept of it."""
        while True:
            try:
                event = self.wrapper.arrived.get(timeout=PATIENCE_S)
            except queue.Empty:
                sys.exit(f"{name} did not come; the last events were {self.events[-10:]}")
            self.events.append(event)
            if event[0] == name and fits(event[1]):
                return event[1]

    def run(self) -> None:
        """The tour."""
        client = self.client
        orderId = self.until("nextValidId")[0]
        aapl = Contract()
        aapl.symbol, aapl.secType, aapl.exchange, aapl.currency = "AAPL", "STK", "SMART", "USD"
        client.reqContractDetails(101, aapl)
        self.until("contractDetailsEnd")
        client.reqMktData(102, aapl, "", False, False, [])
        for tick in (1, 2, 4):
            self.until("tickPrice", lambda fields, tick=tick: fields[1] == tick)  # type: ignore[misc]
        for _ in range(10):
            self.until("tickSize")
        client.reqAccountUpdates(True, "")
        self.until("accountDownloadEnd")
        client.placeOrder(orderId, aapl, self.order("MKT"))
        self.until("orderStatus", lambda fields: fields[1] == "Filled")
        # Reports come one for each execution; the last may still be on its way.
        while self.count("commission") < self.count("execDetails"):
            self.until(
                next(name for name in ("commissionReport", "commissionAndFeesReport") if hasattr(EWrapper, name))
            )
        client.placeOrder(orderId + 1, aapl, self.order("LMT", 100.5))
        self.until("orderStatus", lambda fields: fields[1] == "Submitted")
        client.reqOpenOrders()
        self.until("openOrderEnd")
        self.cancel(orderId + 1)
        self.until("error", lambda fields: fields[1] == 202)
        client.reqExecutions(103, ExecutionFilter())
        self.until("execDetailsEnd")
        client.reqCompletedOrders(True)
        self.until("completedOrdersEnd")
        client.reqPositions()
        self.until("positionEnd")
        client.reqAccountSummary(104, "All", "NetLiquidation,TotalCashValue")
        self.until("accountSummaryEnd")
        client.reqHistoricalData(105, aapl, "", "1 D", "1 hour", "TRADES", 1, 1, False, [])
        self.until("historicalDataEnd")
        client.reqCurrentTime()
        self.until("currentTime")

    def order(self, orderType: str, price: float | None = None) -> Any:
        order = Order()
        order.action, order.orderType, order.totalQuantity = "BUY", orderType, Decimal(100)
        if hasattr(order, "eTradeOnly"):
            order.eTradeOnly = order.firmQuoteOnly = False
        if price is not None:
            order.lmtPrice = price
        return order

    def cancel(self, orderId: int) -> None:
        """The second argument changed twice."""
        try:
            from ibapi.order_cancel import OrderCancel
        except ImportError:
            required = EClient.cancelOrder.__code__.co_argcount - 2
            self.client.cancelOrder(orderId, *[""] * required)
        else:
            self.client.cancelOrder(orderId, OrderCancel())

    def count(self, prefix: str) -> int:
        return sum(1 for name, _ in self.events if name.startswith(prefix) and not name.endswith("End"))


def main() -> None:
    tour = Tour(int(sys.argv[1]), int(sys.argv[2]))
    tour.run()
    version = tour.client.serverVersion()
    tour.client.disconnect()
    tour.reader.join(PATIENCE_S)
    print(json.dumps({"version": version, "events": tour.events}))


main()
