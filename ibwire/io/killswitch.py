"""The kill switch: shut at once from code, a file or a signal, and until somebody opens it by hand.

Its state on disk is one file, ``kill.json`` in a session's ``state_dir`` or in the root above all of them (then it is
for every session of this user). That the file is there shuts; what it says only explains. A file that cannot be read
shuts too. Nothing but :meth:`KillSwitch.release` or ``ibwire kill --release`` takes it away.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from ibwire.errors import ConfigError, SessionLost
from ibwire.io import clock
from ibwire.io.statedir import default_state_dir

__all__ = [
    "FILE_NAME",
    "Kill",
    "KillSwitch",
    "in_background",
    "new_lock",
    "one_by_one",
    "read_kill",
    "remove_kill",
    "state_root",
    "write_kill",
]

FILE_NAME: Final = "kill.json"
SCOPES: Final = ("mine", "everything")
_WATCH_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Kill:
    """Why trading is shut.

    Attributes
    ----------
    reason, by : str
        What for, and who or what did it: ``code``, ``signal``, ``file``, ``governor``, ``policy NAME``, or a user.
    scope : str
        ``mine``: cancel the orders of each client that sees it. ``everything``: one global cancel each.
    wall_ns : int
        When, nanoseconds since 1970 UTC; 0 when not known.
    """

    reason: str
    by: str = ""
    scope: str = "mine"
    wall_ns: int = 0

    def __str__(self) -> str:
        return f"killed by {self.by or 'somebody'}: {self.reason or 'no reason given'}"


def state_root() -> Path:
    """Above the state of all sessions: a kill file there is for every one."""
    return default_state_dir("any", 0, 0).parent


def write_kill(directory: Path, kill: Kill) -> Path:
    """Put a kill file there, whole or not at all; one that is there is replaced. Raises OSError."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE_NAME
    scratch = directory / f".{FILE_NAME}.{os.getpid()}.{threading.get_ident()}"
    try:
        with open(scratch, "w", encoding="utf-8") as out:
            json.dump(asdict(kill), out)
            out.flush()
            os.fsync(out.fileno())
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    _sync(directory)
    return path


def remove_kill(directory: Path) -> bool:
    """Take the kill file away; False when there was none. Raises OSError."""
    try:
        (directory / FILE_NAME).unlink()
    except FileNotFoundError:
        return False
    _sync(directory)
    return True


