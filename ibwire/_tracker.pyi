"""The order table and the order state machine, stepped by the producer with each publication."""

from collections.abc import Sequence
from typing import Any, final

from ibwire._ring import LogRing, Region, Stepper, Table

class OrderTable(Table):
    """The latest of each order, as the gateway told it."""

    machine: Any
    unkeyed: int
    undecodable: int
    def __init__(self, region: Region, capacity: int = 256) -> None: ...
    def add(self, clientId: int, orderId: int) -> None:
        """Make the row of an order that is about to be sent, so that errors find it. Any thread of the owner."""
    def remove(self, clientId: int, orderId: int) -> None:
        """Forget an order; what comes late for it is dropped. Any thread of the owner."""
    def place(
        self,
        orderId: int,
        now_ns: int,
        *,
        quantity: float = ...,
        quantity_digits: int = -1,
        limit: float = ...,
        aux: float = ...,
        transmit: bool = True,
        what_if: bool = False,
        parentId: int = 0,
        sec_type: str = "",
        account: str = "",
        divided: bool = False,
        journaled: bool = False,
    ) -> None:
        """A placement, or a modify of one that has not ended, is handed to the socket."""
    def sent(self, orderId: int, now_ns: int, transmit: bool = True) -> None:
        """The kernel has the last byte of a placement that was journaled."""
    def cancel(self, orderId: int, now_ns: int) -> None:
        """A cancel is handed to the socket. An id that is not known makes an order that is uncertain."""
    def send_failed(self, orderId: int, now_ns: int, wrote_bytes: int = 0) -> None:
        """The last send for an order failed. Only with no byte written is it certain that nothing happened."""
    def link_lost(self, now_ns: int) -> None:
        """The session is over: every order that has not ended is uncertain."""
    def restored(self, now_ns: int) -> None:
        """The session lives, but answers may be missing."""
    def begin_snapshot(self, now_ns: int, everyone: bool = False) -> None:
        """Open orders are about to be asked for; `everyone`: of all clients."""
    def end_snapshot(self, now_ns: int, complete: bool = True) -> None:
        """The end marker came (a tracker on a ring sees it by itself) or, not `complete`, never did."""
    def executions_listed(self, now_ns: int, unnamed: Sequence[tuple[int, int]] = ()) -> None:
        """The list of executions came to its end; it lacks one of these orders."""
    def looked_up(self, now_ns: int, after_seq: int | None = None) -> None:
        """Open orders, executions and completed orders were all asked for and answered."""
    def flush(self) -> None:
        """Obey what was told, now. Only when nobody receives any more: the owner of the session, after its end."""
    def unreadable(self, now_ns: int, orderId: int | None = None) -> None:
        """A message about an order, or about any, could not be read."""
    def check_deadlines(self, now_ns: int) -> None:
        """It is that late: who waits for an answer since too long is uncertain."""
    def read(self, clientId: int, orderId: int) -> OrderValues | None:
        """One order at one moment, or None. Raises SessionLost when its writer died in the middle of it."""
    def settled(self, clientId: int, orderId: int, after_seq: int = 0) -> OrderValues | None:
        """As `read`, with everything that was told before in it, and every message up to `after_seq`."""
    def find_perm(self, permId: int) -> OrderValues | None:
        """The order of that permId, or None. Looks at every row."""

@final
class OrderValues:
    """One order as it was at one moment: what the gateway said last, and what follows. NaN: never said.

    Times are monotonic, ns. ``state``, ``risk`` and ``memory`` are numbers of ``ibwire.spec.orderstates``.
    """

    clientId: int | None
    orderId: int
    permId: int
    parentId: int
    status: str
    status_code: int
    quantity: float
    filled: float
    remaining: float
    avg_price: float
    last_price: float
    limit_price: float
    executed: float
    quantity_digits: int
    filled_digits: int
    remaining_digits: int
    error_code: int
    error_seq: int
    status_seq: int
    seq: int
    recv_ns: int
    flags: int
    statuses: int
    opens: int
    executions: int
    commissions: int
    errors: int
    corrections: int
    state: int
    risk: int
    certain: int
    memory: int
    pending_modifies: int
    due_ns: int
    total_filled: float
    total_filled_digits: int
    confirmed_filled: float
    confirmed_filled_digits: int
    fees: float
    fees_digits: int
    currency: str
    notional: float
    refusal_code: int
    problem_code: int
    total_remaining: float
    total_remaining_digits: int
    average: float
    stepped_seq: int
    is_live: bool
    may_fill: bool
    is_filled: bool
    is_done: bool
    is_uncertain: bool
    needs_query: bool
    seen_live: bool
    answered: bool
    cancel_requested: bool

class Book:
    """Orders and executions by every name that they go by."""

class Machine(Book):
    """The order state machine: entries, commands and time in; rows out. Producer only."""

@final
class Tracker(Machine):
    """The machine with its inputs: entries, one by one, and the commands of its table."""

    def __init__(
        self,
        table: OrderTable,
        client_id: int,
        plan: list[tuple[int, int, list[tuple[int, int, int, int, int, int]]]],
        statuses: list[tuple[bytes, int]],
        places: tuple[int, ...],
        machine: tuple[object, ...],
    ) -> None: ...
    def take(self, header: bytes | bytearray, payload: bytes) -> None:
        """Take one entry, as it stands in the order ring. The owner thread."""
    def settle_rows(self) -> None:
        """Obey what was commanded, and bring the rows up to date. The owner thread."""
    def orders_held(self) -> int:
        """How many orders there are, also those that no row shows. The owner thread."""
    def exec_ids(self, clientId: int, orderId: int) -> list[str]:
        """The latest revision of each execution of an order, by its id; client -1: by permId. The owner thread."""

@final
class RingTracker(Stepper):
    """Feeds a tracker with the order ring, at each publication."""

    def __init__(self, tracker: Tracker, orders: LogRing) -> None: ...
