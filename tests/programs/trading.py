"""The small trade that the generation programs make: a market order to its fill, then a limit order to its cancel.

Everything happens in callbacks, as in the official samples; the program's own methods call these.
"""

import threading
from typing import Any

from tracing import Trace, order, stock  # type: ignore[import-not-found]

TIME_LIMIT_S = 20


class Trade:
    """To be mixed into a program that is EWrapper and EClient."""

    def begin_trade(self) -> None:
        self.trace = Trace()
        self.kinds: dict[str, str] = {}  # types of sizes
        self.first = 0
        self.open_reports: set[str] = set()
        self.state = "connecting"
        self.guard = threading.Timer(TIME_LIMIT_S, self.end)
        self.guard.daemon = True
        self.guard.start()

    def end(self) -> None:
        self.guard.cancel()
        self.disconnect()  # type: ignore[attr-defined]

    def cancel(self, orderId: int) -> None:
        raise NotImplementedError  # each generation in its way

    def on_id(self, orderId: int) -> None:
        if self.state == "connecting":
            self.state, self.first = "buying", orderId
            self.placeOrder(orderId, stock(), order("BUY", "MKT", 100))  # type: ignore[attr-defined]

    def on_execution(self, execId: str) -> None:
        self.open_reports.add(execId)

    def on_report(self, execId: str) -> None:
        self.open_reports.discard(execId)
        self.go_on()

    def on_status(self, orderId: int, status: str) -> None:
        if orderId == self.first and status == "Filled" and self.state == "buying":
            self.state = "filled"
            self.go_on()
        elif orderId == self.first + 1 and status == "Submitted" and self.state == "resting":
            self.state = "cancelling"
            self.cancel(orderId)

    def on_error(self, reqId: int, errorCode: int) -> None:
        if errorCode == 202 and self.state == "cancelling":
            self.state = "done"
            self.end()

    def go_on(self) -> None:
        if self.state == "filled" and not self.open_reports:
            self.state = "resting"
            self.placeOrder(self.first + 1, stock(), order("BUY", "LMT", 10, 1.5))  # type: ignore[attr-defined]


def trade(program: Any, port: int, client_id: int) -> int:
    """Connect, trade, print; the exit code."""
    program.connect("127.0.0.1", port, client_id)
    program.run()
    program.trace.print(state=program.state, kinds=program.kinds)
    return 0 if program.state == "done" else 1
