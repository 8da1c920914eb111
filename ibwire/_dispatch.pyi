"""Payloads of flat messages to callbacks."""

from collections.abc import Callable
from typing import Any, final

from ibwire._ring import LogCursor, Region

@final
class Sizes:
    """Objects of size texts, the recent ones remembered: at most 16384."""

    made: int
    def __init__(self, make: Callable[[str], Any]) -> None: ...

@final
class Route:
    """One message: its fields, and the callbacks that it makes."""

    made: int
    def __init__(self, made: tuple[Any, ...], sizes: dict[str, Sizes]) -> None: ...

@final
class Routes:
    """Payloads to routes by wire id; what has none, or is not plain, goes to ``general``."""

    skipped: int
    next_seq: int
    lost: int
    def __init__(
        self,
        raw_ids: bool,
        general: Callable[[bytes], object],
        attributes: dict[str, Any] | None,
        changed: Callable[[], object],
    ) -> None: ...
    def clear(self) -> None:
        """Forget every route."""

    def set(self, wire_id: int, route: Route | None) -> None:
        """Use a route for an id from now on; None: nobody listens, so nothing is done."""

    def interpret(self, payload: bytes) -> None:
        """Make one payload's callbacks."""

    def drain(
        self,
        region: Region,
        control: LogCursor,
        market: LogCursor | None,
        next_seq: int,
        most: int,
        told: Callable[[], object] | None = None,
    ) -> int:
        """Make the callbacks of the payloads that wait in two rings, in wire order, until :meth:`stop`."""

    def stop(self) -> None:
        """End :meth:`drain` after the payload that it is at; to be called in a callback."""
