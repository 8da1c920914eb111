"""Messages to payloads and back, for one server version and one side of the conversation."""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ibwire.errors import ProtocolError, UnsupportedByServer
from ibwire.spec import versions as V
from ibwire.spec.model import Direction, Row
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire import flat, impl
from ibwire.wire.plan import (
    SENTINEL,
    Dialect,
    Make,
    Plan,
    Profile,
    Shape,
    flatten,
    proto_plan,
    text_plan,
    values_of,
)

PROTO_OFFSET: Final = 200
"""A wire id above this is a protobuf message with this much added to its id (from server version 201)."""


class Role(enum.Enum):
    """Which side of the wire we are."""

    CLIENT = "client"
    GATEWAY = "gateway"


@dataclass(slots=True, frozen=True)
class UnknownMessage:
    """A frame whose id no row has: an event, not a failure. ``id`` is the wire id, ``payload`` the whole payload."""

    id: int
    payload: bytes


def typed_make(classes: Mapping[str, type[Any]]) -> Make:
    """A factory of the typed dataclasses."""

    def make(name: str, names: tuple[str, ...], values: list[Any]) -> Any:
        return classes[name](*values)

    return make


def _element(shape: Shape, obj: Any, init: list[Any]) -> list[Any]:
    regs = list(init)
    flatten(shape, obj, regs, 0)
    return regs


