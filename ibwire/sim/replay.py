"""Serves captured sessions: requests are matched to captured ones, and get the answers that those got, ids re-mapped.

What a gateway sent is laid at the door of the request that it answers: by its request or order id, by the kind of
request where there is no id (positions, account values), by the execution for a commission report; everything else
belongs to startApi and comes to whoever connects. Answers keep their distance in time to their request. A request that
was not captured is answered with 321, so that nobody waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ibwire.errors import CaptureError, IbwireError, ProtocolError
from ibwire.sim.clock import VirtualClock
from ibwire.sim.faults import Line
from ibwire.sim.rng import Rng
from ibwire.spec import versions as V
from ibwire.types import incoming, outgoing
from ibwire.wire.capture import Session
from ibwire.wire.codec import PROTO_OFFSET, Codec, Role, UnknownMessage
from ibwire.wire.framing import Framer, frame
from ibwire.wire.plan import Dialect

NOT_CAPTURED = 321
_HELLO = b"API\0"
_NS_PER_MS = 1_000_000
_IDS = ("reqId", "tickerId", "orderId", "id")
# Requests without an id -> the messages that answer them.
_BY_KIND: dict[str, frozenset[str]] = {
    "reqAccountUpdates": frozenset(
        {"updateAccountValue", "updatePortfolio", "updateAccountTime", "accountDownloadEnd"}
    ),
    "reqPositions": frozenset({"position", "positionEnd"}),
    "reqOpenOrders": frozenset({"openOrderEnd"}),
    "reqAllOpenOrders": frozenset({"openOrderEnd"}),
    "reqCompletedOrders": frozenset({"completedOrder", "completedOrdersEnd"}),
    "reqCurrentTime": frozenset({"currentTime"}),
    "reqCurrentTimeInMillis": frozenset({"currentTimeInMillis"}),
    "reqIds": frozenset({"nextValidId"}),
    "reqManagedAccts": frozenset({"managedAccounts"}),
    "reqFamilyCodes": frozenset({"familyCodes"}),
    "reqScannerParameters": frozenset({"scannerParameters"}),
    "reqNewsBulletins": frozenset({"updateNewsBulletin"}),
    "reqNewsProviders": frozenset({"newsProviders"}),
    "reqMktDepthExchanges": frozenset({"mktDepthExchanges"}),
    "reqMarketRule": frozenset({"marketRule"}),
    "requestFA": frozenset({"receiveFA"}),
}
_SNAPSHOTS = ("reqOpenOrders", "reqAllOpenOrders")
_ORDER_NEWS = ("openOrder", "orderStatus")


def name_of(message: Any) -> str:
    """IB's name of a message; empty for an unknown one."""
    name: str = getattr(type(message), "NAME", "")
    return name


def id_of(message: Any) -> int | None:
    """The request or order id of a message; None for one without."""
    for name in _IDS:
        found = getattr(message, name, None)
        if isinstance(found, int):
            return found
    return None


def without_id(message: Any) -> Any:
    """A copy of a request whose ids are 0: what it asks for."""
    copy = deepcopy(message)
    for name in _IDS:
        if isinstance(getattr(copy, name, None), int):
            setattr(copy, name, 0)
    order = getattr(copy, "order", None)
    if order is not None:
        order.orderId = order.clientId = order.parentId = 0
        order.permId = 0
    return copy


@dataclass(slots=True)
class Answer:
    """One captured message: how long after its request it came, its payload, and what it says (None: unreadable)."""

    delay_ns: int
    payload: bytes
    message: Any


@dataclass(slots=True)
class Exchange:
    """One captured request and what answers it."""

    time_ns: int
    message: Any
    key: Any
    reqId: int | None
    answers: list[Answer] = field(default_factory=list)
    used: bool = False


