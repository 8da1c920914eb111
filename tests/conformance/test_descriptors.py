"""(c) Ids, gates, and the protobuf numbers, kinds and names of the spec equal those of the newest release."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ibwire.spec import versions
from ibwire.spec.model import Bits, Field, Group, Kind, Row, Struct
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.plan import PROTO_KIND

from .oracle import Oracle
from .tally import Tally

ROWS = [*INCOMING.values(), *OUTGOING.values()]
PROTO_ROWS = [row for row in ROWS if row.proto]
Found = tuple[str, int, str, str, str]  # message, number, name, kind or message name, label


def _fields_of(source: Row | Struct, message: str) -> Iterator[Found]:
    """Every protobuf field that a row or struct says it has, those of its structs too."""
    remapped = {path for _, path in source.proto_map if isinstance(path, str)}
    for f in source.fields:
        if f.proto and f.name not in remapped:
            yield from _field(message, f.proto, f)
    for number, target in source.proto_map:
        if isinstance(target, Bits):
            yield message, number, target.name, "int32", "optional"
        elif isinstance(target, Group):
            yield message, number, target.name, target.proto, "optional"
            yield from _group(source, target)
        else:
            yield from _field(message, number, _at(source, target))


def _group(source: Row | Struct, group: Group) -> Iterator[Found]:
    if group.base:
        struct = _at(source, group.base).type
        assert isinstance(struct, Struct)
        yield from _fields_of(struct, group.proto)
    for number, path in group.entries:
        yield from _field(group.proto, number, _at(source, path))


def _at(source: Row | Struct, path: str) -> Field:
    head, _, rest = path.partition(".")
    f = source[head]
    if not rest:
        return f
    assert isinstance(f.type, Struct)
    return _at(f.type, rest)


def _field(message: str, number: int, f: Field) -> Iterator[Found]:
    name = f.proto_name or f.name
    if isinstance(f.type, Struct) and not f.is_map:
        inner = f.type.proto or f.type.name
        yield message, number, name, inner, "repeated" if f.many else "optional"
        yield from _fields_of(f.type, inner)
        return
    if f.is_map:
        yield message, number, name, "map<string, string>", "repeated"
        return
    assert isinstance(f.type, Kind)
    yield message, number, name, f.proto_kind or PROTO_KIND[f.type], "repeated" if f.many else "optional"


def _official(oracle: Oracle, message: str) -> dict[int, tuple[str, str, str]]:
    out = {}
    for f in oracle.facts["messages"][message]:
        kind = "map<string, string>" if f["map"] else f["message"] or f["type"]
        out[f["number"]] = (f["name"], kind, f["label"])
    return out


@pytest.mark.parametrize("row", PROTO_ROWS, ids=lambda r: f"{r.direction.value}-{r.name}")
def test_protobuf_fields(row: Row, latest: Oracle, tally: Tally) -> None:
    for message, number, name, kind, label in _fields_of(row, row.proto):
        official = _official(latest, message)
        assert number in official, f"{message} has no field {number} ({name})"
        found_name, found_kind, found_label = official[number]
        assert (found_name, found_kind, found_label) == (name, kind, label), f"{message}.{number}"
        tally.fields.add((message, number))


def test_every_official_field_is_in_the_spec(latest: Oracle) -> None:
    """Of every message that a row or its structs use: no field of it is left out."""
    found: dict[str, set[int]] = {}
    for row in PROTO_ROWS:
        found.setdefault(row.proto, set())
        for message, number, *_ in _fields_of(row, row.proto):
            found.setdefault(message, set()).add(number)
    missing = {m: set(_official(latest, m)) - numbers for m, numbers in found.items()}
    assert {m: n for m, n in missing.items() if n} == {}


def test_every_official_message_is_in_the_spec(latest: Oracle) -> None:
    used = {row.proto for row in PROTO_ROWS}
    for row in PROTO_ROWS:
        used |= {message for message, *_ in _fields_of(row, row.proto)}
    assert set(latest.facts["messages"]) - used == set()


def test_ids(latest: Oracle) -> None:
    assert set(latest.facts["IN"].values()) == set(INCOMING) and len(INCOMING) == 86
    assert set(latest.facts["OUT"].values()) == set(OUTGOING) and len(OUTGOING) == 85


@pytest.mark.parametrize("row", OUTGOING.values(), ids=lambda r: r.name)
def test_request_ids_are_those_of_their_methods(row: Row, latest: Oracle) -> None:
    methods = latest.facts["client"]
    named = [methods[name]["out"] for name in (row.name, row.name + "ProtoBuf") if name in methods]
    used = next(ids for ids in named if ids)
    assert latest.facts["OUT"][used[0]] == row.id


@pytest.mark.parametrize("row", INCOMING.values(), ids=lambda r: r.name)
def test_answers_are_those_of_their_handlers(row: Row, latest: Oracle) -> None:
    """The official decoder has a handler of the id, and in protobuf it parses our row's message."""
    text, proto = latest.facts["handlers"].get(str(row.id)), latest.facts["proto_handlers"].get(str(row.id))
    assert (text is None) == (row.text is None)
    assert (proto is None) == (not row.proto)
    if text is not None and text["callback"]:
        assert [c.name for c in row.calls] == [text["callback"]]
    if proto is not None:
        assert row.proto in proto["messages"]


def test_gates(latest: Oracle, tally: Tally) -> None:
    official = {n.removeprefix("MIN_SERVER_VER_"): v for n, v in latest.facts["min_server_versions"].items()}
    assert official == versions.GATES
    assert sum(v >= 100 for v in versions.GATES.values()) == 124
    assert latest.facts["min_client_version"] == versions.MIN_CLIENT_VERSION
    assert latest.facts["max_client_version"] == versions.MAX_CLIENT_VERSION
    tally.notes["gates equal"] = str(len(official))


def test_gates_of_the_protobuf_families(latest: Oracle) -> None:
    official = {int(number): gate for number, gate in latest.facts["proto_since"].items()}
    assert official == {row.id: row.proto_since for row in OUTGOING.values() if row.proto and row.text is not None}
    for row in OUTGOING.values():  # what was never text has its own gate
        assert row.text is not None or row.proto_since == row.since > 0
