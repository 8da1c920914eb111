"""A client for the socket API of Interactive Brokers' TWS and IB Gateway.

The public names, loaded when they are first used: importing this package starts nothing and loads no numpy. Start
with :func:`connect`; a program written for the official ``ibapi`` finds its modules in :mod:`ibwire.compat`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ibwire.client import Attached, Client, OrderHandle, Position, Positions, Quote, attach, connect
    from ibwire.compat.client import EClient
    from ibwire.compat.wrapper import EWrapper
    from ibwire.config import Settings
    from ibwire.errors import (
        CaptureError,
        ConfigError,
        ConnectError,
        ConsumerTooSlow,
        CursorClosed,
        ForkedClient,
        IbwireError,
        JournalError,
        Lapped,
        MarketDataError,
        OrderError,
        PacingError,
        ProtocolError,
        RequestError,
        RiskRejected,
        ScenarioError,
        SessionLost,
        UnsupportedByServer,
        WaitTimeout,
        WrongThread,
    )
    from ibwire.types.constructors import forex, future, limit, market, option, stock
    from ibwire.types.structs import Contract, Order
    from ibwire.wire.codec import Codec, Role

__version__: Final = "0.1.0"

_HOMES: Final[dict[str, str]] = {
    **dict.fromkeys(
        ("Attached", "Client", "OrderHandle", "Position", "Positions", "Quote", "attach", "connect"), "ibwire.client"
    ),
    **dict.fromkeys(("forex", "future", "limit", "market", "option", "stock"), "ibwire.types.constructors"),
    **dict.fromkeys(("Contract", "Order"), "ibwire.types.structs"),
    **dict.fromkeys(("Codec", "Role"), "ibwire.wire.codec"),
    "EClient": "ibwire.compat.client",
    "EWrapper": "ibwire.compat.wrapper",
    "Settings": "ibwire.config",
    **dict.fromkeys(
        (
            "CaptureError",
            "ConfigError",
            "ConnectError",
            "ConsumerTooSlow",
            "CursorClosed",
            "ForkedClient",
            "IbwireError",
            "JournalError",
            "Lapped",
            "MarketDataError",
            "OrderError",
            "PacingError",
            "ProtocolError",
            "RequestError",
            "RiskRejected",
            "ScenarioError",
            "SessionLost",
            "UnsupportedByServer",
            "WaitTimeout",
            "WrongThread",
        ),
        "ibwire.errors",
    ),
}

__all__ = [
    "Attached",
    "CaptureError",
    "Client",
    "Codec",
    "ConfigError",
    "ConnectError",
    "ConsumerTooSlow",
    "Contract",
    "CursorClosed",
    "EClient",
    "EWrapper",
    "ForkedClient",
    "IbwireError",
    "JournalError",
    "Lapped",
    "MarketDataError",
    "Order",
    "OrderError",
    "OrderHandle",
    "PacingError",
    "Position",
    "Positions",
    "ProtocolError",
    "Quote",
    "RequestError",
    "RiskRejected",
    "Role",
    "ScenarioError",
    "SessionLost",
    "Settings",
    "UnsupportedByServer",
    "WaitTimeout",
    "WrongThread",
    "__version__",
    "attach",
    "connect",
    "forex",
    "future",
    "limit",
    "market",
    "option",
    "stock",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'ibwire' has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
