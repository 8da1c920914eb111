"""Test a strategy without a gateway: a pytest plugin, and the same for any other test runner.

The fixture ``gateway`` is a simulated gateway on a real socket, for any client of the API in any language::

    @pytest.mark.ibwire(scenario="late-fill", seed=3)
    def test_my_strategy(gateway):
        my_strategy.run(gateway.host, gateway.port)
        assert_sequence(gateway.order(1), "PreSubmitted", "Submitted", "PendingCancel", "Cancelled", ...)

pytest is needed for the fixture only; importing this module imports neither it nor the simulator.
"""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import EllipsisType, TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from ibwire.errors import ConfigError, WaitTimeout

if TYPE_CHECKING:
    from ibwire.client import Client
    from ibwire.sim.gateway import Gateway
    from ibwire.sim.scenario import Scenario
    from ibwire.sim.server import Server

__all__ = ["OrderRecord", "SimGateway", "assert_sequence", "sim_gateway"]

STATUSES: Final = frozenset(
    {"ApiPending", "PendingSubmit", "PendingCancel", "PreSubmitted", "Submitted", "ApiCancelled", "Cancelled"}
    | {"Filled", "Inactive"}
)
DEFAULT_SPEED: Final = 10.0
_POLL_S: Final = 0.005
_OPTION: Final = "--ibwire-seed"
_MARK: Final = "ibwire"
T = TypeVar("T")


@dataclass(slots=True)
class OrderRecord:
    """What the gateway told a client about one order, in the order in which it told it.

    Attributes
    ----------
    clientId, orderId : int
    requests : list
        Every placement of it, as typed messages: the first one, then the modifies.
    statuses : list of str
        The status of each orderStatus.
    events : list of str
        The same with ``fill SIZE @ PRICE``, ``error CODE`` and ``commission`` between.
    filled : Decimal
        The sum of its executions; corrections replace what they correct.
    """

    clientId: int
    orderId: int
    requests: list[Any] = field(default_factory=list)
    statuses: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    _fills: dict[str, Any] = field(default_factory=dict)

    @property
    def filled(self) -> Any:
        """The sum of its executions."""
        from decimal import Decimal

        return sum((fill.shares for fill in self._fills.values()), Decimal(0))

    def add_fill(self, execution: Any) -> None:
        """Note an execution."""
        self._fills[execution.execId.rpartition(".")[0]] = execution
        self.events.append(f"fill {execution.shares.normalize():f} @ {execution.price:g}")

    def owns(self, execId: str) -> bool:
        """True when an execution is of this order."""
        return execId.rpartition(".")[0] in self._fills


