"""Order books: depth rows, and where depth is to be had."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import BOOL, DEC, F64, I32, STR, Field, Group, Repeat, Skip, T, incoming, req_id, since
from ibwire.spec.structs import DEPTH_MKT_DATA_DESCRIPTION

_UNSET = 2147483647

UPDATE_MKT_DEPTH = incoming(
    12,
    "updateMktDepth",
    req_id(),
    Field("position", I32, official_proto=_UNSET),
    Field("operation", I32, official_proto=_UNSET),
    Field("side", I32, official_proto=_UNSET),
    Field("price", F64, nullable=True),
    Field("size", DEC, nullable=True),
    version=1,
    proto="MarketDepth",
    proto_since=V.PROTOBUF_MARKET_DATA,
    proto_map=(
        (
            2,
            Group(
                "marketDepthData",
                "MarketDepthData",
                ((1, "position"), (2, "operation"), (3, "side"), (4, "price"), (5, "size")),
            ),
        ),
    ),
    record="MARKET_DEPTH",
)

UPDATE_MKT_DEPTH_L2 = incoming(
    13,
    "updateMktDepthL2",
    req_id(),
    Field("position", I32),
    Field("marketMaker", STR),
    Field("operation", I32, official_proto=_UNSET),
    Field("side", I32, official_proto=_UNSET),
    Field("price", F64, nullable=True),
    Field("size", DEC, nullable=True),
    Field("isSmartDepth", BOOL),
    text=(
        T("reqId"),
        T("position"),
        T("marketMaker"),
        T("operation"),
        T("side"),
        T("price"),
        T("size"),
        T("isSmartDepth", since=V.SMART_DEPTH),
    ),
    version=1,
    proto="MarketDepthL2",
    proto_since=V.PROTOBUF_MARKET_DATA,
    proto_map=(
        (
            2,
            Group(
                "marketDepthData",
                "MarketDepthData",
                (
                    (1, "position"),
                    (2, "operation"),
                    (3, "side"),
                    (4, "price"),
                    (5, "size"),
                    (6, "marketMaker"),
                    (7, "isSmartDepth"),
                ),
            ),
        ),
    ),
    record="MARKET_DEPTH_L2",
)

MKT_DEPTH_EXCHANGES = incoming(
    80,
    "mktDepthExchanges",
    Field(
        "depthMktDataDescriptions",
        DEPTH_MKT_DATA_DESCRIPTION,
        1,
        proto_name="depthMarketDataDescriptions",
        many=True,
        official=(),
    ),
    text=(
        Repeat(
            "depthMktDataDescriptions",
            T("exchange"),
            T("secType"),
            since(V.SERVICE_DATA_TYPE, T("listingExch"), T("serviceDataType"), T("aggGroup")),
            Skip("0", until=V.SERVICE_DATA_TYPE, name="isL2"),
        ),
    ),
    since=V.REQ_MKT_DEPTH_EXCHANGES,
    proto="MarketDepthExchanges",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)
