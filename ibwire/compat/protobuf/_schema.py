"""The protobuf messages that rows and structs of the spec describe, as data. Needs nothing that is not always there."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final, NamedTuple

from ibwire.spec.model import Bits, Field, Group, Kind, Row, Struct
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.plan import PROTO_KIND

MAP: Final = "map<string, string>"


class ProtoField(NamedTuple):
    """One field: ``kind`` is a scalar's name, :data:`MAP`, or with ``is_message`` another message's.

    ``since``: the server version below which a peer must not be sent it; 0 where any that knows the message may.
    """

    number: int
    name: str
    kind: str
    is_message: bool = False
    repeated: bool = False
    since: int = 0


Schema = dict[str, dict[int, ProtoField]]

# Fields of which at most one is set: message -> name of the oneof, and theirs.
ONEOFS: Final[dict[str, tuple[str, frozenset[str]]]] = {
    "TickByTickData": ("tick", frozenset({"historicalTickLast", "historicalTickBidAsk", "historicalTickMidPoint"})),
}


@cache
def messages() -> Schema:
    """Message name -> its fields by number, those of every direction and version."""
    found: Schema = {}
    for row in (*INCOMING.values(), *OUTGOING.values()):
        if row.proto:
            _collect(found, row, row.proto)
    return {name: dict(sorted(fields.items())) for name, fields in sorted(found.items())}


def _collect(found: Schema, source: Row | Struct, message: str) -> None:
    """Adds the fields that a row or struct says its message has, and the messages in it."""
    found.setdefault(message, {})
    remapped = {path for _, path in source.proto_map if isinstance(path, str)}
    for f in source.fields:
        if f.proto and f.name not in remapped:
            _add(found, message, f.proto, f)
    for number, target in source.proto_map:
        if isinstance(target, Bits):
            found[message][number] = ProtoField(number, target.name, "int32")
        elif isinstance(target, Group):
            found[message][number] = ProtoField(number, target.name, target.proto, is_message=True)
            _collect_group(found, source, target)
        else:
            _add(found, message, number, _at(source, target))


def _collect_group(found: Schema, source: Row | Struct, group: Group) -> None:
    found.setdefault(group.proto, {})
    if group.base:
        base = _at(source, group.base).type
        if isinstance(base, Struct):
            _collect(found, base, group.proto)
    for number, path in group.entries:
        _add(found, group.proto, number, _at(source, path))


def _add(found: Schema, message: str, number: int, f: Field) -> None:
    name, since = f.proto_name or f.name, 0 if f.quiet else f.since
    if f.is_map:
        found[message][number] = ProtoField(number, name, MAP, repeated=True, since=since)
    elif isinstance(f.type, Struct):
        inner = f.type.proto or f.type.name
        found[message][number] = ProtoField(number, name, inner, is_message=True, repeated=f.many, since=since)
        _collect(found, f.type, inner)
    else:
        kind = f.proto_kind or PROTO_KIND[f.type]
        found[message][number] = ProtoField(number, name, kind, repeated=f.many, since=since)


def _at(source: Row | Struct, path: str) -> Field:
    head, _, rest = path.partition(".")
    f = source[head]
    if not rest or isinstance(f.type, Kind):
        return f
    return _at(f.type, rest)


def parts(message: str) -> Iterator[str]:
    """The messages that its fields hold, each once."""
    yield from dict.fromkeys(f.kind for f in messages()[message].values() if f.is_message)
