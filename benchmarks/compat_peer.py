"""One side of ``compat_report``: ibwire.compat, the official package or ib_async, each in a process of its own.

    python -m benchmarks.compat_peer SIDE        answers one JSON request per line on stdin (see `Side`)
    python -m benchmarks.compat_peer sender      sends a flood to whoever connects, on loopback

Measured on payloads in memory is what each message loop does with one payload; framing, queue and reader thread are
left out for all three. The flood has all of it.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

from benchmarks import mixes

ROOT = Path(__file__).resolve().parent.parent
SIDES: Final = {"ibwire": "", "official": "10.46.1", "ib_async": "ib_async"}
"""Side -> its folder below $IBWIRE_ORACLES."""
MANY_SIZES: Final = "M1s"
"""M1 with 10,000 different sizes, one in ten of them fractional."""
_SIZES: Final = [f"{n}.25" if n % 10 == 0 else str(n * 100) for n in range(1, 10_001)]
_CONNECTION_TIME = "20260102 09:30:00 UTC"

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

    def flood(self, port: int, count: int) -> float:
        """Seconds from the request that starts the flood to its last tickPrice, through ``run()``."""
        begin_ns = end_ns = total = 0

        def tickPrice(self: Any, reqId: int, tickType: int, price: float, attrib: object) -> None:
            nonlocal total, end_ns
            total += 1
            if total == count:
                end_ns = perf_counter_ns()
                self.disconnect()

        def tickSize(self: Any, reqId: int, tickType: int, size: object) -> None:
            pass

        def init(self: Any) -> None:
            wrapper.__init__(self)
            client.__init__(self, self)

        wrapper, client = self.wrapper, self.client
        members = {"__init__": init, "tickPrice": tickPrice, "tickSize": tickSize}
        app: Any = type("App", (wrapper, client), members)()
        app.connect("127.0.0.1", port, 1)
        begin_ns = perf_counter_ns()
        app.reqIds(1)  # the sender waits for it
        app.run()
        if total != count:
            raise RuntimeError(f"{total} of {count} tickPrice came")
        return (end_ns - begin_ns) / 1e9


class Official(Ours):
    """The official package: its decoder, as its message loop calls it."""

    package = "ibapi"

    def loop(self, dialect: str, wrapper: Any) -> Callable[[list[bytes]], None]:
        decoder = importlib.import_module("ibapi.decoder").Decoder(wrapper, mixes.SERVER_VERSIONS[dialect])
        read_fields = importlib.import_module("ibapi.comm").read_fields

        def text(payloads: list[bytes]) -> None:
            for payload in payloads:
                end = payload.index(b"\0")
                decoder.interpret(read_fields(payload[end + 1 :]), int(payload[:end]))

        def proto(payloads: list[bytes]) -> None:
            for payload in payloads:
                decoder.processProtoBuf(payload[4:], int.from_bytes(payload[:4], "big") - 200)

        return text if dialect == "t176" else proto


class IbAsync(Ours):
    """ib_async: its decoder with a wrapper that only counts. Its sizes are floats, and it speaks text alone."""

    def __init__(self) -> None:
        self.decoder = importlib.import_module("ib_async.decoder").Decoder

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


def _serve(name: str) -> None:
    side: Ours = {"ibwire": Ours, "official": Official, "ib_async": IbAsync}[name]()
    for line in sys.stdin:
        request = json.loads(line)
        do = request.pop("do")
        if do == "flood":
            answer = {"seconds": side.flood(**request)}
        else:
            answer = (_rate if do == "rate" else _sizes)(side, **request)
        print(json.dumps(answer), flush=True)


def _send() -> None:
    """For each request ``{dialect, count, seed}``: say the port, take one client, flood it when its requests are there.

    The frames are made before the port is said.
    """
    for line in sys.stdin:
        request = json.loads(line)
        data = mixes.mix("M1", **request)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
            sock, _ = listener.accept()
            with sock:
                greeting = f"{mixes.SERVER_VERSIONS[request['dialect']]}\0{_CONNECTION_TIME}\0".encode()
                _take(sock, 4)  # "API\0"
                _frame(sock)  # the versions that the client speaks
                sock.sendall(struct.pack(">I", len(greeting)) + greeting)
                _frame(sock)  # startApi
                _frame(sock)  # the request that starts the flood
                try:
                    sock.sendall(data)
                    sock.recv(1)  # its end
                except ConnectionError:
                    pass  # it had enough


def _take(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("the client left")
        data += more
    return data


def _frame(sock: socket.socket) -> bytes:
    (size,) = struct.unpack(">I", _take(sock, 4))
    return _take(sock, size)


# ---------------------------------------------------------------------------------------------------- the parent's side


def folder(side: str) -> Path | None:
    """Folder that a side's package lies in; None for our own.

    Raises
    ------
    FileNotFoundError
        It is not there: a missing oracle is an error, never a benchmark that is left out.
    """
    if not SIDES[side]:
        return None
    found = Path(os.environ.get("IBWIRE_ORACLES", ROOT / ".oracles")) / SIDES[side]
    module = "ib_async" if side == "ib_async" else "ibapi"
    if not (found / module / "decoder.py").is_file():
        raise FileNotFoundError(f"no {module} in {found}: python tools/oracles.py {SIDES[side]}")
    return found.resolve()


def environment(side: str) -> dict[str, str]:
    """What a process that speaks for a side runs in."""
    place = folder(side) if side in SIDES else None
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(place)] * (place is not None) + [str(ROOT)])}


class Side:
    """A side, or the sender, in a child process. Use as a context manager; one thread at a time."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.compat_peer", name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(name),
        )

    def __enter__(self) -> Side:
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(timeout=60)
        self._child.stdout.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send one request and wait for its answer. Raises RuntimeError when the child ended instead."""
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._child.wait()} at {request}")
        answer: dict[str, Any] = json.loads(line)
        return answer


if __name__ == "__main__":
    _send() if sys.argv[1] == "sender" else _serve(sys.argv[1])
