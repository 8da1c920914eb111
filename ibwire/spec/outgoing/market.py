"""Asking for market data: quotes, depth, tick by tick, and option calculations."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import DELTA_NEUTRAL_CONTRACT, priced_legs, requested_contract
from ibwire.spec.model import BOOL, F64, I32, STR, Field, Item, Skip, T, outgoing
from ibwire.spec.structs import CONTRACT, TAG_VALUE


def _protobuf_only(path: str, gate: int) -> tuple[Item, ...]:
    """Options that the official client refuses in text: their text field stays empty, a set value needs ``gate``."""
    return (Skip(until=gate, name=path), T(path, since=gate, hook="tag_values"))


REQ_MKT_DATA = outgoing(
    1,
    "reqMktData",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("genericTickList", STR, 3),
    Field("snapshot", BOOL, 4),
    Field("regulatorySnapshot", BOOL, 5),
    Field("mktDataOptions", TAG_VALUE, 6, proto_name="marketDataOptions", many=True, is_map=True),
    text=(
        T("reqId"),
        *requested_contract(),
        priced_legs(),
        *DELTA_NEUTRAL_CONTRACT,
        T("genericTickList"),
        T("snapshot"),
        T("regulatorySnapshot", since=V.REQ_SMART_COMPONENTS, quiet=True),
        *_protobuf_only("mktDataOptions", V.PROTOBUF_MARKET_DATA),
    ),
    version=11,
    proto="MarketDataRequest",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

CANCEL_MKT_DATA = outgoing(
    2,
    "cancelMktData",
    Field("reqId", I32, 1),
    version=2,
    proto="CancelMarketData",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

REQ_MKT_DEPTH = outgoing(
    10,
    "reqMktDepth",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("numRows", I32, 3),
    Field("isSmartDepth", BOOL, 4),
    Field("mktDepthOptions", TAG_VALUE, 5, proto_name="marketDepthOptions", many=True, is_map=True),
    text=(
        T("reqId"),
        *requested_contract(T("contract.primaryExchange", since=V.MKT_DEPTH_PRIM_EXCHANGE)),
        T("numRows"),
        T("isSmartDepth", since=V.SMART_DEPTH),
        *_protobuf_only("mktDepthOptions", V.PROTOBUF_MARKET_DATA),
    ),
    version=5,
    proto="MarketDepthRequest",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

CANCEL_MKT_DEPTH = outgoing(
    11,
    "cancelMktDepth",
    Field("reqId", I32, 1),
    Field("isSmartDepth", BOOL, 2),
    text=(T("reqId"), T("isSmartDepth", since=V.SMART_DEPTH)),
    version=1,
    proto="CancelMarketDepth",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

REQ_MARKET_DATA_TYPE = outgoing(
    59,
    "reqMarketDataType",
    Field("marketDataType", I32, 1),
    version=1,
    proto="MarketDataTypeRequest",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

REQ_MKT_DEPTH_EXCHANGES = outgoing(
    82,
    "reqMktDepthExchanges",
    since=V.REQ_MKT_DEPTH_EXCHANGES,
    proto="MarketDepthExchangesRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

REQ_SMART_COMPONENTS = outgoing(
    83,
    "reqSmartComponents",
    Field("reqId", I32, 1),
    Field("bboExchange", STR, 2),
    since=V.REQ_SMART_COMPONENTS,
    proto="SmartComponentsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

# The wire has this request from TICK_BY_TICK on; the official client refuses it until it can say numberOfTicks.
REQ_TICK_BY_TICK_DATA = outgoing(
    97,
    "reqTickByTickData",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("tickType", STR, 3),
    Field("numberOfTicks", I32, 4),
    Field("ignoreSize", BOOL, 5),
    text=(
        T("reqId"),
        *requested_contract(),
        T("tickType"),
        T("numberOfTicks", since=V.TICK_BY_TICK_IGNORE_SIZE),
        T("ignoreSize", since=V.TICK_BY_TICK_IGNORE_SIZE),
    ),
    since=V.TICK_BY_TICK_IGNORE_SIZE,
    proto="TickByTickRequest",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CANCEL_TICK_BY_TICK_DATA = outgoing(
    98,
    "cancelTickByTickData",
    Field("reqId", I32, 1),
    since=V.TICK_BY_TICK,
    proto="CancelTickByTick",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CALCULATE_IMPLIED_VOLATILITY = outgoing(
    54,
    "calculateImpliedVolatility",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("optionPrice", F64, 3),
    Field("underPrice", F64, 4),
    Field("implVolOptions", TAG_VALUE, 5, proto_name="impliedVolatilityOptions", many=True, is_map=True),
    text=(
        T("reqId"),
        *requested_contract(),
        T("optionPrice"),
        T("underPrice"),
        *_protobuf_only("implVolOptions", V.PROTOBUF_REST_MESSAGES_1),
    ),
    version=3,
    proto="CalculateImpliedVolatilityRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

CALCULATE_OPTION_PRICE = outgoing(
    55,
    "calculateOptionPrice",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("volatility", F64, 3),
    Field("underPrice", F64, 4),
    Field("optPrcOptions", TAG_VALUE, 5, proto_name="optionPriceOptions", many=True, is_map=True),
    text=(
        T("reqId"),
        *requested_contract(),
        T("volatility"),
        T("underPrice"),
        *_protobuf_only("optPrcOptions", V.PROTOBUF_REST_MESSAGES_1),
    ),
    version=3,
    proto="CalculateOptionPriceRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

CANCEL_CALCULATE_IMPLIED_VOLATILITY = outgoing(
    56,
    "cancelCalculateImpliedVolatility",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelCalculateImpliedVolatility",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

CANCEL_CALCULATE_OPTION_PRICE = outgoing(
    57,
    "cancelCalculateOptionPrice",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelCalculateOptionPrice",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)
