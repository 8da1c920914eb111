"""Processes that kill themselves at a given step of an order; see ``test_journal_kill.py``.

One process imports everything once and forks for each line of its input: ``OPERATION STEP PORT STATE_DIR``. The step is
an event of the interpreter's profiler in the client or in io: a call, or either end of a call of C, which is where
anything happens. It answers with
how its child ended: ``killed``, or ``done`` when the operation has fewer steps.
"""

from __future__ import annotations

import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import ibwire
import ibwire.client
from ibwire.ring import impl
from ibwire.types import outgoing
from ibwire.types.constructors import limit, stock
from ibwire.wire.codec import Codec, Role

_ROOT = Path(ibwire.__file__).parent
_COUNTED = (str(_ROOT / "client"), str(_ROOT / "io"))
_PURE = "modifying.py"  # compares terms, field by field


class Killer:
    """Counts steps; at the last one the process is gone, as with ``kill -9``."""

    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self, frame: Any, event: str, arg: object) -> None:
        where = frame.f_code.co_filename
        if event != "return" and where.startswith(_COUNTED) and not where.endswith(_PURE):
            self.left -= 1
            if not self.left:
                os.kill(os.getpid(), signal.SIGKILL)


def live(operation: str, step: int, port: int, state_dir: str) -> None:
    ib = ibwire.connect("paper", port=port, state_dir=state_dir, fsync="never", max_server_version=176)
    contract, order = replace(stock("AAPL"), conId=265598), limit("BUY", 10, 100.0)
    handle = None if operation == "place" else ib.orders.place(contract, order)
    killer = Killer(step)
    sys.setprofile(killer)
    if handle is None:
        ib.orders.place(contract, order)
    elif operation == "cancel":
        handle.cancel()
    else:
        order.orderId, order.lmtPrice = handle.order_id, 101.0
        ib.orders.place(contract, order)
    sys.setprofile(None)


def warm() -> None:
    """What every child would do first: plans and tables are kept for the process."""
    from ibwire.wire.hot import tables

    tables(176, True)
    codec = Codec(176, Role.CLIENT)
    codec.encode(outgoing.PlaceOrder(1, replace(stock("AAPL"), conId=265598), limit("BUY", 1, 1.0)))
    if impl.NAME == "compiled":
        impl.reader_module()


def main() -> None:
    warm()
    for line in sys.stdin:
        operation, step, port, state_dir = line.split()
        pid = os.fork()
        if not pid:
            try:
                live(operation, int(step), int(port), state_dir)
                os._exit(0)
            except BaseException as error:
                print(f"{type(error).__name__}: {error}", flush=True)
                os._exit(1)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        print({0: "done", -signal.SIGKILL: "killed"}.get(code, f"exit {code}"), flush=True)


if __name__ == "__main__":
    main()
