"""The compiled dispatcher does what the plain one does, on good payloads and on broken ones."""

from __future__ import annotations

from decimal import Decimal
from random import Random
from typing import Any

import pytest

from benchmarks import mixes
from ibwire.compat._wrapper import Callbacks
from ibwire.compat.dispatch import Dispatcher
from ibwire.compat.wrapper import EWrapper
from ibwire.spec.registry import INCOMING
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import interesting_versions
from tests.gen import ANY_TEXT, PRINTABLE, Generator
from tests.unit.compat.test_dispatch import plain


def shown(value: Any) -> Any:
    if isinstance(value, list | tuple | set):
        return [type(value).__name__, *map(shown, value)]
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return [type(value).__name__, {k: shown(v) for k, v in vars(value).items()}]
    return (type(value).__name__, repr(value))


class Everything(EWrapper):
    """Keeps every callback."""

    def __init__(self) -> None:
        self.made: list[Any] = []


def _keeps(name: str) -> Any:
    def callback(self: Everything, *args: Any) -> None:
        args = (args[0], *args[2:]) if name == "error" else args  # the time of our own errors differs
        self.made.append((name, shown(args)))

    return callback


for _name in [name for name in vars(Callbacks) if not name.startswith("_")]:
    setattr(Everything, _name, _keeps(_name))


def both(payloads: list[bytes], version: int, **settings: Any) -> tuple[list[Any], list[Any], Dispatcher]:
    """What the compiled and the plain dispatcher make of the same payloads."""
    wrappers = Everything(), Everything()
    compiled, reference = Dispatcher(wrappers[0], version, **settings), plain(wrappers[1], version, **settings)
    for payload in payloads:
        compiled.interpret(payload)
        reference.interpret(payload)
    assert compiled.counts == reference.counts and compiled.skipped == reference.skipped == 0
    return wrappers[0].made, wrappers[1].made, compiled


@pytest.mark.parametrize("dialect", mixes.DIALECTS)
@pytest.mark.parametrize("mix", mixes.MIXES)
def test_the_mixes(mix: str, dialect: str) -> None:
    payloads = list(mixes.payloads(mixes.mix(mix, dialect, 300, 5)))
    ours, reference, _ = both(payloads, mixes.SERVER_VERSIONS[dialect])
    assert ours == reference and len(ours) >= 300


@pytest.mark.parametrize("sizes", ["int", "float"])
@pytest.mark.parametrize("dialect", mixes.DIALECTS)
def test_the_mixes_with_other_sizes(dialect: str, sizes: str) -> None:
    payloads = list(mixes.payloads(mixes.mix("M2", dialect, 300, 5)))
    ours, reference, _ = both(payloads, mixes.SERVER_VERSIONS[dialect], sizes=sizes)
    assert ours == reference


ROWS = [row for row in INCOMING.values() if row.cls_name in incoming.CLASSES and row.calls]


@pytest.mark.parametrize("row", ROWS, ids=lambda r: r.name)
def test_every_message_at_its_interesting_versions(row: Any) -> None:
    for version in interesting_versions(row):
        codec = Codec(version, Role.GATEWAY)
        if row.text is None and version < row.proto_since:
            continue
        payloads = []
        for i in range(6):
            words = ANY_TEXT if i % 2 and version >= row.proto_since > 0 else PRINTABLE
            generator = Generator(f"{row.name} {version} {i}", fill=(0.2, 0.6, 0.95)[i % 3], words=words)
            payloads.append(codec.encode(generator.message(row)))
        ours, reference, _ = both(payloads, version)
        assert ours == reference, f"{row.name} at {version}"


HOT = ("tickPrice", "tickSize", "tickString", "tickGeneric", "orderStatus", "error", "updateMktDepth")


