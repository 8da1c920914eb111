"""(a) Every outgoing message at its interesting versions: our bytes equal the official client's."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.spec.model import Row
from ibwire.spec.registry import OUTGOING
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer
from ibwire.wire.plan import Dialect, interesting_versions
from tests.gen import Generator, clear_unsupported

from .known_differences import outgoing_difference
from .official import request
from .oracle import Oracle

CASES_PER_VERSION = 12


def _cases(row: Row, oracle: Oracle) -> list[tuple[int, Any, bytes, Dialect]]:
    out = []
    for sv in interesting_versions(row):
        if sv > oracle.max_server_version:
            continue
        codec = Codec(sv, Role.CLIENT)
        dialect = codec.dialect_of(row)
        for i in range(CASES_PER_VERSION):
            message = Generator(f"{row.name} {sv} {i}", fill=(0.15, 0.6, 0.95)[i % 3]).message(row)
            clear_unsupported(row, message, sv, dialect)
            out.append((sv, message, codec.encode(message), dialect))
    return out


@pytest.mark.parametrize("row", OUTGOING.values(), ids=lambda r: r.name)
def test_bytes_equal(row: Row, oracle: Oracle) -> None:
    cases = _cases(row, oracle)
    asked = [request(row, sv, message) for sv, message, _, _ in cases]
    answers = oracle.encode(asked, drop_unknown=True)
    compared = 0
    for (sv, message, ours, dialect), theirs in zip(cases, answers, strict=True):
        if outgoing_difference(oracle.version, row, sv, message, theirs):
            continue
        assert theirs.exception is None and not theirs.errors, f"{row.name}@{sv}: {theirs} for {message}"
        assert len(theirs.frames) == 1, f"{row.name}@{sv}: {theirs}"
        framer = Framer()
        framer.feed(theirs.frames[0])
        official = framer.next()
        if dialect is Dialect.TEXT:
            assert ours == official, f"{row.name}@{sv} for {message}"
        else:
            assert official is not None and ours[:4] == official[:4]
            mine, other = oracle.pb_parse([(row.proto, ours[4:]), (row.proto, official[4:])])
            assert mine == other, f"{row.name}@{sv} for {message}"
        compared += 1
    assert compared or not cases or outgoing_difference(oracle.version, row, 0, None, None), row.name

