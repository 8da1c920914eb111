"""Financial advisors: configuration as XML, soft dollar tiers."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import I32, STR, Field, Repeat, T, TextRule, incoming, req_id
from ibwire.spec.structs import SOFT_DOLLAR_TIER

RECEIVE_FA = incoming(
    16,
    "receiveFA",
    Field("faData", I32, 1, proto_name="faDataType"),
    Field("cxml", STR, 2, proto_name="xml"),
    text=(T("faData"), T("cxml", rule=TextRule.ESCAPED)),
    version=1,
    proto="ReceiveFA",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

SOFT_DOLLAR_TIERS = incoming(
    77,
    "softDollarTiers",
    req_id(),
    Field("tiers", SOFT_DOLLAR_TIER, 2, proto_name="softDollarTiers", many=True, official=()),
    text=(T("reqId"), Repeat("tiers", T("name"), T("val"), T("displayName"))),
    proto="SoftDollarTiers",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)

REPLACE_FA_END = incoming(
    103,
    "replaceFAEnd",
    req_id(),
    Field("text", STR, 2),
    since=V.REPLACE_FA_END,
    proto="ReplaceFAEnd",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)
