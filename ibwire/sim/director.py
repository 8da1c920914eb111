"""Runs a scenario: sees every request before the gateway and every message before the client, and does what rules say.

Everything happens on the virtual clock, and what is drawn comes from the world's seed: the same seed, scenario and
client bytes give the same server bytes. Rules are asked in their order; the first that decides about a request or a
message (drop, delay, refuse, replace, ...) has decided, what the others do besides is done as well. What a rule sends
is not shown to the rules again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

from ibwire.sim import acts
from ibwire.sim.client import ClientSession
from ibwire.sim.clock import NS_PER_S
from ibwire.sim.facts import Facts, deep_set
from ibwire.sim.faults import Line
from ibwire.sim.gateway import Gateway
from ibwire.sim.pacing import Pacing
from ibwire.sim.rng import Rng
from ibwire.sim.scenario import Rule, Scenario
from ibwire.sim.vocabulary import IMMEDIATE
from ibwire.spec import versions as V
from ibwire.spec.registry import by_name
from ibwire.types import outgoing

_NS_PER_MS = 1_000_000
# What a subscription brings; answers to questions are not among them.
_MARKET = frozenset(
    by_name(name).cls_name
    for name in (
        *("tickPrice", "tickSize", "tickString", "tickGeneric", "tickEFP", "tickOptionComputation", "tickNews"),
        *("tickByTick", "updateMktDepth", "updateMktDepthL2", "realtimeBar", "historicalDataUpdate"),
    )
)
# What waits while TWS has no connection to IB: orders and what asks IB for data.
_NEEDS_IB = (outgoing.PlaceOrder, outgoing.CancelOrder, outgoing.ReqGlobalCancel)


@dataclass(slots=True)
class Occasion:
    """Why a rule's actions are done: what a function given as `do` is called with.

    Attributes
    ----------
    gateway : Gateway
        Its `force`, `clock` and everything else.
    session : ClientSession or None
        The client at hand.
    message : object or None
        The request, or the message on its way.
    line : Line or None
        The client's bytes.
    orderId : int or None
        The order at hand.
    """

    director: Director
    gateway: Gateway
    session: ClientSession | None = None
    message: Any = None
    line: Line | None = None
    orderId: int | None = None
    elsewhere: str = ""  # where a redirect sends the client


@dataclass(slots=True)
class _Watched:
    """A rule and how often it has fitted."""

    rule: Rule
    number: int
    facts: Facts
    rng: Rng
    fits: int = 0
    done: int = 0


@dataclass(slots=True)
class _Held:
    """A message that waits until others have passed it."""

    message: Any
    others: int


@dataclass(slots=True)
class Director:
    """A scenario at work in one gateway.

    Parameters
    ----------
    gateway : Gateway
        Its `director` becomes this one.
    scenario : Scenario

    Attributes
    ----------
    notes : deque of str
        What an action could not do, such as filling an order that never came to be.
    """

    gateway: Gateway
    scenario: Scenario
    data_paused_until_ns: int = 0
    broker_lost: bool = False
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=64))
    _requests: list[_Watched] = field(default_factory=list)
    _messages: list[_Watched] = field(default_factory=list)
    _events: list[_Watched] = field(default_factory=list)
    _held: dict[ClientSession, list[_Held]] = field(default_factory=dict)
    _waiting: list[tuple[ClientSession, Any]] = field(default_factory=list)
    _pacing: Pacing | None = None
    _start_ns: int = 0

    def __post_init__(self) -> None:
        gateway = self.gateway
        gateway.director = self
        self._start_ns = gateway.clock.now_ns
        if self.scenario.pacing:
            self._pacing = Pacing(gateway.clock, **self.scenario.pacing)
        for number, rule in enumerate(self.scenario.rules):
            self.add(rule, number)

    def add(self, rule: Rule, number: int | None = None) -> None:
        """Obey one more rule from now on."""
        number = len(self._requests) + len(self._messages) + len(self._events) if number is None else number
        rng = Rng.of(self.gateway.seed, "rule", number)
        watched = _Watched(rule, number, Facts(rule.when), rng)
        if "request" in rule.when:
            self._requests.append(watched)
        elif "message" in rule.when:
            self._messages.append(watched)
        elif "event" in rule.when:
            self._events.append(watched)
        else:
            self._at(watched)

    def _at(self, watched: _Watched) -> None:
        clock, when = self.gateway.clock, watched.rule.when
        every_ns = round(when.get("every_s", 0) * NS_PER_S)

        def run() -> None:
            if every_ns:
                clock.after(every_ns, run)
            if self._counts(watched):
                self._perform(watched.rule, Occasion(self, self.gateway))

        clock.at(max(self._start_ns + round(when["at_s"] * NS_PER_S), clock.now_ns), run)

    # -- what the gateway asks ---------------------------------------------------------------------------------------

    def on_handshake(self, line: Line) -> str:
        """A client has announced itself; return where it should go instead, or an empty text."""
        occasion = Occasion(self, self.gateway, line=line)
        for watched in self._events:
            if watched.rule.when["event"] == "handshake" and self._counts(watched):
                self._perform(watched.rule, occasion)
        return occasion.elsewhere

    def on_connect(self, session: ClientSession) -> None:
        """A client has been greeted."""
        self._event("connect", session)

    def on_disconnect(self, session: ClientSession) -> None:
        """A client has gone."""
        self._held.pop(session, None)
        self._waiting = [(one, message) for one, message in self._waiting if one is not session]
        self._event("disconnect", session)

    def _event(self, name: str, session: ClientSession) -> None:
        for watched in self._events:
            if (
                watched.rule.when["event"] == name
                and watched.facts.fits_client(session)
                and self._counts(watched)
            ):
                self._perform(watched.rule, Occasion(self, self.gateway, session))

    def on_request(self, session: ClientSession, message: Any) -> bool:
        """A request came; True when the scenario has dealt with it."""
        if self._pacing is not None and self._pacing.refuses(session, message):
            return True
        if session.clientId is not None:
            name = type(message).__dict__.get("NAME", "")
            fitting = [
                watched.rule
                for watched in self._requests
                if watched.facts.fits_request(self.gateway, session, name, message) and self._counts(watched)
            ]
            occasion = Occasion(self, self.gateway, session, message, orderId=getattr(message, "orderId", None))
            if self._obey(fitting, occasion, self._decide_request):
                return True
        if self.broker_lost and isinstance(message, _NEEDS_IB):
            self._waiting.append((session, message))
            return True
        return False

    def on_message(self, session: ClientSession, message: Any) -> None:
        """A message is on its way to a client."""
        kind = type(message).__name__
        paused = self.broker_lost or self.gateway.clock.now_ns < self.data_paused_until_ns
        if paused and kind in _MARKET:
            return
        fitting = [
            watched.rule
            for watched in self._messages
            if watched.facts.fits_message(self.gateway, session, message) and self._counts(watched)
        ]
        if fitting:
            occasion = Occasion(self, self.gateway, session, message, orderId=acts.order_of(message))
            if self._obey(fitting, occasion, self._decide_message):
                return
        self.pass_on(session, message)

    def pass_on(self, session: ClientSession, message: Any) -> None:
        """Send a message as it is; those that wait for it to pass come after it."""
        session.put(message)
        held = self._held.get(session)
        if held:
            self._held[session] = []
            for one in held:
                one.others -= 1
                if one.others > 0:
                    self._held[session].append(one)
                else:
                    session.put(one.message)

    # -- rules -------------------------------------------------------------------------------------------------------

    def _counts(self, watched: _Watched) -> bool:
        """Everything else fits: is it the right time, by number, time and chance?"""
        when = watched.rule.when
        now_ns = self.gateway.clock.now_ns - self._start_ns
        if now_ns < when.get("after_s", 0) * NS_PER_S:
            return False
        if "before_s" in when and now_ns >= when["before_s"] * NS_PER_S:
            return False
        watched.fits += 1
        nth = when.get("nth")
        if nth is not None and watched.fits not in (nth if isinstance(nth, list) else (nth,)):
            return False
        if watched.fits < when.get("from_nth", 1) or watched.done >= when.get("times", watched.done + 1):
            return False
        if "chance" in when and not watched.rng.chance(min(when["chance"], 100), 100):
            return False
        watched.done += 1
        return True

    def _obey(self, rules: list[Rule], occasion: Occasion, decide: Callable[[Rule, Occasion], bool]) -> bool:
        """Do what fitting rules say; True when one of them has decided about the request or message."""
        decided = False
        for rule in rules:
            if callable(rule.do):
                decided |= bool(rule.do(occasion))
                continue
            # Before what it sends: a fault on the line is to meet this message.
            self._perform(rule, occasion)
            if not decided:
                decided = decide(rule, occasion)
        return decided

    def _perform(self, rule: Rule, occasion: Occasion) -> None:
        """Do what is not a decision, now or later."""
        if callable(rule.do):
            rule.do(occasion)
            return
        for step in rule.do:
            if step.name == "redirect":
                occasion.elsewhere = step.value
            elif step.name not in IMMEDIATE:
                run = partial(acts.perform, occasion, step)
                # Never from inside the request or the message at hand: what it causes comes first. What happens to
                # the bytes is different: it must meet the very next frame.
                if step.name in acts.ON_THE_LINE and not step.after_ms:
                    run()
                else:
                    self.gateway.clock.after(round(step.after_ms * _NS_PER_MS), run)

    def _decide_request(self, rule: Rule, occasion: Occasion) -> bool:
        session, message, gateway = occasion.session, occasion.message, self.gateway
        assert session is not None and not callable(rule.do)
        decided = False
        for step in rule.do:
            if step.name == "delay_ms":
                gateway.clock.after(round(step.value * _NS_PER_MS), partial(gateway.answer, session, message))
            elif step.name == "refuse":
                code, text = step.value.get("code", 201), step.value.get("text", "Refused by the scenario")
                gateway.clock.after(0, partial(session.error, acts.request_of(message), code, text))
            decided |= step.name in ("drop", "delay_ms", "refuse")
        return decided

    def _decide_message(self, rule: Rule, occasion: Occasion) -> bool:
        session = occasion.session
        assert session is not None and not callable(rule.do)
        changes = {step.name: step.value for step in rule.do if step.name in IMMEDIATE}
        if not changes:
            return False
        if "echo" in changes:
            self.pass_on(session, _changed(occasion.message, changes["echo"]))
        if "replace" in changes:
            occasion.message = _changed(occasion.message, changes["replace"])
        message = occasion.message
        if changes.keys() == {"echo"}:
            return False
        if "drop" in changes:
            return True
        if "reorder" in changes:
            self._held.setdefault(session, []).append(_Held(message, changes["reorder"]))
            return True
        for _ in range(1 + changes.get("duplicate", 0)):
            if "delay_ms" in changes:
                later = partial(self.pass_on, session, message)
                self.gateway.clock.after(round(changes["delay_ms"] * _NS_PER_MS), later)
            else:
                self.pass_on(session, message)
        return True

    # -- for actions -------------------------------------------------------------------------------------------------

    def lose_broker(self) -> None:
        """TWS has no connection to IB from now on."""
        self.broker_lost = True

    def find_broker(self) -> None:
        """TWS has its connection again: what waited is taken."""
        self.broker_lost = False
        waiting, self._waiting = self._waiting, []
        for session, message in waiting:
            self.gateway.answer(session, message)

    def pause_data(self, until_ns: int) -> None:
        """Send no market data until then."""
        self.data_paused_until_ns = max(self.data_paused_until_ns, until_ns)

    def sessions(self, clientId: int | None = None) -> Iterator[ClientSession]:
        """Every client that was greeted, or the one of that id."""
        for session in tuple(self.gateway.sessions):
            if session.clientId is not None and clientId in (None, session.clientId):
                yield session


def _changed(message: Any, values: dict[str, Any]) -> Any:
    copy = deepcopy(message)
    for path, value in values.items():
        deep_set(copy, path, value)
    return copy


def as_scenario(where: Scenario | str | Path | None) -> Scenario | None:
    """A scenario as given, by name, or from a file."""
    return where if where is None or isinstance(where, Scenario) else Scenario.load(where)


def make_gateway(scenario: Scenario | str | Path | None = None, **given: Any) -> tuple[Gateway, int]:
    """Make a gateway and, if there is a scenario, its director; return it and the version that it agrees to.

    Parameters
    ----------
    scenario
        A scenario, the name of a ready one, a file, or None.
    **given
        What `Gateway` takes, and `server_version`; None means the scenario's own value, or the default.
    """
    found = as_scenario(scenario)
    settings = {} if found is None else _settings(found)
    settings |= {name: value for name, value in given.items() if value is not None}
    version = settings.pop("server_version", V.MAX_CLIENT_VERSION)
    gateway = Gateway(**settings)
    if found is not None:
        Director(gateway, found)
    return gateway, version


def _settings(scenario: Scenario) -> dict[str, Any]:
    settings = dict(scenario.gateway)
    if scenario.seed is not None:
        settings["seed"] = scenario.seed
    if "client_id_hold_s" in settings:
        settings["client_id_hold_ns"] = round(settings.pop("client_id_hold_s") * NS_PER_S)
    if "cash" in settings:
        settings["cash"] = Decimal(str(settings["cash"]))
    for name in ("manners", "latency"):
        if getattr(scenario, name) is not None:
            settings[name] = getattr(scenario, name)
    return settings

