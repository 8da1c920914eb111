"""The plain twin of the compiled appender: the same segments, written from Python; or segments in memory."""

from __future__ import annotations

import mmap
import os
import threading
import time
from pathlib import Path
from typing import Final

from ibwire.io.journal_format import (
    ENTRY_HEAD_BYTES,
    FLAG_CARRIED,
    HEAD,
    HEAD_BYTES,
    SUFFIX,
    Kind,
    encode_entry,
    make_head,
    padded,
)

__all__ = ["Appender"]

_RETRY_NS: Final = 20_000_000
_KEPT_IN_MEMORY: Final = 4
_GAP_BODY_BYTES: Final = 8


class _Segment:
    """A mapped file, or memory."""

    def __init__(self, path: Path | None, capacity: int, *, is_new: bool) -> None:
        self.path = path
        if path is None:
            self.fd, self.data = -1, mmap.mmap(-1, capacity)
            return
        flags = os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT | os.O_EXCL if is_new else 0)
        self.fd = os.open(path, flags, 0o600)
        try:
            os.posix_fallocate(self.fd, 0, capacity)
            self.data = mmap.mmap(self.fd, capacity)
        except BaseException:
            os.close(self.fd)
            if is_new:
                path.unlink()
            raise

    def unmap(self) -> None:
        self.data.close()

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Appender:
    """As ``ibwire._journal.Appender``. Without a directory the newest segments are kept in memory (:meth:`memory`)."""

    def __init__(self, directory: str | None, head: bytes, segment_bytes: int, keeps_files: bool = True) -> None:
        if len(head) != HEAD_BYTES or segment_bytes < 8192 or segment_bytes % 4096:
            raise ValueError("a head has 256 bytes, a segment a multiple of 4096")
        self._directory = None if directory is None else Path(directory)
        self._fields = HEAD.unpack_from(head)
        self._capacity = segment_bytes
        self._keeps_files = keeps_files
        self._lock = threading.Lock()
        self._now: _Segment | None = None
        self._spare: _Segment | None = None
        self._retired: list[_Segment] = []
        self._at = self._number = self._epoch = self._high = 0
        self._next_seq, self._synced = 1, 0
        self._lost = self.missed = self.failure = self._tried_ns = 0
        self._opening = b""
        self._pid = os.getpid()

    @property
    def last_seq(self) -> int:
        return self._next_seq - 1

    @property
    def segment(self) -> int:
        return self._number

    @property
    def used_bytes(self) -> int:
        return self._at

    @property
    def has_spare(self) -> bool:
        return self._spare is not None

    @property
    def wants_spare(self) -> bool:
        return self._spare is None and self._at > self._capacity // 2

    @property
    def is_synced(self) -> bool:
        return self._synced == self._next_seq

    def start(self, number: int, first_seq: int) -> None:
        self._number, self._next_seq = number - 1, first_seq
        with self._lock:
            self._make_next()
            self._turn()

    def resume(self, number: int, at: int, next_seq: int) -> None:
        self._now = _Segment(self._path(number), self._capacity, is_new=False)
        self._number, self._at, self._next_seq = number, at, next_seq
        self._now.data[at:] = bytes(self._capacity - at)

    def set_preamble(self, body: bytes, epoch: int) -> None:
        with self._lock:
            self._opening, self._epoch = body, epoch

    def set_high_water(self, order_id: int) -> None:
        self._high = max(self._high, order_id)

    def put(self, kind: int, ns: int, a: bytes, b: bytes = b"", reserve: int = 0, counts: bool = True) -> int:
        body = a + b
        with self._lock:
            seq = self._append(kind, ns, body, reserve)
            if not seq and counts:
                self._lost += 1
                self.missed += 1
        return seq

    def prepare(self) -> None:
        with self._lock:
            if self._spare is None and self._now is not None:
                self._make_next()

    def sync(self) -> None:
        with self._lock:
            mark = self._next_seq
            if self._synced == mark or self._now is None:
                return
            retired, self._retired = self._retired, []
            current = os.dup(self._now.fd) if self._now.fd >= 0 else -1
        try:
            for fd in (*(one.fd for one in retired), current):
                if fd >= 0:
                    os.fdatasync(fd)
        finally:
            for one in retired:
                one.close()
            if current >= 0:
                os.close(current)
        self._synced = mark

    def drop(self) -> None:
        with self._lock:
            if self._now is not None:
                self._now.unmap()
                self._now.close()
                self._now = None
            if self._spare is not None:
                self._spare.unmap()
                self._spare.close()
                if self._spare.path is not None and os.getpid() == self._pid:
                    self._spare.path.unlink(missing_ok=True)
                self._spare = None
            for one in self._retired:
                one.close()
            self._retired = []

    def memory(self) -> list[bytes]:
        """The segments that are kept, without a directory; oldest first."""
        with self._lock:
            now = [] if self._now is None else [self._now]
            return [bytes(one.data) for one in (*self._retired, *now)]

    # ------------------------------------------------------------------ with the lock

    def _path(self, number: int) -> Path | None:
        return None if self._directory is None else self._directory / f"{number:08d}{SUFFIX}"

    def _fits(self, size: int) -> bool:
        return self._at + size + ENTRY_HEAD_BYTES <= self._capacity

    def _room(self, whole: int, reserve: int) -> bool:
        if self._fits(whole + reserve):
            return True
        if not reserve:
            return False
        try:
            if self._spare is None:
                self._make_next()
        except OSError:
            return False
        return self._fits(whole)

    def _append(self, kind: int, ns: int, body: bytes, reserve: int) -> int:
        whole = ENTRY_HEAD_BYTES + padded(len(body))
        if self._now is None or HEAD_BYTES + 256 + padded(len(self._opening)) + whole > self._capacity:
            return 0
        if self._lost and not self._note_lost(ns):
            return 0
        if not self._room(whole, reserve) and (
            self._fits(whole) or not self._try_turn() or not self._room(whole, reserve)
        ):
            return 0
        return self._write(kind, 0, ns, body)

    def _note_lost(self, ns: int) -> bool:
        if not self._fits(ENTRY_HEAD_BYTES + _GAP_BODY_BYTES) and not self._try_turn():
            return False
        self._write(Kind.GAP, 0, ns, self._lost.to_bytes(_GAP_BODY_BYTES, "little"))
        self._lost = 0
        return True

    def _write(self, kind: int, flags: int, ns: int, body: bytes) -> int:
        assert self._now is not None
        raw = encode_entry(self._next_seq, ns, kind, flags, self._epoch, body)
        at, data = self._at, self._now.data
        data[at + 8 : at + len(raw)] = raw[8:]
        data[at : at + 8] = raw[:8]
        self._at += len(raw)
        self._next_seq += 1
        return self._next_seq - 1

    def _make_next(self) -> None:
        self._tried_ns = time.monotonic_ns()
        try:
            self._spare = _Segment(self._path(self._number + 1), self._capacity, is_new=True)
            self.failure = 0
        except OSError as error:
            self.failure = error.errno or 1
            raise

    def _try_turn(self) -> bool:
        if self._spare is None:
            if self.failure and time.monotonic_ns() - self._tried_ns < _RETRY_NS:
                return False
            try:
                self._make_next()
            except OSError:
                return False
        self._turn()
        return True

    def _turn(self) -> None:
        now = time.monotonic_ns()
        if (old := self._now) is not None:
            self._write(Kind.END, 0, now, b"")
            self._retire(old)
        self._now, self._spare = self._spare, None
        assert self._now is not None
        self._number += 1
        self._now.data[:HEAD_BYTES] = make_head(
            journal=self._fields[3], number=self._number, first_seq=self._next_seq, capacity=self._capacity,
            wall_ns=time.time_ns(), mono_ns=now, high_water=self._high, pid=self._fields[10],
            package=self._fields[11].rstrip(b"\0").decode(),
        )  # fmt: skip
        self._at = HEAD_BYTES
        if self._opening:
            self._write(Kind.SESSION, FLAG_CARRIED, now, self._opening)

    def _retire(self, old: _Segment) -> None:
        if self._directory is None:
            self._retired = [*self._retired, old][-_KEPT_IN_MEMORY:]
            return
        old.unmap()
        if self._keeps_files:
            self._retired.append(old)
        else:
            old.close()
