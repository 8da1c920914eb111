"""The callbacks of the official client that a mix means: the second opinion about the bytes of ``mixes.py``.

A callback is ``[name, argument, ...]`` as JSON carries it: decimals as text, objects as dicts of the attributes that
the mix sets.
"""

from __future__ import annotations

from typing import Any, Final

from benchmarks import mixes
from benchmarks.mixes import Order

Calls = list[list[Any]]

_SIZE_TYPE: Final = {mixes.BID: mixes.BID_SIZE, mixes.ASK: mixes.ASK_SIZE, mixes.LAST: mixes.LAST_SIZE}


class Expected:
    """A sink of ``mixes.walk`` that returns the callbacks of each message."""

    def tick_price(self, req_id: int, tick_type: int, cents: int, size: str, mask: int) -> Calls:
        attributes = {"canAutoExecute": bool(mask & 1), "pastLimit": bool(mask & 2), "preOpen": bool(mask & 4)}
        calls: Calls = [["tickPrice", req_id, tick_type, cents / 100, attributes]]
        if tick_type in _SIZE_TYPE:
            calls.append(["tickSize", req_id, _SIZE_TYPE[tick_type], size])
        return calls

    def tick_size(self, req_id: int, tick_type: int, size: str) -> Calls:
        return [["tickSize", req_id, tick_type, size]]

    def tick_string(self, req_id: int, tick_type: int, value: str) -> Calls:
        return [["tickString", req_id, tick_type, value]]

    def tick_generic(self, req_id: int, tick_type: int, value: str) -> Calls:
        return [["tickGeneric", req_id, tick_type, float(value)]]

    def all_last(
        self, req_id: int, time_s: int, cents: int, size: str, mask: int, exchange: str, conditions: str
    ) -> Calls:
        attributes = {"pastLimit": bool(mask & 1), "unreported": bool(mask & 2)}
        price = cents / 100
        return [["tickByTickAllLast", req_id, mixes.ALL_LAST, time_s, price, size, attributes, exchange, conditions]]

    def bid_ask(self, req_id: int, time_s: int, bid: int, ask: int, bid_size: str, ask_size: str, mask: int) -> Calls:
        attributes = {"bidPastLow": bool(mask & 1), "askPastHigh": bool(mask & 2)}
        return [["tickByTickBidAsk", req_id, time_s, bid / 100, ask / 100, bid_size, ask_size, attributes]]

    def depth(self, req_id: int, position: int, maker: str, operation: int, side: int, cents: int, size: str) -> Calls:
        return [["updateMktDepthL2", req_id, position, maker, operation, side, cents / 100, size, True]]

    def open_order(self, o: Order) -> Calls:
        order = {
            "orderId": o.orderId,
            "clientId": mixes.CLIENT_ID,
            "permId": o.permId,
            "action": o.action,
            "totalQuantity": o.quantity,
            "orderType": "LMT",
            "lmtPrice": o.limit_cents / 100,
            "auxPrice": 0.0,
            "tif": "DAY",
            "account": mixes.ACCOUNT,
            "orderRef": mixes.ORDER_REF,
            "clearingIntent": "IB",
            "ocaType": 3,
            "exemptCode": -1,
            "deltaNeutralOrderType": "None",
            "deltaNeutralOpenClose": "?",
            "adjustedOrderType": "None",
            "trailStopPrice": o.limit_cents / 100,
            "dontUseAutoPriceForHedge": True,
            "whatIf": False,
            "autoCancelParent": False,
        }
        return [["openOrder", o.orderId, self._contract(o, "SMART"), order, {"status": "Submitted"}]]

    def order_status(self, o: Order) -> Calls:
        fill = o.fill_cents / 100
        client_id = mixes.CLIENT_ID
        return [["orderStatus", o.orderId, "Filled", o.quantity, "0", fill, o.permId, 0, fill, client_id, "", 0.0]]

    def execution(self, o: Order) -> Calls:
        execution = {
            "orderId": o.orderId,
            "execId": o.execId,
            "time": o.time,
            "acctNumber": mixes.ACCOUNT,
            "exchange": o.exchange,
            "side": "BOT" if o.action == "BUY" else "SLD",
            "shares": o.quantity,
            "price": o.fill_cents / 100,
            "permId": o.permId,
            "clientId": mixes.CLIENT_ID,
            "cumQty": o.quantity,
            "avgPrice": o.fill_cents / 100,
            "orderRef": mixes.ORDER_REF,
            "lastLiquidity": o.liquidity,
        }
        return [["execDetails", -1, self._contract(o, o.exchange), execution]]

    def commission(self, o: Order) -> Calls:
        report = {
            "execId": o.execId,
            "commissionAndFees": float(o.commission),
            "currency": "USD",
            "realizedPNL": mixes.DOUBLE_MAX,
            "yield_": mixes.DOUBLE_MAX,
            "yieldRedemptionDate": 0,
        }
        return [["commissionAndFeesReport", report]]

    @staticmethod
    def _contract(o: Order, exchange: str) -> dict[str, Any]:
        return {
            "conId": o.conId,
            "symbol": o.symbol,
            "secType": "STK",
            "strike": 0.0,
            "right": "?",
            "exchange": exchange,
            "currency": "USD",
            "localSymbol": o.symbol,
            "tradingClass": "NMS",
        }


def calls(name: str, count: int, seed: int) -> Calls:
    """Every callback of the first ``count`` messages of a mix, in order; the same in both dialects."""
    return [call for group in mixes.walk(name, Expected(), count, seed) for call in group]


def agrees(expected: Any, actual: Any) -> bool:
    """Whether ``actual`` says all that ``expected`` says: dicts may have further keys, all else is equal."""
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(k in actual and agrees(v, actual[k]) for k, v in expected.items())
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(agrees, expected, actual))
    return type(expected) is type(actual) and bool(expected == actual)
