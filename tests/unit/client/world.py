"""A client and the simulated gateway in one thread, on one virtual clock: only what a test lets happen does."""

from __future__ import annotations

from typing import Any, cast

from ibwire.client.core import Core, LinkLike
from ibwire.client.order_handle import OrderHandle, Turn
from ibwire.config import Settings
from ibwire.errors import IbwireError, SessionLost
from ibwire.io.wait import Bell
from ibwire.ring import impl
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.gateway import Gateway
from ibwire.types import outgoing
from ibwire.types.constructors import limit, stock
from ibwire.types.structs import Order
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

APPLE = stock("AAPL")


class Ending:
    def __init__(self, error: IbwireError) -> None:
        self.error = error


class SimLink:
    """A link to a simulated gateway without a socket; what it says is taken in by :meth:`pull`."""

    def __init__(self, gateway: Gateway, server_version: int = 225) -> None:
        self.server_version, self.gateway = server_version, gateway
        self.market, self.orders, self.control = impl.MarketRing(1024), impl.LogRing(), impl.LogRing()
        self.decoder = impl.StreamDecoder(server_version, self.market, self.orders, self.control)
        self.tables = self.every = None
        self.bell = Bell()
        self.ending: Ending | None = None
        self.sent: list[Any] = []
        self.deaf: set[type[Any]] = set()  # requests that never arrive
        self.fail: IbwireError | None = None
        self.eager = False  # answers are there when a send returns
        self.session = gateway.connect("client", server_version)
        self._codec = Codec(server_version, Role.GATEWAY)

    def start(self) -> None:
        self.session.receive(outgoing.StartApi(clientId=1))
        self.pull()

    def turn(self, *_: Any) -> None: ...

    def send(self, payload: bytes, traffic: Any = None) -> None:
        if self.fail is not None:
            raise self.fail
        message = self._codec.decode(payload)
        self.sent.append(message)
        if type(message) not in self.deaf:
            self.session.receive(message)
        if self.eager:
            self.gateway.advance(self.gateway.clock.now_ns)
            self.pull()

    def pull(self) -> None:
        self.tell(*self.session.take())

    def tell(self, *messages: Any) -> None:
        if messages:
            data = b"".join(frame(self._codec.encode(message)) for message in messages)
            self.decoder.receive(data, self.gateway.clock.now_ns)
            self.bell.ring()

    def count(self, kind: type[Any]) -> int:
        return sum(type(message) is kind for message in self.sent)

    def close(self) -> None:
        self.ending = self.ending or Ending(SessionLost("closed"))

    def adopt(self) -> None:
        """One thread."""


class World:
    """Gateway, link and client, ready."""

    def __init__(
        self,
        *,
        server_version: int = 225,
        gateway: Gateway | None = None,
        reconcile: bool = False,
        **settings: Any,
    ) -> None:
        self.gateway = gateway or Gateway(7, **settings)
        self.link = SimLink(self.gateway, server_version)
        clock = self.gateway.clock
        made = Settings.make("paper", mode="inline", timeout_s=1.0, allow_unqualified=True)
        self.core = Core(made, cast(LinkLike, self.link), lambda: clock.now_ns)
        self.orders, self.force = self.core.orders, self.gateway.force
        self.link.eager = reconcile
        self.core.start(reconcile=reconcile)
        self.link.eager = False

    def reconnect(self) -> World:
        """The same gateway, another life of the program."""
        self.core.close()
        self.link.session.close()
        return World(gateway=self.gateway, reconcile=True)

    def settle(self) -> None:
        """Let everything happen that happens now."""
        for _ in range(100):
            self.gateway.advance(self.gateway.clock.now_ns)
            self.link.pull()
            before = len(self.link.sent), self.core.queries.due_ns()
            self.core.pump.turn()
            if not self.link.session.outbox and before == (len(self.link.sent), self.core.queries.due_ns()):
                return

    def run(self, seconds: float) -> None:
        """Let time pass, and everything happen at its time."""
        clock = self.gateway.clock
        end_ns = clock.now_ns + int(seconds * NS_PER_S)
        self.settle()
        while clock.now_ns < end_ns:
            ours = self.core.queries.due_ns(), self.core.groups.due_ns
            dues = [due for due in (clock.next_due_ns(), *ours, end_ns) if due is not None]
            self.gateway.advance(max(clock.now_ns, min(*dues, end_ns)))
            self.settle()

    def place(self, price: float = 1.0, size: int = 10, **fields: Any) -> OrderHandle:
        order: Order = limit("BUY", size, price)
        for name, value in fields.items():
            setattr(order, name, value)
        return self.orders.place(APPLE, order)

    def resting(self, price: float = 1.0) -> OrderHandle:
        """An order that works."""
        order = self.place(price)
        self.run(1)
        assert order.is_live
        return order


def turns(order: OrderHandle) -> list[Turn]:
    return [point.turn for point in order.critical]
