"""How many order operations a second go through the simulated gateway's matching, in one process.

    python -m benchmarks.sim_orders [COUNT]

An operation is one request (place, modify or cancel) with everything that it causes, down to the events that a gateway
would write as messages. `rest`: limit orders that rest and are cancelled, 200 at a time, with one modify each.
`mixed`: the same with one order in eight at the market. `fill`: market orders only; every one is about four executions,
each booked with its commission. The target, 20,000 operations a second, is one of `mixed`.
"""

from __future__ import annotations

import gc
import sys
import time
from dataclasses import replace
from decimal import Decimal

from ibwire.cli.sim import COLLECT_AFTER
from ibwire.sim.account import SimAccount
from ibwire.sim.clock import VirtualClock
from ibwire.sim.instruments import ContractQuery
from ibwire.sim.market import Market
from ibwire.sim.matching import MatchingEngine
from ibwire.sim.orders import OrderRequest
from ibwire.sim.universe import InstrumentUniverse
from ibwire.sim.working import Latency

OPEN = 200
STEP_NS = 1_000_000


def run(name: str, count: int, latency: Latency | None = None) -> tuple[int, float, int]:
    """Return (operations, seconds of processor time, executions) of `count` orders."""
    clock = VirtualClock()
    market = Market(clock, 7, 20)
    account = SimAccount(market.mark_price, cash=Decimal(10**12))
    engine = MatchingEngine(clock, market, account, lambda event: None, seed=7, latency=latency)
    instrument = InstrumentUniverse(7).resolve(ContractQuery(symbol="AAPL", secType="STK"))
    requests = []
    for number in range(1, count + 1):
        buy = number % 2 == 0
        price = Decimal(10_000 + number % 8_000 if buy else 20_000 + number % 8_000).scaleb(-2)
        request = OrderRequest(1, number, instrument, "BUY" if buy else "SELL", "LMT", Decimal(100), lmtPrice=price)
        if name == "fill" or (name == "mixed" and number % 8 == 0):
            request = replace(request, orderType="MKT", lmtPrice=None)
        requests.append((request, replace(request, totalQuantity=Decimal(90))))
    operations = 0
    start = time.process_time()
    for index, (request, smaller) in enumerate(requests):
        engine.place(request)
        operations += 1
        if request.orderType == "LMT" and index >= OPEN:
            old, smaller = requests[index - OPEN]
            if old.orderType == "LMT":
                engine.place(smaller)
                engine.cancel(1, old.orderId)
                operations += 2
        if index % 10 == 0:
            clock.advance(clock.now_ns + STEP_NS)
    clock.advance(clock.now_ns + 1_000_000_000)
    return operations, time.process_time() - start, len(engine.executions())


def main() -> None:
    """Print a line for each mix: the best of three."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    gc.set_threshold(COLLECT_AFTER, 10, 10)  # as ibwire sim does
    for name in ("rest", "mixed", "fill"):
        operations, seconds, executions = min((run(name, count) for _ in range(3)), key=lambda row: row[1])
        print(f"{name:6} {operations / seconds:10,.0f} operations/s   {executions / seconds:10,.0f} executions/s")


if __name__ == "__main__":
    main()
