"""(b) Every incoming message at its interesting versions: the same callbacks with equal arguments."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.spec.model import Row
from ibwire.spec.registry import INCOMING
from ibwire.wire.calls import bind, callbacks
from ibwire.wire.codec import Codec, Role, UnknownMessage
from ibwire.wire.plan import Dialect, Profile
from tests.gen import ANY_TEXT, Generator

from .known_differences import differences
from .normal import JSON, compare, normalise
from .oracle import Oracle
from .releases import RELEASES, fit, gone, knows, lowest
from .subject import official_make
from .tally import Tally
from .test_outgoing import versions


def our_calls(codec: Codec, payload: bytes) -> list[list[JSON]]:
    """The callbacks that compat makes of a payload, in the oracles' notation."""
    found = codec.decode_registers(payload)
    assert not isinstance(found, UnknownMessage)
    plan, regs, _ = found
    return [[name, [normalise(a) for a in args]] for name, args in callbacks(bind(plan), regs, official_make)]


def maps_sorted(value: JSON) -> JSON:
    """Lists of tag and value come from protobuf maps, which have no order: put them in one."""
    if isinstance(value, dict):
        return {k: maps_sorted(v) for k, v in value.items()}
    if isinstance(value, list):
        items = [maps_sorted(v) for v in value]
        if items and all(isinstance(i, dict) and i.get("o") == "TagValue" for i in items):
            items.sort(key=lambda i: i["v"]["tag"])
        return items
    return value


def _cases(row: Row, oracle: Oracle) -> list[tuple[int, Any, bytes, Dialect]]:
    release = RELEASES[oracle.version]
    out = []
    for sv, number in versions(row, oracle).items():
        codec = Codec(sv, Role.GATEWAY)
        sends = codec.dialect_of(row)
        for dialect in (Dialect.TEXT, Dialect.PROTO):
            if dialect is not sends and (dialect is Dialect.PROTO or row.text is None):
                continue
            for i in range(number):
                seed = f"{row.name} {sv} {dialect} {i}"
                fill = (0.15, 0.6, 0.95)[i % 3]
                message = Generator(seed, fill, words=ANY_TEXT, whole_sizes=release.whole_sizes).message(row)
                for known in differences(oracle.version, row, sv, dialect):
                    if known.adapt is not None:
                        known.adapt(message)
                out.append((sv, message, codec.encode(message, dialect), dialect))
    return out


@pytest.mark.parametrize("row", INCOMING.values(), ids=lambda r: r.name)
def test_callbacks_equal(row: Row, oracle: Oracle, latest: Oracle, tally: Tally) -> None:
    if not knows(oracle, row):
        assert row.id not in oracle.facts["IN"].values() or lowest(row) > oracle.max_server_version
        return
    cases = _cases(row, oracle)
    answers = oracle.decode([(sv, payload) for sv, _, payload, _ in cases])
    count = tally.counts[oracle.version, "incoming"]
    older = gone(oracle, latest)
    numeric = RELEASES[oracle.version].whole_sizes
    called = 0
    for (sv, message, payload, dialect), theirs in zip(cases, answers, strict=True):
        known = differences(oracle.version, row, sv, dialect)
        assert theirs.exception is None, f"{row.name}@{sv}: {theirs}\n{message}\n{payload!r}"
        official = theirs.calls
        for difference in known:
            if difference.mend_calls is not None:
                official = difference.mend_calls(official)
        ours = our_calls(Codec(sv, Role.CLIENT, profile=Profile.OFFICIAL, make=official_make), payload)
        ours = fit(oracle, latest, ours, official)
        if dialect is Dialect.PROTO:
            official, ours = maps_sorted(official), maps_sorted(ours)
        problem = compare(official, ours, numeric=numeric, ignore=older.union(*(d.ignore for d in known)))
        assert problem is None, f"{row.name}@{sv} {dialect.value}: official != ours: {problem}\n{message}\n{payload!r}"
        count.add(row.name, sv, known)
        called += len(ours)
    assert cases, f"{row.name}: nothing was compared with {oracle.version}"
    assert called or not row.calls, f"{row.name}: no callback was compared with {oracle.version}"
