"""Payloads to callbacks: decodes what a gateway sent and calls the wrapper."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ibwire.compat import errors
from ibwire.compat._clock import now_ms
from ibwire.compat.const import NO_VALID_ID
from ibwire.compat.objects import make_official
from ibwire.compat.wrapper import overridden
from ibwire.errors import ProtocolError
from ibwire.wire.calls import BoundCall, bind
from ibwire.wire.codec import Codec, Role, UnknownMessage
from ibwire.wire.plan import Profile

_Route = tuple[tuple[BoundCall, Callable[..., Any]], ...]
_MAX_ROUTES: Final = 1024  # hostile ids must not fill memory


class Dispatcher:
    """Calls a wrapper for each payload, in the order of the payloads.

    Parameters
    ----------
    wrapper : object
        An EWrapper, or anything with its callbacks. What it does not override is neither decoded nor called.
    server_version : int
        The version agreed with the gateway.

    Attributes
    ----------
    codec : the decoder; its ``counts`` say what was decoded.
    skipped : how many messages were not decoded because nobody listens.

    Notes
    -----
    For one thread. An exception in a callback goes through; the rest of that message's callbacks is not made, and
    the next payload finds the dispatcher as it was.
    """

    def __init__(self, wrapper: Any, server_version: int) -> None:
        self.wrapper = wrapper
        self.codec = Codec(server_version, Role.CLIENT, profile=Profile.OFFICIAL, make=make_official)
        self.skipped = 0
        self._routes: dict[int, _Route | None] = {}

    def refresh(self) -> None:
        """Look anew which callbacks the wrapper overrides."""
        self._routes.clear()

    def interpret(self, payload: bytes) -> None:
        """Decode one payload and make its callbacks.

        A payload that cannot be decoded is reported through ``error()``: code 508, or 505 for an id that no message
        has. Nothing else is raised but what a callback raises.
        """
        try:
            wire_id, _ = self.codec.split(payload)
            route = self._route(wire_id)
            if route is not None and not route:
                self.skipped += 1
                return
            found = self.codec.decode_registers(payload)
        except ProtocolError as problem:
            self._report(errors.BAD_MESSAGE.code(), f"{errors.BAD_MESSAGE.msg()}: {problem}")
            return
        if isinstance(found, UnknownMessage) or route is None:
            self._report(errors.UNKNOWN_ID.code(), f"{errors.UNKNOWN_ID.msg()}: {wire_id}")
            return
        _, regs, _ = found
        for call, callback in route:
            if call.when is not None and not call.when.holds(regs):
                continue
            if call.each < 0:
                callback(*[get(regs, None, make_official) for get in call.args])
                continue
            for element in regs[call.each] or ():
                callback(*[get(regs, element, make_official) for get in call.args])

    def _route(self, wire_id: int) -> _Route | None:
        """The overridden callbacks of a wire id; None for an id that no message has."""
        if wire_id in self._routes:
            return self._routes[wire_id]
        found = self.codec.decoder(wire_id)
        route = None
        if found is not None:
            route = tuple(
                (call, getattr(self.wrapper, call.name))
                for call in bind(found[0])
                if overridden(self.wrapper, call.name)
            )
        if len(self._routes) < _MAX_ROUTES:
            self._routes[wire_id] = route
        return route

    def _report(self, code: int, text: str) -> None:
        self.wrapper.error(NO_VALID_ID, now_ms(), code, text, "")
