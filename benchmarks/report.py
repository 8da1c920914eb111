"""The interleaved report: ceiling, ibwire and peer in turns, medians and their ratios.

    python -m benchmarks.report [--runs 5] [--mix M1] [--dialect t176] [--byte-loops] [--json]

An absolute figure of a shared machine is a picture; a ratio of medians from interleaved runs is a fact. The flood part
compares what a message costs in one buffer of 64 MB with what it costs in one of 64 KB.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from statistics import median
from time import perf_counter_ns
from typing import Any

from benchmarks import ceiling as bare
from benchmarks import mixes, subject
from benchmarks.ceiling import Ceiling
from benchmarks.peer import Peer
from benchmarks.turns import interleaved

FLOOD_BYTES = 64 << 20
SMALL_BYTES = 64 << 10


def _seconds(decode: Callable[[], int], messages: int) -> float:
    start_ns = perf_counter_ns()
    count = decode()
    seconds = (perf_counter_ns() - start_ns) / 1e9
    if count != messages:
        raise RuntimeError(f"decoded {count} of {messages} messages")
    return seconds


def messages_per_s(decode: Callable[[], int], messages: int) -> float:
    return messages / _seconds(decode, messages)


@cache
def _say_once(what: str) -> None:
    print(what, file=sys.stderr)


def _subject(dialect: str, data: bytes) -> Callable[[], int] | None:
    try:
        return subject.decoder(dialect, data)
    except RuntimeError as error:
        _say_once(f"ibwire is left out: {error}")
        return None


def samples(
    peer: Peer, ceilings: dict[str, Ceiling], name: str, dialect: str, args: argparse.Namespace
) -> dict[str, list[float]]:
    """Messages per second of each who takes part, from ``args.runs`` interleaved runs after one to warm up."""
    data = mixes.mix(name, dialect, args.count, args.seed)
    decoders: dict[str, Callable[[], int] | None] = {"ibwire": _subject(dialect, data)}
    if name in bare.MIXES:
        decoders |= {who: ceiling.decoder(dialect, data) for who, ceiling in ceilings.items()}
    takers: dict[str, Callable[[], float]] = {
        who: partial(messages_per_s, decode, args.count) for who, decode in decoders.items() if decode is not None
    }
    takers["peer"] = lambda: float(peer.rate(name, dialect, args.peer_count, args.seed)["messages_per_s"])
    return interleaved(args.runs, takers)


def rates(peer: Peer, ceiling: Ceiling, name: str, dialect: str, args: argparse.Namespace) -> dict[str, Any]:
    """Their medians."""
    seen = samples(peer, {"ceiling": ceiling}, name, dialect, args)
    medians = {who: median(seen[who]) if who in seen else None for who in ("ceiling", "ibwire", "peer")}
    return {"mix": name, "dialect": dialect, **medians}


def _pieces(frames: list[bytes], size_bytes: int) -> bytes:
    """As many whole frames as fit into ``size_bytes``, starting over when they run out."""
    out = bytearray()
    while True:
        for frame in frames:
            if len(out) + len(frame) > size_bytes:
                return bytes(out)
            out += frame


def flood(ceiling: Ceiling, dialect: str, args: argparse.Namespace) -> list[dict[str, Any]]:
    """Nanoseconds per message of M1 in a 64 KB and in a 64 MB buffer, interleaved, median of ``args.runs``."""
    frames = list(mixes.frames("M1", dialect, args.count, args.seed))
    small, large = _pieces(frames, SMALL_BYTES), _pieces(frames, FLOOD_BYTES)
    counts = [sum(1 for _ in mixes.payloads(data)) for data in (small, large)]
    repeat = counts[1] // counts[0]
    rows: list[dict[str, Any]] = []
    for who, make in (("ceiling", ceiling.decoder), ("ibwire", _subject)):
        decoders = make(dialect, small), make(dialect, large)
        costs: list[tuple[float, float]] = []
        for _ in range(args.runs + 1):
            if decoders[0] is None or decoders[1] is None:
                break
            small_s = sum(_seconds(decoders[0], counts[0]) for _ in range(repeat))
            large_s = _seconds(decoders[1], counts[1])
            costs.append((small_s * 1e9 / (counts[0] * repeat), large_s * 1e9 / counts[1]))
        if costs:
            small_ns, large_ns = (median(column) for column in zip(*costs[1:], strict=True))
            rows.append({"who": who, "dialect": dialect, "small_ns": small_ns, "large_ns": large_ns})
    return rows


def _rate(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.1f}M" if value >= 1e6 else f"{value / 1e3:.0f}k"


def _ratio(above: float | None, below: float | None, form: str) -> str:
    return "-" if above is None or below is None else format(above / below, form)


def _print_rates(row: dict[str, Any]) -> None:
    ceiling, ibwire, peer = row["ceiling"], row["ibwire"], row["peer"]
    print(
        f"{row['mix']:<4} {row['dialect']:<8} {_rate(ceiling):>9} {_rate(ibwire):>9} {_rate(peer):>9}"
        f" {_ratio(ibwire, ceiling, '.0%'):>15} {_ratio(ibwire, peer, '.0f'):>12} {_ratio(ceiling, peer, '.0f'):>13}",
        flush=True,
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Decode rates: ceiling, ibwire and peer, interleaved.")
    parser.add_argument("--mix", choices=mixes.MIXES, action="append", help="only this mix (may be repeated)")
    parser.add_argument("--dialect", choices=mixes.DIALECTS, action="append", help="only this dialect")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs per figure (default 5)")
    parser.add_argument("--count", type=int, default=200_000, help="messages per run (default 200000)")
    parser.add_argument("--peer-count", type=int, default=20_000, help="messages per run of the peer (default 20000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--byte-loops", action="store_true", help="compare with the plain C variant of the ceiling")
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of tables")
    return parser.parse_args()


def main() -> None:
    args = _arguments()
    dialects = args.dialect or list(mixes.DIALECTS)
    with tempfile.TemporaryDirectory() as folder, Peer() as peer:
        ceiling = Ceiling(Path(folder), byte_loops=args.byte_loops)
        if not args.json:
            print(f"decode of bytes in memory, one thread, messages/s, median of {args.runs} interleaved runs")
            print("mix  dialect    ceiling    ibwire      peer  ibwire/ceiling  ibwire/peer  ceiling/peer")
        for dialect in dialects:
            for name in args.mix or mixes.MIXES:
                row = rates(peer, ceiling, name, dialect, args)
                print(json.dumps(row), flush=True) if args.json else _print_rates(row)
        if not args.json:
            print("\nflood of M1: ns per message in buffers of 64 KB and 64 MB")
            print("who      dialect     64 KB     64 MB   64 MB/64 KB")
        for dialect in dialects:
            for row in flood(ceiling, dialect, args):
                if args.json:
                    print(json.dumps({"flood": row}), flush=True)
                    continue
                small, large = row["small_ns"], row["large_ns"]
                print(f"{row['who']:<8} {dialect:<8} {small:>8.1f} {large:>9.1f} {large / small:>13.2f}", flush=True)


if __name__ == "__main__":
    main()
