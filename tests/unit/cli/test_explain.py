"""Layouts on paper: equal to the plans that run, at every version."""

from __future__ import annotations

import pytest

from ibwire.cli import main
from ibwire.cli.explain import explain, find
from ibwire.cli.layout import TextLayout, carried, proto_lines
from ibwire.spec import versions as V
from ibwire.spec.model import Row
from ibwire.spec.registry import INCOMING, OUTGOING, by_name
from ibwire.wire.plan import Op, OpCode, ProtoTable, interesting_versions, proto_plan, text_plan

ROWS = [*INCOMING.values(), *OUTGOING.values()]
NAMES = [f"{row.direction.value}-{row.name}" for row in ROWS]


def leaves(ops: tuple[Op, ...], settled: tuple[int, int] | None) -> list[str]:
    """Names of the fields that the ops of a plan stand for, in order.

    ``settled``: (register of the version field, its value) where that field is not on the wire.
    """
    out: list[str] = []
    for op in ops:
        if op.code is OpCode.WHEN:
            assert op.cond is not None
            if settled is not None and (op.cond.op, op.cond.reg) == ("ge", settled[0]) and settled[1] < op.cond.value:
                continue
            out += leaves(op.body, settled)
        elif op.code is OpCode.REPEAT:
            assert op.sub is not None
            out.append(op.name)
            # Registers of an element are numbered anew: its conditions are never about the version field.
            out += [f"{op.name}[].{name}".removesuffix(".") for name in leaves(op.sub.ops, None)]
        elif op.code is not OpCode.PRESENT:
            out.append(op.name)
    return out


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_the_text_layout_is_the_plan(row: Row) -> None:
    if row.text is None:
        assert "no form at any version" in "\n".join(explain(row, 225, "text"))
        return
    for version in interesting_versions(row):
        plan = text_plan(row, version)
        on_wire = any(op.name == "version" for op in plan.text)
        settled = None if on_wire else (plan.shape.index["@version"], plan.wire_version)
        shown = [line.name for line in TextLayout(row, version).lines if line.kind]
        assert shown == leaves(plan.text, settled), version


def numbers(table: ProtoTable) -> list[int]:
    out: list[int] = []
    for number, op in sorted(table.ops.items()):
        out.append(number)
        if op.table is not None:
            out += numbers(op.table)
        elif op.sub is not None and op.sub.table.ops and op.code.name != "MAP":
            out += numbers(op.sub.table)
    return out


@pytest.mark.parametrize("row", [row for row in ROWS if row.proto], ids=lambda row: row.name)
def test_the_protobuf_layout_is_the_plan(row: Row) -> None:
    plan = proto_plan(row, 225)
    assert plan.proto is not None
    assert [int(line.where) for line in proto_lines(row)] == numbers(plan.proto)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_every_message_can_be_explained_at_every_version(row: Row) -> None:
    for version in (100, 176, 200, 201, 225):
        lines = list(explain(row, version))
        assert lines[0].startswith(f"{row.name}: message {row.id}, ")
        assert all(line == line.rstrip() for line in lines)


def out_of(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["explain", *arguments]) == 0
    return capsys.readouterr().out


def test_a_field_says_since_when_it_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(capsys, "orderStatus", "--at", "193", "--dialect", "text")
    (line,) = [line for line in out.splitlines() if "mktCapPrice" in line]
    assert "131 MARKET_CAP_PRICE" in line
    out = out_of(capsys, "orderStatus", "--at", "130", "--dialect", "text")
    assert f"mktCapPrice: since {V.MARKET_CAP_PRICE} MARKET_CAP_PRICE" in out.split("not at 130:")[1]


def test_positions_are_those_on_the_wire() -> None:
    layout = TextLayout(by_name("tickPrice"), 176)
    assert [(line.where, line.name) for line in layout.lines] == [
        ("1", "version"),
        ("2", "reqId"),
        ("3", "tickType"),
        ("4", "price"),
        ("5", "size"),
        ("6", "attrMask"),
    ]


def test_a_position_after_something_of_varying_length_is_marked() -> None:
    lines = {line.name: line.where for line in TextLayout(by_name("contractData"), 225).lines}
    assert lines["contractDetails.secIdList"].isdigit()
    assert lines["contractDetails.secIdList[].tag"] == ""
    assert lines["contractDetails.aggGroup"].endswith("+")


def test_a_condition_on_the_version_field_is_settled_where_the_field_is_gone() -> None:
    before = [line.name for line in TextLayout(by_name("openOrder"), V.ORDER_CONTAINER - 1).lines]
    after = [line.name for line in TextLayout(by_name("openOrder"), V.ORDER_CONTAINER).lines]
    assert any(name.startswith("when the version field") for name in before)
    assert not any(name.startswith("when the version field") for name in after)


def test_conditions_are_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    out = out_of(capsys, "openOrder", "--dialect", "text")
    assert "when order.hedgeType is set and not zero:" in out
    assert "when contract.deltaNeutralContract is present:" in out


def test_one_dialect_or_both(capsys: pytest.CaptureFixture[str]) -> None:
    assert "protobuf: OrderStatus, id 203" in out_of(capsys, "orderStatus", "--dialect", "proto")
    both = out_of(capsys, "orderStatus")
    assert "text at server version 225" in both
    assert "protobuf: OrderStatus" in both
    assert "protobuf: not at 200" in out_of(capsys, "orderStatus", "--at", "200")


def test_a_message_is_found_by_any_case_and_by_id() -> None:
    assert [row.name for row in find("ORDERSTATUS")] == ["orderStatus"]
    assert [row.name for row in find("3")] == ["orderStatus", "placeOrder"]
    assert [row.name for row in find("203")] == ["orderStatus", "placeOrder"]
    assert find("nothing") == []


def test_a_mistyped_name_is_corrected(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "orderStatsu"]) == 1
    assert "did you mean orderStatus" in capsys.readouterr().err


def test_the_list_has_every_message(capsys: pytest.CaptureFixture[str]) -> None:
    listed = {line.split()[1] for line in out_of(capsys).splitlines() if line.startswith("  ")}
    assert listed == {row.name for row in ROWS}


def test_a_version_out_of_range_is_wrong_usage() -> None:
    assert main(["explain", "orderStatus", "--at", "226"]) == 2


def test_what_a_version_carries() -> None:
    error = by_name("error")
    assert carried(text_plan(error, 165)) == {"version", "id", "errorCode", "errorMsg"}
    assert carried(text_plan(error, 194)) == {"id", "errorCode", "errorMsg", "advancedOrderRejectJson", "errorTime"}
    assert carried(proto_plan(by_name("openOrder"), 225)) >= {"orderId", "contract", "order", "orderState"}
