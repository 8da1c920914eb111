"""One side of ``compat_report`` and ``flow_report``: ibwire.compat, the official package or ib_async.

    python -m benchmarks.compat_peer SIDE        answers one JSON request per line on stdin (see `Side`)

Measured on payloads in memory is what each message loop does with one payload; framing, queue and reader thread are
left out for all three. What comes through the loopback has all of it.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache, partial
from time import monotonic_ns, perf_counter_ns
from typing import Any, Final

from benchmarks import mixes, wire
from benchmarks.child import Child, serve
from benchmarks.peer import decode_loop

MANY_SIZES: Final = "M1s"
"""M1 with 10,000 different sizes, one in ten of them fractional."""
_SIZES: Final = [f"{n}.25" if n % 10 == 0 else str(n * 100) for n in range(1, 10_001)]

# ----------------------------------------------------------------------------------------------------- the child's side


class _ManySizes:
    """Passes tickPrice on, with one of the many sizes instead of its own."""

    def __init__(self, sink: Any) -> None:
        self._sink, self._turn = sink, 0

    def tick_price(self, req_id: int, tick_type: int, cents: int, size: str, mask: int) -> bytes:
        self._turn += 7919  # prime to their count: every size comes, and neighbours differ
        made: bytes = self._sink.tick_price(req_id, tick_type, cents, _SIZES[self._turn % len(_SIZES)], mask)
        return made


@lru_cache(maxsize=1)
def payloads(mix: str, dialect: str, count: int, seed: int) -> list[bytes]:
    """Payloads of a mix of ``mixes``, or of `MANY_SIZES`."""
    if mix != MANY_SIZES:
        return list(mixes.payloads(mixes.mix(mix, dialect, count, seed)))
    sink: Any = _ManySizes(mixes.Text176() if dialect == "t176" else mixes.Proto225())
    return list(mixes.walk("M1", sink, count, seed))


class Ours:
    """ibwire.compat: the dispatcher of its message loop."""

    package = "ibwire.compat"

    def __init__(self) -> None:
        self.client = importlib.import_module(f"{self.package}.client").EClient
        self.wrapper = importlib.import_module(f"{self.package}.wrapper").EWrapper

    def hearing(self, calls: list[str] | None) -> Any:
        """A wrapper that overrides tickPrice and tickSize with the official parameters. Notes sizes if told where."""

        def tickPrice(_self: object, reqId: int, tickType: int, price: float, attrib: object) -> None:
            pass

        def tickSize(_self: object, reqId: int, tickType: int, size: object) -> None:
            pass

        def noted(_self: object, reqId: int, tickType: int, size: object) -> None:
            assert calls is not None
            calls.append(str(size))

        size = tickSize if calls is None else noted
        return type("Wrapper", (self.wrapper,), {"tickPrice": tickPrice, "tickSize": size})()

    def loop(self, dialect: str, wrapper: Any) -> Callable[[list[bytes]], None]:
        """What decodes payloads and calls the wrapper."""
        dispatch = importlib.import_module("ibwire.compat.dispatch")
        interpret = dispatch.Dispatcher(wrapper, mixes.SERVER_VERSIONS[dialect]).interpret

        def run(payloads: list[bytes]) -> None:
            for payload in payloads:
                interpret(payload)

        return run

    def flood(self, port: int, count: int) -> dict[str, Any]:
        """Through ``run()`` to the last tickPrice."""
        begin_ns = end_ns = total = 0

        def tickPrice(self: Any, reqId: int, tickType: int, price: float, attrib: object) -> None:
            nonlocal total, end_ns
            total += 1
            if total == count:
                end_ns = perf_counter_ns()
                self.disconnect()

        def tickSize(self: Any, reqId: int, tickType: int, size: object) -> None:
            pass

        def error(self: Any, *what: object) -> None:
            """Something was given up: what is waited for will not come."""
            self.disconnect()

        app = self._app(tickPrice, tickSize, error)
        # 5,000,000 ticks wait in 400 MB where the sender is that much faster than Python's callbacks.
        type(app)._ibwire_backlog_bytes = 1 << 30
        app.connect(wire.HOST, port, 1)
        before = wire.resident_bytes()
        begin_ns = perf_counter_ns()
        app.reqIds(1)  # the sender waits for it
        app.run()
        return flooded(total, count, end_ns - begin_ns, before)

    def paced(self, port: int, count: int) -> wire.Quantiles:
        """One way from the sender's stamp to the callback."""
        times: list[int] = []
        now_ns = 0

        def tickPrice(self: Any, reqId: int, tickType: int, price: float, attrib: object) -> None:
            nonlocal now_ns
            now_ns = monotonic_ns()

        def tickSize(self: Any, reqId: int, tickType: int, size: Any) -> None:
            times.append(wire.one_way_ns(now_ns, size))
            if len(times) == count:
                self.disconnect()

        app = self._app(tickPrice, tickSize)
        app.connect(wire.HOST, port, 1)
        app.reqIds(1)
        app.run()
        return wire.quantiles(times)

    def _app(self, tickPrice: object, tickSize: object, error: object = None) -> Any:
        wrapper, client = self.wrapper, self.client

        def init(self: Any) -> None:
            wrapper.__init__(self)
            client.__init__(self, self)

        members = {"__init__": init, "tickPrice": tickPrice, "tickSize": tickSize}
        if error is not None:
            members["error"] = error
        return type("App", (wrapper, client), members)()


class Official(Ours):
    """The official package: its decoder, as its message loop calls it."""

    package = "ibapi"

    def loop(self, dialect: str, wrapper: Any) -> Callable[[list[bytes]], None]:
        return decode_loop(dialect, wrapper)


