"""From a tick's bytes to an order's bytes, and from the call of ``place`` to the kernel: ibwire, bare C, the official.

    python -m benchmarks.order_path [--count 3000]

- `tick to order`: a peer in C sends a tickPrice and waits for the order. Beside an echo in C with the same sizes: an
  inline strategy in Python that reads the quote and places a prepared order, with five policies and the journal.
- `placing`: from the call until the kernel has the last byte, and until it returns, with five policies and the journal
  (fsync interval): a prepared order, a plain one, and ``placeOrder`` of the official client, each in a process of its
  own. The kernel's moment is the history's own ("sent"); the official client's is taken in its socket's ``send``. The
  floor is a bare send of bytes of an order's size, in the same turns.

The gateway is a few lines that believe everything and answer no order.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
from array import array
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from statistics import median, quantiles
from time import monotonic_ns
from typing import Any, Final

from benchmarks import native, wire
from benchmarks.child import environment

VERSIONS: Final = (176, 225)
WARM_UP: Final = 300
GAP_NS: Final = 200_000
ACCOUNT: Final = "DU0000001"


class Ends:
    """The functions of ``order_path.c``."""

    def __init__(self, folder: Path) -> None:
        lib = native.load("order_path.c", folder)
        self._ping, self._echo = lib.ping, lib.echo
        self._ping.argtypes = [ctypes.c_int, ctypes.c_char_p, *[ctypes.c_int64] * 3, ctypes.c_void_p]
        self._echo.argtypes = [ctypes.c_int, ctypes.c_char_p, *[ctypes.c_int64] * 2]
        self._ping.restype = self._echo.restype = ctypes.c_int64

    def ping(self, sock: socket.socket, frame: bytes, count: int) -> tuple[array[int], int]:
        """Times of so many round trips, ns, and the bytes of the last reply."""
        times = array("q", bytes(8 * count))
        place = ctypes.c_void_p(times.buffer_info()[0])
        return times, _checked(self._ping(sock.fileno(), frame, len(frame), count, GAP_NS, place))

    def echo(self, sock: socket.socket, reply: bytes, count: int) -> None:
        """Answer so many frames."""
        _checked(self._echo(sock.fileno(), reply, len(reply), count))


def _checked(result: int) -> int:
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


# ------------------------------------------------------------------------------------------------ the gateway's side


class Gateway:
    """One connection: greets, answers the questions that a client begins with, and swallows the rest."""

    def __init__(self, sock: socket.socket, version: int) -> None:
        from ibwire.types import incoming
        from ibwire.wire.codec import Codec, Role

        self.sock, self._codec = sock, Codec(version, Role.GATEWAY)
        self._told = incoming
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        wire.take(sock, 4)
        wire.take_frame(sock)
        wire.send_frame(sock, f"{version}\0{wire.GREETING_TIME}\0".encode())
        wire.take_frame(sock)
        self.tell(incoming.NextValidId(1))
        self.tell(incoming.ManagedAccounts(ACCOUNT))

    def tell(self, message: Any) -> None:
        wire.send_frame(self.sock, self._codec.encode(message))

    def answer(self, until: str = "") -> Any:
        """Answer what is asked; returns that request when it comes, or None when the client is gone."""
        told = self._told
        while True:
            try:
                asked = self._codec.decode(wire.take_frame(self.sock))
            except ConnectionError:
                return None
            name = getattr(asked, "NAME", "")
            if name == "reqPositions":
                self.tell(told.PositionEnd())
            elif name in ("reqOpenOrders", "reqAllOpenOrders"):
                self.tell(told.OpenOrderEnd())
            elif name == "reqExecutions":
                self.tell(told.ExecDetailsEnd(asked.reqId))
            elif name == "reqCompletedOrders":
                self.tell(told.CompletedOrdersEnd())
            if name == until:
                return asked

    def tick(self, reqId: int) -> bytes:
        """The frame of a bid."""
        payload = self._codec.encode(self._told.TickPrice(reqId, 1, 100.0, Decimal(10)))
        return struct.pack(">I", len(payload)) + payload


# ------------------------------------------------------------------------------------------------------- the clients


def _policies() -> list[Any]:
    from ibwire.trade.risk_policies import MaxNotional, MaxPosition, MaxQuantity, OrderRate, PriceBand

    return [MaxQuantity(1000), MaxNotional(1e9), MaxPosition(1e9), PriceBand(0.5), OrderRate(1_000_000)]


def _connect(port: int, version: int, folder: str, **more: Any) -> Any:
    import ibwire

    settings: dict[str, Any] = {"host": "127.0.0.1", "port": port, "max_server_version": version, "rate_per_s": 0}
    return ibwire.connect("paper", **settings, policies=_policies(), state_dir=folder, **more)


def _aapl() -> Any:
    from ibwire.types.structs import Contract

    return Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", currency="USD")


def _strategy(port: int, version: int, count: int) -> None:
    """Buys at every bid."""
    from ibwire.types.constructors import limit

    with tempfile.TemporaryDirectory() as folder, _connect(port, version, folder, mode="inline") as client:
        prepared = client.orders.prepare(_aapl(), limit("BUY", 1, 99.0, account=ACCOUNT))
        stream = client.stream([_aapl()])
        quote, place, update = stream.quote, prepared.place, stream.update
        for number in range(count):
            while not update(5.0):
                pass
            place(quote(0).bid - 0.01 * (number & 31))
        time.sleep(0.5)


def _place(port: int, version: int, count: int) -> None:
    """Times of a prepared order and of a plain one."""
    from ibwire.client.quotes import Quote
    from ibwire.types.constructors import limit

    with tempfile.TemporaryDirectory() as folder, _connect(port, version, folder) as client:
        contract, order = _aapl(), limit("BUY", 1, 99.0, account=ACCOUNT)
        client.risk.book.on_quote(contract.conId, Quote(99.0, 101.0, 100.0, recv_ns=time.monotonic_ns() + 10**12))
        prepared = client.orders.prepare(contract, order)
        found = _timed("prepared", count, lambda n: _left(prepared.place(99.0 + 0.01 * (n & 31))))
        found |= _timed("place", count // 4, lambda n: _left(client.orders.place(contract, order)))
        _report(found)


def _left(handle: Any) -> Callable[[], int]:
    """Says when the kernel had an order's last byte."""
    return lambda: next(int(event.ns) for event in handle.events if event.state == "sent")


