"""(a) Every outgoing message at its interesting versions: our bytes equal the official client's."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.spec import versions as V
from ibwire.spec.model import Row
from ibwire.spec.registry import OUTGOING
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer
from ibwire.wire.plan import Dialect, interesting_versions
from tests.gen import ANY_TEXT, PRINTABLE, TEXT_DIALECT, Generator, clear_unsupported

from .known_differences import Difference, differences
from .normal import JSON, compare
from .oracle import Encoded, Oracle
from .releases import RELEASES, call, knows, lowest
from .tally import Tally

CASES_PER_VERSION = 18
CASES_ELSEWHERE = 2


def versions(row: Row, oracle: Oracle) -> dict[int, int]:
    """How many cases at which server version: most at the interesting ones, a few at every other.

    The spec says which versions are interesting, so a gate that it lacks would show at the others.
    """
    first, highest = max(lowest(row), V.MIN_CLIENT_VERSION), oracle.max_server_version
    found = dict.fromkeys(range(first, highest + 1), CASES_ELSEWHERE)
    found.update({v: CASES_PER_VERSION for v in (*interesting_versions(row), highest) if first <= v <= highest})
    return found


def _cases(row: Row, oracle: Oracle) -> list[tuple[int, Any, bytes, Dialect]]:
    release = RELEASES[oracle.version]
    out = []
    for sv, number in versions(row, oracle).items():
        codec = Codec(sv, Role.CLIENT)
        dialect = codec.dialect_of(row)
        words = PRINTABLE if release.printable else TEXT_DIALECT if dialect is Dialect.TEXT else ANY_TEXT
        for i in range(number):
            generator = Generator(f"{row.name} {sv} {i}", fill=(0.15, 0.6, 0.95)[i % 3], words=words)
            message = generator.message(row)
            clear_unsupported(row, message, sv, dialect)
            for known in differences(oracle.version, row, sv, dialect):
                if known.adapt is not None:
                    known.adapt(message)
            out.append((sv, message, codec.encode(message), dialect))
    return out


@pytest.mark.parametrize("row", OUTGOING.values(), ids=lambda r: r.name)
def test_bytes_equal(row: Row, oracle: Oracle, latest: Oracle, tally: Tally) -> None:
    if not knows(oracle, row):
        assert not any(row.id == n for n in oracle.facts["OUT"].values()) or lowest(row) > oracle.max_server_version
        return
    cases = _cases(row, oracle)
    asked = []
    for sv, message, _, dialect in cases:
        case = call(oracle, latest, row, sv, message)
        for difference in differences(oracle.version, row, sv, dialect):
            if difference.ask is not None:
                difference.ask(case)
        asked.append(case)
    answers = oracle.encode(asked, drop_unknown=True)
    count = tally.counts[oracle.version, "outgoing"]
    for (sv, message, ours, dialect), theirs in zip(cases, answers, strict=True):
        known = differences(oracle.version, row, sv, dialect)
        problem = _problem(oracle, row, ours, dialect, theirs, known)
        assert not problem, f"{row.name}@{sv} {dialect.value}: {problem}\n{message}"
        count.add(row.name, sv, known)
    assert cases, f"{row.name}: nothing was compared with {oracle.version}"


def _problem(oracle: Oracle, row: Row, ours: bytes, dialect: Dialect, theirs: Encoded, known: list[Difference]) -> str:
    """What differs, or an empty text."""
    if theirs.exception or theirs.errors or theirs.unknown or len(theirs.frames) != 1:
        return f"the official client did not send one frame: {theirs}"
    framer = Framer()
    framer.feed(theirs.frames[0])
    official = framer.next()
    assert official is not None
    for difference in known:
        if difference.mend_bytes is not None:
            official = difference.mend_bytes(official)
    if dialect is Dialect.TEXT:
        return "" if ours == official else _fields(ours, official)
    if ours[:4] != official[:4]:
        return f"id {ours[:4].hex()} != {official[:4].hex()}"
    mine, other = oracle.pb_parse([(row.proto, ours[4:]), (row.proto, official[4:])])
    assert mine.fields is not None and other.fields is not None
    for path in (p for difference in known for p in difference.unsent):
        _drop(mine.fields, path.split("."))
        _drop(other.fields, path.split("."))
    return "" if mine == other else str(compare(other.fields, mine.fields))


def _drop(fields: dict[str, JSON], path: list[str]) -> None:
    for part in path[:-1]:
        fields = fields.get(part, {})
    fields.pop(path[-1], None)


def _fields(ours: bytes, official: bytes) -> str:
    a, b = ours.split(b"\0"), official.split(b"\0")
    first = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return f"field {first}: ours {a[first : first + 6]} official {b[first : first + 6]}; {len(a)} and {len(b)} fields"
