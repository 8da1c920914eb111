"""The compiled decoder: cuts a byte stream into frames and runs plans over them."""

from collections.abc import Callable
from typing import Any, final

from ibwire._reader import Decoder
from ibwire._ring import EveryRing, LogRing, MarketRing

def tools(plain: Any) -> None:
    """Give the plain twin's functions for unusual values; called once, by ``wire/impl.py``."""

def text_decode(plan: Any, payload: bytes, start: int, make: Callable[..., Any]) -> tuple[list[Any], int] | None:
    """Twin of ``wire.text.decode``: (registers, extra bytes), or None where that one raises."""

def proto_decode(plan: Any, payload: bytes, start: int, make: Callable[..., Any]) -> tuple[list[Any], int] | None:
    """Twin of ``wire.proto.decode``: (registers, unknown fields), or None where that one raises."""

def text_encode(plan: Any, regs: list[Any], out: bytearray, flatten: Callable[..., list[Any]]) -> None:
    """Twin of ``wire.text.encode``."""

@final
class StreamDecoder(Decoder):
    """Frames and decodes a received stream into rings, without the GIL. Twin: ``ibwire.ring.stream``."""

    stats: dict[str, int]
    pending_bytes: int
    def __init__(
        self,
        tables: dict[str, Any],
        market: MarketRing,
        orders: LogRing,
        control: LogRing,
        twin: Callable[[bytes], tuple[bytes, int]] | None = None,
        every: EveryRing | None = None,
    ) -> None: ...
    def receive(self, data: bytes | bytearray | memoryview, recv_ns: int) -> int:
        """Take received bytes; returns how many messages were completed."""
