"""One side of ``flow_report``, in a process of its own: ibwire's rings as a strategy uses them, or bare C.

    python -m benchmarks.flow_peer        answers one JSON request per line on stdin (`Flow`, `Bare`)

A time ends where the program has the record: at the clock read after the poll that returned it.
"""

from __future__ import annotations

import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from statistics import median
from time import monotonic_ns, perf_counter_ns
from typing import Any, Final

from benchmarks import mixes, subject, wire
from benchmarks.child import Child, serve
from benchmarks.compat_peer import flooded

AT_ONCE: Final = 4096
_QUIET_S: Final = 30
"""Without any record for that long a run has failed."""


class Flow:
    """ibwire. State stays between requests only where two of them say so."""

    def __init__(self, tools: wire.Wire) -> None:
        self._tools = tools
        self._attached: Any = None
        self._owner: tuple[subject.Connection, socket.socket] | None = None

    # ---------------------------------------------------------------------------------------------------- loopback

    def flood(self, port: int, count: int, mode: str) -> dict[str, Any]:
        """Every record of a flood, through ``market="every"``; sequence without a hole, no gap told."""
        with subject.Connection(port, market="every", mode=mode) as link:
            ready = link.receiver() if mode == "inline" else link.waiter("block")
            poll, total, first, last = link.cursor.poll, 0, 0, 0
            before = wire.resident_bytes()
            begin_ns = perf_counter_ns()
            link.begin()
            while total < count:
                batch = poll(AT_ONCE)
                if len(batch):
                    first = first or int(batch["seq"][0])
                    total += len(batch)
                    if total >= count:
                        last = int(batch["seq"][-1])
                else:
                    ready()
            took_ns = perf_counter_ns() - begin_ns
            gap = link.cursor.gap
            answer = flooded(total, count, took_ns, before)
        if gap or last - first + 1 != count:
            raise RuntimeError(f"{count} messages have sequence numbers {first}..{last} and {gap} records are lost")
        return answer

    def paced(self, port: int, count: int, mode: str, how: str, cpu: int | None) -> dict[str, Any]:
        """One way of stamped messages: inline and spinning, or threaded with a consumer that waits in some way."""
        wire.pin(cpu)
        try:
            with subject.Connection(port, mode=mode) as link:
                ready = link.receiver() if mode == "inline" else link.waiter(how)
                times = _one_way(ready, link.cursor.poll, link.begin, count)
        finally:
            wire.pin(None)
        return asdict(wire.quantiles(times))

    def under_spinner(self, port: int, count: int, seconds: float, spinning: bool) -> dict[str, Any]:
        """From stamp to receive stamp (``recv_ns``) while this thread sleeps and perhaps another runs Python.

        The receive stamp is taken by the reader after its receive call; what it then does until the record can be seen
        needs nothing that the spinner holds, so it is the same with and without.
        """
        records = 1 << (2 * count).bit_length()
        with subject.Connection(port, records=records) as link, _spinner(spinning):
            link.begin()
            time.sleep(seconds)
            deadline = time.monotonic() + _QUIET_S
            while link.cursor.pending < count and time.monotonic() < deadline:
                time.sleep(0.1)
            batch = link.cursor.poll(count)
            stamps = zip(batch["recv_ns"].tolist(), subject.sizes(batch), strict=True)
            times = [wire.one_way_ns(recv_ns, size) for recv_ns, size in stamps]
            gap = link.cursor.gap
        if len(times) != count or gap:
            raise RuntimeError(f"{len(times)} of {count} records came, {gap} are lost")
        return asdict(wire.quantiles(times))

    # ----------------------------------------------------------------------------------------------- shared memory

    def publish(self, name: str) -> dict[str, Any]:
        """Open an inline link to a sender in this process, published under a name; `drive` goes on from here."""
        held: list[socket.socket] = []
        listener = socket.create_server((wire.HOST, 0))

        def gateway() -> None:
            try:
                sock, _ = listener.accept()
            except OSError:  # nobody will come
                return
            held.append(sock)
            wire.greet(sock, "t176")

        thread = threading.Thread(target=gateway)
        thread.start()
        try:
            link = subject.Connection(listener.getsockname()[1], mode="inline", publish=name)
            link.begin()
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            listener.close()
        self._owner = link, held[0]
        return {}

    def drive(self, count: int, rate: int, cpu: int) -> dict[str, Any]:
        """Send paced messages, receive them inline, spinning; from receive stamp to own poll."""
        assert self._owner is not None
        link, peer = self._owner
        wire.pin(cpu)
        what = wire.stamped("t176")
        begin, end = what.frame[: what.digits_at], what.frame[what.digits_at + 9 :]
        poll, receive, period_ns = link.cursor.poll, link.receiver(), 1_000_000_000 // rate
        out, times = peer.fileno(), list[int]()
        due_ns = monotonic_ns() + period_ns
        for _ in range(count):
            while (stamp_ns := monotonic_ns()) < due_ns:
                pass
            due_ns = max(due_ns + period_ns, stamp_ns)
            os.write(out, begin + b"%09d" % (stamp_ns % wire.STAMP_MODULUS) + end)
            while not receive():
                pass
            batch = poll(AT_ONCE)
            now_ns = monotonic_ns()
            times.append(now_ns - int(batch["recv_ns"][0]))
        wire.pin(None)
        return asdict(wire.quantiles(times))

    def unpublish(self) -> dict[str, Any]:
        """The end of `publish`."""
        assert self._owner is not None
        link, peer = self._owner
        self._owner = None
        with link, peer:
            pass
        return {}

    def attach(self, name: str) -> dict[str, Any]:
        """Attach to what another process published, from the next record on; `watch` goes on from here."""
        self._attached = subject.attach(name)
        return {}

    def watch(self, count: int, cpu: int) -> dict[str, Any]:
        """Spin on the attached ring; from the owner's receive stamp to this process's poll."""
        wire.pin(cpu)
        poll, times = self._attached.poll, list[int]()
        deadline_ns = monotonic_ns() + _QUIET_S * 1_000_000_000
        while len(times) < count:
            batch = poll(AT_ONCE)
            now_ns = monotonic_ns()
            if len(batch):
                times += [now_ns - int(recv_ns) for recv_ns in batch["recv_ns"]]
            elif now_ns > deadline_ns:
                raise RuntimeError(f"{len(times)} of {count} records came over")
        wire.pin(None)
        self._attached = None
        return asdict(wire.quantiles(times))

    # ----------------------------------------------------------------------------------------------------- polling

    def poll(self, records: int, calls: int) -> dict[str, Any]:
        """What a poll of so many records costs beside a copy of them and an empty Python call, ns each, medians."""
        feed, cursor = subject.market("t176")
        frames = list(mixes.frames("M1", "t176", records, seed=1))
        batches = max(1, subject.RING_RECORDS // 4 // records)
        data = b"".join(frames) * batches
        seen: dict[str, list[float]] = {"poll": [], "call": [], "copy": []}
        for _ in range(max(3, calls // batches)):
            feed(data)
            seen["poll"].append(_timed(cursor.poll, records, batches))
            if cursor.pending or cursor.gap:
                raise RuntimeError(f"{batches} polls of {records} left {cursor.pending} and lost {cursor.gap}")
            seen["call"].append(_timed(_nothing, records, batches))
            seen["copy"].append(self._tools.copy_ns(records, batches))
        return {name: median(values) for name, values in seen.items()}


class Bare:
    """The floors: C on the same traffic."""

    def __init__(self, tools: wire.Wire) -> None:
        self._tools = tools

    def bare_paced(
        self, port: int, count: int, spin: bool, cpu: int | None = None, spinning: bool = False
    ) -> dict[str, Any]:
        """One way to a C client that spins or blocks, perhaps beside a thread that runs Python."""
        wire.pin(cpu)
        try:
            with _spinner(spinning), wire.begin(wire.connect(port)) as sock:
                times = self._tools.receive_paced(sock, wire.stamped("t176"), count, spin=spin)
        finally:
            wire.pin(None)
        return asdict(wire.quantiles(times))

    def bare_flood(self, port: int, count: int) -> dict[str, Any]:
        """Framing only, by a C client that blocks."""
        with wire.connect(port) as sock:
            before = wire.resident_bytes()
            start_ns = perf_counter_ns()
            wire.begin(sock)
            self._tools.receive_flood(sock, count, spin=False)
            return flooded(count, count, perf_counter_ns() - start_ns, before)

    def hand_over(self, count: int, rate: int) -> dict[str, Any]:
        """Between two processes, spinning: ns a record as fast as they go, and one way at a pace."""
        ns, checksum = self._tools.hand_over(count, processes=True)
        times, paced_checksum = self._tools.hand_over_one_way(count // 50, rate, processes=True)
        if checksum != wire.hand_over_checksum(count) or paced_checksum != wire.hand_over_checksum(count // 50):
            raise RuntimeError("the hand-over changed a record")
        return {"ns_per_record": ns, **asdict(wire.quantiles(times))}


def _one_way(
    ready: Callable[[], object], poll: Callable[[int], Any], begin: Callable[[], None], count: int
) -> list[int]:
    times: list[int] = []
    begin()
    while len(times) < count:
        if ready():
            batch = poll(AT_ONCE)
            now_ns = monotonic_ns()
            times += [wire.one_way_ns(now_ns, size) for size in subject.sizes(batch)]
    return times


@contextmanager
def _spinner(wanted: bool) -> Iterator[None]:
    """A thread that runs Python all the time."""
    stop = threading.Event()
    thread = threading.Thread(target=_spin, args=(stop,))
    if wanted:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        if wanted:
            thread.join()


def _spin(stop: threading.Event) -> None:
    turns = 0
    while not stop.is_set():
        for _ in range(1000):
            turns += 1


def _nothing(records: int) -> None:
    pass


def _timed(call: Callable[[int], object], argument: int, times: int) -> float:
    """Nanoseconds a call, the loop taken out."""
    turns = range(times)
    start_ns = perf_counter_ns()
    for _ in turns:
        call(argument)
    called_ns = perf_counter_ns()
    for _ in turns:
        pass
    return (2 * called_ns - start_ns - perf_counter_ns()) / times


class FlowChild(Child):
    """This module in a child process."""

    def __init__(self) -> None:
        super().__init__("ibwire", "benchmarks.flow_peer")

    def hear(self) -> dict[str, Any]:
        """As `Child.hear`. Raises subject.Unavailable when ibwire has no such part."""
        answer = super().hear()
        if "unavailable" in answer:
            raise subject.Unavailable(answer["unavailable"])
        return answer


def _answer(parties: tuple[Flow, Bare], do: str, **request: Any) -> dict[str, Any]:
    try:
        found = next(getattr(party, do) for party in parties if hasattr(party, do))
        answer: dict[str, Any] = found(**request)
    except subject.Unavailable as error:
        return {"unavailable": str(error)}
    return answer


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        tools = wire.Wire(Path(folder))
        serve(partial(_answer, (Flow(tools), Bare(tools))))


if __name__ == "__main__":
    main()
