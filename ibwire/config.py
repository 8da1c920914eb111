"""Settings of a connection: checked when they are made, before anything is opened."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Final

from ibwire.errors import ConfigError
from ibwire.spec import versions as V

__all__ = ["LIVE_CONFIRMATION", "PORTS", "TARGETS", "Settings"]

TARGETS: Final = ("sim", "paper", "live")

PORTS: Final[dict[tuple[str, str], int]] = {
    ("live", "tws"): 7496,
    ("paper", "tws"): 7497,
    ("live", "gateway"): 4001,
    ("paper", "gateway"): 4002,
}
"""(target, app) -> the port that TWS and IB Gateway listen on unless told otherwise."""

_CHOICES: Final = {
    "market": ("latest", "every"),
    "mode": ("threaded", "inline"),
    "wait": ("block", "yield", "spin"),
    "fsync": ("always", "interval", "never"),
}

_BUDGET_MS: Final = (0.01, 60_000.0)

LIVE_CONFIRMATION: Final = "orders spend real money"
"""What ``confirm=`` must say for a live connection."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How to reach a gateway.

    Parameters
    ----------
    target : str
        ``sim`` (the embedded simulated gateway), ``paper`` or ``live``. Never guessed.
    app : str
        ``tws`` or ``gateway``: whose default port to use.
    host : str
        Address of TWS or IB Gateway; 127.0.0.1 rather than localhost, which may mean IPv6. Not for the sim.
    port : int
        1..65535; 0 means the default of target and app (TWS 7496 live, 7497 paper; IB Gateway 4001, 4002).
    client_id : int
        0..2147483647; each program on one gateway needs its own.
    max_server_version : int
        100..225: the highest version to announce. At most 200 keeps the session in the text dialect.
    timeout_s : float
        Seconds for the whole of connecting; also what a request waits for its answer by default.
    connect_options : str
        Sent in the handshake, such as ``+PACEAPI``.
    seed : int
        Seed of the simulated market. Sim only.
    ticks_per_s : int
        Mean quote changes per second and instrument, 1..1000000; 0 means the simulator's own. Sim only.
    capture : str
        File to write the whole session to (see :mod:`ibwire.io.capture`); it must not exist. The bytes then take a way
        through one more thread of this process, which costs tens of microseconds each way.
    confirm : str
        Live only: must be :data:`LIVE_CONFIRMATION`.
    market : str
        ``latest``: market records in a ring that overwrites; who falls behind is told how many it missed. ``every``:
        none is lost up to ``max_backlog_bytes``; past it the oldest go, and ``Client.notices`` says how many.
    mode : str
        ``threaded``: a thread receives, without the GIL. ``inline``: no threads; the program's own one calls
        ``Client.poll`` (everything that waits receives too), and no other may use the client.
    wait : str
        How consumers wait: ``block`` (microseconds), ``yield`` or ``spin`` (a core, nanoseconds).
    spin : bool
        The receiving thread never sleeps in the kernel: a core, for microseconds.
    kernel_times : bool
        Records carry the time at which the kernel had their bytes, instead of when they were received. Linux.
    timers : bool
        ``Client.metrics`` tells how long each stage takes.
    market_records : int
        Capacity of the market ring in records of 64 bytes; a power of two, 64..2**24.
    max_backlog_bytes : int
        How far a consumer may be behind, 1 MiB or more. Past it market records go (``every``); order and control
        entries never do: the session ends with ConsumerTooSlow and every open order is uncertain.
    buffer_bytes : int
        Most that one receive takes, 4096..2**28.
    receive_buffer_bytes : int
        The kernel's receive buffer; 0 leaves it to the kernel.
    reconcile : bool
        Ask for open orders, executions, completed orders and positions while connecting, so that what is open is known.
    policies : tuple of Policy
        What every order must pass, in order; see :mod:`ibwire.trade.risk_policies`.
    governor : callable or None
        ``(Event, Request or OrderHandle) -> Verdict``, asked before an order goes, when one is live and at every fill.
    gate_budget_ms : float
        Time for all policies and the governor together, per order, 0.01..60000; a verdict that comes later refuses.
    allow_unqualified : bool
        Take orders for contracts without conId, which may turn out to be another contract than was meant.
    rate_per_s : int
        Messages in any one second; a tenth of them for cancels alone. 0 for no limit.
    max_queue_ms : float
        How long a message waits for its turn before PacingError; cancels wait as long as it takes.
    publish : str or None
        Name under which other processes may look at this session (``ibwire.attach``, ``ibwire watch``); it takes
        about 14 MiB of shared memory. Linux.
    state_dir : str or None
        Where journal, order ids and kill file are kept, as an absolute path. Empty: ``ibwire/HOST-PORT-ID`` below
        ``$XDG_STATE_HOME`` (``~/.local/state``), for the sim nowhere. None: in memory; after a crash nobody can tell
        then which orders were sent, and order ids start from what the gateway names.
    fsync : str
        What of the journal survives a power failure (all of it survives the program's end): ``always`` (each placement
        and modify is on the disk before its bytes leave; cancels wait for no disk), ``interval`` (all but the last
        0.2 s) or ``never``.
    check_orders : bool
        For looking for errors in ibwire: a second, compiled order table is told the same, and the session ends when the
        two differ. Without a journal to begin with.

    Raises
    ------
    ConfigError : a value is out of range, or a live connection is not confirmed.
    """

    target: str
    app: str = "tws"
    host: str = "127.0.0.1"
    port: int = 0
    client_id: int = 1
    max_server_version: int = V.MAX_CLIENT_VERSION
    timeout_s: float = 10.0
    connect_options: str = ""
    seed: int = 7
    ticks_per_s: int = 0
    capture: str = ""
    confirm: str = ""
    market: str = "latest"
    mode: str = "threaded"
    wait: str = "block"
    spin: bool = False
    kernel_times: bool = False
    timers: bool = False
    market_records: int = 1 << 16
    max_backlog_bytes: int = 256 << 20
    buffer_bytes: int = 1 << 18
    receive_buffer_bytes: int = 0
    reconcile: bool = True
    publish: str | None = None
    state_dir: str | None = ""
    fsync: str = "interval"
    policies: tuple[Any, ...] = ()
    governor: Any = None
    gate_budget_ms: float = 50.0
    allow_unqualified: bool = False
    rate_per_s: int = 50
    max_queue_ms: float = 1000.0
    check_orders: bool = False

    def __post_init__(self) -> None:
        if self.target not in TARGETS:
            raise ConfigError(f"there is no target {self.target!r}", hint="say 'sim', 'paper' or 'live'")
        if self.app not in ("tws", "gateway"):
            raise ConfigError(f"there is no app {self.app!r}", hint="say 'tws' or 'gateway'")
        self._check_range("port", 0, 65535)
        self._check_range("client_id", 0, 2**31 - 1)
        self._check_range("ticks_per_s", 0, 1_000_000)
        self._check_range("max_server_version", V.MIN_CLIENT_VERSION, V.MAX_CLIENT_VERSION)
        self._check_range("market_records", 64, 1 << 24)
        self._check_range("max_backlog_bytes", 1 << 20, 1 << 40)
        self._check_range("buffer_bytes", 4096, 1 << 28)
        self._check_range("receive_buffer_bytes", 0, 2**31 - 1)
        self._check_range("rate_per_s", 0, 1_000_000)
        if not 0 <= self.max_queue_ms < float("inf"):
            raise ConfigError(f"max_queue_ms is {self.max_queue_ms!r}", hint="give milliseconds, 0 or more")
        budget_ms: Any = self.gate_budget_ms
        is_number = isinstance(budget_ms, int | float) and not isinstance(budget_ms, bool)
        if not is_number or not _BUDGET_MS[0] <= budget_ms <= _BUDGET_MS[1]:
            hint = f"give milliseconds from {_BUDGET_MS[0]:g} to {_BUDGET_MS[1]:g}"
            raise ConfigError(f"gate_budget_ms is {budget_ms!r}", hint=hint)
        if not isinstance(self.policies, tuple):
            if not isinstance(self.policies, Iterable) or isinstance(self.policies, str | bytes):
                raise ConfigError(f"policies is {self.policies!r}", hint="give a list of them, also of one")
            object.__setattr__(self, "policies", tuple(self.policies))
        if self.governor is not None and not callable(self.governor):
            raise ConfigError(f"governor is {self.governor!r}", hint="give a function of (event, subject)")
        if self.market_records & (self.market_records - 1):
            raise ConfigError(f"market_records is {self.market_records}", hint="give a power of two of at least 64")
        for name, choices in _CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is {getattr(self, name)!r}", hint=f"say {' or '.join(choices)}")
        if not 0 < self.timeout_s < float("inf"):
            raise ConfigError(f"timeout_s is {self.timeout_s}", hint="give seconds above 0")
        if self.target == "live" and self.confirm != LIVE_CONFIRMATION:
            hint = f'pass confirm="{LIVE_CONFIRMATION}"; nothing was opened'
            raise ConfigError("a live connection wants to be confirmed", hint=hint)
        if self.target == "sim" and (self.host, self.port) != ("127.0.0.1", 0):
            raise ConfigError("the embedded gateway has no host and port of its own", hint="leave both out")

    def _check_range(self, name: str, low: int, high: int) -> None:
        value = getattr(self, name)
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise ConfigError(f"{name} is {value!r}", hint=f"give a whole number from {low} to {high}")

    @classmethod
    def make(cls, target: str, **settings: Any) -> Settings:
        """Settings from keywords; an unknown keyword is a ConfigError that names the nearest one."""
        known = [f.name for f in fields(cls) if f.name != "target"]
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(name, known, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
                raise ConfigError(f"there is no setting {name!r}", hint=hint)
        return cls(target=target, **settings)

    @property
    def address(self) -> tuple[str, int]:
        """Host and port to connect to. Not for the sim, whose port is free until it runs."""
        return self.host, self.port or PORTS[self.target, self.app]
