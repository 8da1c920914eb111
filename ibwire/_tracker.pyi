"""The order table: one row for each order, kept by the producer from the entries of the order ring."""

from typing import final

from ibwire._ring import LogRing, Region, Stepper, Table

class OrderTable(Table):
    """The latest of each order, as the gateway told it."""

    unkeyed: int
    undecodable: int
    def __init__(self, region: Region, capacity: int = 256) -> None: ...
    def add(self, clientId: int, orderId: int) -> None:
        """Make the row of an order that is about to be sent, so that errors find it. Any thread of the owner."""
    def remove(self, clientId: int, orderId: int) -> None:
        """Forget an order; what comes late for it is dropped. Any thread of the owner."""
    def read(self, clientId: int, orderId: int) -> OrderValues | None:
        """One order at one moment, or None. Raises SessionLost when its writer died in the middle of it."""
    def find_perm(self, permId: int) -> OrderValues | None:
        """The order of that permId, or None. Looks at every row."""

@final
class OrderValues:
    """One order as it was at one moment: what the gateway said last. NaN: never said. Times are monotonic, ns."""

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

@final
class Tracker(Stepper):
    """Keeps an order table up to date with the order ring, at each publication."""

    def __init__(
        self,
        table: OrderTable,
        orders: LogRing,
        client_id: int,
        plan: list[tuple[int, int, list[tuple[int, int, int, int, int, int]]]],
        statuses: list[tuple[bytes, int]],
        places: tuple[int, ...],
    ) -> None: ...
