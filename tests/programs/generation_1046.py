"""A program of today: error() with a time, commissionAndFeesReport, cancelOrder with an OrderCancel."""

import sys
from decimal import Decimal
from typing import Any

from ibapi.client import EClient
from ibapi.order_cancel import OrderCancel
from ibapi.wrapper import EWrapper
from tracing import arguments  # type: ignore[import-not-found]
from trading import Trade, trade  # type: ignore[import-not-found]


class Program(Trade, EWrapper, EClient):  # type: ignore[misc, unused-ignore]
    def __init__(self) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        self.begin_trade()

    def cancel(self, orderId: int) -> None:
        self.cancelOrder(orderId, OrderCancel())

    def error(
        self, reqId: int, errorTime: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = ""
    ) -> None:  # type: ignore[override, unused-ignore]
        self.trace.add("error", reqId=reqId, errorTime=errorTime, errorCode=errorCode, json=advancedOrderRejectJson)
        self.on_error(reqId, errorCode)

    def nextValidId(self, orderId: int) -> None:
        self.trace.add("nextValidId", next=orderId)
        self.on_id(orderId)

    def openOrder(self, orderId: int, contract: Any, order: Any, orderState: Any) -> None:
        size = order.totalQuantity
        self.trace.add("openOrder", orderId=orderId, symbol=contract.symbol, status=orderState.status, size=size)

    def orderStatus(
        self,
        orderId: int,
        status: str,
        filled: Decimal,
        remaining: Decimal,
        avgFillPrice: float,
        permId: int,
        parentId: int,
        lastFillPrice: float,
        clientId: int,
        whyHeld: str,
        mktCapPrice: float,
    ) -> None:
        self.kinds["filled"] = type(filled).__name__
        self.trace.add("orderStatus", orderId=orderId, status=status, filled=filled, remaining=remaining)
        self.on_status(orderId, status)

    def execDetails(self, reqId: int, contract: Any, execution: Any) -> None:
        self.trace.add("execDetails", reqId=reqId, execId=execution.execId, shares=execution.shares)
        self.kinds["shares"] = type(execution.shares).__name__
        self.on_execution(execution.execId)

    def commissionAndFeesReport(self, commissionAndFeesReport: Any) -> None:
        report = commissionAndFeesReport
        self.trace.add(
            "commissionAndFeesReport", execId=report.execId, fee=report.commissionAndFees, currency=report.currency
        )
        self.on_report(report.execId)

    def connectionClosed(self) -> None:
        self.trace.add("connectionClosed")


if __name__ == "__main__":
    args = arguments()
    sys.exit(trade(Program(), args.port, args.client_id))
