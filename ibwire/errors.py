"""Every exception ibwire raises on purpose.

::

    IbwireError
     +-- ConfigError             a setting or argument is wrong; nothing was sent
     |    +-- ScenarioError          ... in a scenario of the simulated gateway: names file, line and key
     +-- CaptureError            a capture file cannot be written, or is damaged
     +-- ConnectError            no usable session could be made
     +-- ProtocolError           the peer's bytes (or ours) break the protocol
     +-- SessionLost             the session ended while something was waiting for it
     +-- PacingError             the request would break a rate or count limit
     +-- RiskRejected            the risk gate refused an order; nothing was sent
     +-- RequestError            the gateway answered one request with an error code
     |    +-- OrderError             ... and the request was an order, a modify or a cancel
     |    +-- MarketDataError        ... and the request was a data subscription
     |    +-- UnsupportedByServer    code 503, found before sending: the peer is too old
     +-- WaitTimeout             a wait ended before its condition (also a TimeoutError); no verdict on what was awaited
     +-- ConsumerTooSlow         a lossless ring passed its backlog limit and the session ended
     +-- Lapped                  a cursor was overtaken by an overwriting ring; entries are gone
     +-- JournalError            the journal cannot be used as asked; its kinds are in ``ibwire.io.journal_errors``
     +-- CursorClosed            a cursor was read after it was closed
     +-- WrongThread             an object was used from a thread that does not own it
     +-- ForkedClient            a client was used in a child process after fork

A message says what was wrong and, where one is known, what to do about it. All of these pickle.
"""

from __future__ import annotations

from typing import Final

__all__ = [
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
]

UNSUPPORTED_CODE: Final = 503
_EXCERPT_BEFORE: Final = 8
_EXCERPT_AFTER: Final = 16


class IbwireError(Exception):
    """Base of every exception ibwire raises on purpose.

    Parameters
    ----------
    problem : str
        What was wrong, in one sentence.
    hint : str, optional
        What to do about it; appended after a colon.

    Attributes
    ----------
    hint : str
        The hint alone, empty when there is none.
    """

    hint: str

    def __init__(self, problem: str = "", *, hint: str = "") -> None:
        super().__init__(f"{problem}: {hint}" if hint else problem)
        self.hint = hint


class ConfigError(IbwireError):
    """A setting or an argument is wrong. Raised before anything is sent."""


class ScenarioError(ConfigError):
    """A scenario is wrong.

    Attributes
    ----------
    source : str
        The file, or where else the scenario came from.
    line : int
        From 1; 0 when unknown.
    key : str
        The key, with the tables that it stands in: ``rule[2].when.symbl``.
    """

    source: str
    line: int
    key: str

    def __init__(self, problem: str = "", *, source: str = "", line: int = 0, key: str = "", hint: str = "") -> None:
        where = f"{source}:{line}" if line else source
        super().__init__(": ".join(part for part in (where, key, problem) if part), hint=hint)
        self.source = source
        self.line = line
        self.key = key


class CaptureError(IbwireError):
    """A capture file cannot be written (a full disk, say), is none, or is damaged.

    Attributes
    ----------
    path : str
        The file.
    offset : int
        Where in it, in bytes; -1 when that does not matter.
    """

    path: str
    offset: int

    def __init__(self, problem: str = "", *, path: str = "", offset: int = -1, hint: str = "") -> None:
        where = f"{path} at byte {offset}" if offset >= 0 else path
        super().__init__(f"{where}: {problem}" if where else problem, hint=hint)
        self.path = path
        self.offset = offset


class ConnectError(IbwireError):
    """No usable session could be made: refused, unreachable, not a TWS socket, client id in use, version too old."""


class ProtocolError(IbwireError):
    """Bytes that break the protocol. A decoder gives a message or raises this; it does nothing else.

    Parameters
    ----------
    problem : str
        What was wrong.
    message_name : str, optional
        IB's name of the message, such as ``orderStatus``; empty while it is not yet known.
    field : str, optional
        The field that was being read.
    offset : int, optional
        Byte offset of the problem inside the payload; -1 when unknown.
    payload : bytes-like, optional
        The whole payload. Only a short excerpt around `offset` is kept, so that the exception does not hold a
        large frame alive.
    hint : str, optional
        What to do about it.

    Attributes
    ----------
    problem, message_name, field, offset, hint
        As given.
    excerpt : str
        At most 24 bytes around `offset`, in hex, with ``>`` before the byte at `offset`; empty without a payload.
    """

    problem: str
    message_name: str
    field: str
    offset: int
    excerpt: str

    def __init__(
        self,
        problem: str = "",
        *,
        message_name: str = "",
        field: str = "",
        offset: int = -1,
        payload: bytes | bytearray | memoryview = b"",
        hint: str = "",
    ) -> None:
        excerpt = _hex_excerpt(payload, offset)
        where = message_name
        if field:
            where = f"{where}.{field}" if where else field
        if offset >= 0:
            where = f"{where} at byte {offset}" if where else f"at byte {offset}"
        text = f"{where}: {problem}" if where else problem
        if excerpt:
            text = f"{text} [{excerpt}]"
        super().__init__(text, hint=hint)
        self.problem = problem
        self.message_name = message_name
        self.field = field
        self.offset = offset
        self.excerpt = excerpt


