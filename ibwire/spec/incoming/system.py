"""Session messages: ids, accounts, errors, clocks."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import I32, I64, STR, Field, T, TextRule, Version, incoming

ERROR = incoming(
    4,
    "error",
    Field("id", I32, 1, official_proto=0),
    Field("errorTime", I64, 2, official_proto=0),
    Field("errorCode", I32, 3, official_proto=0),
    Field("errorMsg", STR, 4),
    Field("advancedOrderRejectJson", STR, 5),
    text=(
        Version(2, until=V.ERROR_TIME),
        T("id"),
        T("errorCode"),
        T("errorMsg", rule=TextRule.ESCAPED),
        T("advancedOrderRejectJson", since=V.ADVANCED_ORDER_REJECT, rule=TextRule.ESCAPED_ALWAYS),
        T("errorTime", since=V.ERROR_TIME),
    ),
    proto="ErrorMessage",
    proto_since=V.PROTOBUF_PLACE_ORDER,
    record="ERROR",
)

NEXT_VALID_ID = incoming(
    9,
    "nextValidId",
    Field("orderId", I32, 1),
    version=1,
    proto="NextValidId",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

MANAGED_ACCOUNTS = incoming(
    15,
    "managedAccounts",
    Field("accountsList", STR, 1),
    text=(T("accountsList", rule=TextRule.ESCAPED),),
    version=1,
    proto="ManagedAccounts",
    proto_since=V.PROTOBUF_ACCOUNTS_POSITIONS,
)

CURRENT_TIME = incoming(
    49,
    "currentTime",
    Field("time", I64, 1, proto_name="currentTime"),
    version=1,
    proto="CurrentTime",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)

CURRENT_TIME_IN_MILLIS = incoming(
    109,
    "currentTimeInMillis",
    Field("timeInMillis", I64, 1, proto_name="currentTimeInMillis"),
    since=V.CURRENT_TIME_IN_MILLIS,
    proto="CurrentTimeInMillis",
    proto_since=V.PROTOBUF_REST_MESSAGES_3,
)
