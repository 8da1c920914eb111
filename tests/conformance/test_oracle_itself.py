"""The harness against bytes written by hand: a wrong oracle would prove anything."""

import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from .normal import JSON, compare, denormalise, normalise, obj, pb
from .oracle import LATEST, VERSIONS, EncodeCase, Oracle, OracleError, OracleMissing, oracle_path

OracleFor = Callable[[str], Oracle]

NO_SIZE_DECIMALS = "9.81.1"  # sizes were ints then
ERROR_TIME = 1_700_000_000_123


def text(*fields: object) -> bytes:
    """Null-terminated fields."""
    return b"".join(str(field).encode() + b"\0" for field in fields)


def raw(message_id: int, body: bytes) -> bytes:
    """A message id in four bytes, as from server version 201."""
    return struct.pack(">I", message_id) + body


def frame(payload: bytes) -> bytes:
    return struct.pack(">I", len(payload)) + payload


TICK_PRICE_PROTO = (
    b"\x08\x07"  # 1 reqId = 7
    b"\x10\x01"  # 2 tickType = 1
    b"\x19" + struct.pack("<d", 187.41) + b"\x22\x03300"  # 3 price, 4 size = "300"
    b"\x28\x05"  # 5 attrMask = 5
)


def aapl() -> JSON:
    return obj("Contract", symbol="AAPL", secType="STK", exchange="SMART", currency="USD")


# -- decode ----------------------------------------------------------------------------------------


def test_tick_price_in_text(oracle: Oracle) -> None:
    version = min(176, oracle.max_server_version)
    [got] = oracle.decode([(version, text(1, 6, 7, 1, "187.41", "300", 1))])
    size = 300 if oracle.version == NO_SIZE_DECIMALS else Decimal(300)
    attrib = obj("TickAttrib", canAutoExecute=True, pastLimit=False, preOpen=False)
    expected = [["tickPrice", [7, 1, normalise(187.41), attrib]], ["tickSize", normalise([7, 0, size])]]
    assert got.exception is None
    assert compare(got.calls, expected) is None


def test_error_has_three_layouts(oracle_for: OracleFor) -> None:
    old, wide, timed = oracle_for(LATEST).decode(
        [
            (165, text(4, 2, -1, 2104, "farm is OK")),
            (166, text(4, 2, 5, 201, "rejected", '{"a":1}')),
            (194, text(4, 5, 201, "rejected", '{"a":1}', ERROR_TIME)),
        ]
    )
    assert old.calls == [["error", [-1, 0, 2104, "farm is OK", ""]]]
    assert wide.calls == [["error", [5, 0, 201, "rejected", '{"a":1}']]]
    assert timed.calls == [["error", [5, ERROR_TIME, 201, "rejected", '{"a":1}']]]


def test_error_before_it_had_a_time(oracle_for: OracleFor) -> None:
    [got] = oracle_for("10.19.4").decode([(166, text(4, 2, 5, 201, "rejected", "{}"))])
    assert got.calls == [["error", [5, 201, "rejected", "{}"]]]


def test_ids_become_raw_and_protobuf(oracle_for: OracleFor) -> None:
    plain, proto = oracle_for(LATEST).decode(
        [(225, raw(9, text(1, 1234))), (225, raw(201, TICK_PRICE_PROTO))],
    )
    assert plain.calls == [["nextValidId", [1234]]]
    attrib = obj("TickAttrib", canAutoExecute=True, pastLimit=False, preOpen=True)
    expected = [["tickPrice", [7, 1, normalise(187.41), attrib]], ["tickSize", normalise([7, 0, Decimal(300)])]]
    assert compare(proto.calls, expected) is None


def test_what_the_official_decoder_raises_is_reported(oracle: Oracle) -> None:
    bad, good = oracle.decode([(150, text(1, 6, "seven", 1, "1.5", 1, 0)), (150, text(49, 1, 1_700_000_000))])
    assert bad.exception is not None and bad.exception.startswith("ValueError")
    assert bad.calls == []
    assert good.json() == [["currentTime", [1_700_000_000]]]


# -- encode ----------------------------------------------------------------------------------------


def test_req_mkt_data_in_text(oracle: Oracle) -> None:
    version = min(176, oracle.max_server_version)
    [got] = oracle.encode([(version, "reqMktData", [7, aapl(), "233", False, False, []])])
    contract = (0, "AAPL", "STK", "", "0.0", "", "", "SMART", "", "USD", "", "")
    payload = text(1, 11, 7, *contract, 0, "233", 0, 0, "")
    if oracle.version in ("10.37.2", "10.46.1"):  # there a strike is unset by default, and empty on the wire
        payload = payload.replace(b"\x000.0\0", b"\0\0")
    assert got.frames == [frame(payload)]
    assert got.errors == [] and got.exception is None


