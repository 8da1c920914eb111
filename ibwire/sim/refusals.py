"""What this gateway does not do, and how it says so: nothing that a client waits for stays without an answer."""

from __future__ import annotations

from typing import Any, NamedTuple

from ibwire.types import outgoing

INVALID = 321
_ABSENT = "is not available in this simulated gateway"

# Request -> (code, what the text says is absent). The answer carries the request's own id, -1 when it has none.
REFUSED: dict[type[Any], tuple[int, str]] = {
    outgoing.ReqFundamentalData: (430, "Fundamental data"),
    outgoing.CancelFundamentalData: (300, "Fundamental data"),
    outgoing.ExerciseOptions: (INVALID, "The exercise of options"),
    outgoing.ReqWshMetaData: (10277, "The event calendar"),
    outgoing.ReqWshEventData: (10278, "The event calendar"),
    outgoing.RequestFA: (INVALID, "Advisor configuration"),
    outgoing.ReplaceFA: (INVALID, "Advisor configuration"),
    outgoing.QueryDisplayGroups: (INVALID, "A display group"),
    outgoing.SubscribeToGroupEvents: (INVALID, "A display group"),
    outgoing.UpdateDisplayGroup: (INVALID, "A display group"),
    outgoing.ReqConfig: (INVALID, "The configuration"),
    outgoing.UpdateConfig: (INVALID, "The configuration"),
}

# Requests that no client waits for: there is nothing to say.
SILENT: frozenset[type[Any]] = frozenset(
    {
        outgoing.SetServerLogLevel,
        outgoing.UnsubscribeFromGroupEvents,
        outgoing.CancelWshMetaData,
        outgoing.CancelWshEventData,
        outgoing.CancelContractData,  # details are answered at once: there is nothing left to cancel
    }
)


def request_id(message: object) -> int:
    """The id that an answer to this request carries, -1 for a request without one."""
    for name in ("reqId", "tickerId", "orderId"):
        value = getattr(message, name, None)
        if isinstance(value, int):
            return value
    return -1


def refusal(message: object) -> tuple[int, str] | None:
    """Code and text of the refusal of a request, None when it is passed over in silence."""
    kind = type(message)
    if kind in SILENT:
        return None
    if kind in REFUSED:
        code, what = REFUSED[kind]
        return code, f"{what} {_ABSENT}"
    return INVALID, "Invalid request: this gateway does not know the message"


# ---------------------------------------------------------------------------------------------- orders

MKT, LMT, STP, STP_LMT, TRAIL, TRAIL_LIMIT = "MKT", "LMT", "STP", "STP LMT", "TRAIL", "TRAIL LIMIT"
MATCHED_TYPES = (MKT, LMT, STP, STP_LMT, TRAIL, TRAIL_LIMIT)
LIMIT_TYPES = frozenset({LMT, STP_LMT})  # lmtPrice is a price on its own; a TRAIL LIMIT's follows its stop
STOP_TYPES = frozenset({STP, STP_LMT})
TRAIL_TYPES = frozenset({TRAIL, TRAIL_LIMIT})
TRIGGERED_TYPES = STOP_TYPES | TRAIL_TYPES
MATCHED_TIFS = ("", "DAY", "GTC", "GTD", "IOC", "FOK")
IMMEDIATE = frozenset({"IOC", "FOK"})
MATCHED_CONDITIONS = {1: "price", 3: "time"}

TYPE_UNSUPPORTED = 387
TIF_UNSUPPORTED = 111
NOT_AN_ADVISOR = 344
ALGO_UNKNOWN = 439
ALGO_FIXED = 440
ALGO_VALUE = 441
ALGO_NOT_HERE = 442
ALGO_PARAMETER = 443

ADAPTIVE, ADAPTIVE_PRIORITY = "Adaptive", "adaptivePriority"
ADAPTIVE_TYPES = frozenset({MKT, LMT})
PATIENCE = {"Urgent": 1, "Normal": 2, "Patient": 4}  # so many times the pieces, each after so many times the delay
COMBO_TYPES = (MKT, LMT)


class OrderRefusal(NamedTuple):
    """One line of the table of what matching does not take: of what kind, its name, the code, and what it is."""

    kind: str
    name: str
    code: int
    what: str


def _rows(kind: str, code: int, what: str, names: tuple[str, ...]) -> tuple[OrderRefusal, ...]:
    return tuple(OrderRefusal(kind, name, code, what) for name in names)


# The one table of what the API knows and matching does not take. A word that is in neither table is no word of the API.
# fmt: off
ORDER_REFUSALS: tuple[OrderRefusal, ...] = (
    *_rows("orderType", TYPE_UNSUPPORTED, "order type", (
        "STP PRT", "TRAIL LIT", "TRAIL MIT", "TRAIL LMT + MKT", "TRAIL REL + MKT", "MIT", "LIT", "MOC", "LOC", "MOO",
        "LOO", "MTL", "MKT PRT", "MIDPRICE", "REL", "VOL", "PEG MKT", "PEG MID", "PEG BEST", "PEG PRIM", "PEG STK",
        "PEG BENCH", "PEGMIDVOL", "PEGMKTVOL", "PEGPRMVOL", "PEGSRFVOL", "PASSV REL", "SNAP MKT", "SNAP MID",
        "SNAP PRIM", "REL + LMT", "REL + MKT", "LMT + MKT", "IBALGO", "BOX TOP", "FUNARI", "QUOTE", "ICEBERG", "",
    )),
    *_rows("tif", TIF_UNSUPPORTED, "time in force", (
        "OPG", "DTC", "AUC", "GTX", "GAT", "OVERNIGHT", "OVERNIGHT + DAY", "MINUTES",
    )),
    *_rows("condition", INVALID, "order condition", ("4 margin", "5 execution", "6 volume", "7 percent change")),
    *_rows("algorithm", ALGO_NOT_HERE, "algorithm", (
        "AD", "ArrivalPx", "BalanceImpactRisk", "ClosePx", "DarkIce", "MinImpact", "PctVol", "Twap", "Vwap",
    )),
    *_rows("attribute", NOT_AN_ADVISOR, "advisor attribute", ("faGroup", "faMethod", "faPercentage")),
    *_rows("attribute", INVALID, "order attribute", (
        "activeStartTime", "activeStopTime", "adjustedOrderType", "allOrNone", "autoCancelDate", "autoCancelParent",
        "auctionStrategy", "basisPoints", "blockOrder", "deactivate", "delta", "deltaNeutralOrderType",
        "discretionaryAmt", "duration", "hedgeType", "imbalanceOnly", "minQty", "minTradeQty", "orderComboLegs",
        "percentOffset", "postOnly", "ptOrderId", "ptOrderType", "scaleInitLevelSize", "scalePriceIncrement",
        "scaleSubsLevelSize", "scaleTable", "slOrderId", "slOrderType", "startingPrice", "stockRangeLower",
        "stockRangeUpper", "volatility",
    )),
)
# fmt: on
_BY_NAME = {(row.kind, row.name): row for row in ORDER_REFUSALS}
ATTRIBUTES = tuple(row.name for row in ORDER_REFUSALS if row.kind == "attribute")


def order_refusal(kind: str, name: str) -> tuple[int, str] | None:
    """Code and text of the refusal of an order type, time in force, condition or attribute; None when it has no row."""
    row = _BY_NAME.get((kind, name))
    if row is None:
        return None
    return row.code, f"The {row.what} {name or 'that is empty'} is not worked by this simulated gateway"
