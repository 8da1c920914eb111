"""Type aliases, small enumerations and the data classes of ticks, bars and lists."""

from __future__ import annotations

from typing import Final

from ibwire.compat._objects import (
    BarData,
    DepthMktDataDescription,
    FamilyCode,
    HistogramData,
    HistoricalSession,
    HistoricalTick,
    HistoricalTickBidAsk,
    HistoricalTickLast,
    NewsProvider,
    PriceIncrement,
    RealTimeBar,
    SmartComponent,
    TickAttrib,
    TickAttribBidAsk,
    TickAttribLast,
    WshEventData,
)
from ibwire.compat.const import UNSET_DECIMAL, UNSET_INTEGER
from ibwire.compat.enum_implem import Enum
from ibwire.compat.message import OUT
from ibwire.compat.object_implem import Object
from ibwire.compat.utils import decimalMaxString, floatMaxString, intMaxString
from ibwire.spec.registry import OUTGOING
from ibwire.wire.codec import PROTO_OFFSET

TickerId = int
OrderId = int
TagValueList = list
SetOfString = set
SetOfFloat = set
ListOfOrder = list
ListOfFamilyCode = list
ListOfContractDescription = list
ListOfDepthExchanges = list
ListOfNewsProviders = list
SmartComponentMap = dict
HistogramDataList = list
ListOfPriceIncrements = list
ListOfHistoricalTick = list
ListOfHistoricalTickBidAsk = list
ListOfHistoricalTickLast = list
ListOfHistoricalSessions = list

FaDataType = int
FaDataTypeEnum = Enum("N/A", "GROUPS", "N/A", "ALIASES")

MarketDataType = int
MarketDataTypeEnum = Enum("N/A", "REALTIME", "FROZEN", "DELAYED", "DELAYED_FROZEN")

Liquidities = int
LiquiditiesEnum = Enum("None", "Added", "Remove", "RoudedOut")

PROTOBUF_MSG_ID: Final[int] = PROTO_OFFSET
PROTOBUF_MSG_IDS: Final[dict[int, int]] = {
    row.id: row.proto_since for row in OUTGOING.values() if row.proto_since and row.text is not None
}
"""Request id -> server version from which it is sent in protobuf, for requests that have a text form too."""

__all__ = [
    "OUT",
    "PROTOBUF_MSG_ID",
    "PROTOBUF_MSG_IDS",
    "UNSET_DECIMAL",
    "UNSET_INTEGER",
    "BarData",
    "DepthMktDataDescription",
    "Enum",
    "FaDataType",
    "FaDataTypeEnum",
    "FamilyCode",
    "HistogramData",
    "HistogramDataList",
    "HistoricalSession",
    "HistoricalTick",
    "HistoricalTickBidAsk",
    "HistoricalTickLast",
    "Liquidities",
    "LiquiditiesEnum",
    "ListOfContractDescription",
    "ListOfDepthExchanges",
    "ListOfFamilyCode",
    "ListOfHistoricalSessions",
    "ListOfHistoricalTick",
    "ListOfHistoricalTickBidAsk",
    "ListOfHistoricalTickLast",
    "ListOfNewsProviders",
    "ListOfOrder",
    "ListOfPriceIncrements",
    "MarketDataType",
    "MarketDataTypeEnum",
    "NewsProvider",
    "Object",
    "OrderId",
    "PriceIncrement",
    "RealTimeBar",
    "SetOfFloat",
    "SetOfString",
    "SmartComponent",
    "SmartComponentMap",
    "TagValueList",
    "TickAttrib",
    "TickAttribBidAsk",
    "TickAttribLast",
    "TickerId",
    "WshEventData",
    "decimalMaxString",
    "floatMaxString",
    "intMaxString",
]
