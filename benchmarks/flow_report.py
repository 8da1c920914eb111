"""The report about what happens between socket and strategy: ibwire, its peers and bare C in turns.

    python -m benchmarks.flow_report [--part NAME] [--runs 5] [--json FILE]

Each party is a process of its own and all of them are measured in every round. Pinned are: in ``inline`` and
``peers`` the sender to the first core and the client to the second; in ``shared`` the owner to the first and the
attached process to the second, and the hand-over in C likewise. The rest is left to the scheduler.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from benchmarks import ceiling as bare
from benchmarks import mixes, report, results, subject
from benchmarks.ceiling import Ceiling
from benchmarks.child import Child
from benchmarks.compat_peer import Side
from benchmarks.flow_peer import FlowChild
from benchmarks.peer import Peer
from benchmarks.results import BYTES, NS, RATE, Figure
from benchmarks.sender import Sender
from benchmarks.turns import interleaved

WARM_UP: Final = 1000
FLOODS: Final = (200_000, 5_000_000)
RATE_PER_S: Final = 10_000
SENDER_CPU: Final = 0
CLIENT_CPU: Final = 1
Answer = dict[str, Any]
Takers = dict[str, Callable[[], Answer]]


class Bench:
    """The processes of one report, started when a part first asks for them, and what could not be measured."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.missing: list[str] = []
        self.stack = ExitStack()
        self._started: dict[str, Any] = {}

    def _get(self, name: str, start: Callable[[], Any]) -> Any:
        if name not in self._started:
            self._started[name] = self.stack.enter_context(start())
        return self._started[name]

    @property
    def sender(self) -> Sender:
        found: Sender = self._get("sender", Sender)
        return found

    def flow(self, name: str) -> FlowChild:
        """A process of ``flow_peer``: one for each party of each part, for the scheduler remembers who spun."""
        found: FlowChild = self._get(f"flow {name}", FlowChild)
        return found

    def side(self, name: str) -> Side:
        """A process of ``compat_peer``."""
        found: Side = self._get(f"side {name}", partial(Side, name))
        return found

    def peer(self) -> Peer:
        found: Peer = self._get("peer", Peer)
        return found

    def available(self, part: str, takers: Takers) -> list[str]:
        """Run each once, to warm up. Names of those that ibwire has a part for; of the others it is noted."""
        there: list[str] = []
        for name, take in takers.items():
            try:
                take()
            except subject.Unavailable as error:
                line = f"{part}, {name}: {error}"
                if line not in self.missing:
                    self.missing.append(line)
            else:
                there.append(name)
        return there

    def take_turns(self, part: str, takers: Takers) -> dict[str, list[Answer]]:
        """`interleaved`, of those that are `available`."""
        there = {name: takers[name] for name in self.available(part, takers)}
        return interleaved(self.args.runs, there, warm_up=False)


def _column(seen: dict[str, list[Answer]], name: str, key: str) -> list[float]:
    return [float(answer[key]) for answer in seen[name]]


# ------------------------------------------------------------------------------------------------------ bytes in memory


def decode(bench: Bench) -> Iterator[Figure]:
    """Bytes in memory to the market ring, beside unchecked bare C in two variants and the official decoder."""
    with tempfile.TemporaryDirectory() as plain, tempfile.TemporaryDirectory() as folder:
        ceilings = {
            "bare C, plain loops": Ceiling(Path(plain), byte_loops=True),
            "bare C, eight bytes at a time": Ceiling(Path(folder)),
        }
        for dialect in mixes.DIALECTS:
            for mix in bare.MIXES:
                seen = report.samples(bench.peer(), ceilings, mix, dialect, bench.args)
                if "ibwire" not in seen:
                    bench.missing.append(f"decode, {mix} {dialect}: ibwire is not built")
                    continue
                simple = mix in ("M1", "M2")
                what = f"{mix}: bytes in memory to the market ring"
                ours = seen["ibwire"]
                for who in ceilings:
                    yield Figure("decode", what, dialect, RATE, ours, who, seen[who], 0.7 if simple else 0.55)
                yield Figure("decode", what, dialect, RATE, ours, "official", seen["peer"], 100 if simple else 60)


def _decoded(decode_all: Callable[[], int], count: int) -> Answer:
    return {"messages_per_s": report.messages_per_s(decode_all, count)}


