"""The report for programs that come from the official package: ibwire.compat, ibapi and ib_async in turns.

    python -m benchmarks.compat_report [--runs 5] [--only decode|flood|import] [--json]

Medians of interleaved runs, each side in a process of its own, and their ratios. Only the ratios are facts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from contextlib import ExitStack
from functools import partial
from statistics import median
from typing import Any, Final

from benchmarks import mixes
from benchmarks.child import SIDES, environment
from benchmarks.compat_peer import MANY_SIZES, Side
from benchmarks.sender import Sender
from benchmarks.turns import interleaved

MIXES: Final = ("M1", "M2", MANY_SIZES)
PARTS: Final = ("decode", "flood", "import")
MODULES: Final = {"ibwire": "ibwire.compat.client", "official": "ibapi.client"}
_IMPORT: Final = """
import sys
from time import perf_counter_ns
def resident_kb():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS:"))
before_kb, start_ns = resident_kb(), perf_counter_ns()
__import__(sys.argv[1])
end_ns = perf_counter_ns()
print((end_ns - start_ns) / 1e6, resident_kb() - before_kb)
"""


def decode(sides: dict[str, Side], mix: str, dialect: str, args: argparse.Namespace) -> dict[str, Any]:
    """Median messages per second of each side, from ``args.runs`` interleaved runs after one to warm up."""
    taking_part = [name for name in sides if name != "ib_async" or dialect == "t176"]
    about = {"mix": mix, "dialect": dialect, "seed": args.seed}
    heard = {name: sides[name].ask(do="sizes", count=1000, **about)["sizes"] for name in taking_part}
    for name, sizes in heard.items():  # what is timed does the same work; ib_async has a size of every tickPrice
        rest = map(float, sizes)
        if not all(float(size) in rest for size in heard["official"]) or (name == "ibwire" and list(rest)):
            raise RuntimeError(f"{name} and the official client differ on {mix} in {dialect}")

    def rate(name: str) -> float:
        return float(sides[name].ask(do="rate", count=args.count, **about)["messages_per_s"])

    seen = interleaved(args.runs, {name: partial(rate, name) for name in taking_part})
    rates = {name: median(values) for name, values in seen.items()}
    return {"mix": mix, "dialect": dialect, **{name: rates.get(name) for name in SIDES}}


def flood(sides: dict[str, Side], sender: Sender, dialect: str, args: argparse.Namespace) -> dict[str, Any]:
    """Median messages per second through the loopback into ``EClient.run``, interleaved, after a small one each.

    The official client is given fewer rounds, for it takes many seconds for one.
    """
    counts = {"ibwire": args.flood, "official": args.peer_flood}

    def rate(name: str, count: int) -> float:
        port = sender.flood(dialect, count, args.seed)
        seconds: float = sides[name].ask(do="flood", port=port, count=count)["seconds"]
        return count / seconds

    seen: dict[str, list[float]] = {name: [] for name in counts}
    for name in counts:
        rate(name, 1000)
    for turn in range(args.runs):
        for name, count in counts.items():
            if name == "ibwire" or turn < args.peer_flood_runs:
                seen[name].append(rate(name, count))
    spread = {name: (min(values), max(values)) for name, values in seen.items()}
    medians = {name: median(values) for name, values in seen.items()}
    return {"dialect": dialect, "counts": counts, "spread": spread, **medians}


def imports(runs: int) -> dict[str, tuple[float, float]]:
    """Median milliseconds and KB of resident memory that the client's import costs, in fresh processes in turns."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in MODULES}
    for _ in range(runs + 1):  # the first one writes the bytecode
        for name, module in MODULES.items():
            done = subprocess.run(
                [sys.executable, "-c", _IMPORT, module],
                env=environment(name),
                capture_output=True,
                text=True,
                check=True,
                cwd="/",
            )
            milliseconds, kilobytes = done.stdout.split()
            seen[name].append((float(milliseconds), float(kilobytes)))
    return {name: (median(v[0] for v in values[1:]), median(v[1] for v in values[1:])) for name, values in seen.items()}


