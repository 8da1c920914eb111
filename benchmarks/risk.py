"""What safety costs: the gate, a prepared order, and a kill; ratios within one run.

    python -m benchmarks.risk [--rounds 20000] [--kill 500]

- the gate with five policies, beside five calls of an empty Python function (and with the request made too);
- a prepared order, values to bytes in the kernel, beside a bare send of the same bytes; and beside the full encode;
- ``kill`` of so many open orders at the default rate, beside the least time that pacing leaves (0: left out);
- ``kill`` of everything: the decision to the last byte of the global cancel and of the question about what is open.
"""

from __future__ import annotations

import argparse
import socket
import threading
import time
from collections.abc import Callable
from decimal import Decimal
from statistics import median, quantiles
from time import monotonic_ns, perf_counter_ns

import ibwire
from ibwire.client.quotes import Quote
from ibwire.io.writer import Writer
from ibwire.trade.risk import Book, Gate, Request
from ibwire.trade.risk_policies import MaxNotional, MaxPosition, MaxQuantity, OrderRate, PriceBand
from ibwire.types import outgoing
from ibwire.types.constructors import limit, stock
from ibwire.types.structs import Contract
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame
from ibwire.wire.template import Template

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
ACCOUNT = "DU0000001"
ORDER = limit("BUY", 10, 100.0, account=ACCOUNT)
SLOTS = ("orderId", "order.totalQuantity", "order.lmtPrice")


def empty(request: object, book: object, now_ns: object) -> None:
    """What a call costs."""


def _timed(work: Callable[[], object]) -> int:
    begin = perf_counter_ns()
    work()
    return perf_counter_ns() - begin


def gate(rounds: int) -> None:
    """Admission of an order by five policies that look at it, the book and the quote."""
    lock = threading.Lock()
    book = Book(lock)
    book.on_told("positions")
    book.on_told("orders")
    book.on_quote(AAPL.conId, Quote(99.9, 100.1, 100.0, recv_ns=monotonic_ns() + 10**12))
    policies = (MaxQuantity(1000), MaxNotional(1e6), MaxPosition(1e6), PriceBand(0.05), OrderRate(50, 1e-6))
    made = Gate(policies, clock_ns=monotonic_ns, lock=lock, book=book)
    request = Request(AAPL, ORDER)

    def five() -> None:
        empty(1, 2, 3)
        empty(1, 2, 3)
        empty(1, 2, 3)
        empty(1, 2, 3)
        empty(1, 2, 3)

    calls, admits, both = [], [], []
    for _ in range(rounds):
        calls.append(_timed(five))
        begin = perf_counter_ns()
        view = made.admit(request)
        admits.append(perf_counter_ns() - begin)
        made.not_sent(view)
        begin = perf_counter_ns()
        view = made.admit(Request(AAPL, ORDER))
        both.append(perf_counter_ns() - begin)
        made.not_sent(view)
    bare = median(calls)
    print(f"five empty calls        p50 {bare:8.0f} ns")
    for name, found in (("gate, five policies", admits), ("  and the request", both)):
        p99 = quantiles(found, n=100)[-1]
        print(f"{name:<23} p50 {median(found):8.0f} ns  {median(found) / bare:5.1f} times; p99 {p99:.0f} ns")


def template(rounds: int, version: int) -> None:
    """From price and quantity to bytes in the kernel."""
    codec = Codec(version, Role.CLIENT)
    message = outgoing.PlaceOrder(1, AAPL, ORDER)
    prepared = Template(codec, message, SLOTS)
    with socket.create_server(("127.0.0.1", 0)) as server:
        ours = socket.create_connection(server.getsockname())
        theirs, _ = server.accept()
    ours.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    writer = Writer(ours)
    payload = codec.encode(message)
    data = frame(payload)
    quantity = Decimal(10)

    def order() -> None:
        writer.send(frame(prepared.fill(1, quantity, 100.0)))

    def full() -> None:
        writer.send(frame(codec.encode(message)))

    found: dict[str, list[int]] = {"bare send": [], "prepared": [], "full encode": []}
    for _ in range(rounds):
        for name, work in (("bare send", lambda: ours.send(data)), ("prepared", order), ("full encode", full)):
            found[name].append(_timed(work))
            theirs.recv(1 << 16)
    bare = median(found["bare send"])
    print(f"placeOrder at {version}, {len(data)} bytes")
    for name, times in found.items():
        print(f"  {name:<21} p50 {median(times):8.0f} ns  {median(times) / bare:5.1f} times")
    ours.close()
    theirs.close()


def kill(count: int) -> None:
    """Cancels of so many open orders, at the rate that TWS takes."""
    with ibwire.connect("sim", rate_per_s=100_000) as client:
        aapl = client.qualify(stock("AAPL"))
        for number in range(count):
            client.orders.place(aapl, limit("BUY", 1, round(1 + number / 100, 2)))
        link = client._core.link
        with ibwire.connect("sim") as other:  # its writer has the default rate, and has been idle
            link.writer.queue = other._core.link.writer.queue  # type: ignore[attr-defined]
            rate = other.settings.rate_per_s
            time.sleep(1.1)  # the tokens of its own handshake are back
            least_s = (count - 1) // rate
            report = client.risk.kill("benchmark", timeout=10)
    took = report.sent_ns / 1e9
    print(
        f"kill of {len(report.asked)} orders   {took:.3f} s; the least at {rate}/s is {least_s} s: "
        f"{took / least_s if least_s else float('nan'):.3f} times; left {len(report.left)}"
    )


def everything(count: int) -> None:
    """One global cancel, from the decision to its last byte."""
    times = []
    with ibwire.connect("sim", rate_per_s=0) as client:
        for _ in range(count):
            times.append(client.risk.kill("benchmark", scope="everything", timeout=5).sent_ns)
            client.risk.release()
    p99 = quantiles(times, n=100)[-1]
    print(f"kill of everything      p50 {median(times) / 1e3:8.0f} us  p99 {p99 / 1e3:.0f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--kill", type=int, default=500)
    args = parser.parse_args()
    gate(args.rounds)
    for version in (176, 225):
        template(args.rounds, version)
    if args.kill:
        kill(args.kill)
        everything(args.kill)


if __name__ == "__main__":
    main()
