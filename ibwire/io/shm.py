"""Named shared memory: a region that other processes of this user may look at.

One file in ``/dev/shm`` for each name, made whole before it gets its name, so that nobody sees half of one. Its head
says who made it (pid and start time, layout, package version). Whoever finds a file of a dead owner takes the name
over; a live owner keeps it. At a normal end the owner removes its file; after kill -9 the next owner does.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import re
import sys
import weakref
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ibwire.errors import ConfigError, ConnectError
from ibwire.io import clock
from ibwire.ring import impl
from ibwire.spec.records import ORDER_ROW_BYTES, QUOTE_ROW_BYTES, layout_checksum

if TYPE_CHECKING:
    from ibwire._ring import Region

__all__ = ["Segment", "attach_region", "check_name", "create", "is_alive", "published"]

DIRECTORY: Final = "/dev/shm"
PREFIX: Final = "ibwire."
TAPE_BYTES: Final = 1 << 22
QUOTES: Final = 4096
ORDERS: Final = 16384
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_PAGE: Final = 4096
_WAIT_PAGE: Final = 3 * _PAGE
_SIZES: Final = (QUOTE_ROW_BYTES, ORDER_ROW_BYTES)
_ATTEMPTS: Final = 16
_CLOSED: Final = 2


class Segment:
    """A region in shared memory and the name of its file; made by :func:`create`.

    Attributes
    ----------
    name : str
    region : Region
        Written by this process's producer.
    """

    def __init__(self, name: str, region: Region, inode: int) -> None:
        self.name, self.region = name, region
        # At interpreter exit too; in a child process after fork it does nothing.
        self._remove = weakref.finalize(self, _remove, name, inode, os.getpid(), region)

    def close(self) -> None:
        """Tell those who look that nothing more comes, and take the name away. Twice is harmless."""
        self._remove()


def create(
    name: str, *, market_records: int, tape_bytes: int = TAPE_BYTES, quotes: int = QUOTES, orders: int = ORDERS
) -> Segment:
    """Make a region that other processes of this user can attach by its name.

    Parameters
    ----------
    name : str
        Letters, digits, dot, dash and underscore; at most 64.
    market_records, tape_bytes : capacity of the market ring (64 bytes each) and of the tape; powers of two.
    quotes, orders : slots of the live tables, three quarters of which fill; powers of two.

    Raises
    ------
    ConfigError : a live process publishes under that name; not enough memory; no shared memory on this system.
    """
    path = _path(name)
    rings = _rings()
    parts = {"tape_bytes": tape_bytes, "quotes_capacity": quotes, "orders_capacity": orders, "sizes": _SIZES}
    size = rings.Region.size_of(market_records, **parts)
    fd = _new_file(name, size)
    try:
        region = rings.Region(market_records, memory=mmap.mmap(fd, size), **parts)
        pid = os.getpid()
        rings.sign_head(
            region,
            records=layout_checksum(),
            owner_pid=pid,
            owner_start=_start_of(pid) or 0,
            owner_space=_space(),
            created_ns=clock.wall_ns(),
            package=_version(),
        )
        _give_name(fd, name, path)
        return Segment(name, region, os.fstat(fd).st_ino)
    finally:
        os.close(fd)


def attach_region(name: str) -> tuple[Region, dict[str, Any]]:
    """Map the region of that name, read-only but for the page where sleepers mark themselves; with what its head says.

    Raises
    ------
    ConnectError : nobody publishes under that name, or its owner has ended.
    ConfigError : the file is none of ours, of another version, or of another user.
    """
    path = _path(name)
    rings = _rings()
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        others = ", ".join(published())
        hint = f"published here: {others}" if others else 'its owner says publish="' + name + '" when it connects'
        raise ConnectError(f"nobody publishes {name!r}", hint=hint) from None
    except PermissionError:
        raise ConfigError(f"{path} belongs to another user", hint="attach as the user who publishes it") from None
    except OSError as exc:
        raise ConfigError(f"{path} cannot be opened: {exc.strerror}") from None
    try:
        head = _head(fd, path)
        if head["state"] == _CLOSED or not is_alive(head):
            how = "has closed it" if head["state"] == _CLOSED else "has died"
            raise ConnectError(f"{name!r}: its owner, process {head['owner_pid']}, {how}", hint="start it again")
        memory = mmap.mmap(fd, head["bytes"], prot=mmap.PROT_READ)
        waits = mmap.mmap(fd, _PAGE, prot=mmap.PROT_READ | mmap.PROT_WRITE, offset=_WAIT_PAGE)
    finally:
        os.close(fd)
    return rings.Region.attached(memory, waits), head


def published() -> list[str]:
    """Names under which live processes publish, as far as this user may look."""
    found = []
    try:
        files = sorted(os.listdir(DIRECTORY))
    except OSError:
        return []
    for file in files:
        if not file.startswith(PREFIX):
            continue
        try:
            fd = os.open(f"{DIRECTORY}/{file}", os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            head = _raw_head(fd)
        finally:
            os.close(fd)
        if head is not None and head["state"] != _CLOSED and is_alive(head):
            found.append(file.removeprefix(PREFIX))
    return found


def is_alive(head: dict[str, Any]) -> bool:
    """Whether the process that made the region still runs: the same pid, begun at the same time."""
    start = _start_of(head["owner_pid"])
    return start is not None and (not head["owner_start"] or start == head["owner_start"])


def check_name(name: str) -> str:
    """The name itself. Raises ConfigError when it cannot be one."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigError(
            f"{name!r} cannot name shared memory",
            hint="use at most 64 letters, digits, dots, dashes and underscores, the first a letter or digit",
        )
    return name


