"""Asking for contracts and what belongs to them; exercising options."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.layouts import contract, requested_contract
from ibwire.spec.model import BOOL, I32, IF_TRUE, NO_TEXT, STR, Field, T, outgoing
from ibwire.spec.structs import CONTRACT

REQ_CONTRACT_DETAILS = outgoing(
    9,
    "reqContractDetails",
    Field("reqId", I32, 1),
    Field("contract", CONTRACT, 2),
    text=(
        T("reqId"),
        *requested_contract(),
        *contract("contract.", "includeExpired secIdType secId"),
        T("contract.issuerId", since=V.BOND_ISSUERID),
    ),
    version=8,
    proto="ContractDataRequest",
    proto_since=V.PROTOBUF_CONTRACT_DATA,
)

CANCEL_CONTRACT_DATA = outgoing(
    106,
    "cancelContractData",
    Field("reqId", I32, 1),
    text=NO_TEXT,
    since=V.CANCEL_CONTRACT_DATA,
    proto="CancelContractData",
    proto_since=V.CANCEL_CONTRACT_DATA,
)

EXERCISE_OPTIONS = outgoing(
    21,
    "exerciseOptions",
    Field("reqId", I32, 1, proto_name="orderId"),
    Field("contract", CONTRACT, 2),
    Field("exerciseAction", I32, 3),
    Field("exerciseQuantity", I32, 4),
    Field("account", STR, 5),
    Field("override", I32, 6, proto_kind="bool", send=IF_TRUE),
    Field("manualOrderTime", STR, 7),
    Field("customerAccount", STR, 8),
    Field("professionalCustomer", BOOL, 9),
    text=(
        T("reqId"),
        *requested_contract(None),
        T("exerciseAction"),
        T("exerciseQuantity"),
        T("account"),
        T("override"),
        T("manualOrderTime", since=V.MANUAL_ORDER_TIME_EXERCISE_OPTIONS),
        T("customerAccount", since=V.CUSTOMER_ACCOUNT),
        T("professionalCustomer", since=V.PROFESSIONAL_CUSTOMER),
    ),
    version=2,
    proto="ExerciseOptionsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

REQ_SEC_DEF_OPT_PARAMS = outgoing(
    78,
    "reqSecDefOptParams",
    Field("reqId", I32, 1),
    Field("underlyingSymbol", STR, 2),
    Field("futFopExchange", STR, 3),
    Field("underlyingSecType", STR, 4),
    Field("underlyingConId", I32, 5),
    since=V.SEC_DEF_OPT_PARAMS_REQ,
    proto="SecDefOptParamsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

REQ_MATCHING_SYMBOLS = outgoing(
    81,
    "reqMatchingSymbols",
    Field("reqId", I32, 1),
    Field("pattern", STR, 2),
    since=V.REQ_MATCHING_SYMBOLS,
    proto="MatchingSymbolsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

REQ_MARKET_RULE = outgoing(
    91,
    "reqMarketRule",
    Field("marketRuleId", I32, 1),
    since=V.MARKET_RULES,
    proto="MarketRuleRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)
