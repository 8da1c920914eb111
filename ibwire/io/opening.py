"""What opening a connection needs: arguments checked before anything is opened, and the handshake on a new socket."""

from __future__ import annotations

import socket
import time
from typing import Final

from ibwire.errors import ConfigError, ConnectError
from ibwire.session.session import BytesReceived, ClientSession, Ended, Opened, Redirected

MARKETS: Final = ("latest", "every")
MODES: Final = ("threaded", "inline")
_HELLO_BYTES: Final = 1 << 16


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> str:
    """``value`` itself, if it is one of the choices. Raises ConfigError."""
    if value not in choices:
        raise ConfigError(f"{name} is {value!r}", hint=f"say {' or '.join(choices)}")
    return value


def check_sizes(market_records: int, max_backlog_bytes: int) -> None:
    """Before anything is opened. Raises ConfigError."""
    if market_records < 64 or market_records & (market_records - 1):
        raise ConfigError(f"market_records is {market_records}", hint="give a power of two of at least 64")
    if max_backlog_bytes < 1:
        raise ConfigError(f"max_backlog_bytes is {max_backlog_bytes}", hint="give a number of bytes above 0")


def handshake(sock: socket.socket, session: ClientSession, deadline: float, where: str) -> Redirected | bytes:
    """Agree on a version. Returns bytes that came after the answer, or where to go instead; raises ConnectError."""
    try:
        while True:
            out = session.data_to_send()
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            sock.settimeout(left)
            if out:
                sock.sendall(out)
            data = sock.recv(_HELLO_BYTES)
            if data:
                session.receive_data(data)
            else:
                session.receive_eof()
            events = session.events_received()
            for event in events:
                if isinstance(event, Ended):
                    raise event.error
                if isinstance(event, Redirected):
                    return event
            if events and isinstance(events[0], Opened):
                sock.settimeout(None)
                return b"".join(e.data for e in events if isinstance(e, BytesReceived))
    except TimeoutError:
        raise ConnectError(
            f"{where} accepted the connection but did not answer the handshake in time",
            hint="look for a dialog in TWS that asks to accept the connection; is this the API port?",
        ) from None
    except OSError as exc:
        raise ConnectError(
            f"{where} broke off the handshake: {exc.strerror or exc}",
            hint="is this address among the trusted ones in the API settings?",
        ) from exc
