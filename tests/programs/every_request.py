"""Calls every request method of EClient once, cancels every subscription, and writes down every callback.

    every_request.py PORT [--client-id N] [--generation 9.81|10.19|10.30|10.37|10.46]

The generation says which requests exist and how some of them were called. Each request waits for its answer, at most
PATIENCE_S; a round trip behind it collects what else came at once. ``result`` names requests that had no answer and
request methods that were not called. Exit code 0 when both are empty.
"""

import inspect
import sys
import threading
from typing import Any

from ibapi.client import EClient
from ibapi.execution import ExecutionFilter
from ibapi.scanner import ScannerSubscription
from ibapi.wrapper import EWrapper
from tracing import PATIENCE_S, Trace, arguments, order, stock  # type: ignore[import-not-found]

ACCOUNT = "DU0000001"
APPLE = 265598
REQUESTS = ("req", "cancel", "place", "exercise", "calculate", "query", "subscribe", "unsubscribe", "update", "replace")
OTHERS = ("requestFA", "setServerLogLevel", "verifyRequest", "verifyMessage", "verifyAndAuthRequest")
SINCE = {
    "reqUserInfo": (10, 19),
    "reqWshMetaData": (10, 19),
    "cancelWshMetaData": (10, 19),
    "reqWshEventData": (10, 19),
    "cancelWshEventData": (10, 19),
    "reqCurrentTimeInMillis": (10, 37),
    "cancelContractData": (10, 46),
    "cancelHistoricalTicks": (10, 46),
}
BROKEN = {("reqWshEventData", (10, 30))}  # this release raises TypeError for lack of a constant
NOTICES = (2104, 2106, 2158)
TOO_OLD = 503
NAMES = {  # parameters of callbacks that are worth a name here; of the others the position is the name
    "tickPrice": ("reqId", "tickType", "price", "attrib"),
    "tickSize": ("reqId", "tickType", "size"),
    "tickString": ("reqId", "tickType", "value"),
    "tickGeneric": ("reqId", "tickType", "value"),
    "orderStatus": (
        *("orderId", "status", "filled", "remaining", "avgFillPrice", "permId", "parentId", "lastFillPrice"),
        *("clientId", "whyHeld", "mktCapPrice"),
    ),
    "openOrder": ("orderId", "contract", "order", "orderState"),
    "execDetails": ("reqId", "contract", "execution"),
    "nextValidId": ("next",),  # answers no order
}
NO_ID = (
    *("connectAck", "connectionClosed", "managedAccounts", "currentTime", "currentTimeInMillis", "openOrderEnd"),
    *("updateAccountValue", "updatePortfolio", "updateAccountTime", "accountDownloadEnd", "position", "positionEnd"),
    *("updateNewsBulletin", "receiveFA", "scannerParameters", "familyCodes", "mktDepthExchanges", "newsProviders"),
    *("marketRule", "completedOrder", "completedOrdersEnd", "commissionReport", "commissionAndFeesReport", "winError"),
    *("verifyMessageAPI", "verifyCompleted", "verifyAndAuthMessageAPI", "verifyAndAuthCompleted", "orderBound"),
    *("configResponse", "updateConfigResponse", "configResponseProtoBuf"),
)


