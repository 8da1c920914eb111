"""Payloads to callbacks: decodes what a gateway sent and calls the wrapper.

Messages of numbers, texts and flags go through the compiled dispatcher where it is built; everything else, and every
payload of theirs that is not the plain case, goes through :meth:`Dispatcher._general`, which defines the meaning.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from typing import Any, Final

from ibwire.compat import errors
from ibwire.compat._clock import now_ms
from ibwire.compat._generations import error_caller, size_conversion
from ibwire.compat._routes import Route, Step, flat_route, steps_of, twin_of, with_sizes
from ibwire.compat.const import NO_VALID_ID
from ibwire.compat.objects import make_official
from ibwire.compat.wrapper import own_twins
from ibwire.errors import ProtocolError
from ibwire.spec.versions import PROTOBUF
from ibwire.wire import impl
from ibwire.wire.codec import Codec, Role
from ibwire.wire.plan import Make, Plan, Profile

_Region: Final[Any] = import_module("ibwire._ring").Region if impl.NAME == "compiled" else ()


def _compiled() -> Any:
    if impl.NAME != "compiled":
        return None
    try:
        from ibwire import _dispatch
    except ImportError:
        return None
    return _dispatch


class Dispatcher:
    """Calls a wrapper for each payload, in the order of the payloads.

    Parameters
    ----------
    wrapper : object
        An EWrapper, ours or an official one, or anything with its callbacks. What it does not override is neither
        decoded nor called.
    server_version : int
        The version agreed with the gateway.
    sizes, error_style : ``"int"``, ``"float"`` or ``"decimal"``; 3, 4 or 5. For programs that cannot say which
        release they were written for; None: read it from the wrapper.

    Attributes
    ----------
    codec : the server version's plans; the general decoder runs them.

    Notes
    -----
    For one thread. An exception in a callback goes through; the rest of that message's callbacks is not made, and
    the next payload finds the dispatcher as it was. Callbacks are looked up when a message first comes; setting one on
    the wrapper's instance counts from the next payload on, a change of its class from :meth:`refresh` on.
    """

    interpret: Callable[[bytes], None]
    """Decode one payload and make its callbacks.

    A payload that cannot be decoded is reported through ``error()``: code 508, or 505 for an id that no message has.
    Nothing else is raised but what a callback raises.
    """

    def __init__(
        self, wrapper: Any, server_version: int, *, sizes: str | None = None, error_style: int | None = None
    ) -> None:
        self.wrapper = wrapper
        self._sizes, self._error_style = sizes, error_style
        self._attributes: dict[str, Any] | None = getattr(wrapper, "__dict__", None)
        self._make: Make = make_official
        self.codec = Codec(server_version, Role.CLIENT, profile=Profile.OFFICIAL, make=make_official)
        self._skipped = 0
        self._stopping = False
        self._routes: dict[int, Route] = {}
        self._made: list[Route] = []
        self._flat: list[tuple[str, Any]] = []
        self._counts: Counter[str] = Counter()
        self._fast: Any = None
        self._compiled = _compiled()
        if self._compiled is not None:
            raw_ids = server_version >= PROTOBUF
            self._fast = self._compiled.Routes(raw_ids, self._general, self._attributes, self._changed)
        self.interpret = self._general if self._fast is None else self._fast.interpret
        self.refresh()

    def drain(self, payloads: Any, most: int, told: Callable[[], object] | None) -> int:
        """Make the callbacks of the payloads that wait; returns how many there were.

        Ends early after :meth:`stop`. ``told`` is called after each payload, None: nothing is.

        Parameters
        ----------
        payloads : ibwire.ring.payloads.Payloads
            Or anything with its ``poll``.
        """
        fast = self._fast
        if fast is not None and isinstance(getattr(payloads, "source", None), _Region) and payloads.is_untouched:
            lost = fast.lost
            try:
                control, market = payloads.control, payloads.market
                return int(fast.drain(payloads.source, control, market, payloads.next_seq, most, told))
            finally:
                payloads.lost += fast.lost - lost
                payloads.next_seq = fast.next_seq
        self._stopping = False
        count = 0
        while count < most and not self._stopping and (found := payloads.poll(1)):
            count += 1
            self.interpret(found[0])
            if told is not None:
                told()
        return count

    def stop(self) -> None:
        """End a :meth:`drain` that is under way after the payload that it is at. Any thread."""
        self._stopping = True
        if self._fast is not None:
            self._fast.stop()

    @property
    def skipped(self) -> int:
        """How many messages were not decoded because nobody listens."""
        return self._skipped + (self._fast.skipped if self._fast is not None else 0)

    @property
    def counts(self) -> Counter[str]:
        """How many messages were decoded, by name."""
        found = Counter(self._counts)
        for route in self._made:
            found[route.plan.row.name] += route.made
        for name, fast in self._flat:
            found[name] += fast.made
        return +found

    def refresh(self) -> None:
        """Look anew which callbacks the wrapper overrides, and of which generation it is.

        Raises ImportError where it overrides one that gets protobuf messages, and google.protobuf is not installed.
        """
        if own_twins(self.wrapper):
            from ibwire.compat.protobuf import _build  # noqa: F401  now rather than at the first message
        self._convert = size_conversion(self.wrapper, self._sizes, self._error_style)
        self._make = make_official if self._convert is None else with_sizes(make_official, self._convert)
        self._forget()

    def look(self) -> None:
        """As :meth:`refresh`, if callbacks were set on the wrapper's instance or taken from it since the last look."""
        if self._own() != self._seen:
            self.refresh()

    # ------------------------------------------------------------------ routes

    def _own(self) -> set[str]:
        return {name for name, value in (self._attributes or {}).items() if callable(value)}

    def _changed(self) -> None:
        self.look()

    def _forget(self) -> None:
        self._seen = self._own()
        self._size = len(self._attributes or ())
        self._counts = self.counts
        self._flat.clear()
        self._made.clear()
        self._routes.clear()
        if self._fast is not None:
            self._skipped += self._fast.skipped
            self._fast.clear()

    def _route(self, wire_id: int) -> Route | None:
        """The overridden callbacks of a wire id; None for an id that no message has."""
        found = self.codec.decoder(wire_id)
        if found is None:
            return None
        plan, run = found
        steps = steps_of(plan, self.wrapper, self._error_style)
        route = Route(plan, run, steps, twin=twin_of(plan, self.wrapper))
        if self._fast is not None and route.twin is None:
            self._compile(wire_id, plan, route.steps)
        self._routes[wire_id] = route
        self._made.append(route)
        return route

    def _compile(self, wire_id: int, plan: Plan, steps: list[Step]) -> None:
        if not steps:
            self._fast.set(wire_id, None)
            return
        flat = flat_route(plan, steps, self._make, self._convert)
        if flat is None:
            return
        names = {field.decimal for field in flat.fields if field.decimal and field.used}
        route = self._compiled.Route(tuple(flat), {name: self._sizes_of(name) for name in names})
        self._flat.append((plan.row.name, route))
        self._fast.set(wire_id, route)

    def _sizes_of(self, name: str) -> Any:
        """The remembered objects of size texts, shared by all clients of the process."""
        convert = self._convert
        key = (name if convert is not None else "", convert)
        found = _SIZES.get(key)
        if found is None:
            make = Decimal if convert is None else lambda text: convert(name, Decimal(text))
            found = _SIZES[key] = self._compiled.Sizes(make)
        return found

    # ------------------------------------------------------------------ one payload

    def _general(self, payload: bytes) -> None:
        if self._fast is None and self._attributes is not None and len(self._attributes) != self._size:
            self._size = len(self._attributes)
            self.look()
        try:
            wire_id, start = self.codec.split(payload)
            route = self._routes.get(wire_id) or self._route(wire_id)
            if route is None:
                self._report(errors.UNKNOWN_ID.code(), f"{errors.UNKNOWN_ID.msg()}: {wire_id}")
                return
            if not route.steps and route.twin is None:
                self._skipped += 1
                return
            regs, _ = route.run(route.plan, payload, start, self._make)
            whole = route.twin.parse(payload[start:]) if route.twin is not None else None
        except ProtocolError as problem:
            self._report(errors.BAD_MESSAGE.code(), f"{errors.BAD_MESSAGE.msg()}: {problem}")
            return
        route.made += 1
        if route.twin is not None:
            route.twin.callback(whole)
        make, convert = self._make, self._convert
        for step in route.steps:
            when, each, callback = step.bound.when, step.bound.each, step.callback
            if when is not None and not when.holds(regs):
                continue
            for element in (None,) if each < 0 else regs[each] or ():
                args = [get(regs, element, make) for get in step.bound.args]
                if convert is not None:
                    names = zip(step.names, args, strict=True)
                    args = [convert(name, value) if type(value) is Decimal else value for name, value in names]
                callback(*args)

    def _report(self, code: int, text: str) -> None:
        error_caller(self.wrapper, self._error_style)(NO_VALID_ID, now_ms(), code, text, "")


_SIZES: Final[dict[Any, Any]] = {}
