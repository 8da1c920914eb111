"""``ibwire journal``, as it is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import ibwire
from ibwire.cli import main
from ibwire.io.journal_read import segments_of
from ibwire.types.constructors import limit, market, stock


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("state")
    with ibwire.connect("sim", state_dir=str(path)) as ib:
        contract = ib.qualify(stock("AAPL"))
        ib.orders.place(contract, market("BUY", 10)).wait("done")
        ib.orders.place(contract, limit("BUY", 10, 1.0)).wait("live")
    return path


def test_verify(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "verify", str(state)]) == 0
    out = capsys.readouterr().out
    assert "all whole" in out
    assert "intent 2" in out


def test_verify_of_a_damaged_one(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = segments_of(state)[0]
    raw = bytearray(source.read_bytes())
    raw[600] ^= 4
    (tmp_path / source.name).write_bytes(raw)
    assert main(["journal", "verify", str(tmp_path)]) == 1
    err = capsys.readouterr().err
    assert str(tmp_path / source.name) in err
    assert "at byte" in err
    assert main(["journal", "verify", str(tmp_path / "nothing")]) == 1


@pytest.mark.parametrize("size", [0, 8192])
@pytest.mark.parametrize("what", ["verify", "show", "rebuild", "export"])
def test_what_was_only_prepared(what: str, size: int, tmp_path: Path) -> None:
    (tmp_path / "00000001.ibj").write_bytes(bytes(size))
    assert main(["journal", what, str(tmp_path)]) == 0


def test_show_and_export_of_one_order(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "show", str(state), "--order", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("intent       orderId 2  act place  placeOrder BUY 10 AAPL LMT 1")
    assert any(line.endswith("orderStatus PreSubmitted filled 0 remaining 10") for line in lines)
    assert not any("orderId 1 " in line for line in lines)
    assert main(["journal", "export", str(state)]) == 0
    objects = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["seq"] for one in objects] == list(range(1, len(objects) + 1))
    placed = next(one for one in objects if one["kind"] == "intent")
    assert bytes.fromhex(placed["frame"])
    assert placed["orderId"] == 1


def test_rebuild(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["journal", "rebuild", str(state)]) == 0
    out = capsys.readouterr().out
    assert "2 orders, 1 may still fill; client id 1, epoch 1" in out
    assert "highest order id used: 2" in out
