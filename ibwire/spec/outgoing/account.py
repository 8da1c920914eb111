"""Asking for account values, positions and profit and loss."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import BOOL, I32, STR, Field, outgoing

REQ_ACCOUNT_UPDATES = outgoing(
    6,
    "reqAccountUpdates",
    Field("subscribe", BOOL, 1),
    Field("acctCode", STR, 2),
    version=2,
    proto="AccountDataRequest",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

REQ_MANAGED_ACCTS = outgoing(
    17, "reqManagedAccts", version=1, proto="ManagedAccountsRequest", proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS
)

REQ_POSITIONS = outgoing(
    61, "reqPositions", version=1, proto="PositionsRequest", proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS
)

REQ_ACCOUNT_SUMMARY = outgoing(
    62,
    "reqAccountSummary",
    Field("reqId", I32, 1),
    Field("groupName", STR, 2, proto_name="group"),
    Field("tags", STR, 3),
    version=1,
    proto="AccountSummaryRequest",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

CANCEL_ACCOUNT_SUMMARY = outgoing(
    63,
    "cancelAccountSummary",
    Field("reqId", I32, 1),
    version=1,
    proto="CancelAccountSummary",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

CANCEL_POSITIONS = outgoing(
    64, "cancelPositions", version=1, proto="CancelPositions", proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS
)

REQ_POSITIONS_MULTI = outgoing(
    74,
    "reqPositionsMulti",
    Field("reqId", I32, 1),
    Field("account", STR, 2),
    Field("modelCode", STR, 3),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="PositionsMultiRequest",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

CANCEL_POSITIONS_MULTI = outgoing(
    75,
    "cancelPositionsMulti",
    Field("reqId", I32, 1),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="CancelPositionsMulti",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

REQ_ACCOUNT_UPDATES_MULTI = outgoing(
    76,
    "reqAccountUpdatesMulti",
    Field("reqId", I32, 1),
    Field("account", STR, 2),
    Field("modelCode", STR, 3),
    Field("ledgerAndNLV", BOOL, 4),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="AccountUpdatesMultiRequest",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

CANCEL_ACCOUNT_UPDATES_MULTI = outgoing(
    77,
    "cancelAccountUpdatesMulti",
    Field("reqId", I32, 1),
    version=1,
    since=V.MODELS_SUPPORT,
    proto="CancelAccountUpdatesMulti",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

REQ_FAMILY_CODES = outgoing(
    80,
    "reqFamilyCodes",
    since=V.REQ_FAMILY_CODES,
    proto="FamilyCodesRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

REQ_PNL = outgoing(
    92,
    "reqPnL",
    Field("reqId", I32, 1),
    Field("account", STR, 2),
    Field("modelCode", STR, 3),
    since=V.PNL,
    proto="PnLRequest",
    proto_since=V.PROTOBUF_SCAN_DATA,
)

CANCEL_PNL = outgoing(
    93, "cancelPnL", Field("reqId", I32, 1), since=V.PNL, proto="CancelPnL", proto_since=V.PROTOBUF_SCAN_DATA
)

REQ_PNL_SINGLE = outgoing(
    94,
    "reqPnLSingle",
    Field("reqId", I32, 1),
    Field("account", STR, 2),
    Field("modelCode", STR, 3),
    Field("conid", I32, 4, proto_name="conId"),
    since=V.PNL,
    proto="PnLSingleRequest",
    proto_since=V.PROTOBUF_SCAN_DATA,
)

CANCEL_PNL_SINGLE = outgoing(
    95,
    "cancelPnLSingle",
    Field("reqId", I32, 1),
    since=V.PNL,
    proto="CancelPnLSingle",
    proto_since=V.PROTOBUF_SCAN_DATA,
)