class Program(EWrapper, EClient):  # type: ignore[misc, unused-ignore]
    def __init__(self, generation: "tuple[int, ...]") -> None:
        EClient.__init__(self, self)
        self.trace = Trace()
        self.generation = generation
        self.called: set[str] = set()
        self.unanswered: list[str] = []

    # -- asking

    def ask(self, method: str, *args: Any, reqId: Any = -1, ends: Any = (), answered: bool = True) -> None:
        """Call a request method and wait for one of `ends`, or for an error of this request."""
        self.called.add(method)
        if self.generation < SINCE.get(method, ()) or (method, self.generation) in BROKEN:
            return
        since = len(self.trace.lines)
        getattr(self, method)(*args)
        if answered:
            names = (ends,) if isinstance(ends, str) else ends

            def fits(line: "dict[str, Any]") -> bool:
                if line["name"] == "error":
                    code = int(line["args"]["errorCode"]["n"])
                    # What the client itself refuses, because the server is too old, may name no request.
                    return code == TOO_OLD or (line["id"] == reqId and code not in NOTICES)
                return line["name"] in names and line["id"] in (None, reqId)

            if self.trace.wait(fits, since) is None:
                self.unanswered.append(method)
        self.fence()

    def tell(self, method: str, *args: Any) -> None:
        """Call a request method whose answer, if any, is at once there."""
        self.ask(method, *args, answered=False)

    def fence(self) -> None:
        """A round trip: what was said before it has come."""
        since = len(self.trace.lines)
        self.called.add("reqCurrentTime")
        self.reqCurrentTime()
        if self.trace.wait(lambda line: line["name"] == "currentTime", since) is None:
            self.unanswered.append("reqCurrentTime")

    # -- the program

    def go(self) -> None:
        self.trace.wait(lambda line: line["name"] == "error")  # the notices end the start
        self.fence()
        self.accounts()
        self.contracts()
        self.quotes()
        self.history()
        self.others()
        self.orders()

    def accounts(self) -> None:
        self.ask("reqManagedAccts", ends="managedAccounts")
        self.ask("reqAccountUpdates", True, ACCOUNT, ends="accountDownloadEnd")
        self.tell("reqAccountUpdates", False, ACCOUNT)
        self.ask("reqAccountSummary", 11, "All", "NetLiquidation,TotalCashValue", reqId=11, ends="accountSummaryEnd")
        self.tell("cancelAccountSummary", 11)
        self.ask("reqPositions", ends="positionEnd")
        self.tell("cancelPositions")
        self.ask("reqPositionsMulti", 12, ACCOUNT, "", reqId=12, ends="positionMultiEnd")
        self.tell("cancelPositionsMulti", 12)
        self.ask("reqAccountUpdatesMulti", 13, ACCOUNT, "", True, reqId=13, ends="accountUpdateMultiEnd")
        self.tell("cancelAccountUpdatesMulti", 13)
        self.ask("reqPnL", 14, ACCOUNT, "", reqId=14, ends="pnl")
        self.tell("cancelPnL", 14)
        self.ask("reqPnLSingle", 15, ACCOUNT, "", APPLE, reqId=15, ends="pnlSingle")
        self.tell("cancelPnLSingle", 15)
        self.ask("reqFamilyCodes", ends="familyCodes")
        self.ask("reqUserInfo", 16, reqId=16, ends="userInfo")
        self.ask("requestFA", 1, ends="receiveFA")
        self.ask("replaceFA", 17, 1, "<xml/>", reqId=17, ends="replaceFAEnd")
        self.ask("reqSoftDollarTiers", 18, reqId=18, ends="softDollarTiers")

    def contracts(self) -> None:
        apple = stock()
        self.ask("reqContractDetails", 21, apple, reqId=21, ends="contractDetailsEnd")
        self.ask("reqMatchingSymbols", 22, "AAP", reqId=22, ends="symbolSamples")
        self.ask(
            *("reqSecDefOptParams", 23, "AAPL", "", "STK", APPLE),
            reqId=23,
            ends="securityDefinitionOptionParameterEnd",
        )
        self.ask("reqMarketRule", 26, ends="marketRule")
        self.ask("reqSmartComponents", 24, "9c0001", reqId=24, ends="smartComponents")
        self.ask("reqMktDepthExchanges", ends="mktDepthExchanges")
        self.ask("reqContractDetails", 25, stock("NOSUCH"), reqId=25, ends="contractDetailsEnd")
        self.tell("cancelContractData", 25)

    def quotes(self) -> None:
        apple = stock()
        self.tell("reqMarketDataType", 1)
        self.ask("reqMktData", 31, apple, "", False, False, [], reqId=31, ends="tickGeneric")
        self.tell("cancelMktData", 31)
        self.ask("reqMktData", 32, apple, "", True, False, [], reqId=32, ends="tickSnapshotEnd")
        self.ask("reqMktDepth", 33, apple, 5, True, [], reqId=33, ends="updateMktDepthL2")
        self.tell("cancelMktDepth", 33, True)
        self.ask("reqRealTimeBars", 34, apple, 5, "TRADES", True, [], reqId=34, ends="realtimeBar")
        self.tell("cancelRealTimeBars", 34)
        self.ask("reqTickByTickData", 35, apple, "Last", 0, False, reqId=35, ends="tickByTickAllLast")
        self.tell("cancelTickByTickData", 35)
        self.ask("calculateImpliedVolatility", 36, call(), 5.0, 190.0, [], reqId=36, ends="tickOptionComputation")
        self.tell("cancelCalculateImpliedVolatility", 36)
        self.ask("calculateOptionPrice", 37, call(), 0.3, 190.0, [], reqId=37, ends="tickOptionComputation")
        self.tell("cancelCalculateOptionPrice", 37)

    def history(self) -> None:
        apple = stock()
        self.ask(
            *("reqHistoricalData", 41, apple, "20260228-00:00:00", "1 D", "1 hour", "TRADES", 1, 1, False, []),
            reqId=41,
            ends="historicalDataEnd",
        )
        self.tell("cancelHistoricalData", 41)
        self.ask("reqHeadTimeStamp", 42, apple, "TRADES", 1, 1, reqId=42, ends="headTimestamp")
        self.tell("cancelHeadTimeStamp", 42)
        self.ask("reqHistogramData", 43, apple, True, "3 days", reqId=43, ends="histogramData")
        self.tell("cancelHistogramData", 43)
        self.ask(
            *("reqHistoricalTicks", 44, apple, "20260227 10:00:00 UTC", "", 100, "TRADES", 1, True, []),
            reqId=44,
            ends="historicalTicksLast",
        )
        self.tell("cancelHistoricalTicks", 44)
        self.ask("reqFundamentalData", 45, apple, "ReportSnapshot", [], reqId=45, ends="fundamentalData")
        self.tell("cancelFundamentalData", 45)

    def others(self) -> None:
        scan = ScannerSubscription()
        # A scan whose order does not change while it is looked at.
        scan.instrument, scan.locationCode, scan.scanCode = "STK", "STK.US.MAJOR", "HIGH_OPEN_GAP"
        self.ask("reqScannerParameters", ends="scannerParameters")
        self.ask("reqScannerSubscription", 51, scan, [], [], reqId=51, ends="scannerDataEnd")
        self.tell("cancelScannerSubscription", 51)
        self.ask("reqNewsProviders", ends="newsProviders")
        self.tell("reqNewsBulletins", True)
        self.tell("cancelNewsBulletins")
        self.ask("reqNewsArticle", 52, "SIM", "SIM$40d7e.10", [], reqId=52, ends="newsArticle")
        until = "20260227-20:00:00"
        self.ask("reqHistoricalNews", 53, APPLE, "SIM", "", until, 10, [], reqId=53, ends="historicalNewsEnd")
        self.ask("reqWshMetaData", 54, reqId=54, ends="wshMetaData")
        self.tell("cancelWshMetaData", 54)
        self.ask("reqWshEventData", 55, self.event_data(), reqId=55, ends="wshEventData")
        self.tell("cancelWshEventData", 55)
        self.ask("queryDisplayGroups", 56, reqId=56, ends="displayGroupList")
        self.ask("subscribeToGroupEvents", 57, 1, reqId=57, ends="displayGroupUpdated")
        self.ask("updateDisplayGroup", 57, f"{APPLE}@SMART", reqId=57)
        self.tell("unsubscribeFromGroupEvents", 57)
        self.tell("setServerLogLevel", 2)
        self.extraAuth = True  # or the client itself refuses
        self.ask("verifyRequest", "sim", "1", ends="verifyCompleted")
        self.ask("verifyMessage", "x", ends="verifyCompleted")
        self.ask("verifyAndAuthRequest", "sim", "1", "key", ends="verifyAndAuthCompleted")
        self.ask("verifyAndAuthMessage", "x", "y", ends="verifyAndAuthCompleted")
        self.ask("reqCurrentTimeInMillis", ends="currentTimeInMillis")

    def event_data(self) -> Any:
        if self.generation < SINCE["reqWshEventData"]:
            return None
        from ibapi.common import WshEventData

        data = WshEventData()
        data.conId = APPLE
        return data

    def orders(self) -> None:
        self.ask("reqIds", -1, ends="nextValidId")
        apple, self.reports = stock(), 0
        self.tell("placeOrder", 1, apple, order("BUY", "MKT", 100))
        self.until("orderStatus", 1, "Filled")
        # One report for each execution; the last may still be on its way.
        executions = sum(line["name"] == "execDetails" for line in self.trace.lines)
        self.trace.wait(lambda line: line["name"].startswith("commission") and self.counted(executions))
        self.tell("placeOrder", 2, apple, order("BUY", "LMT", 100, 1.5))
        self.until("orderStatus", 2, "Submitted")
        self.ask("reqOpenOrders", ends="openOrderEnd")
        self.ask("reqAllOpenOrders", ends="openOrderEnd")
        self.tell("reqAutoOpenOrders", True)  # refused: for client 0 only
        self.cancel(2)
        self.until("error", 2, None)
        self.tell("placeOrder", 3, apple, order("SELL", "LMT", 100, 9000.5))
        self.until("orderStatus", 3, "Submitted")
        self.cancel_all()
        self.until("error", 3, None)
        self.tell("placeOrder", 4, stock("NOSUCH"), order("BUY", "MKT", 1))
        self.until("error", 4, None)
        option = call()
        more = ("", "", False) if self.generation >= (10, 30) else ()
        self.ask("exerciseOptions", 61, option, 1, 1, ACCOUNT, 0, *more, reqId=61)
        self.ask("reqExecutions", 62, ExecutionFilter(), reqId=62, ends="execDetailsEnd")
        self.ask("reqCompletedOrders", True, ends="completedOrdersEnd")
        self.ask("reqPositions", ends="positionEnd")
        self.tell("cancelPositions")

    def counted(self, executions: int) -> bool:
        self.reports += 1
        return self.reports >= executions

    def until(self, name: str, orderId: int, status: "str | None") -> None:
        """Wait for an order's end state."""

        def fits(line: "dict[str, Any]") -> bool:
            return line["name"] == name and line["id"] == orderId and status in (None, line["args"].get("status"))

        if self.trace.wait(fits) is None:
            self.unanswered.append(f"placeOrder {orderId}: {status or name}")
        self.fence()

    def cancel(self, orderId: int) -> None:
        """The second argument came, and changed."""
        if self.generation >= (10, 30):
            from ibapi.order_cancel import OrderCancel

            self.tell("cancelOrder", orderId, OrderCancel())
        elif self.generation >= (10, 19):
            self.tell("cancelOrder", orderId, "")
        else:
            self.tell("cancelOrder", orderId)

    def cancel_all(self) -> None:
        if self.generation >= (10, 37):
            from ibapi.order_cancel import OrderCancel

            self.tell("reqGlobalCancel", OrderCancel())
        else:
            self.tell("reqGlobalCancel")

    def forgotten(self) -> "list[str]":
        """Request methods that the program did not call."""
        names = [name for name, _ in inspect.getmembers(EClient, inspect.isfunction) if not name.endswith("ProtoBuf")]
        wanted = {name for name in names if name.startswith(REQUESTS) or name in OTHERS}
        return sorted(wanted - self.called)


