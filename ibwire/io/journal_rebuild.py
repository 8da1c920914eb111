"""From a journal back to the order table.

The table is given again what it was given: intents decoded from their frames, what came in from its frames, and the
rest (lost links, deadlines, ends of lists) as it was told. A message may stand in the journal before the table had
taken it; each command says which message was taken last before it, so the order of the table is found again. What
nobody took before the end came counts as taken: it was received.
"""

from __future__ import annotations

from bisect import insort
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from ibwire.errors import ProtocolError
from ibwire.io.journal_errors import JournalError
from ibwire.io.journal_format import (
    FLAG_CARRIED,
    Act,
    Entry,
    Intent,
    Kind,
    Received,
    input_of,
    intent_of,
    received_of,
    result_of,
)
from ibwire.io.journal_read import Reading, Tail, read
from ibwire.spec.orderstates import State
from ibwire.spec.records import BY_NAME
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import Codec, Role, UnknownMessage

__all__ = ["Rebuilt", "Unanswered", "rebuild", "replay"]

# What the order table is told beside messages and commands -> whether it takes the time.
INPUTS: Final = {
    "begin_snapshot": False,
    "check_deadlines": True,
    "end_snapshot": True,
    "on_deadline": True,
    "on_dispute": True,
    "on_executions_listed": False,
    "on_group": True,
    "on_link_lost": True,
    "on_positions": True,
    "on_looked_up": True,
    "on_reconnect": True,
    "on_restored": True,
}
# IB's name of a message -> the table's method.
MESSAGES: Final = {
    "openOrder": "on_open_order",
    "completedOrder": "on_completed_order",
    "orderBound": "on_order_bound",
    "orderStatus": "on_order_status",
    "execDetails": "on_execution",
}
_ORDER_KINDS: Final = frozenset(
    row.id for row in INCOMING.values() if row.record and BY_NAME[row.record].ring == "order"
)
TABLE_KINDS: Final = _ORDER_KINDS | {row.id for row in INCOMING.values() if row.name in MESSAGES}
"""Ids of the messages that an order table takes, whichever ring they come in."""
DIED: Final = "the program that wrote the journal has ended"


class Table(Protocol):
    """What is rebuilt: an :class:`~ibwire.trade.orders.OrderTable`, or what takes the same."""

    def open(self) -> list[Any]: ...
    def on_link_lost(self, reason: str, now_ns: int) -> list[Any]: ...


@dataclass(slots=True, frozen=True)
class Unanswered:
    """An intent of which the journal does not say what became of it: its bytes may have left."""

    seq: int
    act: Act
    order_id: int


@dataclass(slots=True)
class Rebuilt:
    """What a journal says.

    Attributes
    ----------
    epoch : int
        Of the last session; 0 without one.
    client_id, server_version : int
        Of the last session, -1 and 0 without one.
    open_orders : list
        Views of the orders that may be filled; after :func:`rebuild` each is uncertain.
    high_water : int
        The highest order id used or handed out.
    first_seq : dict of int to int
        Order id -> its first entry, for ``FileJournal.prune``.
    unanswered : list of Unanswered
    missed : int
        Entries that found no room (full disk): something may be unknown.
    tail : Tail or None
        What was cut from the end.
    is_closed : bool
        The last writer ended in order.
    is_complete : bool
        It begins with its first entry; otherwise older segments were removed.
    killed : str
        Why the kill switch is engaged; empty while it is not.
    undecodable : int
        Frames that could not be decoded.
    set_aside : int
        Orders that ended long ago and were not given to the table (``io.journal_restore``).
    earlier : callable or None
        Gives the table one of those.
    """

    epoch: int = 0
    client_id: int = -1
    server_version: int = 0
    open_orders: list[Any] = field(default_factory=list)
    high_water: int = 0
    first_seq: dict[int, int] = field(default_factory=dict)
    unanswered: list[Unanswered] = field(default_factory=list)
    missed: int = 0
    tail: Tail | None = None
    entries: int = 0
    last_seq: int = 0
    last_ns: int = 0  # of the last entry but those of opening it
    is_closed: bool = False
    is_complete: bool = True
    killed: str = ""
    undecodable: int = 0
    set_aside: int = 0
    earlier: Any = None


