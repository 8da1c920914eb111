"""Verification, display groups, delta-neutral answers, calendar events, user data."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import BOOL, STR, Call, Field, T, TextRule, incoming, req_id
from ibwire.spec.structs import DELTA_NEUTRAL_CONTRACT

DELTA_NEUTRAL_VALIDATION = incoming(
    56,
    "deltaNeutralValidation",
    req_id(),
    Field("deltaNeutralContract", DELTA_NEUTRAL_CONTRACT),
    text=(
        T("reqId"),
        T("deltaNeutralContract.conId"),
        T("deltaNeutralContract.delta"),
        T("deltaNeutralContract.price"),
    ),
    version=1,
)

VERIFY_MESSAGE_API = incoming(
    65,
    "verifyMessageAPI",
    Field("apiData", STR, 1),
    text=(T("apiData", rule=TextRule.ESCAPED),),
    version=1,
    proto="VerifyMessageApi",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

_VERIFIED = (T("isSuccessful", words=("true", "false")), T("errorText", rule=TextRule.ESCAPED))

VERIFY_COMPLETED = incoming(
    66,
    "verifyCompleted",
    Field("isSuccessful", BOOL, 1),
    Field("errorText", STR, 2),
    text=_VERIFIED,
    version=1,
    proto="VerifyCompleted",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
    calls=Call("verifyCompleted", ("*is_successful", "errorText")),
)

DISPLAY_GROUP_LIST = incoming(
    67,
    "displayGroupList",
    req_id(),
    Field("groups", STR, 2),
    text=(T("reqId"), T("groups", rule=TextRule.ESCAPED)),
    version=1,
    proto="DisplayGroupList",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

DISPLAY_GROUP_UPDATED = incoming(
    68,
    "displayGroupUpdated",
    req_id(),
    Field("contractInfo", STR, 2),
    text=(T("reqId"), T("contractInfo", rule=TextRule.ESCAPED)),
    version=1,
    proto="DisplayGroupUpdated",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

VERIFY_AND_AUTH_MESSAGE_API = incoming(
    69,
    "verifyAndAuthMessageAPI",
    Field("apiData", STR),
    Field("xyzChallange", STR),
    text=(T("apiData", rule=TextRule.ESCAPED), T("xyzChallange", rule=TextRule.ESCAPED)),
    version=1,
)

VERIFY_AND_AUTH_COMPLETED = incoming(
    70,
    "verifyAndAuthCompleted",
    Field("isSuccessful", BOOL),
    Field("errorText", STR),
    text=_VERIFIED,
    version=1,
    calls=Call("verifyAndAuthCompleted", ("*is_successful", "errorText")),
)

WSH_META_DATA = incoming(
    104,
    "wshMetaData",
    req_id(),
    Field("dataJson", STR, 2),
    since=V.WSHE_CALENDAR,
    proto="WshMetaData",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

WSH_EVENT_DATA = incoming(
    105,
    "wshEventData",
    req_id(),
    Field("dataJson", STR, 2),
    since=V.WSHE_CALENDAR,
    proto="WshEventData",
    proto_since=V.PROTOBUF_NEWS_DATA,
)

USER_INFO = incoming(
    107,
    "userInfo",
    req_id(),
    Field("whiteBrandingId", STR, 2),
    since=V.USER_INFO,
    proto="UserInfo",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)
