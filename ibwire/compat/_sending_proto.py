"""Requests that are protobuf messages of the program's own making: to payloads, or refused.

Loaded when such a request is made. Any message with SerializeToString will do; google.protobuf itself is not needed.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from ibwire.compat import _proto_requests, errors
from ibwire.compat._sending import Refused
from ibwire.compat.comm import make_id
from ibwire.compat.const import PROTOBUF_MSG_ID
from ibwire.compat.protobuf._schema import messages


class Twin(NamedTuple):
    """A request: ``id`` without the 200 of the wire, ``since`` its first server version, ``code`` if it cannot be sent.

    ``id_field`` names the field with its request id, if any; ``no_id`` stands where that is not set.
    """

    id: int
    message: str
    since: int
    code: int
    id_field: str
    no_id: int


TWINS: Final[dict[str, Twin]] = {name: Twin(*values) for name, values in _proto_requests.TWINS.items()}

_GATED: Final = "placeOrderProtoBuf"  # officially the only one whose fields are looked at
_VERIFY: Final = "verifyRequestProtoBuf"


def message_id(name: str, message: Any) -> int:
    """The request or order id in a message; what the official client reports where it has none."""
    twin = TWINS[name]
    if twin.id_field and hasattr(message, "HasField") and _has(message, twin.id_field):
        return int(getattr(message, twin.id_field))
    return twin.no_id


def encode(name: str, message: Any, server_version: int, extra_auth: bool) -> bytes:
    """The payload of a request.

    Raises
    ------
    Refused : 503 where the gateway is too old for the request in protobuf, or for a field of an order. Else the code
        for a request of this kind that cannot be sent: it is another message, or none, or not complete.
    """
    twin, reqId = TWINS[name], message_id(name, message)
    kind = getattr(getattr(message, "DESCRIPTOR", None), "name", twin.message)
    if not hasattr(message, "SerializeToString") or kind != twin.message:
        raise Refused(twin.code, f"{name}: the message is {_short(message, kind)}; give a {twin.message}", reqId)
    if name == _VERIFY and not extra_auth:
        raise Refused(twin.code, f"{name}: set extraAuth before connecting", reqId)
    needs = _needs(name, twin, message, server_version)
    if needs:
        text = f"{needs}, the gateway speaks {server_version}"
        raise Refused(errors.UPDATE_TWS.code(), f"{errors.UPDATE_TWS.msg()}: {text}", reqId)
    try:
        body = bytes(message.SerializeToString())
    except Exception as problem:  # of whatever library made it
        raise Refused(twin.code, f"{name}: {problem}", reqId) from None
    return make_id(twin.id + PROTOBUF_MSG_ID, True) + body


def _needs(name: str, twin: Twin, message: Any, server_version: int) -> str:
    """What the gateway is too old for, and the version that it needs; empty when it is not."""
    if server_version < twin.since:
        return f"{name} needs server version {twin.since}"
    if name == _GATED and hasattr(message, "HasField"):
        return _too_new(twin.message, message, server_version, "")
    return ""


def _too_new(kind: str, message: Any, server_version: int, path: str) -> str:
    for field in messages()[kind].values():
        if field.repeated or not _has(message, field.name):
            continue
        if field.since > server_version:
            return f"{path}{field.name} needs server version {field.since}"
        if field.is_message:
            found = _too_new(field.kind, getattr(message, field.name), server_version, f"{path}{field.name}.")
            if found:
                return found
    return ""


def _has(message: Any, name: str) -> bool:
    """Whether a field is set; a message of an older release may not have it at all."""
    try:
        return bool(message.HasField(name))
    except ValueError:
        return False


def _short(message: Any, kind: str) -> str:
    return f"a {kind}" if hasattr(message, "SerializeToString") else repr(message)


__all__ = ["Refused", "encode", "message_id"]