# ------------------------------------------------------------------------------------------------------------ the file


def _path(name: str) -> str:
    check_name(name)
    if not sys.platform.startswith("linux") or not os.path.isdir(DIRECTORY):
        raise ConfigError(
            "this system has no shared memory that ibwire can use",
            hint=f"publish= and attach() need Linux with {DIRECTORY} mounted",
        )
    if mmap.ALLOCATIONGRANULARITY != _PAGE:
        raise ConfigError(f"memory pages of {mmap.ALLOCATIONGRANULARITY} bytes", hint="shared memory needs 4096")
    return f"{DIRECTORY}/{PREFIX}{name}"


def _rings() -> Any:
    if impl.NAME != "compiled":
        raise ConfigError("shared memory needs the compiled rings", hint="unset IBWIRE_PURE, or build the extensions")
    return import_module("ibwire._ring")


def _version() -> str:
    return str(sys.modules[__name__.partition(".")[0]].__version__)


def _new_file(name: str, size: int) -> int:
    """A file of that size without a name: whatever happens to this process, nothing is left of it."""
    try:
        fd = os.open(DIRECTORY, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as exc:
        raise ConfigError(f"no shared memory for {name!r}: {exc.strerror}", hint=f"look at {DIRECTORY}") from None
    try:
        os.posix_fallocate(fd, 0, size)  # all of it now: a page that is missing later would end the process
    except OSError as exc:
        os.close(fd)
        if exc.errno not in (errno.ENOSPC, errno.ENOMEM, errno.EFBIG):
            raise ConfigError(f"no shared memory for {name!r}: {exc.strerror}") from None
        free = os.statvfs(DIRECTORY)
        raise ConfigError(
            f"{name!r} needs {size >> 10} KiB of shared memory, {free.f_bavail * free.f_frsize >> 10} KiB are free",
            hint=f"enlarge {DIRECTORY} (docker: --shm-size), remove what is old there, or give smaller capacities",
        ) from None
    return fd


def _give_name(fd: int, name: str, path: str) -> None:
    folder = os.open(DIRECTORY, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _link(fd, folder, name, path)
    finally:
        os.close(folder)


def _link(fd: int, folder: int, name: str, path: str) -> None:
    for _ in range(_ATTEMPTS):
        try:
            # Only with a directory does Python follow the link to the file itself.
            os.link(f"/proc/self/fd/{fd}", os.path.basename(path), dst_dir_fd=folder, follow_symlinks=True)
            return
        except FileExistsError:
            _reclaim(name, path)
        except OSError as exc:
            raise ConfigError(f"{path} cannot be made: {exc.strerror}") from None
    raise ConfigError(f"others take the name {name!r} again and again", hint="choose another")


def _reclaim(name: str, path: str) -> None:
    """Remove the file if its owner is dead. Two who try look at the same file, one after the other."""
    try:
        fd = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    except OSError as exc:
        raise ConfigError(
            f"{path} is there and cannot be opened: {exc.strerror}", hint="choose another name, or remove the file"
        ) from None
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        head = _raw_head(fd)
        if head is None:
            raise ConfigError(
                f"{path} is there and is none of ibwire's", hint="choose another name, or remove the file"
            )
        if head["owner_space"] not in (0, _space()):
            raise ConfigError(
                f"{name!r} is published by process {head['owner_pid']} of another container",
                hint="choose another name",
            )
        if head["state"] != _CLOSED and is_alive(head):
            raise ConfigError(
                f"{name!r} is published by process {head['owner_pid']}, which is alive",
                hint="choose another name, or end that process",
            )
        _unlink(path, os.fstat(fd).st_ino)
    finally:
        os.close(fd)


def _unlink(path: str, inode: int) -> None:
    try:
        if os.stat(path, follow_symlinks=False).st_ino == inode:
            os.unlink(path)
    except FileNotFoundError:
        pass


def _remove(name: str, inode: int, pid: int, region: Region) -> None:
    if os.getpid() == pid:  # not a child's business
        _unlink(f"{DIRECTORY}/{PREFIX}{name}", inode)
        _rings().end_region(region)


def _raw_head(fd: int) -> dict[str, Any] | None:
    if os.fstat(fd).st_size < 4 * _PAGE:
        return None
    head: dict[str, Any] | None = _rings().head_of(os.pread(fd, _PAGE, 0))
    return head


def _head(fd: int, path: str) -> dict[str, Any]:
    """The head of a file, when this process can read all of the region."""
    head = _raw_head(fd)
    if head is None:
        raise ConfigError(f"{path} is none of ibwire's", hint="choose another name")
    ours = (_rings().layout_version(), layout_checksum())
    if (head["layout"], head["records"]) != ours:
        raise ConfigError(
            f"{path} was made by ibwire {head['package']} (layout {head['layout']}, records {head['records']:08x}); "
            f"this is ibwire {_version()} (layout {ours[0]}, records {ours[1]:08x})",
            hint="run the same version in both processes",
        )
    if head["owner_space"] not in (0, _space()):
        raise ConfigError(f"{path} was made in another container", hint="run both in one pid namespace")
    size = head["bytes"]
    parts = [head[part] for part in ("market", "tape", "quotes", "orders")]
    if size != os.fstat(fd).st_size or any(at + length > size or at % _PAGE for at, length in parts):
        raise ConfigError(f"{path} is damaged: its parts do not fit its {os.fstat(fd).st_size} bytes")
    return head


def _start_of(pid: int) -> int | None:
    """When a process began, in clock ticks since boot; None when it does not run."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X", b"x") else int(fields[19])


def _space() -> int:
    try:
        return os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        return 0