class SimGateway:
    """A simulated gateway for a test; made by the fixture `gateway` or by `sim_gateway`.

    Any thread may use it.

    Attributes
    ----------
    host : str
    port : int
        Where clients connect to.
    seed : int
    scenario : Scenario or None
    server : Server
    requests : list of (int or None, message)
        Every request so far, with the client id.
    messages : list of (int or None, message)
        Every message sent to a client so far, market data included.
    """

    def __init__(self, server: Server, record: _Record) -> None:
        self.server = server
        self.host, self.port = server.host, server.port
        self.seed = server.gateway.seed
        director = server.gateway.director
        self.scenario: Scenario | None = None if director is None else director.scenario
        self._record = record
        self._clients = ExitStack()
        self._folder: str | None = None

    @property
    def requests(self) -> list[tuple[int | None, Any]]:
        """Every request so far, with the client id."""
        return list(self._record.requests)

    @property
    def messages(self) -> list[tuple[int | None, Any]]:
        """Every message sent so far, with the client id."""
        return list(self._record.messages)

    def connect(self, **settings: Any) -> Client:
        """Connect ibwire's own client; it is closed with the gateway. Settings as for `ibwire.connect`.

        Its journal and ids lie in a folder that goes with the gateway, unless `state_dir` names one: the next may
        get the same port, and would find what is not its own.
        """
        connect = importlib.import_module("ibwire").connect
        if "state_dir" not in settings:
            if self._folder is None:  # removed after the clients have closed
                self._folder = self._clients.enter_context(tempfile.TemporaryDirectory(prefix="ibwire-"))
            settings["state_dir"] = os.path.join(self._folder, str(settings.get("client_id", "")))
        client: Client = self._clients.enter_context(connect("paper", host=self.host, port=self.port, **settings))
        return client

    def order(self, orderId: int, clientId: int | None = None) -> OrderRecord:
        """Return what was told about an order; empty while nothing was. Without a client id: of whichever client."""
        return self._record.order(orderId, clientId)

    def rule(self, when: dict[str, Any], do: Any) -> None:
        """Add a rule from now on: keys and actions as in a scenario file (docs/sim/language.md)."""
        from ibwire.sim.director import Director
        from ibwire.sim.scenario import Scenario

        (rule,) = Scenario(source="rule").rule(when, do).rules

        def add(gateway: Gateway) -> None:
            if gateway.director is None:
                Director(gateway, Scenario())
                for session in gateway.sessions:  # their bytes now follow each message
                    peer = self._record.peers.get(session.key)
                    session.flush = None if peer is None else peer.flush
            assert gateway.director is not None
            gateway.director.add(rule)

        self.server.call(add)

    def call(self, action: Callable[[Gateway], T]) -> T:
        """Run ``action(gateway)`` on the server's thread and return what it returns."""
        return self.server.call(action)

    def advance(self, seconds: float) -> None:
        """Let virtual time pass; with ``virtual=True`` only."""
        self.server.advance(seconds)

    def position(self, conId: int, account: str = "") -> Any:
        """Return the gateway's own book of a position."""

        def look(gateway: Gateway) -> Any:
            found = gateway.account(account)
            if found is None:
                raise ConfigError(f"there is no account {account!r}", hint=f"there are {', '.join(gateway.accounts)}")
            return found.position(conId)

        return self.server.call(look)

    def wait_for(self, condition: Callable[[], object], timeout: float = 10.0) -> None:
        """Wait until ``condition()`` is true; raises WaitTimeout after `timeout` seconds."""
        until = time.monotonic() + timeout
        while not condition():
            if time.monotonic() > until:
                raise WaitTimeout(f"what was waited for did not happen within {timeout:g} s")
            time.sleep(_POLL_S)

    def close(self) -> None:
        """Close the clients that it made, and the gateway."""
        try:
            self._clients.close()
        finally:
            self.server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Record:
    """Everything that was said, by order where it is about one. Written on the server's thread, read on any."""

    def __init__(self) -> None:
        self.requests: list[tuple[int | None, Any]] = []
        self.messages: list[tuple[int | None, Any]] = []
        self.peers: dict[Any, Any] = {}
        self._orders: dict[tuple[int, int], OrderRecord] = {}
        self._lock = threading.Lock()

    def watch(self, peer: Any, is_request: bool, message: Any) -> None:
        client = peer.session.clientId
        self.peers[peer.number] = peer
        (self.requests if is_request else self.messages).append((client, message))
        name = getattr(type(message), "NAME", "")
        with self._lock:
            if is_request and name == "placeOrder":
                self._of(client, message.orderId).requests.append(message)
            elif name == "orderStatus":
                found = self._of(message.clientId, message.orderId)
                found.statuses.append(message.status)
                found.events.append(message.status)
            elif name == "execDetails" and message.reqId == -1:
                self._of(message.execution.clientId, message.execution.orderId).add_fill(message.execution)
            elif name == "error" and (client, message.id) in self._orders:
                self._orders[client, message.id].events.append(f"error {message.errorCode}")
            elif name == "commissionAndFeesReport":
                for one in self._orders.values():
                    if one.owns(message.commissionAndFeesReport.execId):
                        one.events.append("commission")

    def _of(self, client: int | None, orderId: int) -> OrderRecord:
        key = (-1 if client is None else client, orderId)
        return self._orders.setdefault(key, OrderRecord(*key))

    def order(self, orderId: int, client: int | None) -> OrderRecord:
        with self._lock:
            if client is not None:
                return self._of(client, orderId)
            found = [one for (_, known), one in self._orders.items() if known == orderId]
            if len(found) > 1:
                clients = ", ".join(str(one.clientId) for one in found)
                raise ConfigError(f"several clients have an order {orderId}", hint=f"say which: {clients}")
            return found[0] if found else OrderRecord(-1, orderId)


def sim_gateway(
    scenario: Scenario | str | Path | None = None,
    *,
    seed: int | None = None,
    speed: float = DEFAULT_SPEED,
    virtual: bool = False,
    **options: Any,
) -> SimGateway:
    """Start a simulated gateway that keeps a record; a context manager.

    Parameters
    ----------
    scenario : Scenario, str or Path, optional
        A ready one by its name (``ibwire sim --list``), a TOML file, or one made in Python.
    seed : int, optional
        By default the scenario's, or 7.
    speed : float
        Virtual seconds per second.
    virtual : bool
        Time stands still but for `SimGateway.advance`.
    **options
        Anything else that `ibwire.sim.server.serve` takes: ``server_version``, ``accounts``, ``rate``, ``step_s``, ...
    """
    from ibwire.sim.server import serve

    record = _Record()
    scale = 1.0 if virtual else speed
    server = serve(
        seed=seed, time_scale=scale, scenario=scenario, virtual=virtual, watch=record.watch, **options
    )
    return SimGateway(server, record)


# ---------------------------------------------------------------------------------------------- assertions


def _events_of(order: Any) -> Callable[[], list[str]]:
    """How to read what happened to an order, whoever's object it is."""
    if isinstance(order, OrderRecord):
        return lambda: list(order.events)
    if hasattr(order, "events") and hasattr(order, "order_id"):  # ibwire's own handle
        return lambda: [event.state for event in order.events]
    if hasattr(order, "log") and hasattr(order, "orderStatus"):  # a Trade of ib_async or ib_insync
        return lambda: [entry.status for entry in order.log]
    if isinstance(order, Iterable) and not isinstance(order, str):
        listed = [str(one) for one in order]
        return lambda: listed
    raise ConfigError(
        f"{type(order).__name__} is no order",
        hint="give gateway.order(id), an ibwire handle, an ib_async Trade, or a list of statuses",
    )


