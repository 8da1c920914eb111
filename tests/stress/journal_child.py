"""Processes that are gone at a given point of an order, as with ``kill -9``; see ``journal_kill.py``.

One process imports everything once and forks for each line of its input: ``OPERATION WHERE PORT STATE_DIR``. The
operation is place, cancel, modify or, until it is killed from outside, ``stream``: several threads that do all three.
``WHERE`` is where the child kills itself: ``point:N``, before the Nth thing that leaves a trace (see :data:`POINTS`);
``step:N``, at the Nth event of the interpreter's profiler in the client or in io. It answers with how its child ended:
``killed NAME`` of the point, or ``done`` when the operation has fewer.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibwire
import ibwire.client
from ibwire.errors import IbwireError
from ibwire.ring import impl
from ibwire.types import outgoing
from ibwire.types.constructors import limit, stock
from ibwire.wire.codec import Codec, Role

AAPL = replace(stock("AAPL"), conId=265598)
THREADS = 3
_ROOT = Path(ibwire.__file__).parent
_COUNTED = (str(_ROOT / "client"), str(_ROOT / "io"))
_PURE = "modifying.py"  # compares terms, field by field
POINTS = {
    "core": ("take_turn", "take_order_id"),
    "core._store": ("_write",),
    "core.journal._appender": ("put",),
    "core.table": ("begin_place", "on_placed", "on_cancel_request"),
    "core.link": ("send",),
}
"""What leaves a trace outside of the thread that sends, or tells somebody: by the object, its methods."""


def kill() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Steps:
    """Counts what the interpreter does; at the last step the process is gone."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __call__(self, frame: Any, event: str, arg: object) -> None:
        where = frame.f_code.co_filename
        if event != "return" and where.startswith(_COUNTED) and not where.endswith(_PURE):
            self.left -= 1
            if not self.left:
                print(f"{Path(where).name}:{frame.f_lineno}", end=" ", flush=True)
                kill()


class Stand:
    """In the place of an object that takes no attributes."""

    def __init__(self, behind: Any) -> None:
        self.__dict__["behind"] = behind

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


class Points:
    """Counts named points; at the last one the process is gone, once with half of the bytes in the kernel."""

    def __init__(self, left: int, core: Any) -> None:
        self.left = left
        if left > 0:
            core.journal._appender = Stand(core.journal._appender)
            for path, names in POINTS.items():
                one = core
                for part in path.split(".")[1:]:
                    one = getattr(one, part)
                for name in names:
                    setattr(one, name, self.counted(f"{path}.{name}", getattr(one, name), core))

    def counted(self, label: str, call: Callable[..., Any], core: Any) -> Callable[..., Any]:
        def counting(*args: Any, **values: Any) -> Any:
            self.at(label)
            if label == "core.link.send":
                self.half(core.link, args[0])
            return call(*args, **values)

        return counting

    def at(self, label: str) -> None:
        self.left -= 1
        if not self.left:
            print(label, end=" ", flush=True)
            kill()

    def half(self, link: Any, payload: bytes) -> None:
        if self.left == 1:  # the next point
            frame = len(payload).to_bytes(4, "big") + payload
            link._sock.send(frame[: len(frame) // 2])
        self.at("half of the bytes")


def live(operation: str, where: str, port: int, state_dir: str) -> None:
    ib = ibwire.connect(
        "paper", port=port, state_dir=state_dir, fsync="never", max_server_version=176, reconcile=False, rate_per_s=0
    )
    if operation == "stream":
        stream(ib)
    order = limit("BUY", 10, 100.0)
    handle = None if operation == "place" else ib.orders.place(AAPL, order)
    kind, _, number = where.partition(":")
    points = Points(int(number) if kind == "point" else 0, ib._core)
    if kind == "step":
        sys.setprofile(Steps(int(number)))
    if handle is None:
        ib.orders.place(AAPL, order)
    elif operation == "cancel":
        handle.cancel()
    else:
        order.orderId, order.lmtPrice = handle.order_id, 101.0
        ib.orders.place(AAPL, order)
    sys.setprofile(None)
    points.at("after")


def stream(ib: ibwire.Client) -> None:
    """Orders without an end, in threads; a modify that is still open is refused, which is no matter here."""

    def some() -> None:
        while True:
            handle = ib.orders.place(AAPL, limit("BUY", 10, 100.0))
            try:
                handle.modify(lmtPrice=101.0)
            except IbwireError:
                pass
            handle.cancel()

    threads = [threading.Thread(target=some) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    print(f"running {os.getpid()}", flush=True)
    for thread in threads:
        thread.join()


def warm() -> None:
    """What every child would do first: plans and tables are kept for the process."""
    from ibwire.wire.hot import tables

    tables(176, True)
    codec = Codec(176, Role.CLIENT)
    codec.encode(outgoing.PlaceOrder(1, AAPL, limit("BUY", 1, 1.0)))
    if impl.NAME == "compiled":
        impl.reader_module()


def main() -> None:
    warm()
    for line in sys.stdin:
        operation, where, port, state_dir = line.split()
        pid = os.fork()
        if not pid:
            try:
                live(operation, where, int(port), state_dir)
                os._exit(0)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print({0: "done", -signal.SIGKILL: "killed"}.get(code, f"exit {code}"), flush=True)


if __name__ == "__main__":
    main()
