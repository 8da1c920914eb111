"""ib_async or ib_insync on a tour of a gateway: ``PYTHONPATH=<its folder> python ib_async_worker.py PORT ID MODULE``.

Importable nowhere else. Prints one JSON object with what it made of the answers; every wait has a time limit, so
that an end marker that does not come is seen.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]  # our names shadow nothing

import importlib  # noqa: E402
import logging  # noqa: E402
from typing import Any  # noqa: E402

library: Any = importlib.import_module(sys.argv[3])
IB, LimitOrder, MarketOrder, Stock = library.IB, library.LimitOrder, library.MarketOrder, library.Stock

PATIENCE_S = 20


def wait(ib: Any, done: Any, what: str) -> None:
    for _ in range(PATIENCE_S * 20):
        if done():
            return
        ib.sleep(0.05)
    sys.exit(f"{what} did not come")


def follow(ib: Any, aapl: Any) -> dict[str, Any]:
    """Depth, tick by tick, bars of now and of the past."""
    book = ib.reqMktDepth(aapl, 3, isSmartDepth=True)
    wait(ib, lambda: len(book.domBids) == 3 and len(book.domAsks) == 3, "the book")
    rows = [book.domBids[0].price, book.domAsks[0].price]
    ib.cancelMktDepth(aapl, isSmartDepth=True)
    ticks = ib.reqTickByTickData(aapl, "BidAsk")
    wait(ib, lambda: ticks.tickByTicks, "a tick")
    ib.cancelTickByTickData(aapl, "BidAsk")
    bars = ib.reqRealTimeBars(aapl, 5, "TRADES", False)
    wait(ib, lambda: bars, "a bar")
    ib.cancelRealTimeBars(bars)
    past = ib.reqHistoricalData(aapl, "", "2 D", "1 hour", "TRADES", True)
    old = ib.reqHistoricalTicks(aapl, "20260302 14:30:00 UTC", "", 20, "TRADES", True)
    head = ib.reqHeadTimeStamp(aapl, "TRADES", True, 1)
    return {
        "book": rows,
        "bars": [bar.low <= bar.close <= bar.high for bar in past],
        "ticks": len(old),
        "head": str(head),
    }


def stop_and_bracket(ib: Any, aapl: Any) -> dict[str, Any]:
    stop = ib.placeOrder(aapl, library.StopOrder("SELL", 10, 50.25))
    wait(ib, lambda: stop.orderStatus.status == "PreSubmitted", "the stop order")
    ib.cancelOrder(stop.order)
    wait(ib, lambda: stop.isDone(), "the cancel of the stop order")
    bracket = [ib.placeOrder(aapl, order) for order in ib.bracketOrder("BUY", 10, 100.5, 300.5, 50.5)]
    wait(ib, lambda: bracket[0].orderStatus.status == "Submitted", "the parent")
    wait(ib, lambda: all(trade.orderStatus.status == "PreSubmitted" for trade in bracket[1:]), "the children")
    ib.cancelOrder(bracket[0].order)
    wait(ib, lambda: all(trade.isDone() for trade in bracket), "the end of the bracket")
    return {"stop": stop.orderStatus.status, "bracket": [trade.orderStatus.status for trade in bracket]}


def main() -> None:
    problems: list[str] = []
    handler = logging.Handler(logging.ERROR)
    handler.emit = lambda record: problems.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    ib = IB()
    ib.connect("127.0.0.1", int(sys.argv[1]), clientId=int(sys.argv[2]), timeout=PATIENCE_S)
    version = ib.client.serverVersion()
    [aapl] = ib.qualifyContracts(Stock("AAPL", "SMART", "USD"))
    ticker = ib.reqMktData(aapl)
    wait(ib, lambda: ticker.bid > 0 and ticker.ask > ticker.bid and ticker.last > 0, "a quote")
    [snapshot] = ib.reqTickers(Stock("MSFT", "SMART", "USD", conId=272093))
    streams = follow(ib, aapl)
    trade = ib.placeOrder(aapl, MarketOrder("BUY", 100))
    wait(ib, lambda: trade.isDone(), "the fill")
    wait(ib, lambda: all(fill.commissionReport.execId for fill in trade.fills), "the commission")
    resting = ib.placeOrder(aapl, LimitOrder("BUY", 10, 100.5))
    wait(ib, lambda: resting.orderStatus.status == "Submitted", "the working order")
    resting.order.lmtPrice = 100.75
    ib.placeOrder(aapl, resting.order)
    wait(ib, lambda: len([entry for entry in resting.log if "Modif" in entry.message]) > 0, "the change")
    ib.cancelOrder(resting.order)
    wait(ib, lambda: resting.isDone(), "the cancel")
    more = stop_and_bracket(ib, aapl)
    wait(ib, lambda: ib.positions(), "the position")
    completed = ib.reqCompletedOrders(True)
    result = {
        "version": version,
        "accounts": ib.managedAccounts(),
        "conId": aapl.conId,
        "quote": [ticker.bid, ticker.ask, ticker.last],
        "snapshot": [snapshot.bid, snapshot.ask],
        "statuses": [entry.status for entry in trade.log],
        "filled": [float(fill.execution.shares) for fill in trade.fills],
        "commission": sum(fill.commissionReport.commission for fill in trade.fills),
        "times": [fill.execution.time.isoformat() for fill in trade.fills],
        "cancelled": [entry.status for entry in resting.log],
        "positions": [[p.account, p.contract.symbol, float(p.position)] for p in ib.positions()],
        "values": sorted({value.tag for value in ib.accountValues()}),
        "completed": sorted(trade.orderStatus.status for trade in completed),
        "executions": sorted(fill.execution.execId for fill in ib.reqExecutions()),
        "fills": sorted(fill.execution.execId for fill in trade.fills),
        **streams,
        **more,
        "problems": problems,
    }
    ib.disconnect()
    print(json.dumps(result))


main()
