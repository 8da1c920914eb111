"""Asking for bars, head timestamps, histograms and historical ticks."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import priced_legs, requested_contract
from ibwire.spec.model import BOOL, I32, IF_TRUE, NO_TEXT, STR, Field, T, Version, outgoing
from ibwire.spec.structs import CONTRACT, TAG_VALUE

REQ_HISTORICAL_DATA = outgoing(
    20,
    "reqHistoricalData",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("endDateTime", STR, 3),
    Field("durationStr", STR, 5, proto_name="duration"),
    Field("barSizeSetting", STR, 4),
    Field("whatToShow", STR, 7),
    Field("useRTH", I32, 6, proto_kind="bool", send=IF_TRUE),
    Field("formatDate", I32, 8),
    Field("keepUpToDate", BOOL, 9),
    Field("chartOptions", TAG_VALUE, 10, many=True, is_map=True),
    text=(
        Version(6, until=V.SYNT_REALTIME_BARS),
        T("reqId"),
        *requested_contract(),
        T("contract.includeExpired"),
        T("endDateTime"),
        T("barSizeSetting"),
        T("durationStr"),
        T("useRTH"),
        T("whatToShow"),
        T("formatDate"),
        priced_legs(),
        T("keepUpToDate", since=V.SYNT_REALTIME_BARS, quiet=True),
        T("chartOptions", hook="tag_values"),
    ),
    proto="HistoricalDataRequest",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CANCEL_HISTORICAL_DATA = outgoing(
    25,
    "cancelHistoricalData",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelHistoricalData",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

REQ_REAL_TIME_BARS = outgoing(
    50,
    "reqRealTimeBars",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("barSize", I32, 3),
    Field("whatToShow", STR, 4),
    Field("useRTH", BOOL, 5),
    Field("realTimeBarsOptions", TAG_VALUE, 6, many=True, is_map=True),
    text=(
        T("reqId"),
        *requested_contract(),
        T("barSize"),
        T("whatToShow"),
        T("useRTH"),
        T("realTimeBarsOptions", hook="tag_values"),
    ),
    version=3,
    proto="RealTimeBarsRequest",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CANCEL_REAL_TIME_BARS = outgoing(
    51,
    "cancelRealTimeBars",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelRealTimeBars",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

REQ_HEAD_TIME_STAMP = outgoing(
    87,
    "reqHeadTimeStamp",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("whatToShow", STR, 4),
    Field("useRTH", I32, 3, proto_kind="bool", send=IF_TRUE),
    Field("formatDate", I32, 5),
    text=(
        T("reqId"),
        *requested_contract(),
        T("contract.includeExpired"),
        T("useRTH"),
        T("whatToShow"),
        T("formatDate"),
    ),
    since=V.REQ_HEAD_TIMESTAMP,
    proto="HeadTimestampRequest",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CANCEL_HEAD_TIME_STAMP = outgoing(
    90,
    "cancelHeadTimeStamp",
    Field("reqId", I32, 1),
    since=V.CANCEL_HEADTIMESTAMP,
    proto="CancelHeadTimestamp",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

REQ_HISTOGRAM_DATA = outgoing(
    88,
    "reqHistogramData",
    Field("tickerId", I32, 1, proto_name="reqId"),
    Field("contract", CONTRACT, 2),
    Field("useRTH", BOOL, 3),
    Field("timePeriod", STR, 4),
    text=(
        T("tickerId"),
        *requested_contract(),
        T("contract.includeExpired"),
        T("useRTH"),
        T("timePeriod"),
    ),
    since=V.REQ_HISTOGRAM,
    proto="HistogramDataRequest",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CANCEL_HISTOGRAM_DATA = outgoing(
    89,
    "cancelHistogramData",
    Field("tickerId", I32, 1, proto_name="reqId"),
    since=V.REQ_HISTOGRAM,
    proto="CancelHistogramData",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

REQ_HISTORICAL_TICKS = outgoing(
    96,
    "reqHistoricalTicks",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    Field("startDateTime", STR, 3),
    Field("endDateTime", STR, 4),
    Field("numberOfTicks", I32, 5),
    Field("whatToShow", STR, 6),
    Field("useRth", I32, 7, proto_name="useRTH", proto_kind="bool", send=IF_TRUE),
    Field("ignoreSize", BOOL, 8),
    Field("miscOptions", TAG_VALUE, 9, many=True, is_map=True),
    text=(
        T("reqId"),
        *requested_contract(),
        T("contract.includeExpired"),
        T("startDateTime"),
        T("endDateTime"),
        T("numberOfTicks"),
        T("whatToShow"),
        T("useRth"),
        T("ignoreSize"),
        T("miscOptions", hook="tag_values"),
    ),
    since=V.HISTORICAL_TICKS,
    proto="HistoricalTicksRequest",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

CANCEL_HISTORICAL_TICKS = outgoing(
    107,
    "cancelHistoricalTicks",
    Field("reqId", I32, 1),
    text=NO_TEXT,
    since=V.CANCEL_CONTRACT_DATA,
    proto="CancelHistoricalTicks",
    proto_since=V.CANCEL_CONTRACT_DATA,
)