def test_requests_at_225_are_protobuf(oracle_for: OracleFor) -> None:
    latest = oracle_for(LATEST)
    [got] = latest.encode([(225, "reqMktData", [7, aapl(), "", True, False, []])])
    [sent] = got.frames
    message_id = struct.unpack(">I", sent[4:8])[0]
    assert message_id == latest.facts["OUT"]["REQ_MKT_DATA"] + 200
    [parsed] = latest.pb_parse([("MarketDataRequest", sent[8:])])
    assert parsed.fields is not None
    assert parsed.fields["reqId"] == 7 and parsed.fields["snapshot"] is True
    assert parsed.fields["contract"]["symbol"] == "AAPL"


def test_client_attributes_and_start_api(oracle_for: OracleFor) -> None:
    [got] = oracle_for("10.19.4").encode([EncodeCase(176, "startApi", [], {"clientId": 12, "optCapab": "x"})])
    assert got.frames == [frame(text(71, 2, 12, "x"))]


def test_a_gate_answers_with_an_error(oracle: Oracle) -> None:
    [got] = oracle.encode([(100, "reqTickByTickData", [7, aapl(), "Last", 0, False])])
    assert got.frames == []
    assert got.errors == [(503, 7)] or got.errors == [(503, -1)]


def test_rebuilt_orders_reach_the_wire(oracle: Oracle) -> None:
    order = obj(
        "Order",
        action="BUY",
        orderType="LMT",
        totalQuantity=100 if oracle.version == NO_SIZE_DECIMALS else Decimal(100),
        lmtPrice=187.43,
        algoStrategy="Vwap",
        algoParams=[obj("TagValue", tag="maxPctVol", value="0.2")],
        conditions=[obj("PriceCondition", conId=265598, exchange="SMART", isMore=True, price=1.5, triggerMethod=0)],
    )
    [got] = oracle.encode([(150, "placeOrder", [1, aapl(), order])])
    assert got.exception is None and got.errors == []
    [sent] = got.frames
    assert b"\0Vwap\x001\0maxPctVol\x000.2\0" in sent
    assert b"\x001\x001\0a\x001\x001.5\x00265598\0SMART\x000\0" in sent


def test_what_a_release_lacks_is_said(oracle_for: OracleFor) -> None:
    oldest = oracle_for("9.81.1")
    new_attribute = obj("Order", action="BUY", orderType="LMT", totalQuantity=1, lmtPrice=1.0, whatIfType=1)
    cases = [
        (150, "placeOrder", [1, aapl(), new_attribute]),
        (150, "reqUserInfo", [7]),
        (150, "reqWshEventData", [7, obj("WshEventData")]),
        (150, "reqGlobalCancel", [obj("OrderCancel")]),
    ]
    strict = oldest.encode(cases)
    assert [item.unknown for item in strict] == [
        "Order.whatIfType",
        "EClient.reqUserInfo",
        "EClient.reqWshEventData",
        "OrderCancel",
    ]
    assert all(item.frames == [] for item in strict)
    [lenient] = oldest.encode(cases[:1], drop_unknown=True)
    assert lenient.dropped == ["Order.whatIfType"] and lenient.unknown is None
    assert len(lenient.frames) == 1


def test_requests_that_take_protobuf(oracle_for: OracleFor) -> None:
    latest = oracle_for(LATEST)
    [got] = latest.encode([(225, "reqConfigProtoBuf", [pb("ConfigRequest", b"\x08\x2a")])])
    assert got.frames == [frame(raw(latest.facts["OUT"]["REQ_CONFIG"] + 200, b"\x08\x2a"))]
    [parsed] = latest.pb_parse([("ConfigRequest", got.frames[0][8:])])
    assert parsed.fields == {"reqId": 42}


# -- protobuf and facts ----------------------------------------------------------------------------


def test_pb_parse_keeps_presence_and_strangers(oracle_for: OracleFor) -> None:
    zero, unknown, broken = oracle_for(LATEST).pb_parse(
        [("TickPrice", b"\x08\x00"), ("TickPrice", b"\xf8\x01\x05"), ("TickPrice", b"\x08")]
    )
    assert zero.fields == {"reqId": 0}
    assert unknown.fields == {"?unknown": [[31, 0, 5]]}
    assert broken.fields is None and broken.exception is not None and broken.exception.startswith("DecodeError")


def test_pb_maps_compare_without_order(oracle_for: OracleFor) -> None:
    latest = oracle_for(LATEST)
    maps = [
        (name, field)
        for name, fields in latest.facts["messages"].items()
        for field in fields
        if field["map"] and [part["type"] for part in field["map"]] == ["string", "string"]
    ]
    name, field = maps[0]
    tag = field["number"] << 3 | 2
    head = bytes([tag]) if tag < 128 else bytes([tag & 127 | 128, tag >> 7])
    entries = [head + b"\x06\x0a\x01" + key + b"\x12\x01" + key for key in (b"b", b"a")]
    one, other = latest.pb_parse([(name, b"".join(entries)), (name, b"".join(reversed(entries)))])
    assert one.fields == {field["name"]: {"m": [["a", "a"], ["b", "b"]]}}
    assert one == other


