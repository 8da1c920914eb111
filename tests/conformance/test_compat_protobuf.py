"""The message classes of compat.protobuf are the official ones: fields, presence, packing, bytes."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import descriptor_pb2

from ibwire.compat.protobuf import _build, _schema

from .normal import normalise
from .oracle import Oracle

SCALARS: dict[str, Any] = {"int32": -7, "int64": 1 << 40, "double": 1.5, "string": "Zürich", "bool": True}
NAMES = sorted(_schema.messages())


def described(field: Any) -> dict[str, Any]:
    """One field of a class, as the oracle describes one of its own."""
    kinds = {getattr(field, n): n.removeprefix("TYPE_").lower() for n in dir(type(field)) if n.startswith("TYPE_")}
    nested = field.message_type
    is_map = nested is not None and nested.GetOptions().map_entry
    whole = descriptor_pb2.DescriptorProto()  # field.label warns in newer releases of google.protobuf
    field.containing_type.CopyToProto(whole)
    label = next(f.label for f in whole.field if f.number == field.number)
    return {
        "name": field.name,
        "number": field.number,
        "type": kinds[field.type],
        "label": "repeated" if label == descriptor_pb2.FieldDescriptorProto.LABEL_REPEATED else "optional",
        "presence": bool(field.has_presence),
        "packed": bool(getattr(field, "is_packed", False)),
        "map": [described(nested.fields_by_name[part]) for part in ("key", "value")] if is_map else None,
        "message": None if nested is None or is_map else nested.name,
        "enum": None,
    }


def filled(name: str) -> Any:
    """A message with every field set; lists hold two, and of a oneof the last stays."""
    message = _build.message_class(name)()
    for field in _schema.messages()[name].values():
        target = getattr(message, field.name)
        if field.kind == _schema.MAP:
            target.update({"a": "1", "b": ""})
        elif field.is_message and field.repeated:
            target.extend([filled(field.kind), _build.message_class(field.kind)()])
        elif field.is_message:
            target.CopyFrom(filled(field.kind))
        elif field.repeated:
            target.extend([SCALARS[field.kind]] * 2)
        else:
            setattr(message, field.name, SCALARS[field.kind])
    return message


def shown(message: Any) -> dict[str, Any]:
    """The fields that are present, as the oracle shows them."""
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        nested = field.message_type
        if nested is not None and nested.GetOptions().map_entry:
            found[field.name] = normalise(dict(value))
        elif not field.has_presence:
            found[field.name] = [shown(item) if nested is not None else normalise(item) for item in value]
        else:
            found[field.name] = shown(value) if nested is not None else normalise(value)
    return found


def test_the_same_messages(latest: Oracle) -> None:
    assert sorted(latest.facts["messages"]) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_same_fields(name: str, latest: Oracle) -> None:
    ours = [described(field) for field in _build.message_class(name).DESCRIPTOR.fields]
    assert ours == latest.facts["messages"][name]


def test_the_official_classes_read_our_bytes(latest: Oracle) -> None:
    messages = {name: filled(name) for name in NAMES}
    found = latest.pb_parse([(name, message.SerializeToString()) for name, message in messages.items()])
    for (name, message), parsed in zip(messages.items(), found, strict=True):
        assert parsed.exception is None, name
        assert parsed.fields == shown(message), name
