"""A process of its own for each party of a benchmark: it answers one JSON request per line.

The official package and ib_async lie in folders below ``.oracles``; the environment variable IBWIRE_ORACLES names
another place. A missing one is an error, never a benchmark that is left out.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

ROOT: Final = Path(__file__).resolve().parent.parent
SIDES: Final = {"ibwire": "", "official": "10.46.1", "ib_async": "ib_async"}
"""Side -> its folder below $IBWIRE_ORACLES; none for our own."""

PATIENCE_S: Final = 600


def folder(side: str) -> Path | None:
    """Folder that a side's package lies in; None for our own.

    Raises
    ------
    FileNotFoundError
        It is not there.
    """
    if not SIDES[side]:
        return None
    found = Path(os.environ.get("IBWIRE_ORACLES", ROOT / ".oracles")) / SIDES[side]
    module = "ib_async" if side == "ib_async" else "ibapi"
    if not (found / module / "decoder.py").is_file():
        raise FileNotFoundError(
            f"no {module} in {found}: python tools/oracles.py {SIDES[side]}, or set IBWIRE_ORACLES to the folder of it"
        )
    return found.resolve()


def environment(side: str) -> dict[str, str]:
    """What a process that speaks for a side runs in."""
    place = folder(side)
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(place)] * (place is not None) + [str(ROOT)])}


class Child:
    """``python -m MODULE ARGUMENTS`` that answers requests. Use as a context manager; one thread at a time.

    Parameters
    ----------
    side : one of `SIDES`, for the packages it can import
    module, arguments : what it runs
    """

    def __init__(self, side: str, module: str, *arguments: str) -> None:
        self.name = " ".join((module, *arguments))
        self._child = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(side),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._child.stdin is not None and self._child.stdout is not None
        if kind is not None:
            self._child.kill()  # it may wait for a connection that never comes
        try:
            self._child.stdin.close()
        except BrokenPipeError:
            pass  # it ended by itself, and has said why on stderr
        self._child.wait(timeout=60)
        self._child.stdout.close()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    def tell(self, **request: Any) -> None:
        """Send one request; `hear` has its answer. Lets two children work at the same time."""
        assert self._child.stdin is not None
        try:
            self._child.stdin.write(json.dumps(request) + "\n")
            self._child.stdin.flush()
        except BrokenPipeError:
            raise RuntimeError(f"{self.name} ended with {self._child.wait()} before {request}") from None

    def hear(self) -> dict[str, Any]:
        """Wait for the next answer. Raises RuntimeError when the child ended instead, or says nothing for too long."""
        assert self._child.stdout is not None
        if not select.select([self._child.stdout], [], [], PATIENCE_S)[0]:
            raise RuntimeError(f"{self.name} did not answer within {PATIENCE_S} s")
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with {self._child.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def ask(self, **request: Any) -> dict[str, Any]:
        """`tell` and `hear`."""
        self.tell(**request)
        return self.hear()


def serve(answer: Callable[..., dict[str, Any]]) -> None:
    """The child's side: ``answer(**request)`` for each line of stdin, until it ends."""
    for line in sys.stdin:
        print(json.dumps(answer(**json.loads(line))), flush=True)
