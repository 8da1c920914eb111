"""Market scanner, and fundamental reports."""

from __future__ import annotations

from dataclasses import replace

from ibwire.spec import versions as V
from ibwire.spec.layouts import contract
from ibwire.spec.model import I32, MISSING, STR, Call, Field, Repeat, Struct, T, TextRule, incoming, req_id
from ibwire.spec.structs import CONTRACT_DETAILS

# The official client fills only these details, so their list of ids stays as the class makes it.
_DETAILS = replace(
    CONTRACT_DETAILS,
    fields=tuple(replace(f, official_proto=MISSING) if f.name == "secIdList" else f for f in CONTRACT_DETAILS.fields),
)

SCAN_DATA = Struct(
    "ScanData",
    (
        Field("rank", I32, 1),
        Field("contractDetails", _DETAILS),
        Field("distance", STR, 4),
        Field("benchmark", STR, 5),
        Field("projection", STR, 6),
        Field("legsStr", STR, 7, proto_name="comboKey"),
    ),
    proto="ScannerDataElement",
    proto_map=((2, "contractDetails.contract"), (3, "contractDetails.marketName")),
)

SCANNER_PARAMETERS = incoming(
    19,
    "scannerParameters",
    Field("xml", STR, 1),
    text=(T("xml", rule=TextRule.ESCAPED),),
    version=1,
    proto="ScannerParameters",
    proto_since=V.PROTOBUF_SCAN_DATA,
)

SCANNER_DATA = incoming(
    20,
    "scannerData",
    req_id(),
    Field("elements", SCAN_DATA, 2, proto_name="scannerDataElement", many=True),
    text=(
        T("reqId"),
        Repeat(
            "elements",
            T("rank"),
            *contract(
                "contractDetails.contract.",
                "conId symbol secType lastTradeDateOrContractMonth strike right exchange currency localSymbol",
            ),
            T("contractDetails.marketName"),
            T("contractDetails.contract.tradingClass"),
            T("distance"),
            T("benchmark"),
            T("projection"),
            T("legsStr"),
        ),
    ),
    version=3,
    proto="ScannerData",
    proto_since=V.PROTOBUF_SCAN_DATA,
    calls=(
        Call(
            "scannerData",
            ("reqId", ".rank", ".contractDetails", ".distance", ".benchmark", ".projection", ".legsStr"),
            each="elements",
        ),
        Call("scannerDataEnd", ("reqId",)),
    ),
)

FUNDAMENTAL_DATA = incoming(
    51,
    "fundamentalData",
    req_id(),
    Field("data", STR, 2),
    text=(T("reqId"), T("data", rule=TextRule.ESCAPED)),
    version=1,
    proto="FundamentalsData",
    proto_since=V.PROTOBUF_SCAN_DATA,
)
