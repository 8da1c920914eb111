"""The gateway's own configuration. Protobuf only; the official client has no callback beside the raw object's."""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import NO_TEXT, STR, Field, incoming, req_id
from ibwire.spec.structs import (
    API_CONFIG,
    LOCK_AND_EXIT_CONFIG,
    MESSAGE_CONFIG,
    ORDERS_CONFIG,
    UPDATE_CONFIG_WARNING,
)

CONFIG_RESPONSE = incoming(
    110,
    "configResponse",
    req_id(),
    Field("lockAndExit", LOCK_AND_EXIT_CONFIG, 2, optional=True),
    Field("messages", MESSAGE_CONFIG, 3, many=True),
    Field("api", API_CONFIG, 4, optional=True),
    Field("orders", ORDERS_CONFIG, 5, optional=True),
    text=NO_TEXT,
    since=V.CONFIG,
    proto="ConfigResponse",
    proto_since=V.CONFIG,
    calls=(),
)

UPDATE_CONFIG_RESPONSE = incoming(
    111,
    "updateConfigResponse",
    req_id(),
    Field("status", STR, 2),
    Field("message", STR, 3),
    Field("changedFields", STR, 4, many=True),
    Field("errors", STR, 5, many=True),
    Field("warnings", UPDATE_CONFIG_WARNING, 6, many=True),
    text=NO_TEXT,
    since=V.UPDATE_CONFIG,
    proto="UpdateConfigResponse",
    proto_since=V.UPDATE_CONFIG,
    calls=(),
)
