"""Requests that wait for their answer: TWSSyncWrapper, the official synchronous class, on our own machinery.

The message loop runs in a thread; a request waits for its answer, and an error alone does not end the wait.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from ibwire.compat._objects import (
    BarData,
    Contract,
    ContractDetails,
    Execution,
    ExecutionFilter,
    Order,
    OrderCancel,
    OrderState,
    TickAttrib,
)
from ibwire.compat.client import EClient
from ibwire.compat.ticktype import TickTypeEnum
from ibwire.compat.wrapper import EWrapper

_CONNECT_S: Final = 5.0
_STREAM_S: Final = 1.0
_POSITION: Final = ("contract", "position", "avgCost")


class ResponseTimeout(Exception):
    """No answer came in time."""


class TWSSyncWrapper(EWrapper, EClient):
    """A client whose requests return their answers.

    Parameters
    ----------
    timeout : seconds that a request waits for its answer where it does not say itself.

    Attributes
    ----------
    contract_details, executions, historical_data, account_summary, market_data : answers by request id.
    order_status, open_orders : by order id. positions : by account. portfolio : a list.
    current_time_value, next_valid_id_value : the last that came. errors : by request id, each a dict.

    Notes
    -----
    Callbacks run in the loop's thread; a request made there would wait for itself and raises ResponseTimeout. One
    request of a kind at a time: requests without an id share their answer.
    """

    def __init__(self, timeout: float = 30) -> None:
        EWrapper.__init__(self)
        EClient.__init__(self, wrapper=self)
        from ibwire.io.wait import Bell

        self.timeout = timeout
        self.response_events: dict[str, bool] = {}
        self.response_data: dict[str, Any] = {}
        self.contract_details: dict[int, list[ContractDetails]] = {}
        self.order_status: dict[int, dict[str, Any]] = {}
        self.open_orders: dict[int, dict[str, Any]] = {}
        self.executions: dict[int, list[dict[str, Any]]] = {}
        self.portfolio: list[dict[str, Any]] = []
        self.positions: dict[str, list[dict[str, Any]]] = {}
        self.account_summary: dict[int, dict[str, dict[str, dict[str, str]]]] = {}
        self.market_data: dict[int, dict[str, Any]] = {}
        self.historical_data: dict[int, list[BarData]] = {}
        self.current_time_value: int | None = None
        self.next_valid_id_value: int | None = None
        self.completion_events: dict[str, Any] = {}
        self.errors: dict[int, list[dict[str, Any]]] = {}
        self._bell = Bell()

    # ------------------------------------------------------------------ connecting

    def connect_and_start(self, host: str, port: int, client_id: int) -> bool:
        """Connect and start the loop's thread; True once the first order id has come, within five seconds."""
        from ibwire.compat._background import Background

        self.next_valid_id_value = None
        self.connect(host, port, client_id)
        if not self.isConnected():
            return False
        self.api_thread = Background(self.run)
        self._bell.wait_until(lambda: self.next_valid_id_value is not None or not self.isConnected(), _CONNECT_S * 1000)
        return self.next_valid_id_value is not None and self.isConnected()

    def disconnect_and_stop(self) -> None:
        """Disconnect and wait up to a second for the loop's thread."""
        self.disconnect()
        if hasattr(self, "api_thread"):
            self.api_thread.join(timeout=1)

    # ------------------------------------------------------------------ waiting

    def _begin(self, name: str, req_id: int = 0) -> str:
        """Forget an earlier answer, so that only what comes after the request counts."""
        key = f"{name}_{req_id}"
        self.response_data.pop(key, None)
        self.response_events[key] = False
        return key

    def _set_event(self, req_id: int, event_name: str, data: Any = None) -> None:
        key = f"{event_name}_{req_id}"
        if key in self.response_events:
            self.response_data[key] = data
            self.response_events[key] = True
        self._bell.ring()

    def _wait_for_response(self, req_id: int, event_name: str, timeout: float | None = None) -> Any:
        """What came for a request; raises ResponseTimeout after ``timeout`` seconds, or when the connection ended."""
        seconds = self.timeout if timeout is None else timeout
        key = f"{event_name}_{req_id}"
        self.response_events.setdefault(key, False)
        try:
            self._bell.wait_until(lambda: self.response_events[key] or not self.isConnected(), seconds * 1000)
            if not self.response_events[key]:
                why = f"within {seconds} seconds" if self.isConnected() else "before the connection ended"
                raise ResponseTimeout(f"no answer to {event_name} of request {req_id} {why}{self._said(req_id)}")
            return self.response_data.get(key)
        finally:
            del self.response_events[key]
            self.response_data.pop(key, None)

    def _said(self, req_id: int) -> str:
        said = self.errors.get(req_id)
        return f"; error {said[-1]['errorCode']}: {said[-1]['errorString']}" if said else ""

    # ------------------------------------------------------------------ callbacks

    def connectionClosed(self) -> None:
        """Wakes every request that waits."""
        self._bell.ring()

    def nextValidId(self, orderId: int) -> None:
        """Keeps the id."""
        self.next_valid_id_value = orderId
        self._set_event(0, "next_valid_id", orderId)

    def error(
        self, reqId: int, errorTime: int, errorCode: int, errorString: str, advancedOrderRejectJson: str = ""
    ) -> None:
        """Keeps the error under its request id, and logs it."""
        about = {
            "reqId": reqId,
            "errorTime": errorTime,
            "errorCode": errorCode,
            "errorString": errorString,
            "advancedOrderRejectJson": advancedOrderRejectJson,
        }
        self.errors.setdefault(reqId, []).append(about)
        self._set_event(reqId, "error", about)
        super().error(reqId, errorTime, errorCode, errorString, advancedOrderRejectJson)

    def currentTime(self, time: int) -> None:
        """Keeps the time."""
        self.current_time_value = time
        self._set_event(0, "current_time", time)

    def contractDetails(self, reqId: int, contractDetails: ContractDetails) -> None:
        """Keeps it under its request id."""
        self.contract_details.setdefault(reqId, []).append(contractDetails)

    def contractDetailsEnd(self, reqId: int) -> None:
        """Ends the request."""
        self._set_event(reqId, "contract_details", self.contract_details.get(reqId, []))

    def orderStatus(
        self, orderId: int, status: str, filled: Decimal, remaining: Decimal, avgFillPrice: float, permId: int,
        parentId: int, lastFillPrice: float, clientId: int, whyHeld: str, mktCapPrice: float,
    ) -> None:  # fmt: skip
        """Keeps the status under its order id; ends a waiting placement or cancel."""
        about = {
            "orderId": orderId,
            "status": status,
            "filled": filled,
            "remaining": remaining,
            "avgFillPrice": avgFillPrice,
            "permId": permId,
            "parentId": parentId,
            "lastFillPrice": lastFillPrice,
            "clientId": clientId,
            "whyHeld": whyHeld,
            "mktCapPrice": mktCapPrice,
        }
        self.order_status[orderId] = about
        self._set_event(orderId, "order_status", about)

    def openOrder(self, orderId: int, contract: Contract, order: Order, orderState: OrderState) -> None:
        """Keeps the order under its id."""
        self.open_orders[orderId] = {
            "orderId": orderId,
            "contract": contract,
            "order": order,
            "orderState": orderState,
        }

    def openOrderEnd(self) -> None:
        """Ends the request."""
        self._set_event(0, "open_orders", self.open_orders)

    def execDetails(self, reqId: int, contract: Contract, execution: Execution) -> None:
        """Keeps it under its request id."""
        self.executions.setdefault(reqId, []).append({"contract": contract, "execution": execution})

    def execDetailsEnd(self, reqId: int) -> None:
        """Ends the request."""
        self._set_event(reqId, "executions", self.executions.get(reqId, []))

    def updatePortfolio(
        self, contract: Contract, position: Decimal, marketPrice: float, marketValue: float, averageCost: float,
        unrealizedPNL: float, realizedPNL: float, accountName: str,
    ) -> None:  # fmt: skip
        """Adds a position to the portfolio."""
        self.portfolio.append(
            {
                "contract": contract,
                "position": position,
                "marketPrice": marketPrice,
                "marketValue": marketValue,
                "averageCost": averageCost,
                "unrealizedPNL": unrealizedPNL,
                "realizedPNL": realizedPNL,
                "accountName": accountName,
            }
        )

    def accountDownloadEnd(self, accountName: str) -> None:
        """Ends the request."""
        self._set_event(0, "portfolio", self.portfolio)

    def position(self, account: str, contract: Contract, position: Decimal, avgCost: float) -> None:
        """Keeps the position under its account."""
        values = (contract, position, avgCost)
        self.positions.setdefault(account, []).append(dict(zip(_POSITION, values, strict=True)))

    def positionEnd(self) -> None:
        """Ends the request."""
        self._set_event(0, "positions", self.positions)

    def accountSummary(self, reqId: int, account: str, tag: str, value: str, currency: str) -> None:
        """Keeps the value under request, account and tag."""
        tags = self.account_summary.setdefault(reqId, {}).setdefault(account, {})
        tags[tag] = {"value": value, "currency": currency}

    def accountSummaryEnd(self, reqId: int) -> None:
        """Ends the request."""
        self._set_event(reqId, "account_summary", self.account_summary.get(reqId, {}))

    def _tick(self, reqId: int, tickType: int, value: Any) -> None:
        self.market_data.setdefault(reqId, {})[TickTypeEnum.toStr(tickType)] = value

    def tickPrice(self, reqId: int, tickType: int, price: float, attrib: TickAttrib) -> None:
        """Keeps the price under the tick type's name."""
        self._tick(reqId, tickType, price)

    def tickSize(self, reqId: int, tickType: int, size: Decimal) -> None:
        """Keeps the size under the tick type's name."""
        self._tick(reqId, tickType, size)

    def tickString(self, reqId: int, tickType: int, value: str) -> None:
        """Keeps the text under the tick type's name."""
        self._tick(reqId, tickType, value)

    def tickGeneric(self, reqId: int, tickType: int, value: float) -> None:
        """Keeps the value under the tick type's name."""
        self._tick(reqId, tickType, value)

    def tickNews(
        self, tickerId: int, timeStamp: int, providerCode: str, articleId: str, headline: str, extraData: str
    ) -> None:
        """Adds the headline to the list under ``News``."""
        self.market_data.setdefault(tickerId, {}).setdefault("News", []).append(
            {
                "timeStamp": timeStamp,
                "providerCode": providerCode,
                "articleId": articleId,
                "headline": headline,
                "extraData": extraData,
            }
        )

    def tickSnapshotEnd(self, reqId: int) -> None:
        """Ends a snapshot."""
        self._set_event(reqId, "market_data", self.market_data.get(reqId, {}))

    def historicalData(self, reqId: int, bar: BarData) -> None:
        """Keeps the bar under its request id."""
        self.historical_data.setdefault(reqId, []).append(bar)

    def historicalDataEnd(self, reqId: int, start: str, end: str) -> None:
        """Ends the request."""
        self._set_event(reqId, "historical_data", self.historical_data.get(reqId, []))

    # ------------------------------------------------------------------ requests

    def get_next_valid_id(self, timeout: float | None = None) -> int:
        """The next order id. This and every request below raises ResponseTimeout when no answer comes in time."""
        self._begin("next_valid_id")
        self.reqIds(-1)
        found: int = self._wait_for_response(0, "next_valid_id", timeout)
        return found

    def get_current_time(self, timeout: float | None = 1) -> int:
        """The gateway's time in epoch seconds."""
        self._begin("current_time")
        self.reqCurrentTime()
        found: int = self._wait_for_response(0, "current_time", timeout)
        return found

    def get_contract_details(self, contract: Contract, timeout: float | None = 5) -> list[ContractDetails]:
        """Everything that matches a contract."""
        req_id = self.get_next_valid_id()
        self.contract_details.pop(req_id, None)
        self._begin("contract_details", req_id)
        self.reqContractDetails(req_id, contract)
        found: list[ContractDetails] = self._wait_for_response(req_id, "contract_details", timeout)
        return found

    def place_order_sync(self, contract: Contract, order: Order, timeout: float | None = None) -> dict[str, Any]:
        """Place an order and return its first status; by default waits 5 s for LMT and MKT orders, else 2 s."""
        if timeout is None:
            timeout = 5 if order.orderType in ("LMT", "MKT") else 2
        order_id = self.get_next_valid_id()
        order.orderId = order_id
        self.order_status.pop(order_id, None)
        self._begin("order_status", order_id)
        self.placeOrder(order_id, contract, order)
        found: dict[str, Any] = self._wait_for_response(order_id, "order_status", timeout)
        return found

    def cancel_order_sync(
        self, order_id: int, orderCancel: OrderCancel | None = None, timeout: float | None = 3
    ) -> dict[str, Any]:
        """Cancel an order and return the status that comes next."""
        self._begin("order_status", order_id)
        self.cancelOrder(order_id, orderCancel if orderCancel is not None else OrderCancel())
        found: dict[str, Any] = self._wait_for_response(order_id, "order_status", timeout)
        return found

    def get_open_orders(self, timeout: float | None = 3) -> dict[int, dict[str, Any]]:
        """This client's open orders by id."""
        self.open_orders = {}
        self._begin("open_orders")
        self.reqOpenOrders()
        found: dict[int, dict[str, Any]] = self._wait_for_response(0, "open_orders", timeout)
        return found

    def get_executions(
        self, exec_filter: ExecutionFilter | None = None, timeout: float | None = 10
    ) -> list[dict[str, Any]]:
        """Executions that match a filter, each with its contract."""
        req_id = self.get_next_valid_id()
        self.executions.pop(req_id, None)
        self._begin("executions", req_id)
        self.reqExecutions(req_id, exec_filter if exec_filter is not None else ExecutionFilter())
        found: list[dict[str, Any]] = self._wait_for_response(req_id, "executions", timeout)
        return found

    def get_portfolio(self, account_code: str = "", timeout: float | None = None) -> list[dict[str, Any]]:
        """The portfolio of an account; the subscription is ended again."""
        self.portfolio = []
        self._begin("portfolio")
        self.reqAccountUpdates(True, account_code)
        found: list[dict[str, Any]] = self._wait_for_response(0, "portfolio", timeout)
        self.reqAccountUpdates(False, account_code)
        return found

    def get_positions(self, timeout: float | None = 10) -> dict[str, list[dict[str, Any]]]:
        """All positions by account; the subscription is ended again."""
        self.positions = {}
        self._begin("positions")
        self.reqPositions()
        found: dict[str, list[dict[str, Any]]] = self._wait_for_response(0, "positions", timeout)
        self.cancelPositions()
        return found

    def get_account_summary(
        self, tags: str, group: str = "All", timeout: float | None = 5
    ) -> dict[str, dict[str, dict[str, str]]]:
        """Account values by account and tag; ``tags`` is a list with commas. The subscription is ended again."""
        req_id = self.get_next_valid_id()
        self.account_summary.pop(req_id, None)
        self._begin("account_summary", req_id)
        self.reqAccountSummary(req_id, group, tags)
        found: dict[str, Any] = self._wait_for_response(req_id, "account_summary", timeout)
        self.cancelAccountSummary(req_id)
        return found

    def get_market_data_snapshot(
        self,
        contract: Contract,
        generic_tick_list: str = "",
        snapshot: bool = True,
        timeout: float | None = None,
    ) -> dict[str, Any]:
        """Ticks by the name of their type: a snapshot (within 11 s), or what streams in during a second at most."""
        seconds = timeout if timeout is not None else 11 if snapshot else 5
        req_id = self.get_next_valid_id()
        self.market_data.pop(req_id, None)
        self._begin("market_data", req_id)
        self.reqMktData(req_id, contract, generic_tick_list, snapshot, False, [])
        if snapshot:
            found: dict[str, Any] = self._wait_for_response(req_id, "market_data", seconds)
            return found
        self._bell.wait_until(lambda: not self.isConnected(), 1000 * (_STREAM_S if seconds > 1 else seconds / 2))
        self.response_events.pop(f"market_data_{req_id}", None)
        self.cancelMktData(req_id)
        return self.market_data.get(req_id, {})

    def get_historical_data(
        self,
        contract: Contract,
        end_date_time: str,
        duration_str: str,
        bar_size_setting: str,
        what_to_show: str,
        use_rth: bool = True,
        format_date: int = 1,
        timeout: float | None = 30,
    ) -> list[BarData]:
        """Historical bars, as ``reqHistoricalData`` gives them."""
        req_id = self.get_next_valid_id()
        self.historical_data.pop(req_id, None)
        self._begin("historical_data", req_id)
        what = (contract, end_date_time, duration_str, bar_size_setting, what_to_show)
        self.reqHistoricalData(req_id, *what, use_rth, format_date, False, [])
        found: list[BarData] = self._wait_for_response(req_id, "historical_data", timeout)
        return found
