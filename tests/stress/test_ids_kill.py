"""kill -9 between every two steps of taking order ids, while other processes take them: no id comes twice."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ibwire.io.idstore
from ibwire.io.idstore import FileIdStore

MOST_STEPS = 1000
BLOCK = 3
TAKERS = 2
WHERE = ibwire.io.idstore.__file__


def forked(work: Callable[[int], None]) -> tuple[int, int]:
    """A process that does it, and the end of the pipe in which it tells what it took."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid:
        os.close(writer)
        return pid, reader
    try:
        work(writer)
        os._exit(0)
    finally:
        os._exit(1)


def tell(writer: int, first: int, count: int) -> None:
    os.write(writer, b"".join(number.to_bytes(4, "little") for number in range(first, first + count)))


def told(pid: int, reader: int) -> tuple[int, list[int]]:
    """How it ended, and the ids that it had taken by then."""
    data = b""
    while more := os.read(reader, 1 << 16):
        data += more
    os.close(reader)
    assert len(data) % 4 == 0
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return code, [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def test_processes_killed_at_every_step_share_no_id(tmp_path: Path) -> None:
    path = tmp_path / "ids"

    def take(writer: int) -> None:
        store = FileIdStore(path, block=BLOCK)
        for number in range(150):
            tell(writer, store.reserve(1, 1 + number % 2), 1 + number % 2)

    def take_until(step: int) -> Callable[[int], None]:
        def work(writer: int) -> None:
            store = FileIdStore(path, block=BLOCK)
            left = step

            def count(frame: Any, event: str, arg: object) -> None:
                nonlocal left
                if event not in ("return", "c_return") and frame.f_code.co_filename == WHERE:
                    left -= 1
                    if not left:
                        os.kill(os.getpid(), signal.SIGKILL)

            sys.setprofile(count)
            first = store.reserve(1, 2)
            tell(writer, first, 2)
            store.top_up()
            tell(writer, store.reserve(1, 2), 2)
            store.close()
            sys.setprofile(None)

        return work

    others = [forked(take) for _ in range(TAKERS)]
    every: list[int] = []
    for step in range(1, MOST_STEPS):
        code, ids = told(*forked(take_until(step)))
        every += ids
        if not code:
            break
        assert code == -signal.SIGKILL
    else:
        raise AssertionError("taking ids has no end")
    assert step > 50
    for other in others:
        code, ids = told(*other)
        assert code == 0
        assert ids == sorted(ids)
        every += ids
    assert len(every) > TAKERS * 150
    assert len(set(every)) == len(every)
    assert FileIdStore(path).reserve(1, 1) > max(every)