def test_facts(oracle: Oracle) -> None:
    facts = oracle.facts
    assert facts["IN"]["TICK_PRICE"] == 1 and facts["OUT"]["PLACE_ORDER"] == 3
    assert facts["min_client_version"] == 100
    assert facts["min_server_versions"]["MIN_SERVER_VER_OPTIONAL_CAPABILITIES"] == 72
    assert [name for name, _, _ in facts["client"]["reqMktData"]["params"]][:2] == ["reqId", "contract"]
    assert facts["client"]["reqMktData"]["out"] == ["REQ_MKT_DATA"]
    assert facts["classes"]["Contract"]["attributes"]["symbol"] == ""
    assert facts["classes"]["PriceCondition"]["attributes"]["condType"] == 1
    assert bool(facts["messages"]) == (oracle.version in VERSIONS[3:])


def test_facts_of_the_latest(oracle_for: OracleFor) -> None:
    facts = oracle_for(LATEST).facts
    assert (len(facts["IN"]), len(facts["OUT"]), facts["max_client_version"]) == (86, 85, 225)
    assert facts["proto_handlers"]["1"]["messages"] == ["TickPrice"]
    fields = {field["name"]: field for field in facts["messages"]["TickPrice"]}
    assert [(name, field["number"], field["type"]) for name, field in fields.items()] == [
        ("reqId", 1, "int32"),
        ("tickType", 2, "int32"),
        ("price", 3, "double"),
        ("size", 4, "string"),
        ("attrMask", 5, "int32"),
    ]
    assert all(field["presence"] and field["label"] == "optional" for field in fields.values())


# -- the harness -----------------------------------------------------------------------------------


def test_an_absent_oracle_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IBWIRE_ORACLES", str(tmp_path))
    with pytest.raises(OracleMissing, match="make conformance"):
        oracle_path(LATEST)


def test_a_refused_request_does_not_end_the_worker(oracle_for: OracleFor) -> None:
    latest = oracle_for(LATEST)
    with pytest.raises(OracleError, match="ValueError"):
        latest._ask({"op": "sing"})
    assert latest.decode([(225, raw(9, text(1, 3)))])[0].calls == [["nextValidId", [3]]]


def test_what_official_code_prints_stays_off_the_replies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "noisy" / "ibapi"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("print('hello from the package', flush=True)\n")
    (package / "client.py").write_text("raise SystemExit('no client')\n")
    monkeypatch.setenv("IBWIRE_ORACLES", str(tmp_path))
    with (
        Oracle("noisy") as noisy,
        pytest.raises(OracleError, match="ended with 1:\\nhello from the package\nno client"),
    ):
        noisy.decode([(100, b"")])


class Leg:
    __slots__ = ("_hidden", "ratio")

    def __init__(self, ratio: int) -> None:
        self._hidden = 1
        self.ratio = ratio


def test_notation_round_trip() -> None:
    value = [None, True, 1, "x", 1.5, float("inf"), Decimal("1.50"), {3, 1, 2}, {2: "b", 1: "a"}, b"\0"]
    assert denormalise(normalise(value), lambda kind, item: item) == value
    assert normalise({10, 9, 1}) == {"set": [1, 9, 10]}
    assert normalise([Leg(2)]) == [{"o": "Leg", "v": {"ratio": 2}}]
    assert normalise(obj("Bag", legs=[obj("Leg", ratio=2)])) == {"o": "Bag", "v": {"legs": [obj("Leg", ratio=2)]}}


def test_compare_names_the_first_difference() -> None:
    one = [["f", [obj("Contract", strike=1.0, legs=[obj("Leg", ratio=1)])]]]
    two = [["f", [obj("Contract", strike=1.0, legs=[obj("Leg", ratio=2)])]]]
    assert compare(one, one) is None
    assert compare(one, two) == "[0][1][0].Contract.legs[0].Leg.ratio: 1 != 2"
    assert compare(one, two, ignore={"Leg.ratio"}) is None
    assert compare([1, 2], [1]) == "value: 2 items != 1 items: [1, 2] != [1]"
    assert compare(obj("A", x=1), obj("A")) == ".A.x: 1 != absent"
    assert compare(obj("A", x=1), obj("B", x=1)) is not None


def test_compare_by_value_only_when_asked() -> None:
    pairs = [(1, Decimal("1.0")), (Decimal("0.1"), 0.1), (float("nan"), float("nan")), (Decimal("1.0"), Decimal("1"))]
    for left, right in pairs:
        assert compare(normalise(left), normalise(right), numeric=True) is None
    assert compare(normalise(1), normalise(Decimal(1))) is not None
    assert compare(normalise(1), normalise(Decimal("1.1")), numeric=True) == 'value: 1 != {"d": "1.1"}'
    assert compare(True, 1, numeric=True) is not None
