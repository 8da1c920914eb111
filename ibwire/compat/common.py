"""Type aliases, small enumerations and the data classes of ticks, bars and lists."""

from __future__ import annotations

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
from ibwire.compat.const import (
    DOUBLE_INFINITY,
    INFINITY_STR,
    MAX_MSG_LEN,
    NO_VALID_ID,
    PROTOBUF_MSG_ID,
    PROTOBUF_MSG_IDS,
    UNSET_DECIMAL,
    UNSET_DOUBLE,
    UNSET_INTEGER,
    UNSET_LONG,
)
from ibwire.compat.enum_implem import Enum
from ibwire.compat.message import OUT
from ibwire.compat.object_implem import Object
from ibwire.compat.utils import decimalMaxString, floatMaxString, intMaxString

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


__all__ = [
    "DOUBLE_INFINITY",
    "INFINITY_STR",
    "MAX_MSG_LEN",
    "NO_VALID_ID",
    "OUT",
    "PROTOBUF_MSG_ID",
    "PROTOBUF_MSG_IDS",
    "UNSET_DECIMAL",
    "UNSET_DOUBLE",
    "UNSET_INTEGER",
    "UNSET_LONG",
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
