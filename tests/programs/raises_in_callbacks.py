"""Raises in one callback after the other: each time run() must let it through and close, and a new connection works."""

import sys
import threading
from typing import Any

from ibapi.client import EClient
from ibapi.wrapper import EWrapper
from tracing import Trace, arguments, order, stock  # type: ignore[import-not-found]

TIME_LIMIT_S = 10
CALLBACKS = (
    *("error", "nextValidId", "managedAccounts", "currentTime", "contractDetails", "contractDetailsEnd"),
    *("symbolSamples", "tickPrice", "tickSize", "tickReqParams", "marketDataType", "updateAccountValue"),
    *("accountDownloadEnd", "positionEnd", "accountSummary", "openOrder", "orderStatus", "execDetails"),
)


class Planned(Exception):
    """Raised by the program."""


class Program(EWrapper, EClient):  # type: ignore[misc, unused-ignore]
    def __init__(self, trace: Trace) -> None:
        EClient.__init__(self, self)
        self.trace = trace
        self.raising = ""

    def connectionClosed(self) -> None:
        self.trace.add("connectionClosed", during=self.raising)

    def ask(self) -> None:
        """Requests that bring every callback of the list."""
        apple = stock()
        self.reqCurrentTime()
        self.reqContractDetails(11, apple)
        self.reqMatchingSymbols(12, "AAP")
        self.reqMktData(13, apple, "", False, False, [])
        self.reqAccountUpdates(True, "")
        self.reqPositions()
        self.reqAccountSummary(14, "All", "NetLiquidation")
        self.placeOrder(1, apple, order("BUY", "MKT", 1))


def callback(name: str) -> Any:
    def raising(self: Program, *args: Any) -> None:
        if name == self.raising:
            raise Planned(name)

    return raising


def main() -> int:
    args = arguments()
    for name in CALLBACKS:
        setattr(Program, name, callback(name))
    trace = Trace()
    program = Program(trace)
    guard = threading.Timer(TIME_LIMIT_S, program.disconnect)
    guard.daemon = True
    guard.start()
    for number, name in enumerate(CALLBACKS):
        program.raising = name
        program.connect("127.0.0.1", args.port, args.client_id + number)
        program.ask()
        try:
            program.run()
            trace.add("returned", of=name)
        except Planned as error:
            trace.add("raised", of=name, text=str(error), connected=program.isConnected())
    guard.cancel()
    raised = sum(line["name"] == "raised" for line in trace.lines)
    trace.print(raised=raised, expected=len(CALLBACKS))
    return 0 if raised == len(CALLBACKS) else 1


if __name__ == "__main__":
    sys.exit(main())
