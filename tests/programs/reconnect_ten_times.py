"""Connects, asks, disconnects from inside a callback, and connects again with the same object, ten times."""

import sys
import threading
from typing import Any

from ibapi.client import EClient
from ibapi.wrapper import EWrapper
from tracing import Trace, arguments  # type: ignore[import-not-found]

TIMES = 10
TIME_LIMIT_S = 20


class Program(EWrapper, EClient):  # type: ignore[misc, unused-ignore]
    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.trace = Trace()
        self.round = 0

    def error(self, reqId: Any, *args: Any) -> None:
        self.trace.add("error", about=reqId)

    def connectAck(self) -> None:
        self.trace.add("connectAck", round=self.round, connected=self.isConnected())

    def managedAccounts(self, accountsList: str) -> None:
        self.trace.add("managedAccounts", round=self.round, accounts=accountsList)

    def nextValidId(self, orderId: int) -> None:
        self.trace.add("nextValidId", round=self.round, next=orderId)
        self.reqCurrentTime()

    def currentTime(self, time: int) -> None:
        self.trace.add("answered", round=self.round)
        self.disconnect()

    def connectionClosed(self) -> None:
        self.trace.add("connectionClosed", round=self.round)


def main() -> int:
    args = arguments()
    program = Program()
    guard = threading.Timer(TIME_LIMIT_S, program.disconnect)
    guard.daemon = True
    guard.start()
    for program.round in range(TIMES):
        program.connect("127.0.0.1", args.port, args.client_id + program.round)
        program.run()
        program.trace.add("returned", round=program.round, connected=program.isConnected())
    guard.cancel()
    answered = sum(line["name"] == "answered" for line in program.trace.lines)
    program.trace.print(answered=answered)
    return 0 if answered == TIMES else 1


if __name__ == "__main__":
    sys.exit(main())
