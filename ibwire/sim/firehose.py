"""Load: blocks of frames that were encoded before, with the time of sending patched into them. No socket here.

The first message of every block carries the time at which the block was sent, in place of its size: `STAMP_DIGITS`
digits, nanoseconds of the sender's monotonic clock modulo `STAMP_MODULO`, so that it is exact also as a float64. One
clock read and one patch serve a whole block; a block is as much as is sent at once.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from ibwire.errors import ConfigError
from ibwire.sim.rng import Rng
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

STAMP_DIGITS = 16
STAMP_MODULO = 9_000_000_000_000_000
_PLACE = 8_123_456_789_123_456  # no other number of a frame looks like this
_BLOCK_MESSAGES = 8192


@dataclass(slots=True)
class Block:
    """Frames to be sent at once: the bytes, where the time goes, and how many messages they are."""

    data: bytearray
    stamp_at: int
    messages: int

    def stamp(self, now_ns: int) -> memoryview:
        """Patch the time in and return the bytes."""
        at = self.stamp_at
        self.data[at : at + STAMP_DIGITS] = b"%0*d" % (STAMP_DIGITS, now_ns % STAMP_MODULO)
        return memoryview(self.data)


def _tick_price(reqId: int, rng: Rng) -> Any:
    price, size = 187 + rng.below(200) / 100, Decimal(rng.between(1, 40) * 100)
    return incoming.TickPrice(reqId, rng.between(1, 2), price, size)


def _tick_size(reqId: int, rng: Rng) -> Any:
    return incoming.TickSize(reqId, (0, 3, 5, 8)[rng.below(4)], Decimal(rng.between(1, 4000) * 100))


def _order_status(reqId: int, rng: Rng) -> Any:
    filled = Decimal(rng.between(0, 100))
    return incoming.OrderStatus(
        reqId, "Submitted", filled, 100 - filled, 187.43, 904_117 + reqId, 0, 187.42, 1, "", 0.0
    )


# Messages with values of their own; every other one goes with its defaults and the request id.
_SAMPLES: dict[str, Callable[[int, Rng], Any]] = {
    "tickPrice": _tick_price,
    "tickSize": _tick_size,
    "orderStatus": _order_status,
    "tickString": lambda reqId, rng: incoming.TickString(reqId, 45, str(1_772_461_800 + rng.below(10_000))),
    "tickGeneric": lambda reqId, rng: incoming.TickGeneric(reqId, 49, float(rng.below(3))),
}


def kind_of(name: str) -> type[Any]:
    """The class of a message that a gateway sends; raises ConfigError with the nearest name."""
    kinds = {cls.NAME: cls for cls in incoming.CLASSES.values()}
    if name not in kinds:
        near = difflib.get_close_matches(name, kinds, 1, 0.5)
        raise ConfigError(f"there is no message {name!r}", hint=f"did you mean {near[0]}?" if near else "")
    found: type[Any] = kinds[name]
    return found


def sample(name: str, reqId: int, rng: Rng) -> Any:
    """One message of that name."""
    make = _SAMPLES.get(name)
    if make is not None:
        return make(reqId, rng)
    message = kind_of(name)()
    if hasattr(message, "reqId"):
        message.reqId = reqId
    return message


def blocks(
    server_version: int,
    mix: Sequence[str],
    reqIds: Sequence[int],
    *,
    messages: int = _BLOCK_MESSAGES,
    count: int = 4,
    seed: int = 7,
) -> list[Block]:
    """Encode `count` different blocks of `messages` frames, round robin over the names and the request ids.

    Raises
    ------
    ConfigError
        If a name is no message of a gateway, or there is none.
    """
    if not mix or not reqIds or messages < 1:
        raise ConfigError("a firehose needs a message, a request id and a length")
    for name in mix:
        kind_of(name)
    codec, rng = Codec(server_version, Role.GATEWAY), Rng.of(seed, "firehose")
    first = "tickPrice" if "tickPrice" in mix else "tickSize"
    made = []
    for _ in range(count):
        stamped = sample(first, reqIds[0], rng)
        stamped.size = Decimal(_PLACE)
        data = bytearray(frame(codec.encode(stamped)))
        at = data.index(b"%d" % _PLACE)
        for number in range(1, messages):
            message = sample(mix[number % len(mix)], reqIds[number // len(mix) % len(reqIds)], rng)
            data += frame(codec.encode(message))
        made.append(Block(data, at, messages))
    return made


def age_ns(size: Decimal | float, now_ns: int) -> int:
    """How long ago a stamped message was sent, from the size that it carries."""
    return (now_ns - int(size)) % STAMP_MODULO
