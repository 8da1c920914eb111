"""The outgoing rows against what is known of the wire: names, versions, gates, and bytes written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.errors import UnsupportedByServer
from ibwire.spec.model import FOREVER, Row, Version
from ibwire.spec.registry import OUTGOING
from ibwire.types import outgoing as out
from ibwire.types.structs import (
    ApiConfig,
    ApiSettingsConfig,
    ComboLeg,
    Contract,
    DeltaNeutralContract,
    ScannerSubscription,
    TagValue,
    WshEventData,
)
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import proto_plan, text_plan

# id: EClient method and its parameters (startApi takes none: its fields are state of the client).
METHODS: dict[int, str] = {
    1: "reqMktData reqId contract genericTickList snapshot regulatorySnapshot mktDataOptions",
    2: "cancelMktData reqId",
    3: "placeOrder orderId contract order",
    4: "cancelOrder orderId orderCancel",
    5: "reqOpenOrders",
    6: "reqAccountUpdates subscribe acctCode",
    7: "reqExecutions reqId execFilter",
    8: "reqIds numIds",
    9: "reqContractDetails reqId contract",
    10: "reqMktDepth reqId contract numRows isSmartDepth mktDepthOptions",
    11: "cancelMktDepth reqId isSmartDepth",
    12: "reqNewsBulletins allMsgs",
    13: "cancelNewsBulletins",
    14: "setServerLogLevel logLevel",
    15: "reqAutoOpenOrders bAutoBind",
    16: "reqAllOpenOrders",
    17: "reqManagedAccts",
    18: "requestFA faData",
    19: "replaceFA reqId faData cxml",
    20: "reqHistoricalData reqId contract endDateTime durationStr barSizeSetting whatToShow useRTH formatDate "
    "keepUpToDate chartOptions",
    21: "exerciseOptions reqId contract exerciseAction exerciseQuantity account override manualOrderTime "
    "customerAccount professionalCustomer",
    22: "reqScannerSubscription reqId subscription scannerSubscriptionOptions scannerSubscriptionFilterOptions",
    23: "cancelScannerSubscription reqId",
    24: "reqScannerParameters",
    25: "cancelHistoricalData reqId",
    49: "reqCurrentTime",
    50: "reqRealTimeBars reqId contract barSize whatToShow useRTH realTimeBarsOptions",
    51: "cancelRealTimeBars reqId",
    52: "reqFundamentalData reqId contract reportType fundamentalDataOptions",
    53: "cancelFundamentalData reqId",
    54: "calculateImpliedVolatility reqId contract optionPrice underPrice implVolOptions",
    55: "calculateOptionPrice reqId contract volatility underPrice optPrcOptions",
    56: "cancelCalculateImpliedVolatility reqId",
    57: "cancelCalculateOptionPrice reqId",
    58: "reqGlobalCancel orderCancel",
    59: "reqMarketDataType marketDataType",
    61: "reqPositions",
    62: "reqAccountSummary reqId groupName tags",
    63: "cancelAccountSummary reqId",
    64: "cancelPositions",
    65: "verifyRequest apiName apiVersion",
    66: "verifyMessage apiData",
    67: "queryDisplayGroups reqId",
    68: "subscribeToGroupEvents reqId groupId",
    69: "updateDisplayGroup reqId contractInfo",
    70: "unsubscribeFromGroupEvents reqId",
    71: "startApi clientId optionalCapabilities",
    72: "verifyAndAuthRequest apiName apiVersion opaqueIsvKey",
    73: "verifyAndAuthMessage apiData xyzResponse",
    74: "reqPositionsMulti reqId account modelCode",
    75: "cancelPositionsMulti reqId",
    76: "reqAccountUpdatesMulti reqId account modelCode ledgerAndNLV",
    77: "cancelAccountUpdatesMulti reqId",
    78: "reqSecDefOptParams reqId underlyingSymbol futFopExchange underlyingSecType underlyingConId",
    79: "reqSoftDollarTiers reqId",
    80: "reqFamilyCodes",
    81: "reqMatchingSymbols reqId pattern",
    82: "reqMktDepthExchanges",
    83: "reqSmartComponents reqId bboExchange",
    84: "reqNewsArticle reqId providerCode articleId newsArticleOptions",
    85: "reqNewsProviders",
    86: "reqHistoricalNews reqId conId providerCodes startDateTime endDateTime totalResults historicalNewsOptions",
    87: "reqHeadTimeStamp reqId contract whatToShow useRTH formatDate",
    88: "reqHistogramData tickerId contract useRTH timePeriod",
    89: "cancelHistogramData tickerId",
    90: "cancelHeadTimeStamp reqId",
    91: "reqMarketRule marketRuleId",
    92: "reqPnL reqId account modelCode",
    93: "cancelPnL reqId",
    94: "reqPnLSingle reqId account modelCode conid",
    95: "cancelPnLSingle reqId",
    96: "reqHistoricalTicks reqId contract startDateTime endDateTime numberOfTicks whatToShow useRth ignoreSize "
    "miscOptions",
    97: "reqTickByTickData reqId contract tickType numberOfTicks ignoreSize",
    98: "cancelTickByTickData reqId",
    99: "reqCompletedOrders apiOnly",
    100: "reqWshMetaData reqId",
    101: "cancelWshMetaData reqId",
    102: "reqWshEventData reqId wshEventData",
    103: "cancelWshEventData reqId",
    104: "reqUserInfo reqId",
    105: "reqCurrentTimeInMillis",
    106: "cancelContractData reqId",
    107: "cancelHistoricalTicks reqId",
    # The official methods reqConfigProtoBuf and updateConfigProtoBuf take one finished protobuf object instead.
    108: "reqConfig reqId",
    109: "updateConfig reqId lockAndExit messages api orders acceptedWarnings resetAPIOrderSequence",
}

# First server version at which a request goes out in protobuf.
PROTOBUF_FROM: dict[int, set[int]] = {
    201: {7},
    203: {3, 4, 58},
    204: {5, 15, 16, 99},
    205: {9},
    206: {1, 2, 10, 11, 59},
    207: {6, 17, 61, 62, 63, 64, 74, 75, 76, 77},
    208: {20, 25, 50, 51, 87, 88, 89, 90, 96, 97, 98},
    209: {12, 13, 84, 85, 86, 100, 101, 102, 103},
    210: {22, 23, 24, 52, 53, 92, 93, 94, 95},
    211: {18, 19, 21, 54, 55, 56, 57},
    212: {78, 79, 80, 81, 83, 91, 104},
    213: {8, 14, 49, 65, 66, 67, 68, 69, 70, 71, 82, 105},
    215: {106, 107},
    219: {108},
    221: {109},
}
TEXT_FOR_EVER = {72, 73}
NO_TEXT = {106, 107, 108, 109}

# First server version that knows a request, where it is above 100.
KNOWN_FROM: dict[int, set[int]] = {
    103: {74, 75, 76, 77},
    104: {78},
    107: {80},
    108: {81},
    112: {82},
    114: {83},
    115: {85},
    116: {84},
    117: {86},
    118: {87},
    119: {88, 89},
    123: {90},
    126: {91},
    127: {92, 93, 94, 95},
    130: {96},
    137: {98},
    140: {97},
    161: {100, 101, 102, 103},
    167: {104},
    197: {105},
    215: {106, 107},
    219: {108},
    221: {109},
}

# The obsolete version field: its value, and the ids that begin with it.
VERSION_FIELD: dict[int, set[int]] = {
    1: {4, 5, 8, 11, 12, 13, 14, 15, 16, 17, 18, 19, 23, 24, 25, 49, 51, 53, 56, 57, 58, 59}
    | {61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 72, 73, 74, 75, 76, 77},
    2: {2, 6, 21, 52, 71},
    3: {7, 50, 54, 55},
    4: {22},
    5: {10},
    6: {20},
    8: {9},
    11: {1},
    45: {3},
}
VERSION_FIELD_UNTIL = {3: 145, 4: 192, 20: 124, 22: 143, 58: 192}


def _by_id(table: dict[int, set[int]]) -> dict[int, int]:
    return {message: value for value, ids in table.items() for message in ids}


def test_every_request_of_the_official_client_has_its_row() -> None:
    assert {i: " ".join([r.name, *(f.name for f in r.fields)]) for i, r in OUTGOING.items()} == METHODS


def test_protobuf_starts_where_the_family_starts() -> None:
    assert {i: r.proto_since for i, r in OUTGOING.items() if r.proto} == _by_id(PROTOBUF_FROM)
    assert {i for i, r in OUTGOING.items() if not r.proto} == TEXT_FOR_EVER
    assert {i for i, r in OUTGOING.items() if r.text is None} == NO_TEXT


def test_requests_are_known_from_their_gates() -> None:
    assert {i: r.since for i, r in OUTGOING.items() if r.since} == _by_id(KNOWN_FROM)


def test_version_fields() -> None:
    found = {i: v for i, r in OUTGOING.items() if (v := _version(r))}
    assert {i: v.value for i, v in found.items()} == _by_id(VERSION_FIELD)
    assert {i: v.until for i, v in found.items() if v.until != FOREVER} == VERSION_FIELD_UNTIL


def _version(row: Row) -> Version | None:
    head = (row.text or (None,))[0]
    return head if isinstance(head, Version) else None


@pytest.mark.parametrize("row", OUTGOING.values(), ids=lambda r: r.name)
def test_plans_can_be_made(row: Row) -> None:
    """Every path in a layout is a field, every group finds its struct, no protobuf number stands twice."""
    if row.text is not None:
        for version in (100, 225):
            text_plan(row, version)
    if row.proto:
        table = proto_plan(row, 225).proto
        assert table is not None
        top = [f.proto for f in row.fields if f.proto] + [number for number, _ in row.proto_map]
        assert sorted(top) == sorted(table.ops), row.name


# ------------------------------------------------------------------------------------------------ golden bytes

AAPL = Contract(conId=265598, symbol="AAPL", secType="STK", exchange="SMART", primaryExchange="NASDAQ", currency="USD")
CALL = Contract(
    symbol="AAPL", secType="OPT", lastTradeDateOrContractMonth="20261218", strike=150.0, right="C", multiplier="100",
    exchange="SMART", currency="USD", tradingClass="AAPL",
)  # fmt: skip
LEGS = [
    ComboLeg(conId=1, ratio=1, action="BUY", exchange="SMART"),
    ComboLeg(conId=2, ratio=3, action="SELL", exchange="CBOE", openClose=1, exemptCode=7),
]
BAG = Contract(symbol="SPY", secType="BAG", exchange="SMART", currency="USD", comboLegs=LEGS)
NEUTRAL = Contract(symbol="X", secType="STK", deltaNeutralContract=DeltaNeutralContract(9, 0.5, 12.25))
PAIRS = [TagValue("a", "1"), TagValue("b", "x y")]
AAPL_TEXT = "265598|AAPL|STK|||||SMART|NASDAQ|USD|||"
CALL_TEXT = "0|AAPL|OPT|20261218|150.0|C|100|SMART||USD||AAPL|"
BAG_TEXT = "0|SPY|BAG|||||SMART||USD|||"
SCAN = ScannerSubscription(numberOfRows=10, instrument="STK", scanCode="TOP_PERC_GAIN", abovePrice=5.0)

# (message, server version, the text fields after the id); "|" ends a field.
TEXT: list[tuple[Any, int, str]] = [
    (out.ReqMktData(7, AAPL, "233,236"), 100, f"11|7|{AAPL_TEXT}0|233,236|0||"),
    (out.ReqMktData(7, AAPL, "", True, True), 113, f"11|7|{AAPL_TEXT}0||1||"),
    (out.ReqMktData(7, AAPL, "", True, True), 114, f"11|7|{AAPL_TEXT}0||1|1||"),
    (out.ReqMktData(7, BAG), 205, f"11|7|{BAG_TEXT}2|1|1|BUY|SMART|2|3|SELL|CBOE|0||0|0||"),
    (out.ReqMktData(7, NEUTRAL), 176, "11|7|0|X|STK||||||||||1|9|0.5|12.25||0|0||"),
    (out.CancelMktData(7), 205, "2|7|"),
    (out.ReqMktDepth(7, Contract(symbol="X"), 5), 145, "5|7|0|X||||||||||5||"),
    (out.ReqMktDepth(7, AAPL, 5, True), 149, f"5|7|{AAPL_TEXT}5|1||"),
    (out.CancelMktDepth(7), 145, "1|7|"),
    (out.CancelMktDepth(7, True), 146, "1|7|1|"),
    (out.CalculateOptionPrice(7, CALL, 0.2, 151.5), 205, f"3|7|{CALL_TEXT}0.2|151.5||"),
    (out.ReqTickByTickData(7, AAPL, "BidAsk", 10, True), 207, f"7|{AAPL_TEXT}BidAsk|10|1|"),
    (out.ReqMktDepthExchanges(), 112, ""),
    (out.ReqAccountUpdates(True, "DU0000001"), 206, "2|1|DU0000001|"),
    (out.ReqAccountSummary(7, "All", "NetLiquidation"), 206, "1|7|All|NetLiquidation|"),
    (out.ReqPnLSingle(7, "DU0000001", "", 265598), 209, "7|DU0000001||265598|"),
    (out.ReqContractDetails(7, CALL), 175, f"8|7|{CALL_TEXT}0|||"),
    (out.ReqContractDetails(7, Contract(issuerId="e1")), 176, "8|7|0||||||||||||0|||e1|"),
    (
        out.ExerciseOptions(7, CALL, 1, 2, "DU0000001", 1),
        179,
        "2|7|0|AAPL|OPT|20261218|150.0|C|100|SMART|USD||AAPL|1|2|DU0000001|1|",
    ),
    (
        out.ExerciseOptions(7, CALL, 1, 2, "DU0000001", 0, "20261218 10:00:00", "c", True),
        184,
        "2|7|0|AAPL|OPT|20261218|150.0|C|100|SMART|USD||AAPL|1|2|DU0000001|0|20261218 10:00:00|c|1|",
    ),
    (
        out.ReqHistoricalData(7, AAPL, "", "1 D", "1 min", "TRADES", 1, 2, True, PAIRS),
        123,
        f"6|7|{AAPL_TEXT}0||1 min|1 D|1|TRADES|2|a=1;b=x y;|",
    ),
    (
        out.ReqHistoricalData(7, BAG, "", "1 D", "1 min", "TRADES", 0, 1, True),
        124,
        f"7|{BAG_TEXT}0||1 min|1 D|0|TRADES|1|2|1|1|BUY|SMART|2|3|SELL|CBOE|1||",
    ),
    (out.ReqHeadTimeStamp(7, AAPL, "TRADES", 1, 1), 207, f"7|{AAPL_TEXT}0|1|TRADES|1|"),
    (out.ReqHistogramData(7, AAPL, True, "3 days"), 207, f"7|{AAPL_TEXT}0|1|3 days|"),
    (
        out.ReqHistoricalTicks(7, AAPL, "", "20261120 09:30:00", 100, "TRADES", 1, True),
        207,
        f"7|{AAPL_TEXT}0||20261120 09:30:00|100|TRADES|1|1||",
    ),
    (out.ReqRealTimeBars(7, AAPL, 5, "MIDPOINT", False, PAIRS), 207, f"3|7|{AAPL_TEXT}5|MIDPOINT|0|a=1;b=x y;|"),
    (out.ReqNewsArticle(7, "BRFG", "id", PAIRS), 127, "7|BRFG|id|"),
    (out.ReqNewsArticle(7, "BRFG", "id", PAIRS), 128, "7|BRFG|id|a=1;b=x y;|"),
    (out.ReqWshEventData(7, WshEventData(8314)), 170, "7|8314|"),
    (out.ReqWshEventData(7, WshEventData(filter="f")), 172, "7|2147483647|f|0|0|0|"),
    (out.ReqWshEventData(7, WshEventData(8314, totalLimit=5)), 173, "7|8314||0|0|0|||5|"),
    (
        out.ReqScannerSubscription(7, SCAN, [TagValue("o", "1")]),
        142,
        "4|7|10|STK||TOP_PERC_GAIN|5.0|||||||||||||0||||o=1;|",
    ),
    (
        out.ReqScannerSubscription(7, ScannerSubscription(numberOfRows=None), [TagValue("o", "1")], PAIRS),
        143,
        "7||||||||||||||||||0||||a=1;b=x y;|o=1;|",
    ),
    (
        out.ReqFundamentalData(7, AAPL, "ReportSnapshot", PAIRS),
        209,
        "2|7|265598|AAPL|STK|SMART|NASDAQ|USD||ReportSnapshot|2|a=1;b=x y;|",
    ),
    (out.ReplaceFA(7, 1, "<x/>"), 156, "1|1|<x/>|"),
    (out.ReplaceFA(7, 1, "<x/>"), 157, "1|1|<x/>|7|"),
    (out.StartApi(3, ""), 212, "2|3||"),
    (out.VerifyAndAuthMessage("d", "r"), 225, "1|d|r|"),
]


@pytest.mark.parametrize("case", TEXT, ids=lambda c: f"{c[0].NAME}-{c[1]}")
def test_golden_text(case: tuple[Any, int, str]) -> None:
    message, version, fields = case
    codec = Codec(version, Role.CLIENT)
    head = message.MSG_ID.to_bytes(4, "big") if version >= 201 else b"%d\0" % message.MSG_ID
    wire = codec.encode(message)
    assert wire == head + fields.replace("|", "\0").encode()
    seen = Codec(version, Role.GATEWAY).decode(wire)
    assert codec.encode(seen) == wire


def _len(number: int, body: bytes) -> bytes:
    assert number < 16 and len(body) < 128
    return bytes((number << 3 | 2, len(body))) + body


AAPL_PROTO = (
    b"\x08\xfe\x9a\x10" + _len(2, b"AAPL") + _len(3, b"STK") + _len(8, b"SMART") + _len(9, b"NASDAQ") + _len(10, b"USD")
)
EMPTY_CONTRACT = b"\x08\x00"  # a conId of 0 is a value
PAIR = b"\x0a\x01a\x12\x011"

# (message, server version, the protobuf body by hand)
PROTO: list[tuple[Any, int, bytes]] = [
    (
        out.ReqMktData(7, AAPL, "233", True, False, [TagValue("a", "1")]),
        206,
        b"\x08\x07" + _len(2, AAPL_PROTO) + _len(3, b"233") + b"\x20\x01" + _len(6, PAIR),
    ),
    (out.CancelMktData(7), 206, b"\x08\x07"),
    (out.CancelContractData(7), 215, b"\x08\x07"),
    (out.ReqPositions(), 207, b""),
    (out.ReqAccountSummary(7, "All", "x"), 207, b"\x08\x07" + _len(2, b"All") + _len(3, b"x")),
    (
        out.ExerciseOptions(7, Contract(), 1, 2, "DU0000001", 1),
        211,
        b"\x08\x07" + _len(2, EMPTY_CONTRACT) + b"\x18\x01\x20\x02" + _len(5, b"DU0000001") + b"\x30\x01",
    ),
    (
        out.ReqHistoricalData(7, Contract(), "e", "1 D", "1 min", "TRADES", 0, 1, True),
        208,
        b"\x08\x07" + _len(2, EMPTY_CONTRACT) + _len(3, b"e") + _len(4, b"1 min") + _len(5, b"1 D")
        + _len(7, b"TRADES") + b"\x40\x01\x48\x01",
    ),
    (
        out.ReqScannerSubscription(7, ScannerSubscription(scanCode="S"), [TagValue("a", "1")], [TagValue("a", "1")]),
        210,
        # -1 rows take ten bytes; the options have the numbers 22 (filter) and 23 inside the subscription.
        b"\x08\x07" + _len(2, b"\x08" + b"\xff" * 9 + b"\x01" + _len(4, b"S")
        + b"\xb2\x01\x06" + PAIR + b"\xba\x01\x06" + PAIR),
    ),
    (
        out.ReqWshEventData(7, WshEventData(filter="f", fillPortfolio=True, totalLimit=5)),
        209,
        b"\x08\x07" + _len(3, b"f") + b"\x28\x01\x48\x05",
    ),
    (out.ReqConfig(7), 219, b"\x08\x07"),
    (
        out.UpdateConfig(7, api=ApiConfig(settings=ApiSettingsConfig(readOnlyApi=False, socketPort=7497))),
        221,
        b"\x08\x07" + _len(4, _len(2, b"\x08\x00\x40\xc9\x3a")),  # False is said, the rest is left as it is
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", PROTO, ids=lambda c: f"{c[0].NAME}-{c[1]}")
def test_golden_protobuf(case: tuple[Any, int, bytes]) -> None:
    message, version, body = case
    codec = Codec(version, Role.CLIENT)
    wire = codec.encode(message)
    assert wire == (message.MSG_ID + 200).to_bytes(4, "big") + body
    assert Codec(version, Role.GATEWAY).decode(wire) == message


# ------------------------------------------------------------------------------------------------ refusals

REFUSED: list[tuple[Any, int, int]] = [
    (out.ReqMktDepth(7, AAPL, 5), 148, 149),
    (out.ReqMktDepth(7, Contract(), 5, True), 145, 146),
    (out.CancelMktDepth(7, True), 145, 146),
    (out.ReqContractDetails(7, Contract(issuerId="e1")), 175, 176),
    (out.ExerciseOptions(7, CALL, manualOrderTime="t"), 179, 180),
    (out.ExerciseOptions(7, CALL, customerAccount="c"), 182, 183),
    (out.ExerciseOptions(7, CALL, professionalCustomer=True), 183, 184),
    (out.ReqScannerSubscription(7, scannerSubscriptionFilterOptions=PAIRS), 142, 143),
    (out.ReqWshEventData(7, WshEventData(fillWatchlist=True)), 170, 171),
    (out.ReqWshEventData(7, WshEventData(totalLimit=5)), 172, 173),
    (out.ReqTickByTickData(7, AAPL, "Last"), 139, 140),
    (out.CancelHistoricalTicks(7), 214, 215),
    (out.ReqConfig(7), 218, 219),
    (out.UpdateConfig(7), 220, 221),
    # No official client can send these options in text; protobuf carries them.
    (out.ReqMktData(7, AAPL, mktDataOptions=PAIRS), 205, 206),
    (out.ReqMktDepth(7, AAPL, mktDepthOptions=PAIRS), 205, 206),
    (out.CalculateOptionPrice(7, CALL, 0.2, 1.5, PAIRS), 210, 211),
    (out.CalculateImpliedVolatility(7, CALL, 2.0, 1.5, PAIRS), 210, 211),
]


@pytest.mark.parametrize("case", REFUSED, ids=lambda c: f"{c[0].NAME}-{c[1]}")
def test_refused_below_its_gate(case: tuple[Any, int, int]) -> None:
    message, below, gate = case
    with pytest.raises(UnsupportedByServer, match=message.NAME):
        Codec(below, Role.CLIENT).encode(message)
    assert Codec(gate, Role.CLIENT).encode(message)