def read_kill(directory: Path) -> Kill | None:
    """What the kill file there says; None when there is none. One that cannot be read is a kill."""
    path = directory / FILE_NAME
    try:
        text = path.read_text("utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        return Kill(f"the kill file cannot be read: {error}", "file")
    try:
        found: Any = json.loads(text)
        wall_ns = int(found.get("wall_ns", 0))
        scope = found.get("scope") if found.get("scope") in SCOPES else "mine"
        return Kill(str(found.get("reason", "")), str(found.get("by", "")), scope, wall_ns)
    except (ValueError, TypeError, AttributeError):
        return Kill(text.strip()[:200] or "an empty kill file", "file")  # somebody touched it by hand: that will do


def new_lock() -> threading.Lock:
    """A lock, for who may not make threads."""
    return threading.Lock()


def in_background(name: str, work: Callable[..., object], *args: object) -> None:
    """Do it in a daemon thread of its own."""
    threading.Thread(target=work, args=args, name=name, daemon=True).start()


def one_by_one(send: Callable[[bytes], object], payloads: Sequence[bytes], rate_per_s: int) -> None:
    """Send each, so many a second at most; the session's end ends it."""
    wait = threading.Event().wait
    try:
        for number, payload in enumerate(payloads):
            if number and number % rate_per_s == 0:
                wait(1.0)
            send(payload)
    except SessionLost:
        pass


def _sync(directory: Path) -> None:
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class KillSwitch:
    """One session's switch. Any thread; :meth:`check` costs two looks at the file system.

    Parameters
    ----------
    directory : Path or None
        Of the session; None keeps the state in memory, so that it ends with the process.
    root : Path or None
        Above all sessions; by default the directory's parent. Not looked at without a directory.
    on_kill : callable
        ``(Kill)``: called once per kill, in the thread that found it, never under a lock.

    Attributes
    ----------
    kill : Kill or None
        Why it is shut; None while it is open.
    on_look : callable or None
        Called with every look: what else wants to be looked at from time to time.
    problem : str
        What a look raised last; the next one comes all the same.
    """

    def __init__(
        self,
        directory: Path | None = None,
        root: Path | None = None,
        on_kill: Callable[[Kill], object] | None = None,
    ) -> None:
        self.kill: Kill | None = None
        self.on_kill = on_kill
        self.on_look: Callable[[], object] | None = None
        self.problem = ""
        self.directory = directory
        self._places = () if directory is None else (directory, root or directory.parent)
        self._paths = tuple(str(place / FILE_NAME) for place in self._places)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._signals: dict[int, Any] = {}
        self._signalled: Kill | None = None
        self._handled: Kill | None = None
        self.kill = self._handled = self._read()  # found at start: shut, but there are no orders of ours to cancel

    def _read(self) -> Kill | None:
        for place in self._places:
            if (found := read_kill(place)) is not None:
                return found
        return None

    def check(self) -> Kill | None:
        """The kill that is in force, the files looked at now; None when orders may go."""
        if self.kill is None:
            for path in self._paths:
                if os.access(path, os.F_OK):
                    with self._lock:
                        self.kill = self.kill or self._read() or Kill("a kill file was there for a moment", "file")
                    break
        return self.kill

    def trip(self, reason: str, by: str = "code", scope: str = "mine") -> Kill:
        """Shut it: in memory first, so that nothing new goes out from this moment on, then on disk.

        A disk that cannot be written does not open it again; the error is raised once the rest is done.
        """
        if scope not in SCOPES:
            raise ConfigError(f"a kill has no scope {scope!r}", hint=f"say {' or '.join(SCOPES)}")
        kill = Kill(reason, by, scope, clock.wall_ns())
        with self._lock:
            self.kill = kill
            self._handled = kill
        problem: OSError | None = None
        if self.directory is not None:
            try:
                write_kill(self.directory, kill)
            except OSError as error:
                problem = error
        self._tell(kill)
        if problem is not None:
            raise problem
        return kill

    def release(self) -> bool:
        """Open it by hand; False when it was not shut. Raises ConfigError while the root's file shuts it still."""
        with self._lock:
            had = self.kill is not None
            for place in self._places[:1]:
                had = remove_kill(place) or had
            left = self._read()
            if left is not None:
                self.kill = left
                raise ConfigError(f"a kill for every session is in force: {left}", hint="ibwire kill --release --all")
            self.kill = self._handled = self._signalled = None
        return had

    def look(self) -> None:
        """Look for what others did: a file, a signal. What is found is told once."""
        if self.on_look is not None:
            self.on_look()
        signalled = self._signalled
        if signalled is not None:
            self._signalled = None
            try:
                self.trip(signalled.reason, signalled.by, signalled.scope)
            except OSError:  # it is shut in memory
                pass
            return
        kill = self.check()
        with self._lock:
            fresh = kill is not None and kill != self._handled
            if fresh:
                self._handled = kill
        if fresh and kill is not None:
            self._tell(kill)

    @property
    def is_signalled(self) -> bool:
        """Something was told that :meth:`look` has not carried out yet."""
        return self._signalled is not None

    def start(self) -> None:
        """Look 20 times a second, in a thread ``ibwire-kill``."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="ibwire-kill", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """End the thread and give signals back."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2)
        for number, before in self._signals.items():
            signal.signal(number, before)
        self._signals.clear()

    def trip_later(self, reason: str, by: str, scope: str) -> None:
        """Shut it now, without a lock and without a wait; the next :meth:`look` does the rest."""
        kill = Kill(reason, by, scope)
        self.kill = self.kill or kill
        self._signalled = kill

    def on_signal(self, number: int, scope: str = "mine") -> None:
        """A signal shuts it. Main thread only, as Python has it; the handler takes no lock and sends nothing."""
        reason = f"signal {signal.Signals(number).name}"

        def handler(*_: object) -> None:
            # The rest is for a thread: this one may be in the middle of a send.
            self.trip_later(reason, "signal", scope)

        self._signals.setdefault(number, signal.signal(number, handler))

    def _tell(self, kill: Kill) -> None:
        if self.on_kill is not None:
            self.on_kill(kill)

    def _run(self) -> None:
        while not self._stop.wait(_WATCH_S):
            try:
                self.look()
            except Exception as error:  # a switch that no longer looks would be worse than any defect
                self.problem = f"{type(error).__name__}: {error}"