def _official(port: int, version: int, count: int) -> None:
    """Times of placeOrder."""
    modules = [importlib.import_module(f"ibapi.{name}") for name in ("client", "wrapper", "contract", "order")]
    app = modules[0].EClient(modules[1].EWrapper())
    app.connect("127.0.0.1", port, 1)
    contract, order = modules[2].Contract(), modules[3].Order()
    contract.conId, contract.symbol, contract.secType, contract.exchange = 265598, "AAPL", "STK", "SMART"
    contract.currency, order.action, order.orderType, order.tif = "USD", "BUY", "LMT", "DAY"
    order.totalQuantity, order.account = Decimal(1), ACCOUNT

    app.conn.socket = stamped = Stamped(app.conn.socket)

    def place(number: int) -> Callable[[], int]:
        order.lmtPrice = 99.0 + 0.01 * (number & 31)
        app.placeOrder(number + 1, contract, order)
        return lambda: stamped.sent_ns

    _report(_timed("placeOrder", count, place))
    app.disconnect()


def _bare(port: int, version: int, count: int) -> None:
    """Times of a bare send of as many bytes as an order has."""
    from ibwire.types import outgoing
    from ibwire.types.constructors import limit
    from ibwire.wire.codec import Codec, Role

    codec = Codec(version, Role.CLIENT)
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(b"API\0")
        wire.send_frame(sock, b"v100..225")
        wire.take_frame(sock)
        wire.send_frame(sock, codec.encode(outgoing.StartApi(1, "")))
        for _ in range(2):  # the next id, the accounts
            wire.take_frame(sock)
        payload = codec.encode(outgoing.PlaceOrder(1, _aapl(), limit("BUY", 1, 99.0, account=ACCOUNT)))
        data, stamped = struct.pack(">I", len(payload)) + payload, Stamped(sock)

        def send(number: int) -> Callable[[], int]:
            stamped.send(data)
            return lambda: stamped.sent_ns

        _report(_timed("bare send", count, send))


