"""Bars and ticks of the past, bars of the present, schedules."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import (
    BOOL,
    DEC,
    F64,
    I32,
    I64,
    STR,
    Bits,
    Call,
    Field,
    Item,
    Repeat,
    Skip,
    T,
    Version,
    incoming,
    req_id,
    until,
)
from ibwire.spec.structs import (
    BAR_DATA,
    HISTOGRAM_DATA,
    HISTORICAL_SESSION,
    HISTORICAL_TICK,
    HISTORICAL_TICK_BID_ASK,
    HISTORICAL_TICK_LAST,
)


def _prices(prefix: str, names: str) -> tuple[Item, ...]:
    return tuple(T(prefix + name, unknown="?") for name in names.split())


def _fields(names: str) -> tuple[Item, ...]:
    return tuple(T(name) for name in names.split())


HISTORICAL_DATA = incoming(
    17,
    "historicalData",
    req_id(),
    Field("startDateStr", STR, doc="text below HISTORICAL_DATA_END only; then message 108 carries it"),
    Field("endDateStr", STR, doc="as startDateStr"),
    Field("bars", BAR_DATA, 2, proto_name="historicalDataBars", many=True),
    text=(
        Version(3, until=V.SYNT_REALTIME_BARS),
        T("reqId"),
        until(V.HISTORICAL_DATA_END, T("startDateStr"), T("endDateStr")),
        Repeat(
            "bars",
            T("date"),
            *_prices("", "open high low close"),
            T("volume"),
            T("wap"),
            Skip("false", until=V.SYNT_REALTIME_BARS, name="hasGaps"),
            T("barCount"),
        ),
    ),
    proto="HistoricalData",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
    calls=(
        Call("historicalData", ("reqId", "."), each="bars"),
        Call("historicalDataEnd", ("reqId", "startDateStr", "endDateStr"), until=V.HISTORICAL_DATA_END),
    ),
)

REAL_TIME_BAR = incoming(
    50,
    "realtimeBar",
    req_id(),
    Field("time", I64, 2),
    Field("open_", F64, 3, proto_name="open"),
    Field("high", F64, 4),
    Field("low", F64, 5),
    Field("close", F64, 6),
    Field("volume", DEC, 7, nullable=True),
    Field("wap", DEC, 8, proto_name="WAP", nullable=True),
    Field("count", I32, 9),
    version=3,
    proto="RealTimeBarTick",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
    record="REAL_TIME_BAR",
)

HEAD_TIMESTAMP = incoming(
    88,
    "headTimestamp",
    req_id(),
    Field("headTimestamp", STR, 2),
    since=V.REQ_HEAD_TIMESTAMP,
    proto="HeadTimestamp",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

HISTOGRAM = incoming(
    89,
    "histogramData",
    req_id(),
    Field("items", HISTOGRAM_DATA, 2, proto_name="histogramDataEntries", many=True, official=()),
    text=(T("reqId"), Repeat("items", T("price"), T("size"))),
    since=V.REQ_HISTOGRAM,
    proto="HistogramData",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

HISTORICAL_DATA_UPDATE = incoming(
    90,
    "historicalDataUpdate",
    req_id(),
    Field("bar", BAR_DATA, 2, proto_name="historicalDataBar"),
    text=(
        T("reqId"),
        T("bar.barCount"),
        T("bar.date"),
        *_prices("bar.", "open close high low"),
        T("bar.wap"),
        T("bar.volume"),
    ),
    since=V.SYNT_REALTIME_BARS,
    proto="HistoricalDataUpdate",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

HISTORICAL_TICKS = incoming(
    96,
    "historicalTicks",
    req_id(),
    Field("ticks", HISTORICAL_TICK, 2, proto_name="historicalTicks", many=True, official=()),
    Field("done", BOOL, 3, proto_name="isDone"),
    text=(T("reqId"), Repeat("ticks", T("time"), Skip("0"), T("price"), T("size")), T("done")),
    since=V.HISTORICAL_TICKS,
    proto="HistoricalTicks",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

HISTORICAL_TICKS_BID_ASK = incoming(
    97,
    "historicalTicksBidAsk",
    req_id(),
    Field("ticks", HISTORICAL_TICK_BID_ASK, 2, proto_name="historicalTicksBidAsk", many=True, official=()),
    Field("done", BOOL, 3, proto_name="isDone"),
    text=(
        T("reqId"),
        Repeat(
            "ticks",
            T("time"),
            # The bits are the other way round than in tickByTick.
            Bits((("tickAttribBidAsk.askPastHigh", 1, 0), ("tickAttribBidAsk.bidPastLow", 2, 0))),
            *_fields("priceBid priceAsk sizeBid sizeAsk"),
        ),
        T("done"),
    ),
    since=V.HISTORICAL_TICKS,
    proto="HistoricalTicksBidAsk",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

HISTORICAL_TICKS_LAST = incoming(
    98,
    "historicalTicksLast",
    req_id(),
    Field("ticks", HISTORICAL_TICK_LAST, 2, proto_name="historicalTicksLast", many=True, official=()),
    Field("done", BOOL, 3, proto_name="isDone"),
    text=(
        T("reqId"),
        Repeat(
            "ticks",
            T("time"),
            Bits((("tickAttribLast.pastLimit", 1, 0), ("tickAttribLast.unreported", 2, 0))),
            *_fields("price size exchange specialConditions"),
        ),
        T("done"),
    ),
    since=V.HISTORICAL_TICKS,
    proto="HistoricalTicksLast",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)

HISTORICAL_SCHEDULE = incoming(
    106,
    "historicalSchedule",
    req_id(),
    Field("startDateTime", STR, 2),
    Field("endDateTime", STR, 3),
    Field("timeZone", STR, 4),
    Field("sessions", HISTORICAL_SESSION, 5, proto_name="historicalSessions", many=True, official=()),
    text=(
        T("reqId"),
        T("startDateTime"),
        T("endDateTime"),
        T("timeZone"),
        Repeat("sessions", T("startDateTime"), T("endDateTime"), T("refDate")),
    ),
    since=V.HISTORICAL_SCHEDULE,
    proto="HistoricalSchedule",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

HISTORICAL_DATA_END = incoming(
    108,
    "historicalDataEnd",
    req_id(),
    Field("start", STR, 2, proto_name="startDateStr"),
    Field("end", STR, 3, proto_name="endDateStr"),
    since=V.HISTORICAL_DATA_END,
    proto="HistoricalDataEnd",
    proto_since=V.PROTOBUF_HISTORICAL_DATA,
)