class Script:
    """A captured session, sorted into exchanges; the first one is startApi's.

    Parameters
    ----------
    session : Session
        With a whole handshake.

    Attributes
    ----------
    unread : int
        How many captured messages could not be decoded; those of the gateway are sent as they were.
    """

    def __init__(self, session: Session) -> None:
        self.session, self.server_version = session, session.server_version
        self.unread = 0
        self.exchanges = [Exchange(session.begin_ns, outgoing.StartApi(), outgoing.StartApi, None)]
        self._by_id: dict[int, Exchange] = {}
        self._by_name: dict[str, Exchange] = {}
        self._by_execution: dict[str, Exchange] = {}
        requests = Codec(session.server_version, Role.GATEWAY)
        answers = Codec(session.server_version, Role.CLIENT)
        last_ns = 0
        for found in session.messages:
            codec = requests if found.from_client else answers
            try:
                message: Any = codec.decode(found.payload)
            except ProtocolError:
                message = None
            if message is None or isinstance(message, UnknownMessage):
                self.unread += 1
                message = None
            if found.from_client:
                if message is not None:
                    self._request(found.time_ns, message)
            else:
                owner = self._owner(message)
                # What came in one read has one time; a nanosecond each keeps its order among several requests.
                last_ns = max(found.time_ns, last_ns + 1)
                delay_ns = max(last_ns - owner.time_ns, 0)
                owner.answers.append(Answer(delay_ns, found.payload, message))

    def _request(self, time_ns: int, message: Any) -> None:
        if isinstance(message, outgoing.StartApi):
            self.exchanges[0].time_ns, self.exchanges[0].message = time_ns, message
            return
        exchange = Exchange(time_ns, message, without_id(message), id_of(message))
        self.exchanges.append(exchange)
        self._by_name[name_of(message)] = exchange
        if exchange.reqId is not None:
            self._by_id[exchange.reqId] = exchange

    def _owner(self, message: Any) -> Exchange:
        """The exchange that a captured message belongs to."""
        name = name_of(message)
        start = self.exchanges[0]
        if name == "commissionAndFeesReport":
            return self._by_execution.get(message.commissionAndFeesReport.execId, start)
        found = id_of(message)
        if name == "execDetails":
            owner = self._by_id.get(found if found is not None and found >= 0 else message.execution.orderId, start)
            self._by_execution[message.execution.execId] = owner
            return owner
        if name in _ORDER_NEWS:
            return self._order_news(message, start)
        if found is not None and found in self._by_id:
            return self._by_id[found]
        for kind, names in _BY_KIND.items():
            if name in names and kind in self._by_name:
                latest = [self._by_name[one] for one in _BY_KIND if name in _BY_KIND[one] and one in self._by_name]
                return max(latest, key=lambda exchange: exchange.time_ns)
        return start

    def _order_news(self, message: Any, start: Exchange) -> Exchange:
        """A snapshot that is still open has it, else the order's own latest request."""
        for kind in _SNAPSHOTS:
            asked = self._by_name.get(kind)
            if asked is not None and not any(name_of(one.message) == "openOrderEnd" for one in asked.answers):
                return asked
        return self._by_id.get(message.orderId, start)


class ReplayWorld:
    """Captured sessions, to be served again.

    Parameters
    ----------
    sessions : sequence of Session
        From `ibwire.wire.capture.sessions`; those without a whole handshake are left out.
    at_once : bool
        Answers do not wait: full speed.

    Attributes
    ----------
    clock : VirtualClock
        Begins when the capture begins.
    scripts : list of Script
    unmatched : int
        How many requests were not in the capture.

    Raises
    ------
    CaptureError
        If there is no session to serve.
    """

    def __init__(self, sessions: Sequence[Session], *, at_once: bool = False) -> None:
        whole = [session for session in sessions if session.server_version]
        if not whole:
            raise CaptureError("there is no whole handshake in it", hint="was the capture begun after the connection?")
        self.scripts = [Script(session) for session in whole]
        self.clock = VirtualClock(min(session.begin_ns for session in whole))
        self.at_once = at_once
        self.unmatched = 0
        self._next = 0

    @property
    def is_down(self) -> bool:
        """Never."""
        return False

    def peer(self, number: int) -> ReplayPeer:
        """One more client."""
        return ReplayPeer(self, number)

    def choose(self, lowest: int, highest: int) -> Script:
        """The next session whose version a client can speak; raises ProtocolError when there is none."""
        for offset in range(len(self.scripts)):
            place = (self._next + offset) % len(self.scripts)
            if lowest <= self.scripts[place].server_version <= highest:
                self._next = place + 1
                return self.scripts[place]
        versions = sorted({script.server_version for script in self.scripts})
        raise ProtocolError(
            f"the capture was made at server version {versions}, the client speaks {lowest}..{highest}",
            field="version range",
        )


