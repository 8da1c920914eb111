"""One client of the simulated gateway: what it subscribed to and what it is owed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Any, Protocol

from ibwire.sim.clock import Scheduled, VirtualClock
from ibwire.sim.orders import Fill
from ibwire.spec.registry import INCOMING
from ibwire.types import incoming

if TYPE_CHECKING:
    from ibwire.sim.gateway import Gateway

NS_PER_MS = 1_000_000
_SINCE = {incoming.CLASSES[row.cls_name]: row.since for row in INCOMING.values() if row.since > 100}


class Feed(Protocol):
    """Something that keeps sending to one client until it is closed."""

    def close(self) -> None:
        """Stop. Twice is harmless."""

    def after_fill(self, fill: Fill) -> None:
        """A fill was booked, whoever's order it was."""


class Timer:
    """Runs an action every `period_ns` of virtual time until it is closed; the first time after one period."""

    __slots__ = ("_action", "_clock", "_next", "_period_ns")

    def __init__(self, clock: VirtualClock, period_ns: int, action: Callable[[], None]) -> None:
        self._clock, self._period_ns, self._action = clock, period_ns, action
        self._next: Scheduled | None = clock.after(period_ns, self._run)

    def _run(self) -> None:
        self._next = self._clock.after(self._period_ns, self._run)
        self._action()

    def close(self) -> None:
        """Stop."""
        if self._next is not None:
            self._clock.cancel(self._next)
            self._next = None


class ClientSession:
    """One connected client.

    Made by `Gateway.connect`. Typed requests go into `receive`; what the gateway answers, at once or as virtual time
    goes by, collects in `outbox` in the order in which it is to be sent.

    Attributes
    ----------
    key : hashable
        Whatever the caller named the client.
    server_version : int
        The version agreed with it: messages that it cannot know are not sent to it.
    clientId : int or None
        None until its startApi was accepted.
    outbox : list
        Typed incoming messages not yet taken, and where `to_frame` is set also frames.
    closed : bool
        The gateway is done with it: send what is in the outbox, then hang up.

    Notes
    -----
    Not thread-safe: one thread owns a gateway and all of its sessions.
    """

    def __init__(self, gateway: Gateway, key: Hashable, server_version: int) -> None:
        self.gateway = gateway
        self.key = key
        self.server_version = server_version
        self.clientId: int | None = None
        self.market_data_type = 1
        self.outbox: list[Any] = []
        self.closed = False
        # Set by whoever sends the outbox, when each message must become bytes at once.
        self.flush: Callable[[], None] | None = None
        # Set by whoever sends the outbox as bytes and looks at no message: then whole frames may stand in it.
        self.to_frame: Callable[[Any], bytes] | None = None
        # (kind of request, request id) -> feed; requests without an id have 0.
        self._feeds: dict[tuple[str, int], Feed] = {}

    # -- what the caller does ----------------------------------------------------------------------------------------

    def receive(self, message: Any) -> None:
        """Take one request (a message of `ibwire.types.outgoing`, or anything that the codec could not place)."""
        if not self.closed:
            self.gateway.handle(self, message)

    def take(self) -> list[Any]:
        """Return what is in the outbox, in order, and empty it."""
        out, self.outbox = self.outbox, []
        return out

    def close(self, *, abrupt: bool = False) -> None:
        """The connection is gone: end every subscription and give the client id back. Orders live on.

        After an abrupt end the gateway keeps the client id for `Gateway.client_id_hold_ns`.
        """
        self.closed = True
        self.drop_feeds()
        self.gateway.forget(self, abrupt=abrupt)

    # -- what the gateway does ---------------------------------------------------------------------------------------

    def send(self, message: Any) -> None:
        """Put one message into the outbox, unless this client's version has no such message."""
        if self.closed or _SINCE.get(type(message), 0) > self.server_version:
            return
        director = self.gateway.director
        if director is None:
            self.outbox.append(message)
        else:
            director.on_message(self, message)

    def put(self, message: Any) -> None:
        """Put one message (or a `LineAct`) into the outbox as it is, past every scenario."""
        if not self.closed:
            self.outbox.append(message)
            if self.flush is not None:
                self.flush()

    def error(self, reqId: int, code: int, text: str) -> None:
        """Send an error, a warning or a notice; id -1 is about no request."""
        self.send(incoming.Error(reqId, self.gateway.clock.now_ns // NS_PER_MS, code, text))

    def owner(self) -> int:
        """The client id of a session that was started."""
        assert self.clientId is not None  # Gateway.handle lets nothing but startApi through before
        return self.clientId

    def add_feed(self, kind: str, reqId: int, feed: Feed) -> None:
        """Keep a feed; one of the same kind and id that was there before is closed."""
        self.drop_feed(kind, reqId)
        self._feeds[kind, reqId] = feed

    def feeds(self) -> list[tuple[str, int]]:
        """(kind, request id) of every feed that runs, oldest first."""
        return list(self._feeds)

    def drop_feed(self, kind: str, reqId: int) -> bool:
        """Close a feed; False when there is none."""
        feed = self._feeds.pop((kind, reqId), None)
        if feed is not None:
            feed.close()
        return feed is not None

    def has_feed(self, kind: str, reqId: int) -> bool:
        """True while that feed runs."""
        return (kind, reqId) in self._feeds

    def count_feeds(self, kind: str) -> int:
        """How many feeds of a kind run."""
        return sum(1 for name, _ in self._feeds if name == kind)

    def drop_feeds(self) -> None:
        """Close every feed."""
        for kind, reqId in list(self._feeds):
            self.drop_feed(kind, reqId)

    def after_fill(self, fill: Fill) -> None:
        """Tell every feed of a fill."""
        for feed in list(self._feeds.values()):
            feed.after_fill(fill)


Handlers = dict[type[Any], Callable[[ClientSession, Any], None]]
"""Request class -> the function that answers it."""