def orders(bench: Bench) -> Iterator[Figure]:
    """M5 to the order ring, beside the official decoder and ib_async's full wrapper."""
    count, seed, what = bench.args.peer_count, bench.args.seed, "M5: bytes in memory to the order ring"
    for dialect in mixes.DIALECTS:
        decode_all = subject.decoder(dialect, mixes.mix("M5", dialect, count, seed))
        takers: Takers = {
            "ibwire": partial(_decoded, decode_all, count),
            "official": partial(bench.peer().rate, "M5", dialect, count, seed),
        }
        if dialect == "t176":
            about = {"dialect": dialect, "count": count, "seed": seed}
            takers["ib_async, full wrapper"] = partial(bench.side("ib_async").ask, do="orders", **about)
        seen = bench.take_turns("orders", takers)
        ours = _column(seen, "ibwire", "messages_per_s")
        for name, target in (("official", 40), ("ib_async, full wrapper", 150)):
            if name in seen:
                theirs = _column(seen, name, "messages_per_s")
                yield Figure("orders", what, dialect, RATE, ours, name, theirs, target)


def poll(bench: Bench) -> Iterator[Figure]:
    """A poll beside a copy of as many bytes and an empty Python call."""
    for records, target in ((1, 10), (256, 2)):
        ask = partial(bench.flow("poll, ibwire").ask, do="poll", records=records, calls=bench.args.polls)
        seen = bench.take_turns("poll", {"ibwire": ask})
        if "ibwire" in seen:
            floor = [answer["copy"] + answer["call"] for answer in seen["ibwire"]]
            ours = _column(seen, "ibwire", "poll")
            what = f"poll of {records} record{'s' * (records > 1)}"
            yield Figure("poll", what, "-", NS, ours, "memcpy and a Python call", floor, target)


# ------------------------------------------------------------------------------------------------------------- floods


def _flood(
    bench: Bench, start: Callable[[], Any], dialect: str, count: int, do: str = "flood", **request: Any
) -> Answer:
    """One flood into a fresh process, for its memory is compared too; a small one comes first, to warm up."""
    answer: Answer = {}
    with start() as child:
        for messages in (WARM_UP, count):
            port = bench.sender.flood(dialect, messages, bench.args.seed)
            answer = child.ask(do=do, port=port, count=messages, **request)
    return {**answer, "messages_per_s": count / answer["seconds"]}


def _flood_takers(bench: Bench, dialect: str, count: int, official: int) -> Takers:
    run = partial(_flood, bench, dialect=dialect, count=count)
    takers: Takers = {name: partial(run, FlowChild, mode=mode) for mode, name in RINGS.items()}
    takers[CALLBACKS] = partial(run, partial(Side, "ibwire"))
    takers["bare C, framing only"] = partial(run, FlowChild, do="bare_flood")
    if dialect == "t176":  # ib_async does not speak the other
        takers["ib_async, minimal wrapper"] = partial(run, partial(Side, "ib_async"))
    takers["official"] = partial(run, partial(Side, "official"), count=official)
    return takers


RINGS: Final = {"threaded": "every record, threaded", "inline": "every record, inline"}
CALLBACKS: Final = "EWrapper callbacks"


