"""Reading and changing the gateway's settings: protobuf only.

The official client takes finished protobuf objects here (``reqConfigProtoBuf``, ``updateConfigProtoBuf``).
"""

from __future__ import annotations

from ibwire.spec import versions as V
from ibwire.spec.model import BOOL, I32, NO_TEXT, Field, outgoing
from ibwire.spec.structs import (
    API_CONFIG,
    LOCK_AND_EXIT_CONFIG,
    MESSAGE_CONFIG,
    ORDERS_CONFIG,
    UPDATE_CONFIG_WARNING,
)

REQ_CONFIG = outgoing(
    108,
    "reqConfig",
    Field("reqId", I32, 1),
    text=NO_TEXT,
    since=V.CONFIG,
    proto="ConfigRequest",
    proto_since=V.CONFIG,
)

UPDATE_CONFIG = outgoing(
    109,
    "updateConfig",
    Field("reqId", I32, 1),
    Field("lockAndExit", LOCK_AND_EXIT_CONFIG, 2, optional=True),
    Field("messages", MESSAGE_CONFIG, 3, many=True),
    Field("api", API_CONFIG, 4, optional=True),
    Field("orders", ORDERS_CONFIG, 5, optional=True),
    Field("acceptedWarnings", UPDATE_CONFIG_WARNING, 6, many=True),
    Field("resetAPIOrderSequence", BOOL, 7, nullable=True),
    text=NO_TEXT,
    since=V.UPDATE_CONFIG,
    proto="UpdateConfigRequest",
    proto_since=V.UPDATE_CONFIG,
)
