"""The subject: the parts of ibwire that the benchmarks measure, behind the few functions that they call.

Names of ibwire appear here and in ``compat_peer.py`` alone. What is not there raises `Unavailable`, which a report
tells as a line of its own.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, Final

from ibwire.ring import impl
from ibwire.ring.records import dtype
from ibwire.wire import hot

SERVER_VERSION: Final = {"t176": 176, "p225": 225}
RING_RECORDS: Final = 16384
WAIT_S: Final = 20.0


class Unavailable(RuntimeError):
    """ibwire has no such part (yet)."""


# ---------------------------------------------------------------------------------------------------- bytes in memory


def decoder(dialect: str, data: bytes) -> Callable[[], int]:
    """Prepare one buffer of whole frames; the returned call decodes all of it and returns the count of messages.

    Measured is the checked decode of bytes in memory into records of a ring, with sequence and receive stamp, as the
    reader does it; no Python callback.

    Parameters
    ----------
    dialect : ``t176`` or ``p225``
    data : frames as ``mixes.mix`` makes them

    Raises
    ------
    Unavailable
        The compiled decoder is not there.
    """
    stream, _market = _stream(dialect)
    return lambda: int(stream.receive(data, 1))


def market(dialect: str) -> tuple[Callable[[bytes], int], Any]:
    """What decodes frames into a market ring of `RING_RECORDS`, and a cursor of that ring."""
    stream, ring = _stream(dialect)
    return lambda data: int(stream.receive(data, 1)), ring.cursor()


def _stream(dialect: str) -> tuple[Any, Any]:
    if impl.NAME != "compiled":
        raise Unavailable("ibwire is not built: there are no compiled rings to measure")
    fast = importlib.import_module("ibwire._fastdecode")
    records = impl.MarketRing(RING_RECORDS)
    tables = hot.tables(SERVER_VERSION[dialect])
    return fast.StreamDecoder(tables, records, impl.LogRing(), impl.LogRing()), records


# ------------------------------------------------------------------------------------------------------ a connection


class Connection:
    """One open link and one cursor of its market records, made before any came.

    Parameters
    ----------
    port : of a sender of this folder
    market : ``latest`` or ``every``
    mode : ``threaded`` or ``inline``
    publish : name of the shared memory, or None
    records : capacity of the market ring
    """

    def __init__(
        self, port: int, *, market: str = "latest", mode: str = "threaded", publish: str | None = None,
        records: int = 1 << 16,
    ) -> None:  # fmt: skip
        link_type = importlib.import_module("ibwire.io.link").Link
        wanted: dict[str, Any] = {"market": market, "mode": mode, "publish": publish}
        usual = {"market": "latest", "mode": "threaded", "publish": None}
        known = link_type.open.__kwdefaults__
        settings = {}
        for name, value in wanted.items():
            if name in known:
                settings[name] = value
            elif value != usual[name]:
                raise Unavailable(f"Link.open has no {name}={value!r}")
        self.link = link_type.open("127.0.0.1", port, 1, market_records=records, **settings)
        try:
            self.cursor = self.link.cursor()
        except AttributeError as error:
            self.link.close()
            raise Unavailable(f"a link has no cursors to wait on: {error}") from None

    def begin(self) -> None:
        """Send the request that starts the traffic."""
        request = importlib.import_module("ibwire.types.outgoing").ReqIds(numIds=1)
        self.link.send(self.link.encode(request))

    def waiter(self, how: str) -> Callable[[], object]:
        """A call that waits until the cursor has something: spin, yield or block."""
        wait = self.cursor.wait
        return lambda: wait(WAIT_S, how)

    def receiver(self) -> Callable[[], object]:
        """The inline mode's poll: receives at most one buffer."""
        poll: Callable[[], object] = self.link.poll
        return poll

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.link.close()


def sizes(batch: Any) -> list[float]:
    """The sizes of polled tickPrice records."""
    found: list[float] = batch.view(dtype("TICK_PRICE"))["size"].tolist()
    return found


def attach(name: str) -> Any:
    """A cursor of the market ring that another process published."""
    found = getattr(importlib.import_module("ibwire"), "attach", None)
    if found is None:
        raise Unavailable("there is no ibwire.attach: no shared memory")
    return found(name).cursor()
