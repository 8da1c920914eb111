"""Account values, portfolio, positions, profit and loss."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import contract
from ibwire.spec.model import DEC, F64, STR, Field, Item, Repeat, T, TextRule, When, ge, incoming, req_id
from ibwire.spec.structs import CONTRACT, FAMILY_CODE


def _escaped(names: str) -> tuple[Item, ...]:
    return tuple(T(name, rule=TextRule.ESCAPED) for name in names.split())


UPDATE_ACCOUNT_VALUE = incoming(
    6,
    "updateAccountValue",
    Field("key", STR, 1),
    Field("val", STR, 2, proto_name="value"),
    Field("currency", STR, 3),
    Field("accountName", STR, 4),
    text=_escaped("key val currency accountName"),
    version=2,
    proto="AccountValue",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

UPDATE_PORTFOLIO = incoming(
    7,
    "updatePortfolio",
    Field("contract", CONTRACT, 1),
    Field("position", DEC, 2, nullable=True),
    Field("marketPrice", F64, 3),
    Field("marketValue", F64, 4),
    Field("averageCost", F64, 5),
    Field("unrealizedPNL", F64, 6),
    Field("realizedPNL", F64, 7),
    Field("accountName", STR, 8),
    text=(
        *contract("contract.", "conId symbol secType lastTradeDateOrContractMonth strike right"),
        When(ge("@version", 7), *contract("contract.", "multiplier primaryExchange")),
        *contract("contract.", "currency localSymbol"),
        When(ge("@version", 8), T("contract.tradingClass")),
        T("position"),
        T("marketPrice"),
        T("marketValue"),
        T("averageCost"),
        T("unrealizedPNL"),
        T("realizedPNL"),
        T("accountName"),
    ),
    version=8,
    proto="PortfolioValue",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

UPDATE_ACCOUNT_TIME = incoming(
    8,
    "updateAccountTime",
    Field("timeStamp", STR, 1),
    text=_escaped("timeStamp"),
    version=1,
    proto="AccountUpdateTime",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

ACCOUNT_DOWNLOAD_END = incoming(
    54,
    "accountDownloadEnd",
    Field("accountName", STR, 1),
    text=_escaped("accountName"),
    version=1,
    proto="AccountDataEnd",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

_POSITION_CONTRACT = contract(
    "contract.",
    "conId symbol secType lastTradeDateOrContractMonth strike right multiplier exchange currency localSymbol",
)

POSITION = incoming(
    61,
    "position",
    Field("account", STR, 1),
    Field("contract", CONTRACT, 2),
    Field("position", DEC, 3, nullable=True),
    Field("avgCost", F64, 4),
    text=(
        T("account"),
        *_POSITION_CONTRACT,
        When(ge("@version", 2), T("contract.tradingClass")),
        T("position"),
        When(ge("@version", 3), T("avgCost")),
    ),
    version=3,
    proto="Position",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

POSITION_END = incoming(62, "positionEnd", version=1, proto="PositionEnd", proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS)

ACCOUNT_SUMMARY = incoming(
    63,
    "accountSummary",
    req_id(),
    Field("account", STR, 2),
    Field("tag", STR, 3),
    Field("value", STR, 4),
    Field("currency", STR, 5),
    text=(T("reqId"), *_escaped("account tag value currency")),
    version=1,
    proto="AccountSummary",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

ACCOUNT_SUMMARY_END = incoming(
    64,
    "accountSummaryEnd",
    req_id(),
    version=1,
    proto="AccountSummaryEnd",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

POSITION_MULTI = incoming(
    71,
    "positionMulti",
    req_id(),
    Field("account", STR, 2),
    Field("modelCode", STR, 6),
    Field("contract", CONTRACT, 3),
    Field("pos", DEC, 4, proto_name="position", nullable=True),
    Field("avgCost", F64, 5),
    text=(
        T("reqId"),
        T("account"),
        *_POSITION_CONTRACT,
        T("contract.tradingClass"),
        T("pos"),
        T("avgCost"),
        T("modelCode"),
    ),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="PositionMulti",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

POSITION_MULTI_END = incoming(
    72,
    "positionMultiEnd",
    req_id(),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="PositionMultiEnd",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

ACCOUNT_UPDATE_MULTI = incoming(
    73,
    "accountUpdateMulti",
    req_id(),
    Field("account", STR, 2),
    Field("modelCode", STR, 3),
    Field("key", STR, 4),
    Field("value", STR, 5),
    Field("currency", STR, 6),
    text=(T("reqId"), *_escaped("account modelCode key value currency")),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="AccountUpdateMulti",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

ACCOUNT_UPDATE_MULTI_END = incoming(
    74,
    "accountUpdateMultiEnd",
    req_id(),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="AccountUpdateMultiEnd",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

FAMILY_CODES = incoming(
    78,
    "familyCodes",
    Field("familyCodes", FAMILY_CODE, 1, many=True, official=()),
    text=(Repeat("familyCodes", T("accountID"), T("familyCodeStr")),),
    since=V.REQ_FAMILY_CODES,
    proto="FamilyCodes",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

_PNL_ITEMS: tuple[Item, ...] = (
    T("dailyPnL"),
    T("unrealizedPnL", since=V.UNREALIZED_PNL),
    T("realizedPnL", since=V.REALIZED_PNL),
)

PNL = incoming(
    94,
    "pnl",
    req_id(),
    Field("dailyPnL", F64, 2, nullable=True),
    Field("unrealizedPnL", F64, 3, nullable=True, official_text=None),
    Field("realizedPnL", F64, 4, nullable=True, official_text=None),
    text=(T("reqId"), *_PNL_ITEMS),
    since=V.PNL,
    proto="PnL",
    proto_since=V.PROTOBUF_SCAN_DATA,
    record="PNL",
)

PNL_SINGLE = incoming(
    95,
    "pnlSingle",
    req_id(),
    Field("pos", DEC, 2, proto_name="position", nullable=True),
    Field("dailyPnL", F64, 3, nullable=True),
    Field("unrealizedPnL", F64, 4, nullable=True, official_text=None),
    Field("realizedPnL", F64, 5, nullable=True, official_text=None),
    Field("value", F64, 6, nullable=True),
    text=(T("reqId"), T("pos"), *_PNL_ITEMS, T("value")),
    since=V.PNL,
    proto="PnLSingle",
    proto_since=V.PROTOBUF_SCAN_DATA,
    record="PNL_SINGLE",
)
