"""A link without a socket, and a wrapper that writes down what it is told."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from ibwire.compat.client import EClient
from ibwire.compat.wrapper import EWrapper
from ibwire.errors import SessionLost
from ibwire.ring import impl
from ibwire.ring.log import ENTRY_HEAD
from ibwire.ring.payloads import Payloads
from ibwire.spec.registry import by_name
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role


class FakeLink:
    """What EClient sends is kept in ``sent``; what ``arriving`` holds is received. An exception in it is raised."""

    def __init__(self, server_version: int = 225) -> None:
        self.server_version = server_version
        self.connection_time = "20260102 09:30:00 UTC"
        self.sent: list[bytes] = []
        self.arriving: deque[bytes | BaseException | None] = deque()
        self.peer_closes = True
        self.closed = 0
        self.lost = 0
        market = impl.MarketRing(64)
        self._ring = impl.LogRing()
        self._source: Any = getattr(market, "region", None) or SimpleNamespace(watermark=1)
        if hasattr(self._source, "publish"):
            self._source.publish(1)
        self._payloads = Payloads(self._source, self._ring.cursor())

    def is_open(self) -> bool:
        return not self.closed

    def send(self, payload: bytes) -> None:
        if self.closed:
            raise SessionLost("closed")
        self.sent.append(payload)

    def receive_many(self, timeout_ms: int, most: int) -> list[bytes]:
        """Everything up to what is no payload: None is a wait in vain."""
        found: list[bytes] = []

        def take(payloads: Any) -> int:
            found.extend(payloads.poll(most))
            return len(found)

        self.drain(timeout_ms, take)
        return found

    def drain(self, timeout_ms: int, into: Callable[[Any], int]) -> int:
        if not self.closed:
            while self.arriving and isinstance(self.arriving[0], bytes):
                payload = self.arriving.popleft()
                assert isinstance(payload, bytes)
                self._ring.append(ENTRY_HEAD.pack(0, 0, 0, 0, 0, 0, len(payload), 0), payload)
            if count := into(self._payloads):
                return count
        if self.closed or (not self.arriving and self.peer_closes):
            raise SessionLost("closed")
        item = self.arriving.popleft() if self.arriving else None
        if isinstance(item, BaseException):
            raise item
        return 0

    def close(self) -> None:
        self.closed += 1


class Recorder(EWrapper):
    """Writes down some callbacks as ``(name, arguments)``."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, tuple[Any, ...]]] = []

    def error(self, *args: Any, **kw: Any) -> None:
        self.heard.append(("error", args))

    def connectAck(self) -> None:
        self.heard.append(("connectAck", ()))

    def connectionClosed(self) -> None:
        self.heard.append(("connectionClosed", ()))

    def nextValidId(self, orderId: int) -> None:
        self.heard.append(("nextValidId", (orderId,)))

    def names(self) -> list[str]:
        return [name for name, _ in self.heard]

    def codes(self) -> list[tuple[int, int]]:
        """(id, code) of each error."""
        return [(args[0], args[2]) for name, args in self.heard if name == "error"]


class App(Recorder, EClient):
    """A program in the usual style: wrapper and client in one object, on a link of its own."""

    def __init__(self, link: FakeLink | None = None) -> None:
        Recorder.__init__(self)
        EClient.__init__(self, self)
        self.link = link or FakeLink()

    def _ibwire_open(self, host: str, port: int, options: str) -> FakeLink:
        self.opened_with = (host, port, options)
        return self.link

    def connected(self) -> App:
        self.connect("127.0.0.1", 4002, 7)
        self.heard.clear()
        self.link.sent.clear()
        return self


def from_gateway(name: str, server_version: int = 225, **values: Any) -> bytes:
    """The payload of a message as a gateway sends it."""
    cls = incoming.CLASSES[by_name(name).cls_name]
    return Codec(server_version, Role.GATEWAY).encode(cls(**values))


def at_gateway(payload: bytes, server_version: int = 225) -> Any:
    """What a gateway reads from a request's payload."""
    return Codec(server_version, Role.GATEWAY).decode(payload)