class ReplayPeer:
    """One client that is served a captured session; the same face as `ibwire.sim.peer.Peer`."""

    def __init__(self, world: ReplayWorld, number: int) -> None:
        self._world = world
        self.line = Line(world.clock, Rng.of(0, "replay", number))
        self.problem = ""
        self.is_behind = False
        self._head = bytearray()
        self._framer: Framer | None = None
        self._script: Script | None = None
        self._requests: Codec | None = None
        self._answers: Codec | None = None
        self._exchanges: list[Exchange] = []
        self._running: dict[int, list[bool]] = {}  # new id -> switch of what is still to come
        self._captured_ids: dict[int, int] = {}  # new id -> captured id
        self._new_ids: dict[int, int] = {}  # captured id -> new id
        self._clients: tuple[int, int] = (0, 0)  # captured client id, new client id

    @property
    def hang_up(self) -> bool:
        """True once there is no more to say."""
        return bool(self.problem or self.line.ended)

    @property
    def is_stranger(self) -> bool:
        """True until versions are agreed."""
        return self._script is None

    def flush(self) -> None:
        """Everything is on the line already."""

    def receive_eof(self, abrupt: bool = False) -> None:
        """The client is gone."""
        for switch in self._running.values():
            switch[0] = False
        self.line.end()

    def receive_data(self, data: bytes) -> None:
        """Take bytes of the client."""
        if self.hang_up:
            return
        try:
            self._take(data)
        except IbwireError as error:
            self.problem = str(error)

    def _take(self, data: bytes) -> None:
        if self._framer is None:
            self._head += data
            head = bytes(self._head[: len(_HELLO)])
            if not _HELLO.startswith(head):
                raise ProtocolError("a client must begin with API and a NUL", offset=0, payload=head)
            if len(head) < len(_HELLO):
                return
            self._framer, data = Framer(), bytes(self._head[len(_HELLO) :])
        self._framer.feed(data)
        while (payload := self._framer.next()) is not None:
            if self._script is None:
                self._greet(payload)
            else:
                self._request(payload)

    def _greet(self, payload: bytes) -> None:
        words = payload.split(b" ")[0].removeprefix(b"v").split(b"..")
        if not all(word.isdigit() and len(word) < 10 for word in words) or len(words) > 2:
            raise ProtocolError("not a version range", field="version range", offset=0, payload=payload)
        script = self._script = self._world.choose(int(words[0]), int(words[-1]))
        self._requests = Codec(script.server_version, Role.GATEWAY)
        self._answers = Codec(script.server_version, Role.GATEWAY)
        self._exchanges = [
            Exchange(one.time_ns, one.message, one.key, one.reqId, one.answers) for one in script.exchanges
        ]
        self.line.put(frame(script.session.greeting))

    # -- requests ----------------------------------------------------------------------------------------------------

    def _request(self, payload: bytes) -> None:
        assert self._requests is not None
        message: Any = self._requests.decode(payload)
        if isinstance(message, outgoing.StartApi):
            self._clients = (self._exchanges[0].message.clientId, message.clientId)
            self._play(self._exchanges[0], -1)
            return
        new_id = id_of(message)
        name = name_of(message)
        if name.startswith("cancel") and new_id is not None:
            self._stop(new_id)
        exchange = self._match(message, new_id)
        if exchange is not None:
            exchange.used = True
            if new_id is not None and exchange.reqId is not None:
                self._captured_ids[new_id], self._new_ids[exchange.reqId] = exchange.reqId, new_id
            self._play(exchange, -1 if new_id is None else new_id)
        elif not name.startswith(("cancel", "unsubscribe", "setServerLogLevel")):
            self._world.unmatched += 1
            text = f"Invalid request: {name or 'this message'} is not in the capture"
            self._send(incoming.Error(-1 if new_id is None else new_id, self._now_ms(), NOT_CAPTURED, text))

    def _match(self, message: Any, new_id: int | None) -> Exchange | None:
        """The captured request that this one is: of the same content, else the next of its kind for the same thing."""
        same_kind = [one for one in self._exchanges if type(one.message) is type(message)]
        if new_id in self._captured_ids:
            # A cancel or a modify means what the id meant before.
            captured = self._captured_ids[new_id]
            about = [one for one in same_kind if one.reqId == captured and not one.used]
            if about:
                return about[0]
        key = without_id(message)
        if name_of(message).startswith("cancel"):
            return None
        for wanted in (
            lambda one: not one.used and one.key == key,
            lambda one: one.key == key,
            lambda one: not one.used and _about(one.message) == _about(message),
            lambda one: _about(one.message) == _about(message),
        ):
            for one in same_kind:
                if wanted(one):
                    return one
        return None

    def _stop(self, new_id: int) -> None:
        switch = self._running.pop(new_id, None)
        # An order goes on until the captured cancel ends it; data stops at once.
        if switch is not None and not self._is_order(new_id):
            switch[0] = False

    def _is_order(self, new_id: int) -> bool:
        captured = self._captured_ids.get(new_id)
        return any(one.reqId == captured and isinstance(one.message, outgoing.PlaceOrder) for one in self._exchanges)

    # -- answers -----------------------------------------------------------------------------------------------------

    def _play(self, exchange: Exchange, new_id: int) -> None:
        switch = self._running.setdefault(new_id, [True]) if new_id >= 0 else [True]
        clock = self._world.clock
        for answer in exchange.answers:
            delay_ns = 0 if self._world.at_once else answer.delay_ns
            clock.after(delay_ns, partial(self._say, answer, switch))

    def _say(self, answer: Answer, switch: list[bool]) -> None:
        if not switch[0] or self.hang_up:
            return
        message = answer.message
        if message is None or not self._differs(message):
            self.line.put(frame(answer.payload))
        else:
            self._send(self._renumbered(message), _dialect(answer.payload, self._script))

    def _send(self, message: Any, dialect: Dialect | None = None) -> None:
        assert self._answers is not None
        self.line.put(frame(self._answers.encode(message, dialect)))

    def _differs(self, message: Any) -> bool:
        old, new = self._clients
        ids = self._new_ids
        return old != new or any(ids.get(one, one) != one for one in _ids_in(message))

    def _renumbered(self, message: Any) -> Any:
        """A copy with the client's own ids."""
        copy, ids = deepcopy(message), self._new_ids
        old, new = self._clients
        for holder in (copy, getattr(copy, "order", None), getattr(copy, "execution", None)):
            for name in (*_IDS, "parentId"):
                value = getattr(holder, name, None)
                if isinstance(value, int):
                    setattr(holder, name, ids.get(value, value))
            if getattr(holder, "clientId", None) == old and holder is not None:
                holder.clientId = new
        return copy

    def _now_ms(self) -> int:
        return self._world.clock.now_ns // _NS_PER_MS


def _ids_in(message: Any) -> list[int]:
    holders = (message, getattr(message, "order", None), getattr(message, "execution", None))
    values = (getattr(holder, name, None) for holder in holders for name in (*_IDS, "parentId"))
    return [value for value in values if isinstance(value, int)]


def _about(message: Any) -> tuple[Any, ...]:
    """What a request is about, more loosely: its kind, and the contract or order by name."""
    contract, order = getattr(message, "contract", None), getattr(message, "order", None)
    return (
        name_of(message),
        None if contract is None else (contract.symbol, contract.secType) if contract.symbol else contract.conId,
        None if order is None else (order.action, order.orderType),
    )


def _dialect(payload: bytes, script: Script | None) -> Dialect:
    """Which dialect a captured payload is in."""
    raw = script is not None and script.server_version >= V.PROTOBUF
    return Dialect.PROTO if raw and int.from_bytes(payload[:4], "big") > PROTO_OFFSET else Dialect.TEXT