class Stamped:
    """A socket that says when its last send returned."""

    def __init__(self, sock: Any) -> None:
        self._sock, self.sent_ns = sock, 0

    def send(self, data: bytes) -> int:
        """As the socket's."""
        count: int = self._sock.send(data)
        self.sent_ns = monotonic_ns()
        return count

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _timed(name: str, count: int, work: Callable[[int], Callable[[], int]]) -> dict[str, list[int]]:
    """Times of so many calls: until the kernel has the bytes, and until they return."""
    kernel, returned = [], []
    for number in range(count + WARM_UP):
        begin = monotonic_ns()
        left = work(number)
        end = monotonic_ns()
        if number >= WARM_UP:
            kernel.append(left() - begin)
            returned.append(end - begin)
        time.sleep(GAP_NS / 1e9)
    return {f"{name}, in the kernel": kernel, f"{name}, returned": returned}


def _report(found: dict[str, list[int]]) -> None:
    print(json.dumps(found), flush=True)


# ---------------------------------------------------------------------------------------------------------- the turns


def _start(side: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "benchmarks.order_path", "--run", *map(str, arguments)]
    return subprocess.Popen(command, env=environment(side), stdout=subprocess.PIPE, text=True)


def _accept(server: socket.socket, child: subprocess.Popen[str]) -> socket.socket:
    server.settimeout(60)
    sock, _ = server.accept()
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 30, 0))
    return sock


def tick_to_order(ends: Ends, version: int, count: int) -> tuple[list[int], list[int], int]:
    """Round trips to the strategy, and to an echo with the same sizes; and an order's bytes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        child = _start("ibwire", "strategy", port, version, count + WARM_UP)
        with _accept(server, child) as sock:
            gateway = Gateway(sock, version)
            asked = gateway.answer(until="reqMktData")
            frame = gateway.tick(asked.reqId)
            time.sleep(0.5)
            times, size = ends.ping(sock, frame, count + WARM_UP)
        child.wait(60)
        reply = struct.pack(">I", size - 4) + bytes(size - 4)
        with socket.create_connection(("127.0.0.1", port)) as far, _accept(server, child) as near:
            for sock in (far, near):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pid = os.fork()
            if pid == 0:
                ends.echo(far, reply, count + WARM_UP)
                os._exit(0)
            bare, _ = ends.ping(near, frame, count + WARM_UP)
            os.waitpid(pid, 0)
    return list(times[WARM_UP:]), list(bare[WARM_UP:]), size


def placing(side: str, name: str, version: int, count: int) -> dict[str, list[int]]:
    """What one client's process says of its calls."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        child = _start(side, name, server.getsockname()[1], version, count)
        with _accept(server, child) as sock:
            gateway = Gateway(sock, version)
            thread = threading.Thread(target=gateway.answer)
            thread.start()
            assert child.stdout is not None
            found: dict[str, list[int]] = json.loads(child.stdout.readline())
            child.wait(60)
            thread.join(60)
    return found


def _show(name: str, times: list[int], base: float) -> None:
    p99 = quantiles(times, n=100)[-1]
    print(f"  {name:<34} p50 {median(times) / 1e3:8.1f} us  {median(times) / base:6.2f} times; p99 {p99 / 1e3:.1f} us")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=3000)
    parser.add_argument("--run", nargs=4, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.run:
        name, *numbers = args.run
        {"strategy": _strategy, "place": _place, "official": _official, "bare": _bare}[name](*map(int, numbers))
        return
    with tempfile.TemporaryDirectory() as folder:
        ends = Ends(Path(folder))
        for version in VERSIONS:
            times, bare, size = tick_to_order(ends, version, args.count)
            print(f"tick to order at {version}, {size} bytes")
            _show("echo in C", bare, median(bare))
            _show("strategy, gate and journal", times, median(bare))
        for version in VERSIONS:
            ours = placing("ibwire", "bare", version, args.count)
            ours |= placing("ibwire", "place", version, args.count)
            theirs = placing("official", "official", version, args.count)
            print(f"placing at {version}, gate of five policies, journal")
            for moment in ("in the kernel", "returned"):
                base = median(theirs[f"placeOrder, {moment}"])
                for name, found in (theirs | ours).items():
                    if name.endswith(moment):
                        _show(("official " if name in theirs else "") + name, found, base)


if __name__ == "__main__":
    main()