def _collapsed(events: Iterable[str]) -> list[str]:
    """Without repetitions: a gateway may say everything twice."""
    found: list[str] = []
    for event in events:
        if not found or found[-1] != event:
            found.append(event)
    return found


def _fits(seen: list[str], wanted: tuple[str | EllipsisType, ...]) -> bool:
    """True when all of `seen` is what is wanted; an Ellipsis stands for anything, also nothing."""
    reachable = {0}
    for one in wanted:
        if isinstance(one, EllipsisType):
            reachable = set(range(min(reachable), len(seen) + 1)) if reachable else set()
        else:
            reachable = {at + 1 for at in reachable if at < len(seen) and _same(seen[at], one)}
    return len(seen) in reachable


def _same(seen: str, wanted: str) -> bool:
    return seen == wanted or (wanted == "fill" and seen.startswith("fill "))


def assert_sequence(order: Any, *wanted: str | EllipsisType, timeout: float = 5.0) -> None:
    """Assert what happened to an order, in this order; waits up to `timeout` seconds for it.

    Parameters
    ----------
    order : OrderRecord, OrderHandle, Trade, or iterable of str
        ``gateway.order(id)``, ibwire's handle, a Trade of ib_async or ib_insync, or a plain list.
    *wanted : str or ...
        Statuses. Repetitions count once. ``...`` stands for anything, also for nothing. With ``fill`` (or
        ``fill 100 @ 187.43``), ``error 202`` or ``commission`` among them these are compared too, where the order
        knows them; without, only statuses are.
    timeout : float
        0 looks once.

    Raises
    ------
    AssertionError
        With both sequences side by side.
    """
    __tracebackhide__ = True
    read = _events_of(order)
    with_all = any(isinstance(one, str) and one not in STATUSES for one in wanted)
    until = time.monotonic() + timeout
    while True:
        seen = _collapsed(event for event in read() if with_all or event in STATUSES)
        if _fits(seen, wanted):
            return
        if time.monotonic() >= until:
            break
        time.sleep(_POLL_S)
    raise AssertionError(_difference(order, seen, wanted))


def _difference(order: Any, seen: list[str], wanted: tuple[str | EllipsisType, ...]) -> str:
    """Both sequences, line by line."""
    import difflib

    words = ["..." if isinstance(one, EllipsisType) else one for one in wanted]
    name = getattr(order, "orderId", getattr(order, "order_id", None))
    lines = [f"order {name}: another sequence" if name is not None else "another sequence"]
    width = max(map(len, ["wanted", *words])) + 4
    lines.append(f"    {'wanted':<{width}}seen")
    matcher = difflib.SequenceMatcher(None, words, seen, autojunk=False)
    for tag, a, b, c, d in matcher.get_opcodes():
        left, right = words[a:b], seen[c:d]
        for number in range(max(len(left), len(right))):
            one = left[number] if number < len(left) else ""
            other = right[number] if number < len(right) else ""
            sign = " " if tag == "equal" or one == "..." else ">"
            lines.append(f"  {sign} {one or '-':<{width}}{other or '-'}")
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------------- pytest


def pytest_addoption(parser: Any) -> None:
    """Add the option that repeats a run."""
    parser.getgroup("ibwire").addoption(_OPTION, type=int, default=None, help="seed of the simulated gateway")


def pytest_configure(config: Any) -> None:
    """Register the mark."""
    text = "ibwire(scenario=None, seed=None, speed=10, virtual=False, **options): what the fixture `gateway` is"
    config.addinivalue_line("markers", text)


def pytest_runtest_makereport(item: Any, call: Any) -> None:
    """Say of a failed test with a gateway how to repeat it."""
    gateway = getattr(item, "funcargs", {}).get("gateway")
    if call.excinfo is not None and isinstance(gateway, SimGateway):
        title = "" if gateway.scenario is None else f", scenario {gateway.scenario.source}"
        lines = [f"seed {gateway.seed}{title}; to repeat it: pytest '{item.nodeid}' {_OPTION} {gateway.seed}"]
        lines += gateway.server.problems
        item.add_report_section(call.when, "ibwire gateway", "\n".join(lines))


def _gateway(request: Any) -> Iterator[SimGateway]:
    """A simulated gateway on a free loopback port; ``@pytest.mark.ibwire(...)`` says which."""
    mark = request.node.get_closest_marker(_MARK)
    options = {} if mark is None else dict(mark.kwargs)
    if mark is not None and mark.args:
        options.setdefault("scenario", mark.args[0])
    seed = request.config.getoption(_OPTION)
    if seed is not None:
        options["seed"] = seed
    with sim_gateway(options.pop("scenario", None), **options) as running:
        yield running


# Loaded by pytest, which is no dependency: without it there is no fixture.
if "pytest" in sys.modules:
    gateway = importlib.import_module("pytest").fixture(_gateway, name="gateway")