class SessionLost(IbwireError):
    """The session ended while something waited for it. Sent orders may live on at the broker: reconcile."""


class PacingError(IbwireError):
    """The request would break a rate or count limit of the gateway. It was not sent.

    Attributes
    ----------
    retry_after_ms : float or None
        How long to wait before the same request would pass; None when waiting alone does not help.
    """

    retry_after_ms: float | None

    def __init__(self, problem: str = "", *, retry_after_ms: float | None = None, hint: str = "") -> None:
        if retry_after_ms is not None and not hint:
            hint = f"wait {retry_after_ms:.0f} ms and send it again"
        super().__init__(problem, hint=hint)
        self.retry_after_ms = retry_after_ms


class RiskRejected(IbwireError):
    """The risk gate refused an order. Nothing was sent.

    Attributes
    ----------
    policy : str
        Name of the policy that refused; empty for the gate itself (for example the kill switch).
    """

    policy: str

    def __init__(self, problem: str = "", *, policy: str = "", hint: str = "") -> None:
        super().__init__(f"{policy}: {problem}" if policy else problem, hint=hint)
        self.policy = policy


class RequestError(IbwireError):
    """The gateway answered a request with an error code.

    Parameters
    ----------
    code : int
        The code as it came; see ``ibwire.spec.errorcodes``.
    text : str, optional
        The gateway's own text.
    reqId : int, optional
        The request id or order id that it answers; -1 when it names none.
    hint : str, optional
        What to do about it.
    """

    code: int
    text: str
    reqId: int

    def __init__(self, code: int, text: str = "", *, reqId: int = -1, hint: str = "") -> None:
        super().__init__(text, hint=hint)
        self.args = (code, text)
        self.code = code
        self.text = text
        self.reqId = reqId

    def __str__(self) -> str:
        who = f" for id {self.reqId}" if self.reqId != -1 else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"code {self.code}{who}: {self.text}{hint}" if self.text else f"code {self.code}{who}{hint}"


class OrderError(RequestError):
    """The gateway refused an order, a modify or a cancel. The order's own state says whether it still lives."""


class MarketDataError(RequestError):
    """The gateway ended or refused a data subscription."""


class UnsupportedByServer(RequestError):
    """The peer's server version cannot carry what was asked. Found before sending; nothing was sent.

    Parameters
    ----------
    what : str
        The message, field or value, such as ``placeOrder.manualOrderTime``.
    needs : int, optional
        First server version that can carry it.
    server_version : int, optional
        Version agreed with the peer.
    reqId : int, optional
        The request that wanted it.
    """

    what: str
    needs: int
    server_version: int

    def __init__(self, what: str = "", needs: int = 0, server_version: int = 0, *, reqId: int = -1) -> None:
        text = f"{what} cannot be sent to this gateway"
        if needs and server_version:
            text = f"{what} needs server version {needs}, the gateway speaks {server_version}"
        super().__init__(UNSUPPORTED_CODE, text, reqId=reqId, hint="leave it unset, or upgrade TWS or IB Gateway")
        self.args = (what, needs, server_version)
        self.what = what
        self.needs = needs
        self.server_version = server_version


class WaitTimeout(IbwireError, TimeoutError):
    """A wait ended before its condition was met. This says nothing about what was awaited: look at its state."""


class ConsumerTooSlow(IbwireError):
    """A lossless ring passed its backlog limit and the session ended; every open order becomes uncertain."""


class Lapped(IbwireError):
    """A cursor was overtaken by an overwriting ring.

    Attributes
    ----------
    lost : int
        How many entries are gone; books built from depth records must be treated as invalid.
    """

    lost: int

    def __init__(self, problem: str = "", *, lost: int = 0, hint: str = "") -> None:
        super().__init__(problem, hint=hint)
        self.lost = lost


class JournalError(IbwireError):
    """The journal cannot be used as asked. Nothing of it was changed."""


class CursorClosed(IbwireError):
    """A cursor was read after it was closed."""


class WrongThread(IbwireError):
    """An object was used from a thread that does not own it."""


class ForkedClient(IbwireError):
    """A client was used in a child process after fork. Make a new client in the child, with its own client id."""


def _hex_excerpt(payload: bytes | bytearray | memoryview, offset: int) -> str:
    """Hex of the bytes around `offset`, ``>`` before the byte it names."""
    if len(payload) == 0:
        return ""
    at = min(max(offset, 0), len(payload))
    before = bytes(payload[max(0, at - _EXCERPT_BEFORE) : at]).hex(" ")
    after = bytes(payload[at : at + _EXCERPT_AFTER]).hex(" ")
    return f"{before} >{after}".strip()
