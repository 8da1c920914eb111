"""Starting a session, clocks, and what fits nowhere else."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import I32, STR, Field, outgoing

START_API = outgoing(
    71,
    "startApi",
    Field("clientId", I32, 1),
    Field("optionalCapabilities", STR, 2),
    version=2,
    proto="StartApiRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

REQ_IDS = outgoing(
    8, "reqIds", Field("numIds", I32, 1), version=1, proto="IdsRequest", proto_since=V.PROTOBUF_REST_MESSAGES_3
)

SET_SERVER_LOG_LEVEL = outgoing(
    14,
    "setServerLogLevel",
    Field("logLevel", I32, 1),
    version=1,
    proto="SetServerLogLevelRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

REQ_CURRENT_TIME = outgoing(
    49, "reqCurrentTime", version=1, proto="CurrentTimeRequest", proto_since=V.PROTOBUF_REST_MESSAGES_3
)

REQ_CURRENT_TIME_IN_MILLIS = outgoing(
    105,
    "reqCurrentTimeInMillis",
    since=V.CURRENT_TIME_IN_MILLIS,
    proto="CurrentTimeInMillisRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

REQ_USER_INFO = outgoing(
    104,
    "reqUserInfo",
    Field("reqId", I32, 1),
    since=V.USER_INFO,
    proto="UserInfoRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

VERIFY_REQUEST = outgoing(
    65,
    "verifyRequest",
    Field("apiName", STR, 1),
    Field("apiVersion", STR, 2),
    version=1,
    proto="VerifyRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

VERIFY_MESSAGE = outgoing(
    66,
    "verifyMessage",
    Field("apiData", STR, 1),
    version=1,
    proto="VerifyMessageRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

VERIFY_AND_AUTH_REQUEST = outgoing(
    72,
    "verifyAndAuthRequest",
    Field("apiName", STR),
    Field("apiVersion", STR),
    Field("opaqueIsvKey", STR),
    version=1,
)

VERIFY_AND_AUTH_MESSAGE = outgoing(
    73,
    "verifyAndAuthMessage",
    Field("apiData", STR),
    Field("xyzResponse", STR),
    version=1,
)

QUERY_DISPLAY_GROUPS = outgoing(
    67,
    "queryDisplayGroups",
    Field("reqId", I32, 1),
    version=1,
    proto="QueryDisplayGroupsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

SUBSCRIBE_TO_GROUP_EVENTS = outgoing(
    68,
    "subscribeToGroupEvents",
    Field("reqId", I32, 1),
    Field("groupId", I32, 2),
    version=1,
    proto="SubscribeToGroupEventsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

UPDATE_DISPLAY_GROUP = outgoing(
    69,
    "updateDisplayGroup",
    Field("reqId", I32, 1),
    Field("contractInfo", STR, 2),
    version=1,
    proto="UpdateDisplayGroupRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

UNSUBSCRIBE_FROM_GROUP_EVENTS = outgoing(
    70,
    "unsubscribeFromGroupEvents",
    Field("reqId", I32, 1),
    version=1,
    proto="UnsubscribeFromGroupEventsRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)
