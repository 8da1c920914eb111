"""What a client tells its journal, and the journal that keeps nothing."""

from __future__ import annotations

from typing import Any, Protocol

from ibwire.io.journal_format import Act

__all__ = ["Journal", "NullJournal", "Received"]


class Received(Protocol):
    """An entry of the order ring."""

    @property
    def seq(self) -> int: ...
    @property
    def recv_ns(self) -> int: ...
    @property
    def kind(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def code(self) -> int: ...
    @property
    def payload(self) -> bytes: ...


class Journal(Protocol):
    """What a client tells its journal. Any thread; ``now_ns`` is monotonic, the time that the order table was given.

    ``after_seq`` is the message (its sequence number over all rings) that the order table had taken last: it puts
    commands and messages into the order in which the table had them.
    """

    @property
    def problem(self) -> str:
        """Why it takes no more, in words; empty while it does."""

    def session(self, client_id: int, server_version: int, now_ns: int, **facts: Any) -> int:
        """A connection was agreed; its epoch. Before anything of it is recorded."""

    def intent(self, act: Act, order_id: int, frame: bytes, after_seq: int, now_ns: int) -> int:
        """A frame is about to be sent. Its number, for :meth:`sent`; 0 for a cancel that could not be written.

        Raises
        ------
        JournalFull : it cannot be written, and it can add risk: nothing may be sent.
        """

    def sent(self, intent: int, order_id: int, wrote_bytes: int, after_seq: int, now_ns: int) -> None:
        """The kernel has the last byte."""

    def send_failed(
        self, intent: int, order_id: int, wrote_bytes: int, reason: str, after_seq: int, now_ns: int
    ) -> None:
        """The send broke off; ``wrote_bytes`` of the frame were taken."""

    def received(self, entry: Received, from_control: bool = False) -> None:
        """An entry that the order table is about to take.

        With a recorder those of the order ring stand there already; those of the control ring never do.
        """

    def told(self, what: str, after_seq: int, now_ns: int, **values: Any) -> None:
        """The order table was told something else: ``table.what(now_ns=now_ns, **values)``."""

    def verdict(self, order_id: int, verdict: str, policy: str, reason: str, now_ns: int) -> None:
        """The risk gate judged."""

    def transition(self, order_id: int, perm_id: int, before: str, after: str, title: str, now_ns: int) -> None:
        """An order's state changed."""

    def kill(self, what: str, scope: str, reason: str, now_ns: int) -> None:
        """The kill switch: ``engaged``, ``released`` or a step between."""

    def override(self, name: str, what: str, now_ns: int) -> None:
        """Somebody, by name, did something by hand.

        Raises
        ------
        ConfigError : no name. JournalFull : it was not written down.
        """

    def lost(self, reason: str, now_ns: int) -> None:
        """The link ended."""

    def high_water(self, order_id: int, now_ns: int, **facts: Any) -> None:
        """Order ids up to this one were used or handed out."""

    def note(self, text: str, now_ns: int) -> None:
        """Anything else that is worth keeping."""

    def record(self, link: Any) -> bool:
        """Have what comes in recorded in the receiving thread. False: call :meth:`received`. Before the link starts."""

    def maintain(self) -> None:
        """Prepare and synchronise where it is time; only needed without a thread of its own."""

    def prune(self, open_orders: dict[int, int]) -> list[str]:
        """Remove what neither the retention nor an order that has not ended needs (id -> its first entry)."""

    def close(self) -> None:
        """Write that it ends in order, and let go of it. Twice is harmless."""


class NullJournal:
    """Keeps nothing."""

    problem = ""

    def session(self, client_id: int, server_version: int, now_ns: int, **facts: Any) -> int:
        return 0

    def intent(self, act: Act, order_id: int, frame: bytes, after_seq: int, now_ns: int) -> int:
        return 0

    def record(self, link: Any) -> bool:
        return False

    def prune(self, open_orders: dict[int, int]) -> list[str]:
        return []

    def _nothing(self, *args: Any, **values: Any) -> None:
        pass

    sent = send_failed = received = told = verdict = transition = kill = override = lost = _nothing
    high_water = note = maintain = close = _nothing
