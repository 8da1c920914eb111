"""The journal: what was intended, sent and answered, so that it is known after any crash.

Whoever sends writes the intent, with the frame, before a byte leaves, and what became of it afterwards; the compiled
recorder writes what comes in, in the receiving thread; the rest (verdicts, transitions, kills, what somebody did by
hand) is told by whoever knows. Segments are mapped files: what was written survives ``kill -9`` at once; ``fsync`` says
what survives a power failure. A journal that takes no more refuses what can add risk, never a cancel. The bytes:
``io/journal_format.py``; reading: ``io/journal_read.py``; back to a table: ``io/journal_rebuild.py``.
"""

from __future__ import annotations

import errno
import fcntl
import itertools
import os
import sys
import threading
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ibwire.errors import ConfigError, IbwireError
from ibwire.io import journal_plain, life
from ibwire.io.journal_api import Journal, NullJournal, Received
from ibwire.io.journal_errors import JournalError, JournalFull, JournalLocked
from ibwire.io.journal_format import (
    AFTER,
    HEAD_BYTES,
    INTENT,
    OUTCOME,
    RECORD_HEAD,
    Act,
    Kind,
    SegmentHead,
    json_body,
    make_head,
    read_head,
)
from ibwire.io.journal_read import Reading, names_in, segments_of
from ibwire.ring import impl

__all__ = ["FSYNC", "Act", "FileJournal", "Journal", "MemoryJournal", "NullJournal"]

FSYNC: Final = ("always", "interval", "never")
_LOCK_NAME: Final = "journal.lock"
_MIN_SEGMENT_BYTES: Final = 1 << 16
_RESERVE_SHARE: Final = 4  # of a segment: kept for cancels and answers once no new segment can be had
_open_here: dict[tuple[int, int], int] = {}
_open_lock = threading.Lock()


