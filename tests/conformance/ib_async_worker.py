"""ib_async on a tour of a gateway: ``PYTHONPATH=<its folder> python ib_async_worker.py PORT CLIENT_ID``.

Importable nowhere else. Prints one JSON object with what ib_async made of the answers; every wait has a time limit, so
that an end marker that does not come is seen.
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry or ".") != HERE]  # our names shadow nothing

import logging  # noqa: E402
from typing import Any  # noqa: E402

from ib_async import IB, LimitOrder, MarketOrder, Stock  # noqa: E402

PATIENCE_S = 20


def wait(ib: Any, done: Any, what: str) -> None:
    for _ in range(PATIENCE_S * 20):
        if done():
            return
        ib.sleep(0.05)
    sys.exit(f"{what} did not come")


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
    trade = ib.placeOrder(aapl, MarketOrder("BUY", 100))
    wait(ib, lambda: trade.isDone(), "the fill")
    wait(ib, lambda: all(fill.commissionReport.execId for fill in trade.fills), "the commission")
    resting = ib.placeOrder(aapl, LimitOrder("BUY", 10, 100.5))
    wait(ib, lambda: resting.orderStatus.status == "Submitted", "the working order")
    ib.cancelOrder(resting.order)
    wait(ib, lambda: resting.isDone(), "the cancel")
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
        "problems": problems,
    }
    ib.disconnect()
    print(json.dumps(result))


main()
