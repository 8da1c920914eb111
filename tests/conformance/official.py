"""Our messages in the oracle's notation: typed objects to what a user of the official package would pass."""

from __future__ import annotations

from typing import Any

from ibwire.spec.model import Field, Row, Struct
from ibwire.spec.structs import ALL
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import SENTINEL, Dialect

from .normal import JSON, Notation, normalise, pb
from .oracle import EncodeCase

STRUCTS = {s.name: s for s in ALL}
CONDITIONS = {
    1: ("PriceCondition", "isMore price conId exchange triggerMethod"),
    3: ("TimeCondition", "isMore time"),
    4: ("MarginCondition", "isMore percent"),
    5: ("ExecutionCondition", "secType exchange symbol"),
    6: ("VolumeCondition", "isMore volume conId exchange"),
    7: ("PercentChangeCondition", "isMore changePercent conId exchange"),
}
# Requests for which the official client has only a method that takes a finished protobuf message.
PROTOBUF_METHODS = ("reqConfig", "updateConfig")
# The official client speaks these only when it announced it in its handshake.
EXTRA_AUTH = ("verifyRequest", "verifyAndAuthRequest")


def argument(value: Any) -> JSON:
    """A typed value as an official argument."""
    if isinstance(value, list):
        return [argument(v) for v in value]
    kind = type(value).__name__
    if kind == "OrderCondition":
        cls, names = CONDITIONS[value.condType]
        return Notation(o=cls, v={n: argument(getattr(value, n)) for n in [*names.split(), "isConjunctionConnection"]})
    if kind in STRUCTS:
        fields = [f for f in STRUCTS[kind].fields if f.name != "perLegPrice"]
        return Notation(o=kind, v={f.name: field_argument(f, getattr(value, f.name)) for f in fields})
    return normalise(value)


def field_argument(f: Field, value: Any) -> JSON:
    """The value of a field: what is not set is the sentinel, an empty list is what a new object has."""
    if value is None and f.nullable and not isinstance(f.type, Struct):
        value = SENTINEL[f.type]
    elif value == [] and f.many:
        return [] if f.official == () else None
    return argument(value)


def request(row: Row, server_version: int, message: Any) -> EncodeCase:
    """The call with which a user of the official package would send the message."""
    if row.name in PROTOBUF_METHODS:
        body = Codec(server_version, Role.CLIENT).encode(message, Dialect.PROTO)[4:]
        return EncodeCase(server_version, f"{row.name}ProtoBuf", [pb(row.proto, body)])
    if row.name == "startApi":
        client = {"clientId": message.clientId, "optCapab": message.optionalCapabilities}
        return EncodeCase(server_version, "startApi", [], client)
    args = [field_argument(f, getattr(message, f.name)) for f in row.fields]
    return EncodeCase(server_version, row.name, args, {"extraAuth": True} if row.name in EXTRA_AUTH else {})
