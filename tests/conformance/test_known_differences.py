"""Every deliberate divergence: the official behaviour is still so, and ours is what its reason says."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import pytest

from ibwire.errors import ProtocolError, RequestError
from ibwire.spec.registry import INCOMING, by_name
from ibwire.types import incoming, outgoing, structs
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import UNSET_DOUBLE, Dialect, Profile

from .known_differences import BEFORE_10_37, BEFORE_10_46, BESIDE, DIFFERENCES, REFUSALS
from .normal import compare
from .oracle import VERSIONS, Decoded, Encoded, Oracle
from .releases import call, fit
from .subject import official_make
from .tally import Tally
from .test_incoming import our_calls

PROVEN: set[str] = set()
OracleFor = Callable[[str], Oracle]
Test = TypeVar("Test", bound=Callable[..., None])


def proves(*keys: str) -> Callable[[Test], Test]:
    """Marks the test of a difference."""
    PROVEN.update(keys)
    return lambda test: test


def sent(oracle: Oracle, latest: Oracle, server_version: int, message: Any, **order: Any) -> Encoded:
    """What a release does with a request; ``order``: attributes of the order as only that release is given them."""
    case = call(oracle, latest, by_name(message.NAME), server_version, message)
    if order:
        case.args[2]["v"].update(order)
    return oracle.encode([case], drop_unknown=True)[0]


def ours(server_version: int, message: Any) -> bytes:
    return Codec(server_version, Role.CLIENT).encode(message)


def read(oracle: Oracle, server_version: int, payload: bytes) -> Decoded:
    return oracle.decode([(server_version, payload)])[0]


def our_calls_of(server_version: int, payload: bytes) -> list[Any]:
    return our_calls(Codec(server_version, Role.CLIENT, profile=Profile.OFFICIAL, make=official_make), payload)


def fields(frame: bytes) -> list[bytes]:
    return frame[4:].split(b"\0")[:-1]


def text(*values: object) -> bytes:
    return b"".join((v if isinstance(v, bytes) else str(v).encode()) + b"\0" for v in values)


def place(**order: Any) -> outgoing.PlaceOrder:
    return outgoing.PlaceOrder(orderId=1, order=structs.Order(totalQuantity=Decimal(1), **order))


def test_every_difference_has_its_test(tally: Tally) -> None:
    keys = [d.key for d in (*DIFFERENCES, *BESIDE)]
    assert len(set(keys)) == len(keys)
    assert set(keys) == PROVEN
    tally.notes["known differences"] = f"{len(keys)} in behaviour, {len(REFUSALS)} groups of refusals; each tested"


# ---------------------------------------------------------------------------------------------- outgoing


@proves("placeOrder.cashQty")
@pytest.mark.parametrize("version", VERSIONS)
def test_cash_qty(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    message = place()
    message.contract.strike = 0.0
    theirs = sent(oracle_for(version), latest, 110, message)
    assert [code for code, _ in theirs.errors] == [503] and not theirs.frames
    assert ours(110, message)


@proves("placeOrder.totalQuantity")
@pytest.mark.parametrize("version", VERSIONS)
def test_fraction_of_a_quantity(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    message = place()
    message.contract.strike = 0.0
    message.order.totalQuantity = Decimal("1.5")
    theirs = sent(oracle_for(version), latest, 100, message, cashQty=0)
    assert b"1" in fields(theirs.frames[0]) and b"1.5" not in fields(theirs.frames[0])
    with pytest.raises(RequestError, match="whole number"):
        ours(100, message)


@proves("contract.strike")
@pytest.mark.parametrize("version", BEFORE_10_37)
def test_unset_strike(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    assert oracle_for(version).facts["classes"]["Contract"]["attributes"]["strike"] == {"f": "0.0"}
    message = outgoing.ReqMktData(reqId=1)
    theirs = fields(sent(oracle_for(version), latest, 150, message).frames[0])
    assert theirs[7] == repr(UNSET_DOUBLE).encode()
    assert ours(150, message).split(b"\0")[7] == b""


@proves("calculate.options")
@pytest.mark.parametrize("version", BEFORE_10_46)
def test_option_count(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    for message in (outgoing.CalculateImpliedVolatility(reqId=1), outgoing.CalculateOptionPrice(reqId=1)):
        message.contract.strike = 0.0
        mine = ours(150, message).split(b"\0")[:-1]
        assert fields(sent(oracle_for(version), latest, 150, message).frames[0]) == [*mine[:-1], b"0", b""]
        assert fields(sent(latest, latest, 150, message).frames[0]) == mine


@proves("reqHistoricalNews.options")
@pytest.mark.parametrize("version", BEFORE_10_46)
def test_lost_news_options(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    message = outgoing.ReqHistoricalNews(reqId=1, historicalNewsOptions=[structs.TagValue("a", "b")])
    assert fields(sent(oracle_for(version), latest, 150, message).frames[0])[-1] == b""
    assert ours(150, message).split(b"\0")[-2] == b"a=b;"


@proves("order.eTradeOnly")
def test_flags_that_were_dropped(oracle_for: OracleFor) -> None:
    attributes = oracle_for("9.81.1").facts["classes"]["Order"]["attributes"]
    assert attributes["eTradeOnly"] is True and attributes["firmQuoteOnly"] is True
    for version in VERSIONS[1:]:
        assert "eTradeOnly" not in oracle_for(version).facts["classes"]["Order"]["attributes"]


@proves("marginCondition.percent")
@pytest.mark.parametrize("version", ["10.37.2", "10.46.1"])
def test_percent_of_a_margin_condition(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    message = place(conditions=[structs.OrderCondition(condType=4, isMore=True, percent=30.0)])
    assert sent(oracle_for(version), latest, 203, message).exception
    gateway = Codec(203, Role.GATEWAY).decode(ours(203, message))
    assert gateway.order.conditions[0].percent == 30.0


@proves("10.37.2.protobuf.primaryExchange")
def test_primary_exchange_of_the_first_protobuf_release(oracle_for: OracleFor, latest: Oracle) -> None:
    message = place()
    message.contract.primaryExchange = "ARCA"
    theirs = sent(oracle_for("10.37.2"), latest, 203, message)
    assert theirs.exception is not None and "primaryExchange" in theirs.exception
    assert Codec(203, Role.GATEWAY).decode(ours(203, message)).contract.primaryExchange == "ARCA"


@proves("10.37.2.protobuf.sent")
def test_client_id_of_the_first_protobuf_release(oracle_for: OracleFor, latest: Oracle) -> None:
    message = place(clientId=7)
    for oracle, seen in ((oracle_for("10.37.2"), None), (latest, 7)):
        frame = sent(oracle, latest, 203, message).frames[0]
        (parsed,) = latest.pb_parse([("PlaceOrderRequest", frame[8:])])
        assert parsed.fields is not None and parsed.fields["order"].get("clientId") == seen
        assert ("attachedOrders" in parsed.fields) == (oracle is latest)


@proves("order.pegTypes", "order.pegTypes.received")
@pytest.mark.parametrize("version", ["9.81.1", "10.19.4"])
def test_pegged_types_without_a_space(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    lengths = {}
    for name in ("PEG BENCH", "PEGBENCH"):
        message = place(orderType=name)
        message.contract.strike = 0.0
        theirs = sent(oracle_for(version), latest, 150, message, eTradeOnly=False, firmQuoteOnly=False)
        lengths[name] = len(fields(theirs.frames[0]))
        assert len(ours(150, message).split(b"\0")[:-1]) == lengths["PEG BENCH"]
    assert lengths["PEG BENCH"] == lengths["PEGBENCH"] + 5
    back = incoming.OpenOrder(orderId=1, order=structs.Order(orderType="PEGBENCH", referenceExchangeId="ISLAND"))
    payload = Codec(150, Role.GATEWAY).encode(back)
    assert read(oracle_for(version), 150, payload).exception
    assert Codec(150, Role.CLIENT).decode(payload).order.referenceExchangeId == "ISLAND"


@proves("fa.profiles")
@pytest.mark.parametrize("version", ["10.30.1", "10.37.2", "10.46.1"])
def test_fa_profiles(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    oracle = oracle_for(version)
    for message in (outgoing.RequestFA(faData=2), outgoing.ReplaceFA(reqId=1, faData=2, cxml="<x/>")):
        assert len(sent(oracle, latest, 176, message).frames) == 1
        assert [code for code, _ in sent(oracle, latest, 177, message).errors] == [585]
        assert ours(177, message)


@proves("text.symbols")
@pytest.mark.parametrize("version", VERSIONS)
def test_symbols_in_text(version: str, oracle_for: OracleFor, latest: Oracle) -> None:
    refuses_tabs = version in ("9.81.1", "10.19.4")
    for value, refused in (("Núñez", True), ("a\tb", refuses_tabs), ("a\nb", refuses_tabs)):
        message = outgoing.ReqAccountUpdates(subscribe=True, acctCode=value)
        theirs = sent(oracle_for(version), latest, 150, message)
        assert [code for code, _ in theirs.errors] == ([579] if refused else []), value
        assert value.encode() in ours(150, message)
    if latest is oracle_for(version):  # protobuf takes it
        message = outgoing.ReqAccountUpdates(subscribe=True, acctCode="Núñez")
        assert "Núñez".encode() in sent(latest, latest, 207, message).frames[0]


# ---------------------------------------------------------------------------------------------- incoming


@proves("contractDetails.fundAssetType")
@pytest.mark.parametrize("version", ["10.30.1", "10.37.2", "10.46.1"])
def test_other_funds(version: str, oracle_for: OracleFor) -> None:
    for code, official, mine in (("000", "NoneItem", "Others"), ("001", "MoneyMarket", "MoneyMarket")):
        message = incoming.ContractData(reqId=1, contractDetails=structs.ContractDetails(fundAssetType=code))
        message.contractDetails.contract.secType = "FUND"
        payload = Codec(187, Role.GATEWAY).encode(message)
        theirs = read(oracle_for(version), 187, payload)
        assert theirs.calls[0][1][1]["v"]["fundAssetType"] == {"e": official}
        assert our_calls_of(187, payload)[0][1][1]["v"]["fundAssetType"] == {"e": mine}


@proves("contractDetails.coupon")
def test_coupon(oracle_for: OracleFor) -> None:
    message = incoming.BondContractData(reqId=1, contractDetails=structs.ContractDetails(coupon=4.25))
    payload = Codec(150, Role.GATEWAY).encode(message)
    for version in VERSIONS:
        assert bool(read(oracle_for(version), 150, payload).exception) == (version == "9.81.1")
    assert our_calls_of(150, payload)[0][1][1]["v"]["coupon"] == {"f": "4.25"}


@proves("order.displaySize")
def test_display_size(oracle_for: OracleFor) -> None:
    message = incoming.OpenOrder(orderId=1, order=structs.Order(displaySize=None, totalQuantity=Decimal(1)))
    payload = Codec(150, Role.GATEWAY).encode(message)
    for version in VERSIONS:
        unset = 0 if version == "9.81.1" else 2147483647
        assert read(oracle_for(version), 150, payload).calls[0][1][2]["v"]["displaySize"] == unset
    assert Codec(150, Role.CLIENT).decode(payload).order.displaySize is None


@proves("order.strayParameters")
@pytest.mark.parametrize("version", ["10.37.2", "10.46.1"])
def test_stray_parameters(version: str, oracle_for: OracleFor) -> None:
    order = structs.Order(algoParams=[structs.TagValue("a", "b")], hedgeParam="x")
    payload = Codec(203, Role.GATEWAY).encode(incoming.OpenOrder(orderId=1, order=order))
    theirs = read(oracle_for(version), 203, payload).calls[0][1][2]["v"]
    mine = our_calls_of(203, payload)[0][1][2]["v"]
    assert not theirs["algoParams"] and theirs["hedgeParam"] == ""
    assert len(mine["algoParams"]) == 1 and mine["hedgeParam"] == "x"


@proves("order.kinds")
@pytest.mark.parametrize("version", ["10.37.2", "10.46.1"])
def test_kinds_of_order_fields(version: str, oracle_for: OracleFor) -> None:
    condition = structs.OrderCondition(condType=4, isMore=True, percent=30.0)
    order = structs.Order(usePriceMgmtAlgo=True, conditions=[condition])
    codec = Codec(203, Role.GATEWAY)
    for dialect, flag, percent in ((Dialect.TEXT, True, {"f": "30.0"}), (Dialect.PROTO, 1, 30)):
        payload = codec.encode(incoming.OpenOrder(orderId=1, order=order), dialect)
        theirs = read(oracle_for(version), 203, payload).calls[0][1][2]["v"]
        assert theirs["usePriceMgmtAlgo"] is True if flag is True else theirs["usePriceMgmtAlgo"] == flag
        assert type(theirs["usePriceMgmtAlgo"]) is type(flag)
        assert theirs["conditions"][0]["v"]["percent"] == percent
        mine = our_calls_of(203, payload)[0][1][2]["v"]
        assert mine["usePriceMgmtAlgo"] is True and mine["conditions"][0]["v"]["percent"] == {"f": "30.0"}


@proves("openOrder.orderId")
def test_order_id_inside_an_order(latest: Oracle) -> None:
    payload = Codec(203, Role.GATEWAY).encode(incoming.OpenOrder(orderId=7, order=structs.Order(orderId=0)))
    assert read(latest, 203, payload).calls[0][1][2]["v"]["orderId"] == 0
    assert our_calls_of(203, payload)[0][1][2]["v"]["orderId"] == 7


@proves("10.37.2.protobuf")
def test_first_protobuf_decoder(oracle_for: OracleFor, latest: Oracle) -> None:
    status = Codec(203, Role.GATEWAY).encode(incoming.OrderStatus(orderId=1, filled=Decimal(2), remaining=Decimal(3)))
    old, new = (read(oracle, 203, status).calls[0][1] for oracle in (oracle_for("10.37.2"), latest))
    assert old[2:4] == ["2", "3"] and new[2:4] == [{"d": "2"}, {"d": "3"}]
    message = incoming.OpenOrder(orderId=1)
    message.contract.primaryExchange = "ARCA"
    message.order.deltaNeutralSettlingFirm = "x"
    payload = Codec(203, Role.GATEWAY).encode(message)
    contract, order = read(oracle_for("10.37.2"), 203, payload).calls[0][1][1:3]
    assert contract["v"]["primaryExchange"] == "" and contract["v"]["deltaNeutralContract"] is not None
    assert order["v"]["deltaNeutralSettlingFirm"] == "" and order["v"]["ddeltaNeutralSettlingFirm"] == "x"
    assert compare(read(latest, 203, payload).calls, our_calls_of(203, payload), ignore=("Order.orderId",)) is None


@proves("text.latin1")
@pytest.mark.parametrize("version", VERSIONS)
def test_text_that_is_not_utf8(version: str, oracle_for: OracleFor) -> None:
    payload = text(83, 1, 0, "Núñez".encode("latin-1"))
    assert read(oracle_for(version), 150, payload).calls == [["newsArticle", [1, 0, "N\\xfa\\xf1ez"]]]
    assert our_calls_of(150, payload) == [["newsArticle", [1, 0, "Núñez"]]]


@proves("text.escaped")
def test_utf8_in_a_field_with_escapes(latest: Oracle) -> None:
    payload = text(46, 6, 1, 45, "ñ \\u00f1")
    assert read(latest, 160, payload).calls == [["tickString", [1, 45, "Ã± ñ"]]]
    assert our_calls_of(160, payload) == [["tickString", [1, 45, "ñ ñ"]]]


@proves("numbers.spelling")
@pytest.mark.parametrize("version", VERSIONS)
def test_spellings_of_numbers(version: str, oracle_for: OracleFor) -> None:
    for spelling in ("1_000", " 1000 "):
        payload = text(9, 1, spelling)
        assert read(oracle_for(version), 150, payload).calls == [["nextValidId", [1000]]]
        with pytest.raises(ProtocolError):
            Codec(150, Role.CLIENT).decode(payload)


@proves("bars.unknown")
@pytest.mark.parametrize("version", VERSIONS)
def test_question_marks_in_bars(version: str, oracle_for: OracleFor) -> None:
    payload = text(17, 3, "20180423  14:00:22", "20200423  14:00:22", 1, "20180424", "?", "?", "?", "?", -1, -1, -1)
    assert read(oracle_for(version), 150, payload).exception
    (bar,) = Codec(150, Role.CLIENT).decode(payload).bars
    assert (bar.open, bar.close, bar.barCount) == (None, None, -1)


ABSENT = next(d for d in BESIDE if d.key == "protobuf.absent").rows


@proves("protobuf.absent")
@pytest.mark.parametrize("name", ABSENT)
def test_absent_submessage(name: str, latest: Oracle) -> None:
    row = by_name(name)
    payload = (row.id + 200).to_bytes(4, "big")
    assert read(latest, 225, payload) == Decoded([], None)
    assert [call[0] for call in our_calls_of(225, payload)] == [c.name for c in row.calls]


def test_no_other_message_is_dropped(latest: Oracle) -> None:
    """An empty protobuf message of every other row makes the same callbacks in both."""
    for row in INCOMING.values():
        if row.proto and row.name not in ABSENT:
            payload = (row.id + 200).to_bytes(4, "big")
            theirs = read(latest, 225, payload)
            problem = compare(theirs.calls, fit(latest, latest, our_calls_of(225, payload), theirs.calls))
            assert theirs.exception is None and problem is None, f"{row.name}: {problem}"
