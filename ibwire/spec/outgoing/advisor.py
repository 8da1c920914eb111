"""Financial advisors' configuration and soft dollar tiers."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import I32, STR, Field, T, outgoing

REQUEST_FA = outgoing(
    18,
    "requestFA",
    Field("faData", I32, 1, proto_name="faDataType"),
    version=1,
    proto="FARequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

REPLACE_FA = outgoing(
    19,
    "replaceFA",
    Field("reqId", I32, 1),
    Field("faData", I32, 2, proto_name="faDataType"),
    Field("cxml", STR, 3, proto_name="xml"),
    text=(T("faData"), T("cxml"), T("reqId", since=V.REPLACE_FA_END, quiet=True)),
    version=1,
    proto="FAReplace",
    proto_since=V.PROTOBUF_REST_MESSAGES_1,
)

REQ_SOFT_DOLLAR_TIERS = outgoing(
    79,
    "reqSoftDollarTiers",
    Field("reqId", I32, 1),
    proto="SoftDollarTiersRequest",
    proto_since=V.PROTOBUF_REST_MESSAGES_2,
)
