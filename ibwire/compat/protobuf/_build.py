"""Message classes of google.protobuf, from the schema. Importing this needs the extra ``ibwire[protobuf]``."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

try:
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    from google.protobuf.message import DecodeError
except ImportError as _problem:
    raise ImportError(
        "protobuf messages need google.protobuf, which is not installed or too old: pip install 'ibwire[protobuf]'"
    ) from _problem

from ibwire.compat.protobuf._schema import MAP, ONEOFS, ProtoField, messages, parts
from ibwire.errors import ProtocolError

PACKAGE: Final = "protobuf"

_POOL: Final[Any] = descriptor_pool.DescriptorPool()  # ours alone: the default one may hold the official messages
_Field: Final[Any] = descriptor_pb2.FieldDescriptorProto
_TYPES: Final = {
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "double": _Field.TYPE_DOUBLE,
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
}


@cache
def message_class(name: str) -> Any:
    """The class of a message; always the same one. Any thread. Raises KeyError for a name that no message has."""
    _add_file(name)
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{PACKAGE}.{name}"))


def parse(name: str, data: bytes) -> Any:
    """A message from its bytes. Raises ProtocolError where they are none."""
    message = message_class(name)()
    try:
        message.ParseFromString(data)
    except DecodeError as problem:
        raise ProtocolError(f"not a protobuf {name}: {problem}", payload=data) from None
    return message


@cache
def _add_file(name: str) -> None:
    """Puts a message and what it holds into the pool, a file each, as officially; twice the same does no harm."""
    for part in parts(name):
        _add_file(part)
    file = descriptor_pb2.FileDescriptorProto(name=f"{name}.proto", package=PACKAGE, syntax="proto3")
    file.dependency.extend(f"{part}.proto" for part in parts(name))
    made = file.message_type.add(name=name)
    oneof, members = ONEOFS.get(name, ("", frozenset()))
    fields = list(messages()[name].values())
    if oneof:
        made.oneof_decl.add(name=oneof)
    for field in fields:
        _add_field(made, field, field.name in members)
    _POOL.AddSerializedFile(file.SerializeToString())


def _add_field(message: Any, field: ProtoField, in_oneof: bool) -> None:
    made = message.field.add(name=field.name, number=field.number)
    made.label = _Field.LABEL_REPEATED if field.repeated else _Field.LABEL_OPTIONAL
    if field.kind == MAP:
        entry = f"{field.name[0].upper()}{field.name[1:]}Entry"
        made.type, made.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{message.name}.{entry}"
        nested = message.nested_type.add(name=entry)
        nested.options.map_entry = True
        for number, part in enumerate(("key", "value"), 1):
            nested.field.add(name=part, number=number, label=_Field.LABEL_OPTIONAL, type=_Field.TYPE_STRING)
    elif field.is_message:
        made.type, made.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{field.kind}"
    else:
        made.type = _TYPES[field.kind]
    if in_oneof:
        made.oneof_index = 0
    elif not field.repeated:  # proto3 says "optional" by a oneof of one, after the real ones
        made.proto3_optional = True
        made.oneof_index = len(message.oneof_decl)
        message.oneof_decl.add(name=f"_{field.name}")