class _Writing:
    """What the journals that write have in common: entries to bytes."""

    directory: Path | None = None
    fsync = "never"

    def __init__(self, appender: Any, segment_bytes: int) -> None:
        self._appender = appender
        self._reserve = segment_bytes // _RESERVE_SHARE
        self._generation = life.generation()
        self._recorder: Any = None
        self._failing = ""
        self._high = 0
        self._closed = False
        self.epoch = 0

    @property
    def problem(self) -> str:
        if self._closed:
            return "the journal is closed"
        number = self._appender.failure
        return self._failing or (os.strerror(number) if number else "")

    @property
    def last_seq(self) -> int:
        """Sequence number of the newest entry."""
        return int(self._appender.last_seq)

    @property
    def missed(self) -> int:
        """Entries that found no room since it was opened; the journal tells of them where it goes on."""
        return int(self._appender.missed)

    def session(self, client_id: int, server_version: int, now_ns: int, **facts: Any) -> int:
        self.epoch += 1
        body = json_body({"clientId": client_id, "serverVersion": server_version, "epoch": self.epoch, **facts})
        self._appender.set_preamble(body, self.epoch)
        self._put(Kind.SESSION, now_ns, body)
        return self.epoch

    def intent(self, act: Act, order_id: int, frame: bytes, after_seq: int, now_ns: int) -> int:
        life.check(self._generation)
        head = INTENT.pack(order_id, after_seq, act, 0, len(frame))
        adds_risk = act.may_add_risk
        if adds_risk:  # a cancel may name any number
            self._use(order_id)
        reserve = self._reserve if adds_risk else 0
        seq: int = self._appender.put(Kind.INTENT, now_ns, head, frame, reserve, not adds_risk)
        self._note_first(order_id, seq)
        if seq and adds_risk and self.fsync == "always":  # a cancel waits for no disk
            self._sync()
        if adds_risk and (not seq or self._failing):
            where = "" if self.directory is None else f" in {self.directory}"
            if seq:
                self.send_failed(seq, order_id, 0, f"refused: {self._failing}", after_seq, now_ns)
            why = self.problem or "it is too large"
            problem = f"the {act.label} of order {order_id} cannot be journaled{where}: {why}"
            raise JournalFull(problem, hint="nothing was sent; make room on that disk. Cancels still go out")
        return seq

    def sent(self, intent: int, order_id: int, wrote_bytes: int, after_seq: int, now_ns: int) -> None:
        self._put(Kind.SENT, now_ns, OUTCOME.pack(order_id, after_seq, intent, wrote_bytes))

    def send_failed(
        self, intent: int, order_id: int, wrote_bytes: int, reason: str, after_seq: int, now_ns: int
    ) -> None:
        head = OUTCOME.pack(order_id, after_seq, intent, wrote_bytes)
        self._put(Kind.SEND_FAILED, now_ns, head, reason.encode("utf-8", "replace"))

    def received(self, entry: Received, from_control: bool = False) -> None:
        if self._recorder is None or from_control:
            head = RECORD_HEAD.pack(
                entry.seq, entry.recv_ns, entry.kind, 0, entry.flags, entry.code, len(entry.payload), 0
            )
            self._put(Kind.RECEIVED, entry.recv_ns, head, entry.payload)

    def told(self, what: str, after_seq: int, now_ns: int, **values: Any) -> None:
        self._put(Kind.INPUT, now_ns, AFTER.pack(after_seq), json_body({"input": what, "with": values}))

    def verdict(self, order_id: int, verdict: str, policy: str, reason: str, now_ns: int) -> None:
        values = {"orderId": order_id, "verdict": verdict, "policy": policy, "reason": reason}
        self._put(Kind.VERDICT, now_ns, json_body(values))

    def transition(self, order_id: int, perm_id: int, before: str, after: str, title: str, now_ns: int) -> None:
        # In this order: who begins with the journal reads it without a parser (_journal_index.pxi).
        values = {"orderId": order_id, "permId": perm_id, "from": before, "to": after, "title": title}
        self._put(Kind.TRANSITION, now_ns, json_body(values))

    def kill(self, what: str, scope: str, reason: str, now_ns: int) -> None:
        self._put(Kind.KILL, now_ns, json_body({"kill": what, "scope": scope, "reason": reason}))

    def override(self, name: str, what: str, now_ns: int) -> None:
        if not name.strip():
            raise ConfigError("who overrides by hand says who it is", hint="give a name")
        if not self._put(Kind.OVERRIDE, now_ns, json_body({"name": name, "what": what})):
            problem = f"what {name} did by hand was not written down: {self.problem or 'it is too large'}"
            raise JournalFull(problem, hint="write it down elsewhere")

    def lost(self, reason: str, now_ns: int) -> None:
        self._put(Kind.LOST, now_ns, json_body({"reason": reason}))

    def high_water(self, order_id: int, now_ns: int, **facts: Any) -> None:
        self._use(order_id)
        self._put(Kind.HIGH_WATER, now_ns, json_body({"orderId": order_id, **facts}))

    def note(self, text: str, now_ns: int) -> None:
        self._put(Kind.NOTE, now_ns, json_body({"text": text}))

    def _note_first(self, order_id: int, seq: int) -> None:
        """The first entry of an order, for who removes old ones."""

    def _use(self, order_id: int) -> None:
        if order_id > self._high:
            self._high = order_id
            self._appender.set_high_water(order_id)

    def _put(self, kind: Kind, now_ns: int, a: bytes, b: bytes = b"") -> int:
        life.check(self._generation)
        seq: int = self._appender.put(kind, now_ns, a, b)
        return seq

    def _sync(self) -> None:
        try:
            self._appender.sync()
            self._failing = ""
        except OSError as error:
            self._failing = f"it cannot be written to the disk: {error.strerror}"


class MemoryJournal(_Writing):
    """Keeps the newest entries in memory: for ``state_dir=None``. What that gives up: ``statedir.GIVEN_UP``."""

    def __init__(self, segment_bytes: int = 1 << 20) -> None:
        head = _new_head(time.time_ns(), segment_bytes)
        super().__init__(journal_plain.Appender(None, head, segment_bytes), segment_bytes)
        self._appender.start(1, 1)

    def reading(self) -> Reading:
        """What it holds, to be read."""
        return Reading([(f"segment in memory {n}", data) for n, data in enumerate(self._appender.memory(), 1)])

    def record(self, link: Any) -> bool:
        return False

    def prune(self, open_orders: dict[int, int]) -> list[str]:
        return []

    def maintain(self) -> None:
        pass

    def close(self) -> None:
        self._closed = True