class IbAsync(Ours):
    """ib_async: its decoder with a wrapper that only counts. Its sizes are floats, and it speaks text alone."""

    def __init__(self) -> None:
        self.decoder = importlib.import_module("ib_async.decoder").Decoder
        self.client = importlib.import_module("ib_async.client").Client
        self.util = importlib.import_module("ib_async.util")
        self.full = importlib.import_module("ib_async.ib").IB

    def hearing(self, calls: list[str] | None) -> Any:
        class Minimal:
            def priceSizeTick(self, reqId: int, tickType: int, price: float, size: float) -> None:
                pass

            def tickSize(self, reqId: int, tickType: int, size: float) -> None:
                pass

        class Noting:
            def priceSizeTick(self, reqId: int, tickType: int, price: float, size: float) -> None:
                assert calls is not None
                calls.append(repr(size))

            def tickSize(self, reqId: int, tickType: int, size: float) -> None:
                assert calls is not None
                calls.append(repr(size))

        return Minimal() if calls is None else Noting()

    def loop(self, dialect: str, wrapper: Any) -> Callable[[list[bytes]], None]:
        if dialect != "t176":
            raise ValueError(f"ib_async does not speak {dialect}")
        interpret = self.decoder(wrapper, mixes.SERVER_VERSIONS[dialect]).interpret

        def run(payloads: list[bytes]) -> None:
            for payload in payloads:
                fields = payload.decode(errors="backslashreplace").split("\0")
                fields.pop()
                interpret(fields)

        return run

    def flood(self, port: int, count: int) -> dict[str, Any]:
        end_ns = total = 0

        def on_tick(reqId: int, tickType: int, price: float, size: float) -> None:
            nonlocal total, end_ns
            total += 1
            if total == count:
                end_ns = perf_counter_ns()
                loop.stop()

        client, loop = self._client(on_tick), self.util.getLoop()
        client.connect(wire.HOST, port, 1, 30)
        before = wire.resident_bytes()
        begin_ns = perf_counter_ns()
        client.reqIds(1)
        loop.run_forever()
        answer = flooded(total, count, end_ns - begin_ns, before)
        self._leave(client)
        return answer

    def paced(self, port: int, count: int) -> wire.Quantiles:
        times: list[int] = []

        def on_tick(reqId: int, tickType: int, price: float, size: float) -> None:
            times.append(wire.one_way_ns(monotonic_ns(), size))
            if len(times) == count:
                loop.stop()

        client, loop = self._client(on_tick), self.util.getLoop()
        client.connect(wire.HOST, port, 1, 30)
        client.reqIds(1)
        loop.run_forever()
        self._leave(client)
        return wire.quantiles(times)

    def _client(self, on_tick: Callable[..., None]) -> Any:
        """A client with a wrapper that has what the client itself calls, and one callback."""

        class Minimal:
            def connectAck(self) -> None:
                pass

            def connectionClosed(self) -> None:
                pass

            def setEventsDone(self) -> None:
                pass

            priceSizeTick = staticmethod(on_tick)

        return self.client(Minimal())

    def _leave(self, client: Any) -> None:
        client.disconnect()
        self.util.run(_a_moment())


async def _a_moment() -> None:
    """For what a closing connection still has to do."""
    await asyncio.sleep(0.01)


def flooded(total: int, count: int, took_ns: int, before_bytes: int) -> dict[str, Any]:
    """The answer about a flood: seconds from the request that starts it to its last message, and memory.

    Raises
    ------
    RuntimeError : not every message came.
    """
    if total != count:
        raise RuntimeError(f"{total} of {count} messages came")
    return {"seconds": took_ns / 1e9, "resident_before": before_bytes, "resident_after": wire.resident_bytes()}


def _rate(side: Ours, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
    found = payloads(mix, dialect, count, seed)
    loop = side.loop(dialect, side.hearing(None))
    start_ns = perf_counter_ns()
    loop(found)
    return {"messages_per_s": count / ((perf_counter_ns() - start_ns) / 1e9)}


def _sizes(side: Ours, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
    calls: list[str] = []
    side.loop(dialect, side.hearing(calls))(payloads(mix, dialect, count, seed))
    return {"sizes": calls}


def _flood(side: Ours, **request: Any) -> dict[str, Any]:
    return side.flood(**request)


def _paced(side: Ours, cpu: int | None, **request: Any) -> dict[str, Any]:
    wire.pin(cpu)
    try:
        return asdict(side.paced(**request))
    finally:
        wire.pin(None)


def _orders(side: Ours, dialect: str, count: int, seed: int) -> dict[str, Any]:
    """M5 through ib_async's decoder into its full wrapper, the one of its IB class; how many orders that knows then."""
    assert isinstance(side, IbAsync)
    found, wrapper = payloads("M5", dialect, count, seed), side.full().wrapper
    wrapper.tcpDataArrived()  # sets the time that it stamps orders with
    loop = side.loop(dialect, wrapper)
    start_ns = perf_counter_ns()
    loop(found)
    seconds = (perf_counter_ns() - start_ns) / 1e9
    filled = sum(trade.orderStatus.status == "Filled" for trade in wrapper.trades.values())
    return {"messages_per_s": count / seconds, "orders": filled}


_DO: Final[dict[str, Callable[..., dict[str, Any]]]] = {
    "rate": _rate,
    "sizes": _sizes,
    "flood": _flood,
    "paced": _paced,
    "orders": _orders,
}


def _answer(side: Ours, do: str, **request: Any) -> dict[str, Any]:
    return _DO[do](side, **request)


class Side(Child):
    """A side in a child process."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "benchmarks.compat_peer", name)


if __name__ == "__main__":
    _sides: dict[str, type[Ours]] = {"ibwire": Ours, "official": Official, "ib_async": IbAsync}
    serve(partial(_answer, _sides[sys.argv[1]]()))
