"""Top of book and tick-by-tick: the hot messages."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import (
    DEC,
    F64,
    I32,
    STR,
    Bits,
    Call,
    Field,
    Present,
    Repeat,
    T,
    TextRule,
    Version,
    When,
    any_of,
    equals,
    ge,
    incoming,
    is_in,
    req_id,
)
from ibwire.spec.structs import (
    HISTORICAL_TICK,
    HISTORICAL_TICK_BID_ASK,
    HISTORICAL_TICK_LAST,
    SMART_COMPONENT,
    TICK_ATTRIB,
)

_TICK_TYPE = Field("tickType", I32, 2, official_proto=2147483647)

_ATTRIB = Bits(
    (
        ("attrib.canAutoExecute", 1, 0),
        ("attrib.pastLimit", 2, V.PAST_LIMIT),
        ("attrib.preOpen", 4, V.PRE_OPEN_BID_ASK),
    ),
    name="attrMask",
)

TICK_PRICE = incoming(
    1,
    "tickPrice",
    req_id(),
    _TICK_TYPE,
    Field("price", F64, 3, nullable=True),
    Field("size", DEC, 4, nullable=True),
    Field("attrib", TICK_ATTRIB),
    text=(T("reqId"), T("tickType"), T("price"), T("size"), _ATTRIB),
    version=6,
    proto="TickPrice",
    proto_since=V.PROTOBUF_MARKET_DATA,
    proto_map=((5, _ATTRIB),),
    record="TICK_PRICE",
    calls=(
        Call("tickPrice", ("reqId", "tickType", "price", "attrib")),
        # The size has its own tick type; ibwire.spec.ticks has the pairs.
        Call("tickSize", ("reqId", "*size_tick_type", "size"), when=is_in("tickType", 1, 2, 4, 66, 67, 68)),
    ),
)

TICK_SIZE = incoming(
    2,
    "tickSize",
    req_id(),
    _TICK_TYPE,
    Field("size", DEC, 3, nullable=True),
    version=6,
    proto="TickSize",
    proto_since=V.PROTOBUF_MARKET_DATA,
    record="TICK_SIZE",
)

_HAS_PRICES = any_of(ge("@version", 6), is_in("tickType", 13, 83))

TICK_OPTION_COMPUTATION = incoming(
    21,
    "tickOptionComputation",
    req_id(),
    _TICK_TYPE,
    Field("tickAttrib", I32, 3, nullable=True, official=2147483647, official_text=None),
    *(
        Field(name, F64, number, nullable=True, official=None, not_computed=bad)
        for name, number, bad in (
            ("impliedVol", 4, "negative"),
            ("delta", 5, -2.0),
            ("optPrice", 6, -1.0),
            ("pvDividend", 7, -1.0),
            ("gamma", 8, -2.0),
            ("vega", 9, -2.0),
            ("theta", 10, -2.0),
            ("undPrice", 11, -1.0),
        )
    ),
    text=(
        T("reqId"),
        T("tickType"),
        T("tickAttrib", since=V.PRICE_BASED_VOLATILITY),
        T("impliedVol"),
        T("delta"),
        When(_HAS_PRICES, T("optPrice"), T("pvDividend")),
        When(ge("@version", 6), T("gamma"), T("vega"), T("theta"), T("undPrice")),
    ),
    version=Version(6, until=V.PRICE_BASED_VOLATILITY, absent="server"),
    proto="TickOptionComputation",
    proto_since=V.PROTOBUF_MARKET_DATA,
    record="OPTION_COMPUTATION",
)

TICK_GENERIC = incoming(
    45,
    "tickGeneric",
    req_id(),
    _TICK_TYPE,
    Field("value", F64, 3, nullable=True),
    version=6,
    proto="TickGeneric",
    proto_since=V.PROTOBUF_MARKET_DATA,
    record="TICK_GENERIC",
)

TICK_STRING = incoming(
    46,
    "tickString",
    req_id(),
    _TICK_TYPE,
    Field("value", STR, 3),
    text=(T("reqId"), T("tickType"), T("value", rule=TextRule.ESCAPED)),
    version=6,
    proto="TickString",
    proto_since=V.PROTOBUF_MARKET_DATA,
    record="TICK_STRING",
)

_LAST, _ALL_LAST, _BID_ASK, _MID_POINT = 1, 2, 3, 4

TICK_BY_TICK = incoming(
    99,
    "tickByTick",
    req_id(),
    Field("tickType", I32, 2),
    Field("last", HISTORICAL_TICK_LAST, 3, proto_name="historicalTickLast", optional=True),
    Field("bidAsk", HISTORICAL_TICK_BID_ASK, 4, proto_name="historicalTickBidAsk", optional=True),
    Field("midPoint", HISTORICAL_TICK, 5, proto_name="historicalTickMidPoint", optional=True),
    since=V.TICK_BY_TICK,
    text=(
        T("reqId"),
        T("tickType"),
        When(
            is_in("tickType", _LAST, _ALL_LAST),
            Present("last"),
            T("last.time"),
            T("last.price"),
            T("last.size"),
            Bits((("last.tickAttribLast.pastLimit", 1, 0), ("last.tickAttribLast.unreported", 2, 0)), "last.mask"),
            T("last.exchange"),
            T("last.specialConditions"),
        ),
        When(
            equals("tickType", _BID_ASK),
            Present("bidAsk"),
            T("bidAsk.time"),
            T("bidAsk.priceBid"),
            T("bidAsk.priceAsk"),
            T("bidAsk.sizeBid"),
            T("bidAsk.sizeAsk"),
            Bits(
                (("bidAsk.tickAttribBidAsk.bidPastLow", 1, 0), ("bidAsk.tickAttribBidAsk.askPastHigh", 2, 0)),
                "bidAsk.mask",
            ),
        ),
        When(equals("tickType", _MID_POINT), Present("midPoint"), T("midPoint.time"), T("midPoint.price")),
    ),
    proto="TickByTickData",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
    record="TICK_BY_TICK",
    calls=(
        Call(
            "tickByTickAllLast",
            (
                "reqId",
                "tickType",
                "last.time",
                "last.price",
                "last.size",
                "last.tickAttribLast",
                "last.exchange",
                "last.specialConditions",
            ),
            when=is_in("tickType", _LAST, _ALL_LAST),
        ),
        Call(
            "tickByTickBidAsk",
            (
                "reqId",
                "bidAsk.time",
                "bidAsk.priceBid",
                "bidAsk.priceAsk",
                "bidAsk.sizeBid",
                "bidAsk.sizeAsk",
                "bidAsk.tickAttribBidAsk",
            ),
            when=equals("tickType", _BID_ASK),
        ),
        Call("tickByTickMidPoint", ("reqId", "midPoint.time", "midPoint.price"), when=equals("tickType", _MID_POINT)),
    ),
)

TICK_EFP = incoming(
    47,
    "tickEFP",
    Field("reqId", I32),
    Field("tickType", I32),
    Field("basisPoints", F64),
    Field("formattedBasisPoints", STR),
    Field("totalDividends", F64),
    Field("holdDays", I32),
    Field("futureLastTradeDate", STR),
    Field("dividendImpact", F64),
    Field("dividendsToLastTradeDate", F64),
    text=(
        T("reqId"),
        T("tickType"),
        T("basisPoints"),
        T("formattedBasisPoints", rule=TextRule.ESCAPED),
        T("totalDividends"),
        T("holdDays"),
        T("futureLastTradeDate", rule=TextRule.ESCAPED),
        T("dividendImpact"),
        T("dividendsToLastTradeDate"),
    ),
    version=1,
)

TICK_SNAPSHOT_END = incoming(
    57,
    "tickSnapshotEnd",
    req_id(),
    version=1,
    proto="TickSnapshotEnd",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

MARKET_DATA_TYPE = incoming(
    58,
    "marketDataType",
    req_id(),
    Field("marketDataType", I32, 2, official_proto=2147483647),
    version=1,
    proto="MarketDataType",
    proto_since=V.PROTOBUF_MARKET_DATA,
)

TICK_REQ_PARAMS = incoming(
    81,
    "tickReqParams",
    req_id("tickerId", proto_name="reqId"),
    Field("minTick", F64, 2, nullable=True, proto_kind="string"),
    Field("bboExchange", STR, 3),
    Field("snapshotPermissions", I32, 4, official_proto=2147483647),
    Field("lastPricePrecision", DEC, 5, nullable=True, doc="protobuf only"),
    Field("lastSizePrecision", DEC, 6, nullable=True, doc="protobuf only"),
    text=(T("tickerId"), T("minTick"), T("bboExchange"), T("snapshotPermissions")),
    since=V.REQ_SMART_COMPONENTS,
    proto="TickReqParams",
    proto_since=V.PROTOBUF_MARKET_DATA,
    calls=Call("tickReqParams", ("tickerId", "minTick", "bboExchange", "snapshotPermissions")),
)

SMART_COMPONENTS = incoming(
    82,
    "smartComponents",
    req_id(),
    Field("smartComponents", SMART_COMPONENT, 2, many=True),
    text=(T("reqId"), Repeat("smartComponents", T("bitNumber"), T("exchange"), T("exchangeLetter"))),
    since=V.REQ_SMART_COMPONENTS,
    proto="SmartComponents",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
    calls=Call("smartComponents", ("reqId", "*smart_components")),
)

REROUTE_MKT_DATA_REQ = incoming(
    91,
    "rerouteMktDataReq",
    req_id(),
    Field("conId", I32, 2),
    Field("exchange", STR, 3),
    since=V.CFD_REROUTE,
    proto="RerouteMarketDataRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

REROUTE_MKT_DEPTH_REQ = incoming(
    92,
    "rerouteMktDepthReq",
    req_id(),
    Field("conId", I32, 2),
    Field("exchange", STR, 3),
    since=V.CFD_REROUTE,
    proto="RerouteMarketDepthRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)