class Replay:
    """Feeds entries to a table, one after the other.

    Parameters
    ----------
    table
        A new order table of the same client id, or None to gather the facts alone.
    """

    def __init__(self, table: Any) -> None:
        self.table = table
        self.facts = Rebuilt()
        self._client: Codec | None = None
        self._gateway: Codec | None = None
        self._waiting: deque[Received] = deque()
        self._pending: dict[int, Unanswered] = {}
        self._dialects: dict[int, str] = {}  # of those that place or modify
        self._asked: tuple[int, list[int]] = (0, [])  # by the last global cancel
        self._requests = range(0)

    def take(self, entry: Entry) -> None:
        """Take the next entry.

        Raises
        ------
        JournalError : it says something that this table does not understand.
        """
        facts = self.facts
        facts.entries, facts.last_seq = facts.entries + 1, entry.seq
        if entry.kind not in (Kind.END, Kind.OPENED, Kind.CUT):
            facts.last_ns = entry.ns
        if entry.kind != Kind.END:
            facts.is_closed = entry.kind == Kind.CLOSED
        handler = _HANDLERS.get(entry.kind)
        if handler is not None:
            handler(self, entry)

    def finish(self) -> Rebuilt:
        """Everything was taken."""
        self._catch_up(None)
        self.facts.unanswered = list(self._pending.values())
        if self.table is not None:
            self.facts.open_orders = list(self.table.open())
        return self.facts

    # ------------------------------------------------------------------ entries

    def _on_session(self, entry: Entry) -> None:
        values = entry.json()
        facts = self.facts
        if not entry.flags & FLAG_CARRIED or self._client is None:
            self._catch_up(None)
            facts.client_id, facts.server_version = int(values["clientId"]), int(values["serverVersion"])
            facts.epoch = int(values["epoch"])
            self._client = Codec(facts.server_version, Role.CLIENT)
            self._gateway = Codec(facts.server_version, Role.GATEWAY)
        self._learn_requests(values)
        own = getattr(self.table, "client_id", facts.client_id)
        if own != facts.client_id:
            problem = f"the journal is of client id {facts.client_id}, the table of {own}"
            raise JournalError(problem, hint="make the table with the journal's client id")

    def _on_opened(self, entry: Entry) -> None:
        self._catch_up(None)
        if self.table is not None:
            self.table.on_link_lost(DIED, self.facts.last_ns)  # as `rebuild` did when this process began
        self._pending.clear()
        self._dialects.clear()

    def _on_intent(self, entry: Entry) -> None:
        intent = intent_of(entry)
        try:
            act = Act(intent.act)
        except ValueError:
            problem = f"entry {entry.seq} intends act {intent.act}, which is not known here"
            raise JournalError(problem, hint="read it with a newer ibwire") from None
        self._catch_up(intent.after_seq)
        self._use(intent.order_id, entry.seq, is_ours=act.may_add_risk)
        self._pending[entry.seq] = Unanswered(entry.seq, act, intent.order_id)
        if self.table is not None:
            self._command(intent, entry)

    def _command(self, intent: Intent, entry: Entry) -> None:
        if intent.act == Act.CANCEL:
            self.table.on_cancel_request(intent.order_id, entry.ns)
        elif intent.act == Act.GLOBAL_CANCEL:
            self._asked = entry.seq, self.table.cancellable()
            for order_id in self._asked[1]:
                self.table.on_cancel_request(order_id, entry.ns)
        elif intent.act in (Act.PLACE, Act.MODIFY):
            assert self._gateway is not None
            message = self._gateway.decode(intent.frame)
            # The client id goes with the session, not with the order.
            message.order.clientId = self.facts.client_id
            dialect = self._gateway.dialect_of(OUTGOING[type(message).MSG_ID]).value
            args = (message.contract, message.order, entry.ns, 4 + len(intent.frame), dialect)
            self._dialects[entry.seq] = dialect
            self.table.on_place(intent.order_id, *args, journaled=True)

    def _on_sent(self, entry: Entry) -> None:
        result = result_of(entry)
        self._catch_up(result.after_seq)
        self._pending.pop(result.intent_seq, None)
        dialect = self._dialects.pop(result.intent_seq, None)
        if dialect is not None and self.table is not None:
            self.table.on_sent(result.order_id, entry.ns, result.wrote_bytes, dialect)

    def _on_send_failed(self, entry: Entry) -> None:
        result = result_of(entry)
        self._catch_up(result.after_seq)
        self._pending.pop(result.intent_seq, None)
        self._dialects.pop(result.intent_seq, None)
        if self.table is not None:
            hit = self._asked[1] if result.intent_seq == self._asked[0] else [result.order_id]
            for order_id in hit:
                self.table.on_send_failed(order_id, entry.ns, result.reason, result.wrote_bytes)

    def _on_received(self, entry: Entry) -> None:
        # Those of the control ring are written when the table takes them, after others that it takes later.
        insort(self._waiting, received_of(entry), key=lambda one: one.seq)

    def _on_input(self, entry: Entry) -> None:
        after, what, values = input_of(entry)
        self._catch_up(after)
        if what not in INPUTS:
            problem = f"entry {entry.seq} tells the order table {what!r}, which is not known here"
            raise JournalError(problem, hint="read it with a newer ibwire")
        if self.table is not None:
            for name, value in values.items():
                if isinstance(value, dict):
                    values[name] = self._views(what, value["orders"])
            if INPUTS[what]:
                values["now_ns"] = entry.ns
            getattr(self.table, what)(**values)

    def _views(self, what: str, names: list[Any]) -> list[Any]:
        own = self.table.client_id
        if what == "on_dispute" and not all(client_id == own and order_id for client_id, order_id, _ in names):
            # Then all are doubted, also where the one that is not ours is not in this table.
            return [view for view in self.table if view.state is not State.CREATED]
        return [view for ids in names if (view := self._view(*ids)) is not None]

    def _view(self, client_id: int, order_id: int, perm_id: int) -> Any:
        by_perm = self.table.by_perm_id(perm_id) if perm_id else None
        return by_perm if by_perm is not None else self.table.get(order_id, client_id)

    def _on_kill(self, entry: Entry) -> None:
        values = entry.json()
        if values["kill"] == "released":
            self.facts.killed = ""
        elif values["kill"] == "engaged":
            self.facts.killed = str(values["reason"]) or "engaged"

    def _learn_requests(self, values: dict[str, Any]) -> None:
        if "requestsFrom" in values:  # older journals name no end
            self._requests = range(int(values["requestsFrom"]), int(values.get("requestsTo", 1 << 62)))

    def _on_high_water(self, entry: Entry) -> None:
        values = entry.json()
        self._use(int(values["orderId"]), 0, is_ours=True)
        self._learn_requests(values)

    def _on_gap(self, entry: Entry) -> None:
        self.facts.missed += int.from_bytes(entry.body, "little")

    # ------------------------------------------------------------------ messages

    def _use(self, order_id: int, seq: int, *, is_ours: bool) -> None:
        if is_ours:
            self.facts.high_water = max(self.facts.high_water, order_id)
        if seq:
            self.facts.first_seq.setdefault(order_id, seq)

    def _catch_up(self, after_seq: int | None) -> None:
        """Give the table the messages that it had taken when it had taken `after_seq`; None: all."""
        waiting = self._waiting
        while waiting and (after_seq is None or waiting[0].seq <= after_seq):
            self._message(waiting.popleft())

    def _message(self, received: Received) -> None:
        if self._client is None or self.table is None:
            return
        try:
            message = self._client.decode(received.payload)
        except ProtocolError as error:
            self.facts.undecodable += 1
            if received.kind in _ORDER_KINDS:
                self.table.on_undecodable(None, str(error), received.recv_ns)
            return
        if isinstance(message, UnknownMessage):
            return
        name, now_ns = message.NAME, received.recv_ns
        if name in MESSAGES:
            getattr(self.table, MESSAGES[name])(message, now_ns)
        elif name == "commissionAndFeesReport":
            self.table.on_commission(message.commissionAndFeesReport, now_ns)
        elif name == "error" and message.id not in self._requests:
            text = message.errorMsg
            self.table.on_error(message.id, message.errorCode, text, now_ns, message.advancedOrderRejectJson)