@pytest.mark.parametrize("version", [100, 176, 225])
def test_broken_payloads(version: int) -> None:
    rng = Random(11)
    codec = Codec(version, Role.GATEWAY)
    payloads = []
    for name in HOT:
        row = next(r for r in INCOMING.values() if r.name == name)
        for i in range(150):
            payload = bytearray(codec.encode(Generator(f"{name} {i}", fill=0.8, words=PRINTABLE).message(row)))
            payloads.append(bytes(payload))
            for _ in range(rng.randint(1, 3)):
                kind, at = rng.randrange(4), rng.randrange(len(payload))
                if kind == 0:
                    payload[at] = rng.choice(b"\0\x01-+.eE09N\xff\\\x80")
                elif kind == 1:
                    del payload[at:]
                elif kind == 2:
                    payload[at:at] = rng.choice([b"\0", b"9", b"-", b".", b"\xff\xff", b"00000000000000000000"])
                else:
                    payload += rng.choice([b"\0", b"7\0", b"\x80", b"x"])
                if not payload:
                    break
            payloads.append(bytes(payload))
    ours, reference, _ = both(payloads, version)
    assert ours == reference


@pytest.mark.parametrize("size", ["0", "300", "1.50", "00012", "123456789.12345", "5.", ".5", "1e3", "2147483647", ""])
def test_sizes_keep_their_text(size: str) -> None:
    payload = f"2\x006\x007\x000\x00{size}\0".encode()
    ours, reference, _ = both([payload, payload], 176)
    assert ours == reference and len(ours) == 2
    ours, reference, _ = both([payload, payload], 176, sizes="int")
    assert ours == reference


def test_price_ticks_share_their_flags_and_sizes() -> None:
    got: list[Any] = []

    class Program(EWrapper):
        def tickPrice(self, reqId: int, tickType: int, price: float, attrib: Any) -> None:
            got.append(attrib)

        def tickSize(self, reqId: int, tickType: int, size: Decimal) -> None:
            got.append(size)

    dispatcher = Dispatcher(Program(), 176)
    for _ in range(3):  # the first goes the general way
        dispatcher.interpret(b"1\x006\x007\x001\x001.5\x00300\x003\x00")
    assert got[2] is got[4] and got[3] is got[5]
    assert (got[4].canAutoExecute, got[4].pastLimit, got[4].preOpen) == (True, True, False)
    dispatcher.interpret(b"1\x006\x007\x001\x001.5\x00300\x001\x00")
    assert got[6] is not got[4] and got[7] is got[5]


def test_many_sizes_are_all_right() -> None:
    got: list[Any] = []

    class Program(EWrapper):
        def tickSize(self, reqId: int, tickType: int, size: Decimal) -> None:
            got.append(size)

    dispatcher = Dispatcher(Program(), 176)
    for n in range(20_000):
        dispatcher.interpret(b"2\x006\x007\x000\x00%d\x00" % n)
    assert got == [Decimal(n) for n in range(20_000)]


def test_an_exception_in_the_first_callback_leaves_out_the_second() -> None:
    class Faulty(Everything):
        def tickPrice(self, *args: Any) -> None:
            raise ZeroDivisionError

    wrapper = Faulty()
    dispatcher = Dispatcher(wrapper, 176)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            dispatcher.interpret(b"1\x006\x007\x001\x001.5\x00300\x003\x00")
    dispatcher.interpret(b"2\x006\x007\x000\x00300\x00")
    assert [name for name, _ in wrapper.made] == ["tickSize"]


def test_a_callback_may_dispatch_and_change_the_routes() -> None:
    class Nested(Everything):
        depth = 0

        def tickPrice(self, *args: Any) -> None:
            self.depth += 1
            if self.depth < 20:
                dispatcher.refresh()
                dispatcher.interpret(b"2\x006\x007\x000\x00%d.25\x00" % self.depth)
                dispatcher.interpret(b"1\x006\x007\x001\x001.5\x00300\x003\x00")

    wrapper = Nested()
    dispatcher = Dispatcher(wrapper, 176)
    for _ in range(2):
        wrapper.depth = 0
        wrapper.made.clear()
        dispatcher.interpret(b"1\x006\x007\x001\x001.5\x00300\x003\x00")
        assert wrapper.depth == 20 and len(wrapper.made) == 39