class FileJournal(_Writing):
    """A journal on disk. One writer at a time.

    Parameters
    ----------
    directory : path
        Where its segments lie; made where it is missing.
    fsync : str
        What survives a power failure (all survives the end of the process, however it comes). ``always``: every
        placement and modify is on the disk before its bytes leave, at the price of a disk write each (a cancel waits
        for none); ``interval``: what is older than ``interval_ms``; ``never``: what the system happened to write.
    interval_ms : float
        1 or more.
    segment_bytes : int
        64 KiB or more, a multiple of 4096; of a journal that is there its own size counts.
    retention_segments : int or None
        How many complete segments :meth:`prune` leaves, beside those that an open order needs; None: all.
    thread : bool
        False: nobody synchronises or prepares but :meth:`maintain`.

    Raises
    ------
    JournalLocked : somebody writes it. JournalCorrupt, JournalVersion : it cannot be trusted; nothing was changed.
    JournalFull : there is no room for a segment. JournalError : nothing can be written there.
    """

    directory: Path

    def __init__(
        self, directory: str | os.PathLike[str], *, fsync: str = "interval", interval_ms: float = 200.0,
        segment_bytes: int = 1 << 24, retention_segments: int | None = 64, thread: bool = True,
    ) -> None:  # fmt: skip
        if fsync not in FSYNC:
            raise ConfigError(f"fsync cannot be {fsync!r}", hint=f"say {', '.join(FSYNC)}")
        if not _MIN_SEGMENT_BYTES <= segment_bytes <= 1 << 30 or segment_bytes % 4096:
            raise ConfigError(f"a segment of {segment_bytes} bytes", hint="64 KiB to 1 GiB, a multiple of 4096")
        if interval_ms < 1 or (retention_segments is not None and retention_segments < 1):
            raise ConfigError("interval_ms and retention_segments are 1 or more")
        self.directory = Path(directory)
        self.fsync, self._interval_s, self._retention = fsync, interval_ms / 1000, retention_segments
        self.cut = ""
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock_fd, self._key = _lock(self.directory / _LOCK_NAME)
        except OSError as error:
            problem = f"there can be no journal in {self.directory}: {error.strerror}"
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise JournalFull(problem, hint="make room on that disk") from error
            raise JournalError(problem, hint="choose another state_dir, or see what stands in the way") from error
        self._first_seen: dict[int, int] = {}
        try:
            self._open(segment_bytes)
        except BaseException:
            _unlock(self._lock_fd, self._key)
            raise
        self._stop = threading.Event()
        self._chores: list[Callable[[], object]] = []
        self._due = time.monotonic() + self._interval_s
        self._thread = threading.Thread(target=self._run, name="ibwire-journal", daemon=True) if thread else None
        life.watch(self)
        if self._thread is not None:
            self._thread.start()

    def _open(self, segment_bytes: int) -> None:
        found = names_in(self.directory)
        reading, epoch, head = _tail_of(found)
        capacity = head.capacity if head is not None else segment_bytes
        journal = head.journal if head is not None else time.time_ns()
        make = journal_plain.Appender if impl.NAME != "compiled" else import_module("ibwire._journal").Appender
        appender = make(str(self.directory), _new_head(journal, capacity), capacity, self.fsync != "never")
        super().__init__(appender, capacity)
        self.epoch = epoch
        self._use(0 if head is None else head.high_water)
        try:
            if head is None or reading is None:
                appender.start(1, 1)
            elif reading.is_ended:
                appender.start(head.number + 1, reading.last_seq + 1)
            else:
                appender.resume(head.number, reading.next_offset, reading.last_seq + 1)
        except OSError as error:
            where = f"{self.directory}: {error.strerror}"
            raise JournalFull(f"there is no room for the journal in {where}", hint="make room on that disk") from error
        now = time.monotonic_ns()
        if reading is not None and reading.tail is not None:
            self.cut = str(reading.tail)
            tail = reading.tail
            self._put(Kind.CUT, now, json_body({"bytes": tail.cut_bytes, "offset": tail.offset, "text": self.cut}))
        values = {"pid": os.getpid(), "wallNs": time.time_ns(), "package": _version()}
        self._put(Kind.OPENED, now, json_body(values))

    # ------------------------------------------------------------------ what is recorded

    def record(self, link: Any) -> bool:
        region = getattr(link.market, "region", None)
        if impl.NAME != "compiled" or region is None:
            return False
        self._recorder = import_module("ibwire._journal").Recorder(self._appender, link.orders, region)
        region.step_with(self._recorder)  # it steps what was there before, after itself
        return True

    def _note_first(self, order_id: int, seq: int) -> None:
        if order_id not in self._first_seen:
            self._first_seen[order_id] = seq or self.last_seq

    # ------------------------------------------------------------------ its own life

    def prune(self, open_orders: dict[int, int]) -> list[str]:
        """Remove complete segments beyond the retention that no open order needs.

        Parameters
        ----------
        open_orders : dict of int to int
            Order id of each order that has not ended -> sequence number of its first entry (``Rebuilt.first_seq``), 0
            where that is not known.

        Returns
        -------
        list of str
            Names of the files that are gone.
        """
        life.check(self._generation)
        gone: list[str] = []
        if self._retention is None:
            return gone
        needed = min((seq or self._first_seen.get(oid, 0) for oid, seq in open_orders.items()), default=1 << 63)
        complete = segments_of(self.directory)[:-1]
        for path, following in itertools.pairwise(complete):
            if len(complete) - len(gone) <= self._retention:
                break
            head = _head_of(following)
            if head is None or head.first_seq > needed:
                break
            path.unlink()
            gone.append(path.name)
        return gone

    def keep_with(self, chore: Callable[[], object]) -> None:
        """Have something else done that waits for a disk, whenever the journal is looked after."""
        self._chores.append(chore)

    def maintain(self) -> None:
        if self._closed or time.monotonic() < self._due:
            return
        self._due = time.monotonic() + self._interval_s
        self._keep()

    def _keep(self) -> None:
        if self._appender.wants_spare:
            try:
                self._appender.prepare()
            except OSError:  # `problem` says so, and the next order is refused when it must be
                pass
        if self.fsync != "never" and not self._appender.is_synced:
            self._sync()
        for chore in self._chores:
            try:
                chore()
            except IbwireError:  # whoever needs it hears of it then
                pass

    def _run(self) -> None:
        while not self._stop.wait(self._interval_s):
            self._keep()

    def close(self) -> None:
        if self._closed or self._generation != life.generation():
            return
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()
        self._put(Kind.CLOSED, time.monotonic_ns(), b"{}")
        if self.fsync != "never":
            self._sync()
        self._closed = True
        self._appender.drop()
        _unlock(self._lock_fd, self._key)

    def _after_fork(self) -> None:
        """The parent's; ``life.check`` refuses every call."""

    def _at_exit(self) -> None:
        self.close()

    def __enter__(self) -> FileJournal:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _version() -> str:
    return str(getattr(sys.modules.get("ibwire"), "__version__", ""))  # the package is above this layer