_HANDLERS: Final = {
    int(Kind.SESSION): Replay._on_session,
    int(Kind.OPENED): Replay._on_opened,
    int(Kind.INTENT): Replay._on_intent,
    int(Kind.SENT): Replay._on_sent,
    int(Kind.SEND_FAILED): Replay._on_send_failed,
    int(Kind.RECEIVED): Replay._on_received,
    int(Kind.INPUT): Replay._on_input,
    int(Kind.KILL): Replay._on_kill,
    int(Kind.HIGH_WATER): Replay._on_high_water,
    int(Kind.GAP): Replay._on_gap,
}


def replay(source: Reading | Path | str, table: Any) -> Rebuilt:
    """Give a new table everything that a journal says; it is then as it was when the last entry was written.

    Parameters
    ----------
    source
        A journal's directory, one of its segments, or a reading of it.
    table
        A new order table of the journal's client id; None for the facts without a table.

    Raises
    ------
    JournalError : there is none, it is damaged (JournalCorrupt), or of another client id or a newer ibwire.
    """
    reading = source if isinstance(source, Reading) else read(source)
    work = Replay(table)
    for entry in reading:
        work.take(entry)
    return finish(work, reading)


def finish(work: Replay, reading: Reading) -> Rebuilt:
    """What was found, once all of a reading was taken."""
    facts = work.finish()
    facts.tail = reading.tail
    facts.last_seq = reading.last_seq
    if reading.heads:
        facts.is_complete = reading.heads[0].first_seq == 1
        facts.high_water = max(facts.high_water, *(head.high_water for head in reading.heads))
    return facts


def rebuild(source: Reading | Path | str, table: Any) -> Rebuilt:
    """As :func:`replay`, for a program that begins: every order that had not ended is uncertain until reconciled."""
    return begin_with(replay(source, table), table)


def begin_with(facts: Rebuilt, table: Any) -> Rebuilt:
    """The program that wrote it has ended: what had not is uncertain."""
    table.on_link_lost(DIED, facts.last_ns)
    facts.open_orders = list(table.open())
    return facts
