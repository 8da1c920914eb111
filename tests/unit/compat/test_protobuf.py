"""The protobuf twins: message classes from the spec, callbacks that get them, requests that send them."""

from __future__ import annotations

import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from ibwire.cli import exec_alias
from ibwire.compat import protobuf
from ibwire.compat._proto_wrapper import TWINS as CALLBACKS
from ibwire.compat._sending_proto import TWINS as REQUESTS
from ibwire.compat.client import EClient
from ibwire.compat.decoder import Decoder
from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.protobuf import _build, _schema
from ibwire.compat.wrapper import EWrapper, own_twins
from ibwire.spec import versions as V
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import PROTO_OFFSET, Codec, Role
from tests.gen import Generator

from .links import App, FakeLink, from_gateway

ROOT = Path(__file__).resolve().parents[3]
LATEST = V.MAX_CLIENT_VERSION


def run(code: str) -> str:
    """The output of a program in a process of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


# ------------------------------------------------------------------------------------------------ modules


def test_a_module_for_each_message() -> None:
    from ibwire.compat.protobuf.TickPrice_pb2 import TickPrice  # type: ignore[import-not-found]

    assert protobuf.TickPrice_pb2.TickPrice is TickPrice
    assert TickPrice.DESCRIPTOR.full_name == "protobuf.TickPrice"
    assert len(_schema.messages()) > 200
    for name in _schema.messages():
        assert _build.message_class(name).DESCRIPTOR.name == name


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="Nonsense_pb2"):
        _ = protobuf.Nonsense_pb2
    with pytest.raises(ModuleNotFoundError):
        __import__("ibwire.compat.protobuf.Nonsense_pb2")


def test_a_scalar_has_presence_a_map_is_a_map_and_one_of_three_is_one() -> None:
    price = _build.message_class("TickPrice")(reqId=0)
    assert price.HasField("reqId") and not price.HasField("tickType")
    order = _build.message_class("Order")()
    order.algoParams["adaptivePriority"] = "Normal"
    assert dict(_build.parse("Order", order.SerializeToString()).algoParams) == {"adaptivePriority": "Normal"}
    tick = _build.message_class("TickByTickData")()
    tick.historicalTickLast.price = 1.5
    tick.historicalTickMidPoint.price = 2.5
    assert tick.WhichOneof("tick") == "historicalTickMidPoint" and not tick.HasField("historicalTickLast")


@pytest.mark.parametrize("row", [r for r in OUTGOING.values() if r.proto], ids=lambda r: r.name)
def test_what_our_codec_sends_goes_through_a_message(row: Any) -> None:
    """Nothing that the codec writes is unknown to the class, and what the class writes reads as the same."""
    client, gateway = Codec(LATEST, Role.CLIENT), Codec(LATEST, Role.GATEWAY)
    for seed in range(3):
        payload = client.encode(Generator(seed, fill=0.9).message(row), "proto")
        message = _build.parse(row.proto, payload[4:])
        again = message.SerializeToString(deterministic=True)
        message.DiscardUnknownFields()
        assert message.SerializeToString(deterministic=True) == again
        read = client.encode(gateway.decode(payload[:4] + again), "proto")
        assert _build.parse(row.proto, read[4:]) == message  # a map has no order


def test_without_the_library_the_extra_is_named() -> None:
    blocked = "import sys; sys.modules['google'] = None; sys.modules['google.protobuf'] = None\n"
    said = run(
        blocked
        + "from ibwire.compat.client import EClient\nfrom ibwire.compat.wrapper import EWrapper\n"
        + "try:\n    from ibwire.compat.protobuf.TickPrice_pb2 import TickPrice\n"
        + "except ImportError as e:\n    print(e)\n"
        + "class W(EWrapper):\n    def tickPriceProtoBuf(self, m): pass\n"
        + "from ibwire.compat.dispatch import Dispatcher\n"
        + "Dispatcher(EWrapper(), 225)\n"
        + "try:\n    Dispatcher(W(), 225)\nexcept ImportError as e:\n    print(e)\n"
    )
    assert said.count("pip install 'ibwire[protobuf]'") == 2


def test_who_overrides_nothing_loads_nothing() -> None:
    said = run(
        "import sys\nimport ibwire.compat.client, ibwire.compat.wrapper\n"
        "loaded = lambda: [m for m in sys.modules if m.startswith(('google', 'ibwire.compat.protobuf'))]\n"
        "print(loaded())\n"
        "from ibwire.compat.dispatch import Dispatcher\n"
        "class W(ibwire.compat.wrapper.EWrapper):\n    def tickPrice(self, *a): print(a[:3])\n"
        "from tests.unit.compat.links import from_gateway\n"
        "Dispatcher(W(), 225).interpret(from_gateway('tickPrice', reqId=1, tickType=4, price=2.5))\n"
        "print(loaded())\n"
    )
    assert said.splitlines() == ["[]", "(1, 4, 2.5)", "[]"]


def test_exec_finds_them_under_the_official_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "meta_path", [exec_alias.Alias(), *sys.meta_path])
    for name in [name for name in sys.modules if name.split(".")[0] == "ibapi"]:
        monkeypatch.delitem(sys.modules, name)
    module = __import__("ibapi.protobuf.TickSize_pb2", fromlist=["TickSize"])
    assert module.TickSize is _build.message_class("TickSize")
    for name in [name for name in sys.modules if name.split(".")[0] == "ibapi"]:
        monkeypatch.delitem(sys.modules, name)


# ------------------------------------------------------------------------------------------------ callbacks


class Listener(EWrapper):
    def __init__(self) -> None:
        self.heard: list[Any] = []

    def error(self, *args: Any, **named: Any) -> None:
        self.heard.append(("error", args[2]))

    def tickPriceProtoBuf(self, tickPriceProto: Any) -> None:
        self.heard.append(("tickPriceProtoBuf", tickPriceProto.price, type(tickPriceProto).__name__))

    def tickPrice(self, reqId: int, *args: Any) -> None:
        self.heard.append(("tickPrice", reqId))

    def configResponseProtoBuf(self, configResponseProto: Any) -> None:
        self.heard.append(("config", configResponseProto.reqId))


PRICE: Any = {"reqId": 7, "tickType": 1, "price": 1.25, "size": Decimal(3)}


def test_the_message_comes_before_the_ordinary_callback() -> None:
    listener = Listener()
    dispatcher = Dispatcher(listener, LATEST)
    for payload in (from_gateway("tickPrice", **PRICE), from_gateway("configResponse", reqId=9)):
        dispatcher.interpret(payload)
    assert listener.heard == [("tickPriceProtoBuf", 1.25, "TickPrice"), ("tickPrice", 7), ("config", 9)]
    assert dispatcher.skipped == 0 and dispatcher.counts == {"tickPrice": 1, "configResponse": 1}


def test_a_text_message_has_no_twin() -> None:
    listener = Listener()
    Dispatcher(listener, 176).interpret(from_gateway("tickPrice", 176, **PRICE))
    assert listener.heard == [("tickPrice", 7)]


def test_bytes_that_are_none_are_reported_and_an_exception_goes_through() -> None:
    listener: Any = Listener()
    dispatcher = Dispatcher(listener, LATEST)
    payload = from_gateway("tickPrice", **PRICE)
    dispatcher.interpret(payload[:-1])
    assert listener.heard == [("error", 508)]

    def fails(message: Any) -> None:
        raise RuntimeError(message.reqId)

    listener.tickPriceProtoBuf = fails
    with pytest.raises(RuntimeError, match="7"):
        dispatcher.interpret(payload)
    assert listener.heard == [("error", 508)]


def test_one_that_is_set_later_counts_from_the_next_payload() -> None:
    wrapper: Any = EWrapper()
    heard: list[Any] = []
    dispatcher = Dispatcher(wrapper, LATEST)
    payload = from_gateway("tickSize", reqId=1, tickType=0, size=Decimal(5))
    dispatcher.interpret(payload)
    wrapper.tickSizeProtoBuf = heard.append
    dispatcher.interpret(payload)
    assert [message.size for message in heard] == ["5"]


def test_a_decoder_by_hand_makes_them_too() -> None:
    listener = Listener()
    payload = from_gateway("tickPrice", **PRICE)
    Decoder(listener, LATEST).processProtoBuf(payload[4:], 1)
    assert [name for name, *_ in listener.heard] == ["tickPriceProtoBuf", "tickPrice"]


def test_a_catch_all_is_no_twin() -> None:
    class All:
        def __getattr__(self, name: str) -> Any:
            return lambda *args: None

    assert own_twins(All()) == set() and own_twins(Listener()) == {"tickPriceProtoBuf", "configResponseProtoBuf"}


@pytest.mark.parametrize("row", [r for r in INCOMING.values() if r.proto], ids=lambda r: r.name)
def test_every_callback_gets_its_message(row: Any) -> None:
    heard: list[Any] = []
    wrapper = type("W", (EWrapper,), {CALLBACKS[row.id]: lambda self, message: heard.append(message)})()
    Dispatcher(wrapper, LATEST).interpret((row.id + PROTO_OFFSET).to_bytes(4, "big"))
    assert [message.DESCRIPTOR.name for message in heard] == [row.proto]


# ------------------------------------------------------------------------------------------------ requests


@pytest.mark.parametrize("name", REQUESTS)
def test_every_request_is_sent_as_it_is(name: str) -> None:
    app, twin = App().connected(), REQUESTS[name]
    app.extraAuth = True
    message = _build.message_class(twin.message)()
    if twin.id_field:
        setattr(message, twin.id_field, 42)
    getattr(app, name)(message)
    assert app.link.sent == [(twin.id + PROTO_OFFSET).to_bytes(4, "big") + message.SerializeToString()]
    assert app.heard == []


@pytest.mark.parametrize("name", REQUESTS)
def test_a_gateway_that_is_too_old_is_sent_nothing(name: str) -> None:
    twin = REQUESTS[name]
    app = App(FakeLink(twin.since - 1)).connected()
    app.extraAuth = True
    getattr(app, name)(_build.message_class(twin.message)())
    assert app.link.sent == [] and app.codes() == [(twin.no_id, 503)]


def test_not_connected_is_504_with_the_id_of_the_message() -> None:
    app = App()
    app.placeOrderProtoBuf(_build.message_class("PlaceOrderRequest")(orderId=5))
    app.placeOrderProtoBuf(_build.message_class("PlaceOrderRequest")())
    app.reqConfigProtoBuf(_build.message_class("ConfigRequest")(reqId=6))
    app.reqIdsProtoBuf(_build.message_class("IdsRequest")())
    assert app.codes() == [(5, 504), (0, 504), (6, 504), (-1, 504)]


def test_none_sends_nothing_and_says_nothing() -> None:
    app = App().connected()
    app.reqMarketDataProtoBuf(None)
    assert (app.link.sent, app.heard) == ([], [])


@pytest.mark.parametrize("wrong", [3, "text", _build.message_class("TickPrice")(reqId=1)])
def test_another_message_is_refused_by_name(wrong: Any) -> None:
    app = App().connected()
    app.reqMarketDataProtoBuf(wrong)
    assert app.link.sent == [] and [code for _, code in app.codes()] == [510]
    assert "give a MarketDataRequest" in app.heard[0][1][3]


@pytest.mark.parametrize(
    ("field", "value", "needs"),
    [("deactivate", True, V.ADDITIONAL_ORDER_PARAMS_1), ("whatIfType", 1, V.ADDITIONAL_ORDER_PARAMS_2)],
)
def test_an_order_with_a_newer_field_is_refused(field: str, value: Any, needs: int) -> None:
    message = _build.message_class("PlaceOrderRequest")(orderId=5)
    setattr(message.order, field, value)
    old, new = App(FakeLink(needs - 1)).connected(), App(FakeLink(needs)).connected()
    for app in (old, new):
        app.placeOrderProtoBuf(message)
    assert old.link.sent == [] and old.codes() == [(5, 503)] and f"order.{field}" in old.heard[0][1][3]
    assert len(new.link.sent) == 1 and new.heard == []


def test_verify_needs_extra_auth() -> None:
    app = App().connected()
    app.verifyRequestProtoBuf(_build.message_class("VerifyRequest")())
    assert app.link.sent == [] and app.codes() == [(-1, 544)]


def test_anything_that_serializes_will_do() -> None:
    class Message:
        def SerializeToString(self) -> bytes:
            return b"\x08\x01"

    class Broken:
        def SerializeToString(self) -> bytes:
            raise ValueError("not complete")

    app = App().connected()
    app.cancelMarketDataProtoBuf(Message())
    assert app.link.sent == [(2 + PROTO_OFFSET).to_bytes(4, "big") + b"\x08\x01"]
    app.cancelMarketDataProtoBuf(Broken())
    assert len(app.link.sent) == 1 and app.codes() == [(-1, 511)]


def test_the_gateway_reads_what_was_built() -> None:
    message = _build.message_class("MarketDataRequest")(reqId=3, genericTickList="233")
    message.contract.symbol = "AAPL"
    app = App().connected()
    app.reqMarketDataProtoBuf(message)
    got = Codec(LATEST, Role.GATEWAY).decode(app.link.sent[0])
    assert (got.reqId, got.contract.symbol, got.genericTickList) == (3, "AAPL", "233")
    assert EClient.reqMarketDataProtoBuf.__doc__
