"""The kill switch: shut at once from code, a file or a signal, and until somebody opens it by hand.

Its state on disk is one file, ``kill.json`` in a session's ``state_dir`` or in the root above all of them (then it is
for every session of this user). That the file is there shuts; what it says only explains. A file that cannot be read
shuts too. Nothing but :meth:`KillSwitch.release` or ``ibwire kill --release`` takes it away. One that is written again
while it is shut is carried out too: it may ask for a wider scope.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from ibwire.errors import ConfigError, SessionLost
from ibwire.io import clock
from ibwire.io.statedir import default_state_dir
from ibwire.ring import impl

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
    "user_root",
    "write_kill",
]

FILE_NAME: Final = "kill.json"
_is_there: Callable[[bytes], bool] = (
    import_module("ibwire._journal").is_there if impl.NAME == "compiled" else os.path.exists
)
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


def user_root() -> tuple[Path, ...]:
    """As :func:`state_root`; nothing for a user without a home."""
    try:
        return (state_root(),)
    except RuntimeError:
        return ()


def write_kill(directory: Path, kill: Kill, *, waits: bool = True) -> Path:
    """Put a kill file there, whole or not at all; one that is there is replaced. Raises OSError.

    Parameters
    ----------
    waits : bool
        Until the disk has it. Otherwise it survives the end of the program, not yet that of the power.
    """
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = directory / FILE_NAME
    scratch = directory / f".{FILE_NAME}.{os.getpid()}.{threading.get_ident()}"
    try:
        with open(scratch, "w", encoding="utf-8") as out:
            json.dump(asdict(kill), out)
            out.flush()
            if waits:
                os.fsync(out.fileno())
        os.replace(scratch, path)
    except BaseException:
        scratch.unlink(missing_ok=True)
        raise
    if waits:
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


def _sync(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


class KillSwitch:
    """One session's switch. Any thread; :meth:`check` costs a look at each place for a file.

    Parameters
    ----------
    directory : Path or None
        Of the session; None keeps the state in memory, so that it ends with the process.
    root : Path or None
        Above all sessions: a kill file there is for all of them. By default the directory's parent and the user's
        (:func:`state_root`); without a directory none.
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
        own = () if directory is None else (directory,)
        if root is not None:
            above: tuple[Path, ...] = (root,)
        else:
            above = () if directory is None else (directory.parent, *user_root())
        self._places = tuple(dict.fromkeys((*own, *above)))
        self._paths = tuple(str(place / FILE_NAME) for place in self._places)
        self._looked_at = tuple(map(os.fsencode, self._paths))
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._signalled: Kill | None = None
        self._handled: set[Kill] = set()
        self._marks: dict[str, Any] = {}  # path -> which file was read there last
        self._met: list[Kill] = []  # by who looked at the files in passing; the next look tells of them
        self._read()  # found at start: shut, but there are no orders of ours to cancel

    def _read(self) -> list[Kill]:
        """Take in the files that are new or changed; which of them say something new. The lock is held, or nobody else
        has the switch yet."""
        fresh: list[Kill] = []
        for place, path in zip(self._places, self._paths, strict=True):
            mark = _mark(path)
            if mark == self._marks.get(path):
                continue
            self._marks[path] = mark
            found = None if mark is None else read_kill(place)
            if found is not None:
                self.kill = found  # the latest: it may ask for more than the one before
                if found not in self._handled:
                    self._handled.add(found)
                    fresh.append(found)
        return fresh

    def check(self) -> Kill | None:
        """The kill that is in force, the files looked at now; None when orders may go."""
        if self.kill is None:
            for path in self._looked_at:
                if _is_there(path):
                    with self._lock:
                        self._met += self._read()
                        if self.kill is None:
                            self.kill = Kill("a kill file was there for a moment", "file")
                            self._met.append(self.kill)
                    break
        return self.kill

    def trip(self, reason: str, by: str = "code", scope: str = "mine") -> Kill:
        """Shut it: in memory first, so that nothing new goes out from this moment on, then in its file.

        A disk that cannot be written does not open it again, and one that is slow holds no cancel up; the error is
        raised once the rest is done.
        """
        kill = self.made(reason, by, scope)
        problem = self.engage(kill)
        if problem is not None:
            raise problem
        return kill

    def made(self, reason: str, by: str, scope: str) -> Kill:
        """A kill of now, for :meth:`engage`. Raises ConfigError when there is no such scope."""
        if scope not in SCOPES:
            raise ConfigError(f"a kill has no scope {scope!r}", hint=f"say {' or '.join(SCOPES)}")
        return Kill(str(reason), str(by), scope, clock.wall_ns())

    def engage(self, kill: Kill) -> OSError | None:
        """As :meth:`trip`; returns why its file could not be written."""
        with self._lock:
            self.kill = kill
            self._handled.add(kill)
        problem: OSError | None = None
        try:
            if self.directory is not None:
                write_kill(self.directory, kill, waits=False)
        except OSError as error:
            problem = error
        self._tell(kill)
        try:
            if self.directory is not None and problem is None:
                _sync(self.directory / FILE_NAME)
                _sync(self.directory)
        except FileNotFoundError:  # it is released already
            pass
        except OSError as error:
            problem = error
        return problem

    def release(self) -> bool:
        """Open it by hand; False when it was not shut. Raises ConfigError while a file for every session shuts it."""
        with self._lock:
            had = self.kill is not None
            if self.directory is not None:
                had = remove_kill(self.directory) or had
            for place in self._places:
                left = read_kill(place)
                if left is not None:
                    self.kill = left
                    problem = f"a kill for every session is in force: {left} (in {place / FILE_NAME})"
                    raise ConfigError(problem, hint=f"ibwire kill --release, or remove {place / FILE_NAME}")
            self.kill = self._signalled = None
            self._met.clear()
            self._handled.clear()
            self._marks.clear()
        return had

    def look(self) -> None:
        """Look for what others did: a file, a signal. What is found is told once; a file that was written again, for a
        wider scope for one, is found again."""
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
        with self._lock:  # a release comes before this or after it, never between looking and telling
            fresh = [*self._met, *self._read()]
            self._met.clear()
        for kill in fresh:
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
        """End the thread and give signals back; in another thread than the main one, when the signal comes next."""
        self._stop.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2)
        for number, one in list(_signals.items()):
            one.switches.pop(self, None)
            if not one.switches and threading.current_thread() is threading.main_thread():
                signal.signal(number, one.before)
                del _signals[number]

    def trip_later(self, reason: str, by: str, scope: str) -> None:
        """Shut it now, without a lock and without a wait; the next :meth:`look` does the rest."""
        kill = Kill(reason, by, scope)
        self.kill = self.kill or kill
        self._signalled = kill

    def on_signal(self, number: int, scope: str = "mine") -> None:
        """A signal shuts it, and every other switch of this process that was told the same.

        The handler takes no lock and sends nothing.

        Raises
        ------
        ConfigError : not the main thread, which alone may (as Python has it); no such scope; or a signal that there
            is not, or that nobody can catch.
        """
        if scope not in SCOPES:
            raise ConfigError(f"a kill has no scope {scope!r}", hint=f"say {' or '.join(SCOPES)}")
        try:
            before = signal.signal(number, _on_signal)
        except (ValueError, OSError, TypeError) as error:
            problem = f"{number!r} cannot be a signal that kills: {error}"
            raise ConfigError(problem, hint="call it in the main thread, with a signal such as SIGUSR1") from error
        if before is not _on_signal:
            _signals.setdefault(number, _Signal(signal.SIG_DFL if before is None else before))
        _signals[number].switches[self] = scope

    def _tell(self, kill: Kill) -> None:
        if self.on_kill is not None:
            self.on_kill(kill)

    def _run(self) -> None:
        while not self._stop.wait(_WATCH_S):
            try:
                self.look()
            except Exception as error:  # a switch that no longer looks would be worse than any defect
                self.problem = f"{type(error).__name__}: {error}"


def _mark(path: str) -> tuple[int, ...] | None:
    """Tells one content of a file from the next; None when there is none."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:  # whoever reads it says why
        return (error.errno or 0,)
    return found.st_mtime_ns, found.st_ino, found.st_size


@dataclass(slots=True)
class _Signal:
    """What a signal meant before, and which switches it shuts."""

    before: Any
    switches: dict[KillSwitch, str] = field(default_factory=dict)


_signals: dict[int, _Signal] = {}


def _on_signal(number: int, _: object) -> None:
    one = _signals.get(number)
    if one is not None and not one.switches:
        # The last client was closed by another thread, which may not do this: it means again what it meant before.
        del _signals[number]
        signal.signal(number, one.before)
        os.kill(os.getpid(), number)
        return
    reason = f"signal {signal.Signals(number).name}"
    for switch, scope in list(one.switches.items()) if one is not None else ():
        # The rest is for a thread: this one may be in the middle of a send.
        switch.trip_later(reason, "signal", scope)
