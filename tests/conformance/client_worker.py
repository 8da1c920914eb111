"""One official client on a tour of a gateway: ``PYTHONPATH=<oracle's folder> python client_worker.py PORT CLIENT_ID``.

What the agreed server version does not have is left out; the official package says what that is.
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
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from decimal import Decimal  # noqa: E402
from typing import Any  # noqa: E402

from ibapi import server_versions  # noqa: E402
from ibapi.client import EClient  # noqa: E402
from ibapi.contract import Contract  # noqa: E402
from ibapi.execution import ExecutionFilter  # noqa: E402
from ibapi.order import Order  # noqa: E402
from ibapi.wrapper import EWrapper  # noqa: E402

PATIENCE_S = 30
# Later releases put a time between id and code.
CODE_AT = 2 if "errorTime" in EWrapper.error.__code__.co_varnames else 1
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
        *(order.lmtPrice, order.auxPrice, order.parentId),
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
    "historicalData": lambda reqId, bar: [reqId, bar.open, bar.high, bar.low, bar.close, float(bar.volume)],
    "historicalDataEnd": lambda reqId, start, end: [reqId, start, end],
    "historicalTicksLast": lambda reqId, ticks, done: [reqId, len(ticks), done],
    "headTimestamp": lambda reqId, text: [reqId, text],
    "realtimeBar": lambda reqId, time, *prices: [reqId, time, *map(float, prices[:5])],
    "tickByTickBidAsk": lambda reqId, time, bid, ask, *rest: [reqId, bid, ask],
    "tickByTickAllLast": lambda reqId, kind, time, price, *rest: [reqId, price],
    "updateMktDepth": lambda reqId, row, operation, side, price, size: [reqId, row, operation, side, price],
    "updateMktDepthL2": lambda reqId, row, maker, operation, side, price, *rest: [reqId, row, operation, side, price],
    "pnl": lambda reqId, daily, *rest: [reqId, daily],
    "connectionClosed": list,
}


class Wrapper(EWrapper):  # type: ignore[misc]  # untyped
    """Keeps what comes."""

    def __init__(self) -> None:
        super().__init__()
        self.arrived: queue.SimpleQueue[Event] = queue.SimpleQueue()

    def error(self, *args: Any) -> None:
        code, text = args[CODE_AT : CODE_AT + 2]
        self.arrived.put(("error", [args[0], code, text]))


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
        until = time.monotonic() + PATIENCE_S
        while True:
            try:
                event = self.wrapper.arrived.get(timeout=max(until - time.monotonic(), 0.01))
            except queue.Empty:
                event = None
            if event is None or time.monotonic() > until:
                problems = [event for event in self.events if event[0] == "error"]
                print(f"{name} did not come; the last events were {self.events[-10:]}; errors were {problems}")
                sys.stdout.flush()
                os._exit(1)  # the reader's thread would keep the process
            self.events.append(event)
            # A book's rows come with or without their maker.
            if event[0].removesuffix("L2") == name and fits(event[1]):
                return event[1]

    def has(self, what: str) -> bool:
        """Whether the agreed server version has it."""
        return bool(self.client.serverVersion() >= getattr(server_versions, "MIN_SERVER_VER_" + what))

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
        self.streams(aapl)
        client.reqAccountUpdates(True, "")
        self.until("accountDownloadEnd")
        self.orders(orderId, aapl)
        client.reqExecutions(103, ExecutionFilter())
        self.until("execDetailsEnd")
        if self.has("COMPLETED_ORDERS"):
            client.reqCompletedOrders(True)
            self.until("completedOrdersEnd")
        client.reqPositions()
        self.until("positionEnd")
        client.reqAccountSummary(104, "All", "NetLiquidation,TotalCashValue")
        self.until("accountSummaryEnd")
        client.cancelAccountSummary(104)
        if self.has("PNL"):
            client.reqPnL(109, "DU0000001", "")
            self.until("pnl")
            client.cancelPnL(109)
        self.history(aapl)
        client.reqCurrentTime()
        self.until("currentTime")

    def streams(self, aapl: Any) -> None:
        """Market depth, tick by tick, real-time bars."""
        client = self.client
        smart = self.has("SMART_DEPTH")
        nasdaq = Contract()
        nasdaq.symbol, nasdaq.secType, nasdaq.currency = "AAPL", "STK", "USD"
        nasdaq.exchange = "SMART" if smart else "NASDAQ"
        client.reqMktDepth(110, nasdaq, 3, smart, [])
        for _ in range(6):
            self.until("updateMktDepth")
        client.cancelMktDepth(110, smart)
        if self.has("TICK_BY_TICK"):
            client.reqTickByTickData(111, aapl, "BidAsk", 0, False)
            client.reqTickByTickData(112, aapl, "AllLast", 0, False)
            self.until("tickByTickBidAsk")
            self.until("tickByTickAllLast")
            client.cancelTickByTickData(111)
            client.cancelTickByTickData(112)
        client.reqRealTimeBars(113, aapl, 5, "TRADES", False, [])
        self.until("realtimeBar")
        client.cancelRealTimeBars(113)

    def history(self, aapl: Any) -> None:
        client = self.client
        client.reqHistoricalData(105, aapl, "", "1 D", "1 hour", "TRADES", 1, 1, False, [])
        self.until("historicalDataEnd")
        if self.has("REQ_HEAD_TIMESTAMP"):
            client.reqHeadTimeStamp(106, aapl, "TRADES", 1, 1)
            self.until("headTimestamp")
            client.cancelHeadTimeStamp(106)
        if self.has("HISTORICAL_TICKS"):
            client.reqHistoricalTicks(107, aapl, "20260302 14:30:00 UTC", "", 20, "TRADES", 1, True, [])
            self.until("historicalTicksLast")

    def orders(self, orderId: int, aapl: Any) -> None:
        """A market order; a limit order that is changed and cancelled; a stop; a bracket."""
        client = self.client
        client.placeOrder(orderId, aapl, self.order("MKT"))
        self.until("orderStatus", lambda fields: fields[1] == "Filled")
        # Reports come one for each execution; the last may still be on its way.
        while self.count("commission") < self.count("execDetails"):
            self.until(
                next(name for name in ("commissionReport", "commissionAndFeesReport") if hasattr(EWrapper, name))
            )
        client.placeOrder(orderId + 1, aapl, self.order("LMT", 100.5))
        self.until("orderStatus", lambda fields: fields[1] == "Submitted")
        client.placeOrder(orderId + 1, aapl, self.order("LMT", 100.75))
        self.until("openOrder", lambda fields: fields[6] == 100.75)
        client.reqOpenOrders()
        self.until("openOrderEnd")
        self.cancelled(orderId + 1)
        client.placeOrder(orderId + 2, aapl, self.order("STP", stop=50.25, action="SELL"))
        self.working(orderId + 2, "PreSubmitted")
        self.cancelled(orderId + 2)
        parent, profit, loss = range(orderId + 3, orderId + 6)
        client.placeOrder(parent, aapl, self.order("LMT", 100.5, transmit=False))
        client.placeOrder(profit, aapl, self.order("LMT", 300.5, action="SELL", parentId=parent, transmit=False))
        client.placeOrder(loss, aapl, self.order("STP", stop=50.5, action="SELL", parentId=parent))
        # The parent works, its children wait for it.
        for child in (profit, loss):
            self.working(child, "PreSubmitted")
        self.working(parent, "Submitted")
        self.cancel(parent)
        left = {parent, profit, loss}
        while left:
            left.discard(self.until("orderStatus", lambda fields: fields[1] in ("Cancelled", "ApiCancelled"))[0])

    def working(self, orderId: int, status: str) -> None:
        """Wait until an order is in a status, which it may have been told already."""
        if not any(name == "orderStatus" and fields[:2] == [orderId, status] for name, fields in self.events):
            self.until("orderStatus", lambda fields: fields[:2] == [orderId, status])

    def cancelled(self, orderId: int) -> None:
        self.cancel(orderId)
        self.until("error", lambda fields: fields[:2] == [orderId, 202])

    def order(
        self,
        orderType: str,
        price: float | None = None,
        *,
        stop: float | None = None,
        action: str = "BUY",
        parentId: int = 0,
        transmit: bool = True,
    ) -> Any:
        order = Order()
        order.action, order.orderType, order.totalQuantity = action, orderType, Decimal(100)
        order.parentId, order.transmit = parentId, transmit
        if hasattr(order, "eTradeOnly"):
            order.eTradeOnly = order.firmQuoteOnly = False
        if hasattr(order, "cashQty") and not self.has("CASH_QTY"):
            order.cashQty = 0  # else the official client refuses every order of its own
        if price is not None:
            order.lmtPrice = price
        if stop is not None:
            order.auxPrice = stop
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
