"""Requests from several threads at once and from inside callbacks, while run() has a thread of its own."""

import sys
import threading
from typing import Any

from ibapi.client import EClient
from ibapi.wrapper import EWrapper
from tracing import PATIENCE_S, Trace, arguments, stock  # type: ignore[import-not-found]

THREADS = 4
ROUNDS = 25


class Program(EWrapper, EClient):  # type: ignore[misc, unused-ignore]
    def __init__(self) -> None:
        EClient.__init__(self, self)
        self.trace = Trace()
        self.expected = THREADS * ROUNDS * 3

    def error(self, reqId: Any, *args: Any) -> None:
        self.trace.add("error", about=reqId)

    def ask(self, number: int) -> None:
        """One thread: contract details and symbols; a second request of details is made in the first one's end."""
        for each in range(ROUNDS):
            reqId = number * 1000 + each * 10
            self.reqContractDetails(reqId, stock("AAPL" if each % 2 else "MSFT"))
            self.reqMatchingSymbols(reqId + 1, "AAP")

    def contractDetails(self, reqId: int, contractDetails: Any) -> None:
        self.trace.add("contractDetails", reqId=reqId, conId=contractDetails.contract.conId)

    def contractDetailsEnd(self, reqId: int) -> None:
        self.trace.add("contractDetailsEnd", reqId=reqId)
        if reqId % 10 == 0:
            self.reqContractDetails(reqId + 2, stock())

    def symbolSamples(self, reqId: int, contractDescriptions: Any) -> None:
        symbols = [description.contract.symbol for description in contractDescriptions]
        self.trace.add("symbolSamples", reqId=reqId, symbols=symbols)


def main() -> int:
    args = arguments()
    program = Program()
    program.connect("127.0.0.1", args.port, args.client_id)
    loop = threading.Thread(target=program.run, daemon=True)
    loop.start()
    threads = [threading.Thread(target=program.ask, args=(number + 1,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ends = {"contractDetailsEnd", "symbolSamples"}
    answered = 0

    def last(line: "dict[str, Any]") -> bool:
        nonlocal answered
        answered += line["name"] in ends
        return answered == program.expected

    program.trace.wait(last, patience_s=PATIENCE_S)
    program.disconnect()
    loop.join(PATIENCE_S)
    program.trace.print(answered=answered, expected=program.expected, ended=not loop.is_alive())
    return 0 if answered == program.expected and not loop.is_alive() else 1


if __name__ == "__main__":
    sys.exit(main())
