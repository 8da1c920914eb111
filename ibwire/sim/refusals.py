"""What this gateway does not do, and how it says so: nothing that a client waits for stays without an answer."""

from __future__ import annotations

from typing import Any

from ibwire.types import outgoing

INVALID = 321
_ABSENT = "is not available in this simulated gateway"

# Request -> (code, what the text says is absent). The answer carries the request's own id, -1 when it has none.
REFUSED: dict[type[Any], tuple[int, str]] = {
    outgoing.ReqFundamentalData: (430, "Fundamental data"),
    outgoing.CancelFundamentalData: (300, "Fundamental data"),
    outgoing.ExerciseOptions: (INVALID, "The exercise of options"),
    outgoing.ReqWshMetaData: (10277, "The event calendar"),
    outgoing.ReqWshEventData: (10278, "The event calendar"),
    outgoing.RequestFA: (INVALID, "Advisor configuration"),
    outgoing.ReplaceFA: (INVALID, "Advisor configuration"),
    outgoing.QueryDisplayGroups: (INVALID, "A display group"),
    outgoing.SubscribeToGroupEvents: (INVALID, "A display group"),
    outgoing.UpdateDisplayGroup: (INVALID, "A display group"),
    outgoing.ReqConfig: (INVALID, "The configuration"),
    outgoing.UpdateConfig: (INVALID, "The configuration"),
}

# Requests that no client waits for: there is nothing to say.
SILENT: frozenset[type[Any]] = frozenset(
    {
        outgoing.SetServerLogLevel,
        outgoing.UnsubscribeFromGroupEvents,
        outgoing.CancelWshMetaData,
        outgoing.CancelWshEventData,
        outgoing.CancelContractData,  # details are answered at once: there is nothing left to cancel
    }
)


def request_id(message: object) -> int:
    """The id that an answer to this request carries, -1 for a request without one."""
    for name in ("reqId", "tickerId", "orderId"):
        value = getattr(message, name, None)
        if isinstance(value, int):
            return value
    return -1


def refusal(message: object) -> tuple[int, str] | None:
    """Code and text of the refusal of a request, None when it is passed over in silence."""
    kind = type(message)
    if kind in SILENT:
        return None
    if kind in REFUSED:
        code, what = REFUSED[kind]
        return code, f"{what} {_ABSENT}"
    return INVALID, "Invalid request: this gateway does not know the message"
