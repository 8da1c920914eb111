"""Recordings to named fields: handshakes, both dialects, both sides, what is wrong with a frame."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibwire.cli import main
from ibwire.cli.decoding import Reader, ranges
from ibwire.spec import versions as V
from ibwire.types import incoming, outgoing
from ibwire.types.structs import Contract, Order
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

STATUS = incoming.OrderStatus(orderId=5, status="Submitted", filled=Decimal(0), remaining=Decimal("0.5"), permId=2**40)
TICK = incoming.TickPrice(reqId=7, tickType=1, price=187.41, size=None)


def recording(version: int, *messages: Any, role: Role = Role.GATEWAY, head: bytes = b"") -> bytes:
    codec = Codec(version, role)
    return head + b"".join(frame(codec.encode(message)) for message in messages)


def handshake(version: int) -> bytes:
    return frame(b"%d\x0020260102 09:30:00 Central European Standard Time\0" % version)


@pytest.fixture
def decode(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(data: bytes, *arguments: str) -> tuple[int, str]:
        path = tmp_path / "recording.bin"
        path.write_bytes(data)
        code = main(["decode", str(path), *arguments])
        return code, capsys.readouterr().out

    return run


def as_json(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


@pytest.mark.parametrize(("version", "dialect"), [(176, "text"), (201, "text"), (225, "protobuf")])
def test_named_fields_in_both_dialects(decode: Any, version: int, dialect: str) -> None:
    code, out = decode(recording(version, STATUS, TICK), "--server-version", str(version))
    assert code == 0
    assert f"orderStatus ({dialect}, id " in out
    assert "    remaining      0.5\n" in out
    assert f"    permId         {2**40}\n" in out
    assert "tickType  1 (BID)" in out
    assert out.endswith("2 messages, 0 bad frames, 0 of unknown id\n")


@pytest.mark.parametrize("version", [176, 225])
def test_unset_is_never_shown_as_a_number(decode: Any, version: int) -> None:
    message = incoming.OpenOrder(5, Contract(symbol="AAPL"), Order(action="BUY", totalQuantity=Decimal(1)))
    _, out = decode(recording(version, TICK, message), "--server-version", str(version), "--all")
    lines = dict(line.split(None, 1) for line in out.splitlines() if line.startswith("    "))
    assert lines["size"] == "unset"
    assert lines["order.auxPrice"] == "unset"
    assert lines["order.totalQuantity"] == "1"
    assert "2147483647" not in out
    assert "1.797" not in out


def test_inside_structs_what_says_nothing_is_left_out(decode: Any) -> None:
    order = Order(action="BUY", totalQuantity=Decimal(1), lmtPrice=0.0)
    _, out = decode(recording(225, incoming.OpenOrder(5, Contract(symbol="AAPL"), order)), "--server-version", "225")
    shown = {line.split()[0] for line in out.splitlines() if line.startswith("    order.")}
    assert shown >= {"order.action", "order.totalQuantity", "order.lmtPrice"}, "a zero that was sent is shown"
    assert shown.isdisjoint({"order.auxPrice", "order.ocaGroup", "order.hidden", "order.algoParams"})


@pytest.mark.parametrize(("version", "shown"), [(193, False), (194, True)])
def test_a_field_that_the_version_does_not_have_is_not_invented(decode: Any, version: int, shown: bool) -> None:
    message = incoming.Error(id=-1, errorTime=0, errorCode=2104, errorMsg="ok")
    _, out = decode(recording(version, message), "--server-version", str(version))
    assert ("errorTime" in out) is shown


def test_a_handshake_says_the_version(decode: Any) -> None:
    code, out = decode(recording(225, STATUS, head=handshake(225)))
    assert code == 0
    assert "serverVersion  225" in out
    assert "orderStatus (protobuf, id 203, version 225)" in out


def test_recordings_joined_together_have_a_handshake_each(decode: Any) -> None:
    data = recording(120, STATUS, head=handshake(120)) + recording(225, STATUS, head=handshake(225))
    _, out = decode(data)
    assert "orderStatus (text, id 3, version 120)" in out
    assert "orderStatus (protobuf, id 203, version 225)" in out


def test_the_named_version_wins_over_the_handshake(decode: Any) -> None:
    _, out = decode(recording(120, STATUS, head=handshake(225)), "--server-version", "120")
    assert "orderStatus (text, id 3, version 120)" in out


def test_what_a_client_sent(decode: Any) -> None:
    request = outgoing.ReqMktData(9, Contract(conId=265598, exchange="SMART"), "233")
    data = recording(176, outgoing.StartApi(3, ""), request, role=Role.CLIENT, head=b"API\0" + frame(b"v100..176"))
    code, out = decode(data, "--from", "client", "--server-version", "176")
    assert code == 0
    assert "versions  v100..176" in out
    assert re.search(r"^ +clientId +3$", out, re.MULTILINE)
    assert re.search(r"^ +contract.conId +265598$", out, re.MULTILINE)
    assert "[0] at 4, 9 bytes: handshake" in out


def test_a_bad_frame_is_reported_and_the_next_one_follows(decode: Any) -> None:
    bad = frame(b"3\x005\0Submitted\0nothing\0")
    code, out = decode(recording(176, STATUS) + bad + recording(176, TICK), "--server-version", "176")
    assert code == 1
    assert "bad frame: orderStatus.filled at byte 14" in out
    assert "tickPrice (text" in out
    assert out.endswith("2 messages, 1 bad frames, 0 of unknown id\n")


def test_lost_framing_and_a_cut_end_are_said(decode: Any) -> None:
    code, out = decode(recording(176, STATUS) + b"\xff\xff\xff\xff junk")
    assert code == 1
    assert "framing lost" in out
    code, out = decode(recording(176, STATUS)[:-3])
    assert code == 1
    assert "ends inside a frame" in out


def test_an_unknown_id_is_no_failure(decode: Any) -> None:
    code, out = decode(frame(b"9999\0x\0") + recording(176, TICK))
    assert code == 0
    assert "unknown message (id 9999)" in out
    assert out.endswith("1 messages, 0 bad frames, 1 of unknown id\n")


def test_surplus_is_flagged(decode: Any) -> None:
    code, out = decode(frame(Codec(176, Role.GATEWAY).encode(TICK) + b"more\0"))
    assert code == 0
    assert "(5 bytes after the last field that this version knows)" in out


def test_json_has_everything_in_its_own_kind(decode: Any) -> None:
    code, out = decode(recording(225, STATUS, TICK), "--server-version", "225", "--json")
    status, tick = as_json(out)
    assert code == 0
    assert status["message"] == "orderStatus"
    assert (status["id"], status["dialect"], status["server_version"]) == (203, "protobuf", 225)
    assert status["fields"]["remaining"] == "0.5", "decimals keep their digits as text"
    assert status["fields"]["permId"] == 2**40
    assert tick["fields"]["size"] is None
    assert tick["fields"]["attrib"] == {"canAutoExecute": False, "pastLimit": False, "preOpen": False}
    assert tick["offset"] == status["bytes"] + 4


def test_json_of_a_bad_frame(decode: Any) -> None:
    code, out = decode(frame(b"3\x005\0"), "--json")
    (entry,) = as_json(out)
    assert code == 1
    assert "orderStatus.status" in entry["error"]


@pytest.mark.parametrize("version", [100, 130, 131, 176, 200])
def test_try_versions_finds_the_version_that_wrote_it(decode: Any, version: int) -> None:
    _, out = decode(recording(version, STATUS), "--try-versions", "--json")
    (entry,) = as_json(out)
    wanted = f"{V.MARKET_CAP_PRICE}..200" if version >= V.MARKET_CAP_PRICE else None
    assert entry["fits"] == wanted or (wanted is None and str(version) in _expanded(entry["fits"]))
    assert entry["fields"]["permId"] == 2**40


def _expanded(text: str) -> set[str]:
    out: set[str] = set()
    for part in text.split(", "):
        low, _, high = part.partition("..")
        out.update(str(number) for number in range(int(low), int(high or low) + 1))
    return out


def test_try_versions_says_when_none_fits(decode: Any) -> None:
    code, out = decode(frame(b"3\x005\0"), "--try-versions")
    assert code == 1
    assert "consumed exactly at no version" in out


def test_try_versions_knows_protobuf() -> None:
    reader = Reader(Role.CLIENT, 176, try_versions=True)
    assert reader.fitting(Codec(225, Role.GATEWAY).encode(STATUS)) == list(range(V.PROTOBUF, 226))


def test_a_version_out_of_range_is_wrong_usage(decode: Any) -> None:
    assert decode(b"", "--server-version", "99")[0] == 2


def test_ranges() -> None:
    assert ranges([]) == ""
    assert ranges([5]) == "5"
    assert ranges([1, 2, 3, 5, 7, 8]) == "1..3, 5, 7..8"