def call() -> Any:
    option = stock()
    option.secType, option.lastTradeDateOrContractMonth, option.strike, option.right = "OPT", "20260320", 200.0, "C"
    return option


def callback(name: str) -> Any:
    given = NAMES.get(name)

    def note(self: Program, *args: Any) -> None:
        names = given
        if names is None:
            first = "arg0" if name in NO_ID else "reqId"
            names = (first, *(f"arg{i}" for i in range(1, len(args))))
        self.trace.add(name, **dict(zip(names, args, strict=False)))

    return note


def error_callback(generation: "tuple[int, ...]") -> Any:
    def error3(self: Program, reqId: int, errorCode: int, errorString: str) -> None:
        self.trace.add("error", reqId=reqId, errorCode=errorCode, errorString=errorString)

    def error4(self: Program, reqId: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = "") -> None:
        self.trace.add("error", reqId=reqId, errorCode=errorCode, errorString=errorString)

    def error5(
        self: Program, reqId: int, errorTime: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = ""
    ) -> None:
        self.trace.add("error", reqId=reqId, errorTime=errorTime, errorCode=errorCode, errorString=errorString)

    return error5 if generation >= (10, 37) else error4 if generation >= (10, 19) else error3


def dress(generation: "tuple[int, ...]") -> None:
    """Override every callback of the generation."""
    dropped = {"logAnswer", "error", "commissionReport" if generation >= (10, 37) else "commissionAndFeesReport"}
    for name, _ in inspect.getmembers(EWrapper, inspect.isfunction):
        if not name.startswith("_") and not name.endswith("ProtoBuf") and name not in dropped:
            setattr(Program, name, callback(name))
    Program.error = error_callback(generation)


def main() -> int:
    args = arguments()
    dress(args.generation)
    program = Program(args.generation)
    program.connect("127.0.0.1", args.port, args.client_id)
    version = program.serverVersion()
    loop = threading.Thread(target=program.run, daemon=True)
    loop.start()
    try:
        program.go()
    finally:
        program.disconnect()
        loop.join(PATIENCE_S)
    forgotten = program.forgotten()
    program.trace.print(
        serverVersion=version, unanswered=program.unanswered, forgotten=forgotten, ended=not loop.is_alive()
    )
    return 1 if program.unanswered or forgotten or loop.is_alive() else 0


if __name__ == "__main__":
    sys.exit(main())
