"""The high-water mark of order ids on disk, shared by the threads and processes that use one file.

The file has one line of 64 bytes, ``ibwire ids 1 MARK CRC`` and blanks, made whole under another name. It is read and
written under a lock on a file beside it (the lock goes with the process, also after kill -9); the line is overwritten
in its place and synced: it lies within one sector, so that after a crash it is the old one or the new one, and a full
disk has room for it. To spare the disk a store takes ids in blocks: what is left of one when its
process ends in order is given back; after a crash it is skipped, never given out again.
"""

from __future__ import annotations

import fcntl
import os
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from ibwire.errors import ConfigError, IbwireError
from ibwire.io import life
from ibwire.io.journal_errors import JournalFull
from ibwire.trade.identity import IdStore, MemoryIdStore

__all__ = ["FileIdStore", "open_id_store"]

_HEAD: Final = "ibwire ids 1"
_LINE_BYTES: Final = 64
_MOST_BYTES: Final = 200
_FILE: Final = "order-ids"


def open_id_store(state_dir: str | os.PathLike[str] | None) -> IdStore:
    """A store in `state_dir`, or, with None, one in memory: ids of an earlier life come from the gateway alone then."""
    return MemoryIdStore() if state_dir is None else FileIdStore(Path(state_dir) / _FILE)


class FileIdStore:
    """See the module's text. Any thread; after fork the child has a block of its own.

    Parameters
    ----------
    path : path
        The file; its directory is made when there is none.
    block : int
        How many ids are taken from the file at a time, at least 1. :meth:`top_up` takes the next when half are left.

    Raises
    ------
    ConfigError : the file or its directory cannot be used, or the file is not one of ours.
    """

    def __init__(self, path: str | os.PathLike[str], *, block: int = 256) -> None:
        if block < 1:
            raise ConfigError(f"block is {block}; at least 1")
        self._path = Path(path)
        self._block = block
        self._lock = threading.Lock()  # held for no disk but where an id is waited for
        self._filling = threading.Lock()  # taken before the other
        self._next = self._end = 0  # what is left of the block
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unusable("its directory cannot be made", error) from error
        with self._file_lock():
            if not self._path.exists():
                self._create()
            self._read()  # a file that cannot be used is told now, not with the first order
        life.watch(self)

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def reserve(self, least: int, count: int) -> int:
        """As :meth:`ibwire.trade.identity.IdStore.reserve`.

        Raises
        ------
        JournalFull : the mark could not be written; no id was given out.
        """
        with self._lock:
            first = self._from_block(least, count)
        if first:
            return first
        with self._filling, self._lock:
            first = self._from_block(least, count)  # another thread may have filled up meanwhile
            return first or self._from_file(least, count)

    def top_up(self) -> None:
        """Take a block more when half of one is left; nobody who reserves waits for it.

        Raises
        ------
        JournalFull : the mark could not be written; what is left goes on.
        """
        with self._filling:
            if not 0 < self._end - self._next < self._block // 2:
                return
            with self._file_lock():
                end = self._end
                if self._read() != end:
                    return  # another process has taken what follows: the next block begins behind it
                self._write(end + self._block)
            with self._lock:
                self._end = end + self._block

    def close(self) -> None:
        """Give back what is left of the block, when nobody has taken from behind it. Harmless when repeated."""
        with self._filling, self._lock:
            if self._next < self._end:
                try:
                    with self._file_lock():
                        if self._read() == self._end:
                            self._write(self._next)
                except IbwireError:
                    pass  # skipped, then
            self._next = self._end = 0

    def _after_fork(self) -> None:
        """The parent goes on using its block; its threads are not here to release anything."""
        self._lock, self._filling = threading.Lock(), threading.Lock()
        self._next = self._end = 0

    def _at_exit(self) -> None:
        self.close()

    def _from_block(self, least: int, count: int) -> int:
        """Ids of the block, 0 when it has not enough."""
        first = max(self._next, least)
        if not 0 < first + count <= self._end:
            return 0
        self._next = first + count
        return first

    def _from_file(self, least: int, count: int) -> int:
        with self._file_lock():
            mark = self._read()
            # A block that nobody has taken from since goes on; else what is left of it is skipped.
            first = max(self._next, least) if mark == self._end else max(mark, least)
            end = max(first + max(count, self._block), mark)
            self._write(end)
        self._next, self._end = first + count, end
        return first

    def mark(self) -> int:
        """What the file says: the lowest id that no process has taken."""
        with self._file_lock():
            return self._read()

    # -- the file ----------------------------------------------------------------------------------------------------

    @contextmanager
    def _file_lock(self) -> Iterator[None]:
        # A file of its own: the data file is replaced, and a lock on what was replaced would lock nobody out.
        try:
            handle = os.open(f"{self._path}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable("its lock file cannot be opened", error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def _read(self) -> int:
        try:
            with open(self._path, "rb") as file:
                data = file.read(_MOST_BYTES)
        except OSError as error:
            raise self._unusable("it cannot be read", error) from error
        text, _, told = data.decode("latin-1").rstrip(" \n").rpartition(" ")
        number = text.removeprefix(_HEAD + " ")
        if told != f"{zlib.crc32(text.encode('latin-1')):08x}" or not number.isascii() or not number.isdigit():
            raise ConfigError(
                f"{self._path} is damaged or not a file of order ids",
                hint="set it aside only if no order id above the gateway's next valid id was ever used",
            )
        return int(number)

    def _create(self) -> None:
        new = f"{self._path}.new"
        try:
            with open(new, "wb") as file:
                file.write(_line(1))
                file.flush()
                os.fsync(file.fileno())
            os.replace(new, self._path)
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise self._unusable("it cannot be made", error) from error

    def _write(self, mark: int) -> None:
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(file, _line(mark), 0)
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            problem = f"no order id can be marked as taken in {self._path}: {error.strerror}"
            raise JournalFull(problem, hint="nothing was sent; make room on that disk. Cancels still go out") from error

    def _unusable(self, problem: str, error: OSError) -> ConfigError:
        text = f"{self._path}: {problem} ({error.strerror})"
        return ConfigError(text, hint="choose another state_dir, or state_dir=None to keep ids in memory")


def _line(mark: int) -> bytes:
    text = f"{_HEAD} {mark}"
    return f"{text} {zlib.crc32(text.encode()):08x}".ljust(_LINE_BYTES - 1).encode() + b"\n"