def flood(bench: Bench) -> Iterator[Figure]:
    """Loopback floods: every record by a cursor, every callback, peers; memory after the catch-up."""
    resident: dict[str, list[list[float]]] = {}
    for dialect in mixes.DIALECTS:
        there = bench.available("flood", _flood_takers(bench, dialect, WARM_UP, WARM_UP))
        for count in bench.args.flood:
            official = min(count, bench.args.official_most)
            takers = _flood_takers(bench, dialect, count, official)
            runs = bench.args.runs if count <= FLOODS[0] else max(1, bench.args.runs // 2)
            seen = interleaved(runs, {name: takers[name] for name in there}, warm_up=False)
            yield from _flood_figures(seen, dialect, count, official)
            for name in (*RINGS.values(), CALLBACKS):
                if dialect == "t176" and name in seen:
                    resident.setdefault(name, []).append(_column(seen, name, "resident_after"))
    for name, columns in resident.items():
        if len(columns) > 1:
            what = f"{name}: resident memory after a flood of {bench.args.flood[-1]:,}"
            other = f"after one of {bench.args.flood[0]:,}"
            yield Figure("flood", what, "t176", BYTES, columns[-1], other, columns[0], 1.1)


def _flood_figures(seen: dict[str, list[Answer]], dialect: str, count: int, official: int) -> Iterator[Figure]:
    for name in (*RINGS.values(), CALLBACKS):
        if name not in seen:
            continue
        ours = _column(seen, name, "messages_per_s")
        minimal, slow = (6, 100) if name == CALLBACKS else (25, 200)
        targets = {"ib_async, minimal wrapper": minimal, "official": slow, "bare C, framing only": None}
        for other in (other for other in targets if other in seen):
            said = other if other != "official" or official == count else f"official, of {official:,}"
            theirs = _column(seen, other, "messages_per_s")
            what = f"flood of {count:,} tickPrice: {name}"
            yield Figure("flood", what, dialect, RATE, ours, said, theirs, targets[other])


# -------------------------------------------------------------------------------------------------------------- paced


def _paced(bench: Bench, child: Child, *, sender_spins: bool = True, pinned: bool = True, **request: Any) -> Answer:
    count = bench.args.paced
    port = bench.sender.paced("t176", count, RATE_PER_S, spin=sender_spins, cpu=SENDER_CPU if pinned else None)
    if pinned:
        request["cpu"] = CLIENT_CPU
    return child.ask(port=port, count=count, **request)


def _quantile_figures(
    part: str, what: str, seen: dict[str, list[Answer]], ours: str, other: str, targets: dict[str, float | None]
) -> Iterator[Figure]:
    if ours in seen and other in seen:
        for key, target in targets.items():
            mine, theirs = _column(seen, ours, key), _column(seen, other, key)
            yield Figure(part, f"{what}, {key}", "t176", NS, mine, other, theirs, target)


def inline(bench: Bench) -> Iterator[Figure]:
    """Paced, one way: the strategy's own thread polls, spinning; and a spinning C client."""
    takers: Takers = {
        "inline": partial(_paced, bench, bench.flow("inline, ibwire"), do="paced", mode="inline", how="spin"),
        "spinning C": partial(_paced, bench, bench.flow("inline, bare"), do="bare_paced", spin=True),
    }
    seen = bench.take_turns("inline", takers)
    what = f"paced {RATE_PER_S:,}/s, one way, inline spinning"
    yield from _quantile_figures("inline", what, seen, "inline", "spinning C", {"p50": 1.3, "p99": 1.5})


def threaded(bench: Bench) -> Iterator[Figure]:
    """Paced, one way: a reader thread, and a consumer that blocks; and a blocking C client."""
    takers: Takers = {
        "block": partial(
            _paced,
            bench,
            bench.flow("threaded, ibwire"),
            do="paced",
            mode="threaded",
            how="block",
            pinned=False,
            cpu=None,
        ),
        "blocking C": partial(_paced, bench, bench.flow("threaded, bare"), do="bare_paced", spin=False, pinned=False),
    }
    seen = bench.take_turns("threaded", takers)
    what = f"paced {RATE_PER_S:,}/s, one way, threaded, blocking consumer"
    yield from _quantile_figures("threaded", what, seen, "block", "blocking C", {"p50": 2, "p99": None})


def peers(bench: Bench) -> Iterator[Figure]:
    """Paced, one way to a callback: pictures of the peers and of ibwire.compat."""
    names = {"ibwire": "ibwire.compat", "ib_async": "ib_async, minimal wrapper", "official": "official"}
    takers: Takers = {
        names[side]: partial(_paced, bench, bench.side(side), do="paced") for side in ("ibwire", "ib_async", "official")
    }
    seen = bench.take_turns("peers", takers)
    for other in (names["ib_async"], names["official"]):
        what = f"paced {RATE_PER_S:,}/s, one way to a callback"
        yield from _quantile_figures("peers", what, seen, names["ibwire"], other, {"p50": None, "p99": None})


def spinner(bench: Bench) -> Iterator[Figure]:
    """Socket to ring, by receive stamp, with and without a thread that runs Python all the time; the same in C."""
    seconds = bench.args.paced / RATE_PER_S + 0.2
    takers: Takers = {}
    for name, spinning in (("without a spinner", False), ("with a spinner", True)):
        run = partial(_paced, bench, sender_spins=False, pinned=False, spinning=spinning)
        takers[name] = partial(run, bench.flow("spinner, ibwire"), do="under_spinner", seconds=seconds)
        takers[f"C {name}"] = partial(run, bench.flow("spinner, bare"), do="bare_paced", spin=False)
    seen = bench.take_turns("spinner", takers)
    what = "socket to ring with a Python thread spinning"
    targets: dict[str, float | None] = {"p50": 1.2, "p99": 2.0}
    yield from _quantile_figures("spinner", what, seen, "with a spinner", "without a spinner", targets)
    pictures = dict.fromkeys(targets)
    what = "blocking C with a Python thread spinning (no ibwire)"
    yield from _quantile_figures("spinner", what, seen, "C with a spinner", "C without a spinner", pictures)


# ------------------------------------------------------------------------------------------------------- shared memory


def shared(bench: Bench) -> Iterator[Figure]:
    """From the owner's receive stamp to the poll of an attached process, both spinning; and the hand-over in C."""
    takers: Takers = {"attached": partial(_attached, bench), "C": partial(_hand_over, bench)}
    seen = bench.take_turns("shared", takers)
    what = "second process on shared memory, receive stamp to its poll, both spinning"
    if "attached" in seen:
        hand_over = "C ring hand-over between processes"
        for key, target in (("p50", 20), ("p99", None)):
            mine, theirs = _column(seen, "attached", key), _column(seen, "C", key)
            yield Figure("shared", f"{what}, {key}", "t176", NS, mine, hand_over, theirs, target)
        own = [answer["owner"]["p50"] for answer in seen["attached"]]
        mine, other = _column(seen, "attached", "p50"), "its owner, inline: its own stamp to its poll"
        yield Figure("shared", f"{what}, p50", "t176", NS, mine, other, own)


def _attached(bench: Bench) -> Answer:
    owner, other = bench.flow("shared, ibwire"), bench.flow("shared, attached")
    count, name = bench.args.paced, f"bench-{os.getpid()}"
    owner.ask(do="publish", name=name)
    try:
        other.ask(do="attach", name=name)
        owner.tell(do="drive", count=count, rate=RATE_PER_S, cpu=SENDER_CPU)
        other.tell(do="watch", count=count, cpu=CLIENT_CPU)
        own = owner.hear()
        return {**other.hear(), "owner": own}
    finally:
        owner.ask(do="unpublish")


def _hand_over(bench: Bench) -> Answer:
    return bench.flow("shared, bare").ask(do="hand_over", count=50 * bench.args.paced, rate=RATE_PER_S)


PARTS: Final[dict[str, Callable[[Bench], Iterator[Figure]]]] = {
    "decode": decode, "orders": orders, "flood": flood, "inline": inline, "threaded": threaded, "spinner": spinner,
    "shared": shared, "poll": poll, "peers": peers,
}  # fmt: skip


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="From the socket to the strategy: ibwire, peers, bare C, interleaved.")
    parser.add_argument("--part", choices=PARTS, action="append", help="only this part (may be repeated)")
    parser.add_argument("--runs", type=int, default=5, help="interleaved rounds per figure (default 5)")
    parser.add_argument("--count", type=int, default=200_000, help="messages per run in memory (default 200000)")
    parser.add_argument("--peer-count", type=int, default=20_000, help="... of the official client (default 20000)")
    parser.add_argument(
        "--flood", type=int, nargs="+", default=list(FLOODS), help="messages of the floods (default 200000 5000000)"
    )
    parser.add_argument("--paced", type=int, default=20_000, help="messages of a paced run (default 20000)")
    parser.add_argument("--polls", type=int, default=100_000, help="polls of a run (default 100000)")
    parser.add_argument(
        "--official-most", type=int, default=200_000,
        help="messages that the official client gets in one flood, at most; its cost per message grows with the flood,"
        " so fewer flatter it (default 200000)",
    )  # fmt: skip
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write this file, and the table beside it as .md")
    return parser.parse_args()


def main() -> int:
    args = _arguments()
    bench = Bench(args)
    figures: list[Figure] = []
    print(results.table([]), flush=True)
    with bench.stack:
        for name in args.part or PARTS:
            told = len(bench.missing)
            try:
                for figure in PARTS[name](bench):
                    figures.append(figure)
                    print("| " + " | ".join(figure.row()) + " |", flush=True)
            except subject.Unavailable as error:
                bench.missing.append(f"{name}: {error}")
            for line in bench.missing[told:]:
                print(f"not available: {line}", flush=True)
    if args.json is not None:
        results.write(args.json, figures, bench.missing, args.runs)
    return 1 if bench.missing else 0


if __name__ == "__main__":
    sys.exit(main())