def _rate(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value / 1e6:.2f}M" if value >= 1e6 else f"{value / 1e3:.1f}k"


def _ratio(above: float, below: float | None) -> str:
    return "-" if below is None else f"{above / below:.1f}"


def _decode_part(sides: dict[str, Side], args: argparse.Namespace) -> None:
    if not args.json:
        print(f"payloads in memory to tickPrice and tickSize, messages/s, median of {args.runs} interleaved runs")
        print(f"({MANY_SIZES}: M1 with 10,000 different sizes; ib_async: a minimal wrapper, sizes as float, text only)")
        print("mix  dialect     ibwire  official  ib_async  ibwire/official  ibwire/ib_async")
    for dialect in mixes.DIALECTS:
        for mix in MIXES:
            row = decode(sides, mix, dialect, args)
            if args.json:
                print(json.dumps({"decode": row}), flush=True)
                continue
            ours, official, other = row["ibwire"], row["official"], row["ib_async"]
            print(
                f"{mix:<4} {dialect:<8} {_rate(ours):>9} {_rate(official):>9} {_rate(other):>9}"
                f" {_ratio(ours, official):>16} {_ratio(ours, other):>16}",
                flush=True,
            )


def _flood_part(sides: dict[str, Side], args: argparse.Namespace) -> None:
    if not args.json:
        print(f"\nloopback flood of {args.flood:,} tickPrice into EClient.run, messages/s, medians of interleaved runs")
        print(f"({args.runs} of ibwire, {min(args.runs, args.peer_flood_runs)} of the official client)")
        if args.peer_flood != args.flood:
            print(f"(the official client got {args.peer_flood:,}: its cost per message grows with a flood's length)")
        print("dialect     ibwire  official  ibwire/official  ibwire from..to  official from..to")
    with Sender() as sender:
        for dialect in mixes.DIALECTS:
            row = flood(sides, sender, dialect, args)
            if args.json:
                print(json.dumps({"flood": row}), flush=True)
                continue
            ours, official = row["ibwire"], row["official"]
            spread = "  ".join(f"{_rate(low)}..{_rate(high)}".rjust(15) for low, high in row["spread"].values())
            rates = f"{_rate(ours):>9} {_rate(official):>9} {_ratio(ours, official):>16}"
            print(f"{dialect:<8} {rates}  {spread}", flush=True)


def _import_part(args: argparse.Namespace) -> None:
    found = imports(7)
    if args.json:
        print(json.dumps({"import": found}), flush=True)
        return
    print("\nimport of the client's module, fresh processes, median of 7")
    print("side            ms  resident MB")
    for name, (milliseconds, kilobytes) in found.items():
        print(f"{name:<9} {milliseconds:>8.1f} {kilobytes / 1024:>12.1f}")
    (our_ms, our_kb), (their_ms, their_kb) = found["ibwire"], found["official"]
    print(f"{'ratio':<9} {our_ms / their_ms:>8.2f} {our_kb / their_kb:>12.2f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description="ibwire.compat, the official package and ib_async, interleaved.")
    parser.add_argument("--only", choices=PARTS, action="append", help="only this part (may be repeated)")
    parser.add_argument("--runs", type=int, default=5, help="interleaved runs per figure (default 5)")
    parser.add_argument("--count", type=int, default=100_000, help="messages per run in memory (default 100000)")
    parser.add_argument("--flood", type=int, default=200_000, help="messages per flood of ibwire (default 200000)")
    parser.add_argument("--peer-flood", type=int, default=200_000, help="... of the official client (default 200000)")
    parser.add_argument("--peer-flood-runs", type=int, default=3, help="floods of the official client (default 3)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object per line instead of tables")
    args = parser.parse_args()
    parts = args.only or PARTS
    with ExitStack() as stack:
        sides = {name: stack.enter_context(Side(name)) for name in SIDES}
        if "decode" in parts:
            _decode_part(sides, args)
        if "flood" in parts:
            _flood_part(sides, args)
    if "import" in parts:
        _import_part(args)


if __name__ == "__main__":
    main()
