"""A value that the peer's server version cannot carry: refused by us where the official client refuses it (503)."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.errors import UnsupportedByServer
from ibwire.spec.model import Row, Struct
from ibwire.spec.registry import OUTGOING
from ibwire.types import structs
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Check, Dialect, Plan, interesting_versions, proto_plan, row_shape, text_plan
from tests.gen import Generator, clear_unsupported, set_path

from .known_differences import REFUSALS, differences
from .official import request
from .oracle import Encoded, Oracle
from .releases import lowest
from .tally import Tally

UPDATE_TWS = 503


def _plan(row: Row, server_version: int) -> Plan:
    dialect = Codec(server_version, Role.CLIENT).dialect_of(row)
    return (text_plan if dialect is Dialect.TEXT else proto_plan)(row, server_version)


def _value(row: Row, check: Check) -> Any:
    """A value that is set, of the field's kind."""
    reg = row_shape(row).regs[check.reg]
    f = reg.field
    if f.many and isinstance(f.type, Struct):
        made = structs.CLASSES[f.type.name]()
        return [Generator("one").struct(f.type) if f.type.name == "OrderCondition" else made]
    one: dict[str, Any] = {"STR": "x", "BOOL": True, "F64": 1.5, "I32": 7, "I64": 7}
    assert not isinstance(f.type, Struct)
    return [7] if f.many else one[f.type.name]


def _cases(row: Row) -> list[tuple[int, Check, Any]]:
    """Each gated value, set below its gate: at the lowest version of the message, at every gate's last version."""
    out = []
    for sv in interesting_versions(row):
        if sv < lowest(row):
            continue
        plan = _plan(row, sv)
        for check in plan.checks:
            message = Generator(f"{row.name} {sv} {check.name}", fill=0.0).message(row)
            clear_unsupported(row, message, sv, plan.dialect)
            for known in differences("10.46.1", row, sv, plan.dialect):
                if known.adapt is not None:
                    known.adapt(message)
            set_path(message, check.name, _value(row, check))
            out.append((sv, check, message))
    return out


GATED = [row for row in OUTGOING.values() if _cases(row)]


@pytest.mark.parametrize("row", GATED, ids=lambda r: r.name)
def test_values_below_their_gates(row: Row, latest: Oracle, tally: Tally) -> None:
    cases = _cases(row)
    asked = []
    for sv, check, message in cases:
        with pytest.raises(UnsupportedByServer) as caught:
            Codec(sv, Role.CLIENT).encode(message)
        assert caught.value.code == UPDATE_TWS
        case = request(row, sv, message)
        for known in differences(latest.version, row, sv, _plan(row, sv).dialect):
            if known.ask is not None and not known.key.endswith("." + check.name.rpartition(".")[2]):
                known.ask(case)
        asked.append(case)
    listed = {(f, r.dialect): r for r in REFUSALS if r.row == row.name for f in r.fields}
    met = set()
    for (sv, check, _), theirs in zip(cases, latest.encode(asked), strict=True):
        where = f"{row.name}.{check.name}@{sv}"
        if _refused(theirs, UPDATE_TWS):
            tally.refusals.add((row.name, check.name, check.gate))
            continue
        key = (check.name, _plan(row, sv).dialect)
        assert key in listed, f"{where}: we refuse it, the official client does not: {theirs}"
        met.add(key)
        code = listed[key].code
        if code:
            assert _refused(theirs, code), f"{where}: {theirs}"
        else:
            assert len(theirs.frames) == 1 and not theirs.errors and not theirs.exception, f"{where}: {theirs}"
    assert met == set(listed)


def _refused(theirs: Encoded, code: int) -> bool:
    return not theirs.frames and [found for found, _ in theirs.errors] == [code]


@pytest.mark.parametrize("row", [r for r in OUTGOING.values() if lowest(r) > 100], ids=lambda r: r.name)
def test_messages_below_their_gates(row: Row, latest: Oracle, tally: Tally) -> None:
    """The whole request, one version too early."""
    sv = lowest(row) - 1
    message = Generator(row.name, fill=0.0).message(row)
    with pytest.raises(UnsupportedByServer) as caught:
        Codec(sv, Role.CLIENT).encode(message)
    assert caught.value.code == UPDATE_TWS
    case = request(row, sv + 1, message)._replace(server_version=sv)
    (theirs,) = latest.encode([case])
    assert _refused(theirs, UPDATE_TWS), theirs
    tally.refusals.add((row.name, "", lowest(row)))