class Codec:
    """Encodes what one side sends and decodes what it receives.

    Parameters
    ----------
    server_version : the agreed version, 100..225.
    role : ``Role.CLIENT`` decodes incoming and encodes outgoing messages, ``Role.GATEWAY`` the reverse.
    profile : what unset values look like in decoded messages; ``make`` then builds its objects.
    make : builds an object from (struct or message class name, field names, values); by default the typed classes.

    Attributes
    ----------
    counts : how many messages were decoded per name, and ``extra_bytes`` / ``unknown_fields`` / ``unknown_messages``.

    Notes
    -----
    Not thread-safe: one per connection and direction.
    """

    def __init__(
        self,
        server_version: int,
        role: Role,
        *,
        profile: Profile = Profile.TYPED,
        make: Make | None = None,
    ) -> None:
        if not V.MIN_CLIENT_VERSION <= server_version <= V.MAX_CLIENT_VERSION:
            raise ProtocolError(
                f"server version {server_version} is outside {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION}"
            )
        self.server_version = server_version
        self.role = role
        self.profile = profile
        client = role is Role.CLIENT
        self._decode_rows = INCOMING if client else OUTGOING
        self._encode_rows = {r.cls_name: r for r in (OUTGOING if client else INCOMING).values()}
        self._raw_ids = server_version >= V.PROTOBUF
        self._make = make or _default_make(Direction.INCOMING if client else Direction.OUTGOING)
        self._decoders: dict[int, tuple[Plan, Callable[..., tuple[list[Any], int]]] | None] = {}
        self._encoders: dict[tuple[str, Dialect], tuple[Plan, Callable[..., None]]] = {}
        # Class -> its short way, None where it has none.
        self._flat: dict[type[Any], flat.Encode | None] = {}
        self.counts: Counter[str] = Counter()

    # ------------------------------------------------------------------ decode

    def split(self, payload: bytes) -> tuple[int, int]:
        """The wire id of a payload and where its body starts. Raises ProtocolError when there is no id."""
        if self._raw_ids:
            if len(payload) < 4:
                raise ProtocolError("no message id", field="id", offset=0, payload=payload)
            return int.from_bytes(payload[:4], "big"), 4
        end = payload.find(b"\0")
        if end <= 0 or end > 10 or not payload[:end].isdigit():
            raise ProtocolError("no message id", field="id", offset=0, payload=payload)
        return int(payload[:end]), end + 1

    def decoder(self, wire_id: int) -> tuple[Plan, Callable[..., tuple[list[Any], int]]] | None:
        """The plan and interpreter of a wire id, or None if no row has it in that dialect."""
        if wire_id in self._decoders:
            return self._decoders[wire_id]
        proto = wire_id > PROTO_OFFSET
        row = self._decode_rows.get(wire_id - PROTO_OFFSET if proto else wire_id)
        found = None
        if row is not None and proto and row.proto and self._raw_ids:
            found = (proto_plan(row, self.server_version, self.profile), impl.proto_decode)
        elif row is not None and not proto and row.text is not None:
            found = (text_plan(row, self.server_version, self.profile), impl.text_decode)
        if len(self._decoders) < 1024:  # hostile ids must not fill memory
            self._decoders[wire_id] = found
        return found

    def decode_registers(self, payload: bytes) -> tuple[Plan, list[Any], int] | UnknownMessage:
        """Decode to registers: (plan, registers, surplus). Raises ProtocolError."""
        wire_id, start = self.split(payload)
        found = self.decoder(wire_id)
        if found is None:
            self.counts["unknown_messages"] += 1
            return UnknownMessage(wire_id, bytes(payload))
        plan, run = found
        regs, extra = run(plan, payload, start, self._make)
        self.counts[plan.row.name] += 1
        if extra:
            self.counts["extra_bytes" if plan.dialect is Dialect.TEXT else "unknown_fields"] += extra
        return plan, regs, extra

    def decode(self, payload: bytes) -> Any:
        """One payload to its message.

        Returns
        -------
        a message of :mod:`ibwire.types`, or :class:`UnknownMessage`. Surplus fields are accepted and counted.

        Raises
        ------
        ProtocolError : the payload is not what its id and the server version promise.
        """
        found = self.decode_registers(payload)
        if isinstance(found, UnknownMessage):
            return found
        plan, regs, _ = found
        return self._message(plan.shape, regs, plan.row)

    def _message(self, shape: Shape, regs: list[Any], row: Row) -> Any:
        return self._make("@" + row.cls_name, shape.names, values_of(shape, regs, 0, self._make))

    # ------------------------------------------------------------------ encode

    def dialect_of(self, row: Row) -> Dialect:
        """The dialect in which this side sends a message at this server version."""
        if row.text is None or (row.proto and row.proto_since and self.server_version >= row.proto_since):
            return Dialect.PROTO
        return Dialect.TEXT

    def encode(self, message: Any, dialect: Dialect | str | None = None) -> bytes:
        """One message to its payload (without the length).

        Parameters
        ----------
        message : a message of :mod:`ibwire.types`, or any object of that class name with its attributes.
        dialect : force a dialect; by default what a peer of this version sends.

        Raises
        ------
        UnsupportedByServer : code 503, the peer's version cannot carry the message or a value that is set.
        RequestError : a value is missing, of the wrong kind or out of range.
        """
        kind = type(message)
        if dialect is None:
            try:
                short = self._flat[kind]
            except KeyError:
                short = self._flat[kind] = self._short_way(kind)
            if short is not None:
                try:
                    return short(message)
                except AttributeError:
                    pass  # an older class, or an object that is None
        row = self._encode_rows.get(kind.__name__)
        if row is None:
            raise TypeError(f"{kind.__name__} is not a message that a {self.role.value} sends")
        return self.encode_row(row, message, Dialect(dialect) if dialect is not None else None)

    def is_short(self, kind: type[Any]) -> bool:
        """Whether messages of a class that was encoded before go the short way."""
        return self._flat.get(kind) is not None

    def _short_way(self, kind: type[Any]) -> flat.Encode | None:
        """The way without registers; what a client sends is checked value by value and has none."""
        row = self._encode_rows.get(kind.__name__)
        if row is None or row.since > self.server_version or self.role is Role.CLIENT:
            return None
        use = self.dialect_of(row)
        return flat.encoder(self._encoder(row, use)[0], self._head(row, use))

    def _head(self, row: Row, dialect: Dialect) -> bytes:
        wire_id = row.id + PROTO_OFFSET if dialect is Dialect.PROTO else row.id
        return wire_id.to_bytes(4, "big") if self._raw_ids else b"%d\0" % wire_id

    def encode_row(self, row: Row, message: Any, dialect: Dialect | None = None) -> bytes:
        """As :meth:`encode`, for an object with the row's fields as attributes."""
        if row.since > self.server_version:
            raise UnsupportedByServer(row.name, row.since, self.server_version)
        use = dialect or self.dialect_of(row)
        plan, run = self._encoder(row, use)
        shape = plan.shape  # row_shape(row), without hashing the whole row for every message
        regs = list(plan.init)
        flatten(shape, message, regs, 0)
        if self.role is Role.CLIENT:
            for check in plan.checks:
                value = regs[check.reg]
                if value is None or value is check.default:
                    continue
                if value != check.default and not _is_sentinel(shape, check.reg, value):
                    raise UnsupportedByServer(f"{row.name}.{check.name}", check.gate, self.server_version)
        out = bytearray(self._head(row, use))
        run(plan, regs, out, _element)
        return bytes(out)

    def _encoder(self, row: Row, dialect: Dialect) -> tuple[Plan, Callable[..., None]]:
        key = (row.name, dialect)
        found = self._encoders.get(key)
        if found is None:
            if dialect is Dialect.PROTO:
                if not row.proto or not self._raw_ids:
                    raise UnsupportedByServer(f"{row.name} in protobuf", V.PROTOBUF, self.server_version)
                found = (proto_plan(row, self.server_version), impl.proto_encode)
            else:
                if row.text is None:
                    raise UnsupportedByServer(f"{row.name} in text", 0, 0)
                found = (text_plan(row, self.server_version), impl.text_encode)
            self._encoders[key] = found
        return found


def _is_sentinel(shape: Shape, reg: int, value: Any) -> bool:
    info = shape.regs[reg]
    if info.kind is None:
        return not value
    return bool(info.field.nullable and value == SENTINEL[info.kind])


def _default_make(direction: Direction) -> Make:
    from ibwire.types import incoming, outgoing, structs

    module = incoming if direction is Direction.INCOMING else outgoing
    classes: dict[str, type[Any]] = dict(structs.CLASSES)
    classes.update({"@" + name: cls for name, cls in module.CLASSES.items()})
    return typed_make(classes)
