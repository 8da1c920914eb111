"""(b) Every incoming message at its interesting versions: the same callbacks with equal arguments."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.spec.model import Row
from ibwire.spec.registry import INCOMING
from ibwire.wire.calls import bind, callbacks
from ibwire.wire.codec import Codec, Role, UnknownMessage
from ibwire.wire.plan import Dialect, Profile, interesting_versions
from tests.gen import Generator

from .known_differences import incoming_difference
from .normal import JSON, compare, normalise
from .oracle import Oracle
from .subject import official_make

CASES_PER_VERSION = 12


def our_calls(codec: Codec, payload: bytes) -> list[list[JSON]]:
    found = codec.decode_registers(payload)
    assert not isinstance(found, UnknownMessage)
    plan, regs, _ = found
    return [[name, [normalise(a) for a in args]] for name, args in callbacks(bind(plan), regs, official_make)]


def _cases(row: Row, oracle: Oracle) -> list[tuple[int, Any, bytes]]:
    out = []
    for sv in interesting_versions(row):
        if sv > oracle.max_server_version:
            continue
        codec = Codec(sv, Role.GATEWAY)
        for i in range(CASES_PER_VERSION):
            message = Generator(f"{row.name} {sv} {i}", fill=(0.15, 0.6, 0.95)[i % 3]).message(row)
            out.append((sv, message, codec.encode(message)))
            if row.text is not None and codec.dialect_of(row) is Dialect.PROTO:
                out.append((sv, message, codec.encode(message, Dialect.TEXT)))
    return out


@pytest.mark.parametrize("row", INCOMING.values(), ids=lambda r: r.name)
def test_callbacks_equal(row: Row, oracle: Oracle) -> None:
    cases = _cases(row, oracle)
    answers = oracle.decode([(sv, payload) for sv, _, payload in cases])
    compared = 0
    for (sv, message, payload), theirs in zip(cases, answers, strict=True):
        if incoming_difference(oracle.version, row, sv, message, payload, theirs):
            continue
        assert theirs.exception is None, f"{row.name}@{sv}: {theirs} for {message}"
        ours = our_calls(Codec(sv, Role.CLIENT, profile=Profile.OFFICIAL, make=official_make), payload)
        problem = compare([list(c) for c in theirs.calls], ours, numeric=True)
        assert problem is None, f"{row.name}@{sv}: official != ours: {problem}\n{message}\n{payload!r}"
        compared += 1
    assert compared or not cases or incoming_difference(oracle.version, row, 0, None, b"", None), row.name
