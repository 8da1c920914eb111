"""The peer: the official client, decode only, in a process of its own.

Measured is what its message loop does with one received message: split off the id, split the fields, decode, call back.
Framing, queue and reader thread are left out, which flatters it. The callbacks that the mixes reach count; all others
are the official ones.

    python -m benchmarks.peer --mix M1 --dialect t176        prints one JSON line per mix and dialect
    python -m benchmarks.peer --serve                        answers one JSON request per line (see `Peer`)
"""

from __future__ import annotations

import argparse
import importlib
import json
from collections.abc import Callable
from decimal import Decimal
from enum import Enum
from functools import lru_cache, partial
from time import perf_counter_ns
from typing import Any

from benchmarks import mixes
from benchmarks.child import Child, serve

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


def decode_loop(dialect: str, wrapper: Any) -> Callable[[list[bytes]], None]:
    """Decode payloads as the official message loop does. Only with the oracle on PYTHONPATH."""
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


class Official:
    """The official decoder of this process. Only with the oracle on PYTHONPATH."""

    def __init__(self) -> None:
        self.comm = importlib.import_module("ibapi.comm")
        self.decoder = importlib.import_module("ibapi.decoder").Decoder
        self.wrapper = importlib.import_module("ibapi.wrapper").EWrapper

    def rate(self, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
        """Decode once; seconds are of the loop alone."""
        callbacks = _Count()
        payloads = _payloads(mix, dialect, count, seed)
        loop = decode_loop(dialect, _counting_wrapper(self.wrapper, callbacks))
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


class Peer(Child):
    """The official client in a child process. Use as a context manager; one thread at a time."""

    def __init__(self) -> None:
        super().__init__("official", "benchmarks.peer", "--serve")

    def _ask(self, do: str, mix: str, dialect: str, count: int, seed: int) -> dict[str, Any]:
        return self.ask(do=do, mix=mix, dialect=dialect, count=count, seed=seed)

    def rate(self, mix: str, dialect: str, count: int, seed: int = 1) -> dict[str, Any]:
        """Decode ``count`` messages once in the child: messages, callbacks, seconds, messages_per_s."""
        return self._ask("rate", mix, dialect, count, seed)

    def calls(self, mix: str, dialect: str, count: int, seed: int = 1) -> dict[str, Any]:
        """The callbacks that ``count`` messages cause, in order, and the count of text fields left unread."""
        return self._ask("calls", mix, dialect, count, seed)


def _answer(official: Official, do: str, **request: Any) -> dict[str, Any]:
    return official.rate(**request) if do == "rate" else official.calls(**request)


def main() -> None:
    parser = argparse.ArgumentParser(description="Decode rates of the official client.")
    parser.add_argument("--serve", action="store_true", help="answer JSON requests on stdin")
    parser.add_argument("--mix", choices=mixes.MIXES, action="append")
    parser.add_argument("--dialect", choices=mixes.DIALECTS, action="append")
    parser.add_argument("--count", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    if args.serve:
        serve(partial(_answer, Official()))
        return
    with Peer() as peer:
        for dialect in args.dialect or mixes.DIALECTS:
            for mix in args.mix or mixes.MIXES:
                print(json.dumps(peer.rate(mix, dialect, args.count, args.seed)), flush=True)


if __name__ == "__main__":
    main()
