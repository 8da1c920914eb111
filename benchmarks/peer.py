"""The peer: the official client, decode only, in a process of its own.

Measured is what its message loop does with one received message: split off the id, split the fields, decode, call back.
Framing, queue and reader thread are left out, which flatters it. The callbacks that the mixes reach count; all others
are the official ones.

    python -m benchmarks.peer --mix M1 --dialect t176        prints one JSON line per mix and dialect
    python -m benchmarks.peer --serve                        answers one JSON request per line (see `Peer`)

The package is found in ``.oracles/10.46.1``; the environment variable IBWIRE_ORACLES names another ``.oracles``.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from pathlib import Path
from time import perf_counter_ns
from typing import Any

from benchmarks import mixes

VERSION = "10.46.1"
ROOT = Path(__file__).resolve().parent.parent
COUNTED = (
    "tickPrice", "tickSize", "tickString", "tickGeneric", "tickByTickAllLast", "tickByTickBidAsk", "updateMktDepthL2",
    "openOrder", "orderStatus", "execDetails", "commissionAndFeesReport",
)  # fmt: skip

# ----------------------------------------------------------------------------------------------------- the child's side


class _Count:
    """How many callbacks came. One object, so that a callback costs one attribute update."""

    total = 0


def _counting_wrapper(base: Any, count: _Count) -> Any:
    def callback(self: object, *_args: object) -> None:
        count.total += 1

    return type("CountingWrapper", (base,), dict.fromkeys(COUNTED, callback))()


def _recording_wrapper(base: Any, calls: list[list[Any]]) -> Any:
    def recorder(name: str) -> Callable[..., None]:
        return lambda _self, *args: calls.append([name, *map(_plain, args)])

    return type("RecordingWrapper", (base,), {name: recorder(name) for name in (*COUNTED, "error")})()


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (Decimal, Enum)):
        return str(value)
    return {k: _plain(v) for k, v in vars(value).items()} if hasattr(value, "__dict__") else repr(value)


@lru_cache(maxsize=2)
def _payloads(mix: str, dialect: str, count: int, seed: int) -> list[bytes]:
    return list(mixes.payloads(mixes.mix(mix, dialect, count, seed)))


class _Fields(tuple[bytes, ...]):
    """Text fields that remember how many of them a decoder took."""

    taken = 0

    def __iter__(self) -> Any:
        for index in range(len(self)):
            self.taken = index + 1
            yield self[index]


class Official:
    """The official decoder of this process. Only with the oracle on PYTHONPATH."""

    def __init__(self) -> None:
        self.comm = importlib.import_module("ibapi.comm")
        self.decoder = importlib.import_module("ibapi.decoder").Decoder
        self.wrapper = importlib.import_module("ibapi.wrapper").EWrapper

    def _loop(self, dialect: str, wrapper: Any) -> Callable[[list[bytes]], None]:
        decoder = self.decoder(wrapper, mixes.SERVER_VERSIONS[dialect])
        read_fields = self.comm.read_fields

        def text(payloads: list[bytes]) -> None:
            for payload in payloads:
                end = payload.index(b"\0")
                decoder.interpret(read_fields(payload[end + 1 :]), int(payload[:end]))

        def proto(payloads: list[bytes]) -> None:
            for payload in payloads:
                decoder.processProtoBuf(payload[4:], int.from_bytes(payload[:4], "big") - 200)

        return text if dialect == "t176" else proto

    def rate(self, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
        """Decode once; seconds are of the loop alone."""
        callbacks = _Count()
        payloads = _payloads(mix, dialect, count, seed)
        loop = self._loop(dialect, _counting_wrapper(self.wrapper, callbacks))
        start_ns = perf_counter_ns()
        loop(payloads)
        seconds = (perf_counter_ns() - start_ns) / 1e9
        return {
            "mix": mix, "dialect": dialect, "messages": count, "callbacks": callbacks.total, "seconds": seconds,
            "messages_per_s": count / seconds,
        }  # fmt: skip

    def calls(self, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
        """The callbacks in order, and how many text fields the decoder left unread."""
        made: list[list[Any]] = []
        decoder = self.decoder(_recording_wrapper(self.wrapper, made), mixes.SERVER_VERSIONS[dialect])
        unread = 0
        for payload in _payloads(mix, dialect, count, seed):
            if dialect == "p225":
                decoder.processProtoBuf(payload[4:], int.from_bytes(payload[:4], "big") - 200)
                continue
            end = payload.index(b"\0")
            fields = _Fields(self.comm.read_fields(payload[end + 1 :]))
            decoder.interpret(fields, int(payload[:end]))
            if fields.taken:  # messages decoded by signature never iterate; there the count must match anyway
                unread += len(fields) - fields.taken
        return {"calls": made, "unread": unread}


# ---------------------------------------------------------------------------------------------------- the parent's side


def oracle() -> Path:
    """Folder of the official package.

    Raises
    ------
    FileNotFoundError
        It is not there. A missing oracle is an error, never a skipped benchmark.
    """
    folder = Path(os.environ.get("IBWIRE_ORACLES", ROOT / ".oracles")) / VERSION
    if not (folder / "ibapi" / "decoder.py").is_file():
        raise FileNotFoundError(f"no ibapi in {folder}: set IBWIRE_ORACLES to the folder that has {VERSION}/")
    return folder.resolve()


class Peer:
    """The official client in a child process. Use as a context manager; one thread at a time."""

    def __init__(self) -> None:
        path = os.pathsep.join((str(oracle()), str(ROOT)))
        self._child = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.peer", "--serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_exc: object) -> None:
        assert self._child.stdin is not None and self._child.stdout is not None
        self._child.stdin.close()
        self._child.wait(timeout=60)
        self._child.stdout.close()

    def _ask(self, do: str, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
        assert self._child.stdin is not None and self._child.stdout is not None
        request = {"do": do, "mix": mix, "dialect": dialect, "count": count, "seed": seed}
        self._child.stdin.write(json.dumps(request) + "\n")
        self._child.stdin.flush()
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the official client ended with {self._child.wait()} at {request}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def rate(self, mix: str, dialect: str, count: int, seed: int = 1) -> dict[str, Any]:
        """Decode ``count`` messages once in the child: messages, callbacks, seconds, messages_per_s."""
        return self._ask("rate", mix, dialect, count, seed)

    def calls(self, mix: str, dialect: str, count: int, seed: int = 1) -> dict[str, Any]:
        """The callbacks that ``count`` messages cause, in order, and the count of text fields left unread."""
        return self._ask("calls", mix, dialect, count, seed)


def _serve() -> None:
    official = Official()
    for line in sys.stdin:
        request = json.loads(line)
        do = official.rate if request.pop("do") == "rate" else official.calls
        print(json.dumps(do(**request)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="Decode rates of the official client.")
    parser.add_argument("--serve", action="store_true", help="answer JSON requests on stdin")
    parser.add_argument("--mix", choices=mixes.MIXES, action="append")
    parser.add_argument("--dialect", choices=mixes.DIALECTS, action="append")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.serve:
        _serve()
        return
    with Peer() as peer:
        for dialect in args.dialect or mixes.DIALECTS:
            for mix in args.mix or mixes.MIXES:
                print(json.dumps(peer.rate(mix, dialect, args.count, args.seed)), flush=True)


if __name__ == "__main__":
    main()