def _new_head(journal: int, capacity: int) -> bytes:
    return make_head(
        journal=journal, number=1, first_seq=1, capacity=capacity, wall_ns=0, mono_ns=0, high_water=0, pid=os.getpid(),
        package=_version(),
    )  # fmt: skip


def _head_of(path: Path) -> SegmentHead | None:
    with path.open("rb") as file:
        head = read_head(file.read(HEAD_BYTES))
    return None if isinstance(head, str) else head


def _tail_of(found: list[Path]) -> tuple[Reading | None, int, SegmentHead | None]:
    """A reading that came to its end, the epoch there, and the last head. Files that were only prepared go."""
    epoch = 0
    while found:
        # All of it: a journal with a hole is refused before anything is written to it, or sent.
        reading = Reading([(str(path), path) for path in found]).check()
        epoch = max(epoch, reading.epoch)
        if not reading.unused:
            return reading, epoch, reading.heads[-1]
        spare = found.pop()
        if reading.tail is None:
            spare.unlink()
        else:
            spare.rename(spare.with_suffix(".torn"))
    return None, epoch, None


def _lock(path: Path) -> tuple[int, tuple[int, int]]:
    """Take the writer's lock.

    Raises
    ------
    JournalLocked : another process has it, or this one.
    """
    hint = "one program writes a journal: give this one a client_id, or a state_dir, of its own"
    with _open_lock:
        # The system's lock belongs to the process, and goes with the first descriptor of the file that is closed: so
        # nobody here may even open it a second time.
        if path.exists():
            status = path.stat()
            if _open_here.get((status.st_dev, status.st_ino)) == os.getpid():
                problem = f"{path.parent} is written by another client of this process ({os.getpid()})"
                close = "close() that client first, also one whose connection is lost"
                raise JournalLocked(problem, pid=os.getpid(), hint=f"{close}; {hint}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            text = os.pread(fd, 32, 0).decode("ascii", "replace").strip()
            os.close(fd)
            pid = int(text) if text.isdigit() else 0
            raise JournalLocked(f"{path.parent} is written by process {pid or '?'}", pid=pid, hint=hint) from error
        try:
            os.ftruncate(fd, 0)
            os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
        except OSError:  # a full disk: it is for whoever is refused, no more
            pass
        status = os.fstat(fd)
        key = status.st_dev, status.st_ino
        _open_here[key] = os.getpid()
        return fd, key


def _unlock(fd: int, key: tuple[int, int]) -> None:
    with _open_lock:
        _open_here.pop(key, None)
        os.close(fd)
