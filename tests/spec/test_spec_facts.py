"""The rows by themselves: complete, named once, resolvable at every version, and with their generated classes."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

import ibwire.spec
from ibwire.spec import records
from ibwire.spec import versions as V
from ibwire.spec.model import (
    FOREVER,
    MISSING,
    Bits,
    Direction,
    Field,
    Gate,
    Group,
    Item,
    Repeat,
    Row,
    Skip,
    Struct,
    T,
    Version,
    When,
)
from ibwire.spec.registry import INCOMING, OUTGOING, by_name
from ibwire.types import incoming, outgoing, structs
from ibwire.wire.calls import bind
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Dialect, Plan, Profile, interesting_versions, proto_plan, row_shape, text_plan
from tests.gen import Generator, clear_unsupported

ROWS = [*INCOMING.values(), *OUTGOING.values()]
EVERY_ROW = pytest.mark.parametrize("row", ROWS, ids=lambda r: f"{r.direction.value}-{r.name}")
SPEC = Path(ibwire.spec.__file__).parent
GATE_VALUES = {0, FOREVER, *V.GATES.values()}

# By direction: ids that have no text form, ids that stay text for ever.
NO_TEXT = {Direction.INCOMING: {110, 111}, Direction.OUTGOING: {106, 107, 108, 109}}
NO_PROTO = {Direction.INCOMING: {47, 56, 69, 70}, Direction.OUTGOING: {72, 73}}


def _rows(direction: Direction) -> dict[int, Row]:
    return INCOMING if direction is Direction.INCOMING else OUTGOING


def _classes(row: Row) -> dict[str, type[Any]]:
    return incoming.CLASSES if row.direction is Direction.INCOMING else outgoing.CLASSES


@pytest.mark.parametrize(("direction", "count"), [(Direction.INCOMING, 86), (Direction.OUTGOING, 85)])
def test_every_message_has_a_row(direction: Direction, count: int) -> None:
    rows = _rows(direction)
    assert len(rows) == count
    assert [key for key, row in rows.items() if key != row.id or row.direction is not direction] == []
    assert [n for n, times in Counter(row.name for row in rows.values()).items() if times > 1] == []
    assert [n for n, times in Counter(row.cls_name for row in rows.values()).items() if times > 1] == []


@pytest.mark.parametrize("direction", Direction)
def test_no_row_is_left_out_of_the_registry(direction: Direction) -> None:
    """A file that the registry does not list, or a second row with the id of a first, would be lost."""
    package = f"ibwire.spec.{direction.value}"
    found = []
    for info in pkgutil.iter_modules([str(SPEC / direction.value)]):
        module = importlib.import_module(f"{package}.{info.name}")
        found += [value for value in vars(module).values() if isinstance(value, Row)]
    assert sorted(r.id for r in found) == sorted(_rows(direction))
    assert all(_rows(direction)[r.id] is r for r in found)


@pytest.mark.parametrize("direction", Direction)
def test_forms(direction: Direction) -> None:
    rows = _rows(direction).values()
    assert {r.id for r in rows if r.text is None} == NO_TEXT[direction]
    assert {r.id for r in rows if not r.proto} == NO_PROTO[direction]


@EVERY_ROW
def test_protobuf_has_its_gate(row: Row) -> None:
    assert (row.proto_since >= V.PROTOBUF) is bool(row.proto)
    assert row.text is not None or row.since >= row.proto_since > 0, "no form at all between since and proto_since"


def test_names_lead_to_rows() -> None:
    for row in ROWS:
        assert by_name(row.name).name == row.name
    with pytest.raises(KeyError, match="placeOrder"):
        by_name("placeOrdr")


# ------------------------------------------------------------------------------------------------ gates


def _gates_of_items(items: Iterable[Item]) -> Iterator[tuple[str, int]]:
    for item in items:
        if isinstance(item, T | Skip | Gate):
            yield f"{getattr(item, 'path', item)} since", item.since
            yield f"{getattr(item, 'path', item)} until", item.until
        if isinstance(item, Version):
            yield "version until", item.until
        if isinstance(item, Bits):
            yield from ((path, since) for path, _, since in item.bits)
        if isinstance(item, Gate | When | Repeat):
            yield from _gates_of_items(item.items)


def _all_fields(fields: Iterable[Field]) -> Iterator[Field]:
    for f in fields:
        yield f
        if isinstance(f.type, Struct):
            yield from _all_fields(f.type.fields)


@EVERY_ROW
def test_every_gate_is_a_gate(row: Row) -> None:
    used = [("proto_since", row.proto_since), ("since", row.since), *_gates_of_items(row.text or ())]
    used += [(f.name, f.since) for f in _all_fields(row.fields)]
    used += [(call.name, call.until) for call in row.calls]
    assert [(where, value) for where, value in used if value not in GATE_VALUES] == []


def _gate_arguments(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield from (k.value for k in node.keywords if k.arg in ("since", "until", "proto_since"))
            if isinstance(node.func, ast.Name) and node.func.id in ("since", "until") and node.args:
                yield node.args[0]


ROW_FILES = sorted([*SPEC.glob("incoming/*.py"), *SPEC.glob("outgoing/*.py"), SPEC / "structs.py", SPEC / "layouts.py"])


@pytest.mark.parametrize("path", ROW_FILES, ids=lambda p: f"{p.parent.name}/{p.name}")
def test_gates_are_written_by_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and ast.unparse(n.value) == "V"}
    assert names <= set(V.GATES)
    bare = [(n.lineno, n.value) for n in _gate_arguments(tree) if isinstance(n, ast.Constant) and n.value != 0]
    assert bare == [], "(line, number): write V.NAME"


# ------------------------------------------------------------------------------------------------ plans


def _plans(row: Row) -> Iterator[Plan]:
    for sv in interesting_versions(row):
        for profile in Profile:
            if row.text is not None:
                yield text_plan(row, sv, profile)
            if row.proto:
                yield proto_plan(row, sv, profile)


@EVERY_ROW
def test_plans_resolve_at_every_interesting_version(row: Row) -> None:
    made = 0
    for plan in _plans(row):
        assert plan.row is row
        assert (plan.dialect is Dialect.TEXT) is (plan.proto is None)
        if row.direction is Direction.INCOMING:  # the arguments of its callbacks resolve too
            assert len(bind(plan)) <= len(row.calls)
        made += 1
    assert made >= 2


def _proto_numbers(source: Row | Struct) -> list[int]:
    mapped = {target for _, target in source.proto_map if isinstance(target, str)}
    numbers = [f.proto for f in source.fields if f.proto and f.name not in mapped]
    return numbers + [number for number, _ in source.proto_map]


@EVERY_ROW
def test_protobuf_numbers_are_used_once(row: Row) -> None:
    sources: list[Row | Struct] = [row]
    sources += [f.type for f in _all_fields(row.fields) if isinstance(f.type, Struct) and f.type.proto]
    for source in sources:
        twice = [n for n, times in Counter(_proto_numbers(source)).items() if times > 1]
        assert twice == [], source.name
        for _, target in source.proto_map:
            if isinstance(target, Group):
                assert len(dict(target.entries)) == len(target.entries), target.name


def _text_paths(items: Iterable[Item]) -> Iterator[str]:
    for item in items:
        if isinstance(item, T):
            yield item.path
        elif isinstance(item, Bits):
            yield from (path for path, _, _ in item.bits)
        elif isinstance(item, Repeat):
            yield item.path
        elif isinstance(item, Gate | When):
            yield from _text_paths(item.items)


@EVERY_ROW
def test_every_field_is_carried_somewhere(row: Row) -> None:
    """A field that no dialect carries is a slip of the pen."""
    text = {path.removesuffix("?").split(".")[0] for path in _text_paths(row.text or ())}
    mapped: set[str] = set()
    for _, target in row.proto_map:
        if isinstance(target, Group):
            mapped |= {path.split(".")[0] for _, path in target.entries} | {target.base.split(".")[0]}
        elif isinstance(target, str):
            mapped.add(target.split(".")[0])
        else:
            mapped |= {path.split(".")[0] for path, _, _ in target.bits}
    lost = [f.name for f in row.fields if f.name not in text and not (row.proto and (f.proto or f.name in mapped))]
    assert lost == []


@pytest.mark.parametrize("row", [r for r in ROWS if r.record], ids=lambda r: r.name)
def test_record_of_a_hot_row(row: Row) -> None:
    """Its record exists and belongs to it alone; a path of its fields is one of this or (shared layouts) another."""
    assert [r.name for r in ROWS if r.record == row.record] == [row.name]
    used = {path for f in records.BY_NAME[row.record].fields for path in f.paths}
    assert used & _known_paths(row) or not row.fields  # an end marker has none
    assert used - set().union(*(_known_paths(r) for r in ROWS if r.record)) == set()


def _known_paths(row: Row) -> set[str]:
    return {*row_shape(row).index, *(item.name for item in _bits(row.text or ()))}


def _bits(items: Iterable[Item]) -> Iterator[Bits]:
    for item in items:
        if isinstance(item, Bits):
            yield item
        elif isinstance(item, Gate | When):
            yield from _bits(item.items)


# ------------------------------------------------------------------------------------------------ generated classes


@EVERY_ROW
def test_generated_class(row: Row) -> None:
    cls = _classes(row)[row.cls_name]
    assert [f.name for f in dataclasses.fields(cls)] == [f.name for f in row.fields]
    found: tuple[int, str] = (cls.MSG_ID, cls.NAME)
    assert found == (row.id, row.name)
    for f in _all_fields(row.fields):
        if isinstance(f.type, Struct):
            names = [a.name for a in dataclasses.fields(structs.CLASSES[f.type.name])]
            assert names == [x.name for x in f.type.fields], f.type.name


@pytest.mark.parametrize("direction", Direction)
def test_no_class_without_a_row(direction: Direction) -> None:
    module = incoming if direction is Direction.INCOMING else outgoing
    assert set(module.CLASSES) == {row.cls_name for row in _rows(direction).values()}


@EVERY_ROW
def test_what_is_written_is_read_back(row: Row) -> None:
    """Decoded and written again, the bytes are the same: both directions follow the same layout.

    Row hooks, and defaults that stand for an unset value, may change a message once: then it stays.
    """
    exact = not row.hook and not any(f.nullable and f.default is not MISSING for f in _all_fields(row.fields))
    ours, theirs = (Role.GATEWAY, Role.CLIENT) if row.direction is Direction.INCOMING else (Role.CLIENT, Role.GATEWAY)
    for sv in interesting_versions(row):
        writer, reader = Codec(sv, ours), Codec(sv, theirs)
        dialects = [Dialect.TEXT] * (row.text is not None) + [Dialect.PROTO] * bool(row.proto and sv >= V.PROTOBUF)
        for dialect in dialects:
            for message in _messages(row, sv, dialect):
                payload = writer.encode(message, dialect)
                again = reader.decode(payload)
                assert type(again) is type(message)
                written = writer.encode(again, dialect)
                if not exact:
                    payload, written = written, writer.encode(reader.decode(written), dialect)
                assert written == payload, f"{dialect.value}@{sv}: {message}"
                assert not reader.counts["extra_bytes"] and not reader.counts["unknown_fields"]


def _messages(row: Row, server_version: int, dialect: Dialect) -> Iterator[Any]:
    for i, fill in enumerate((0.0, 0.5, 1.0)):
        message = Generator(f"{row.name} {server_version} {i}", fill).message(row)
        if row.direction is Direction.OUTGOING:
            clear_unsupported(row, message, server_version, dialect)
        yield message
