"""The simulated gateway on a real loopback socket.

`serve` starts it; `host` has the sockets and the thread, `ibwire.sim.peer` what a client's bytes mean.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ibwire.sim.clock import NS_PER_S
from ibwire.sim.gateway import Gateway
from ibwire.sim.market import DEFAULT_TICKS_PER_S
from ibwire.sim.peer import Peer, Watch
from ibwire.sim.server.host import HOST, MAX_CLIENTS, Host
from ibwire.spec import versions as V

if TYPE_CHECKING:
    from ibwire.sim.scenario import Scenario

__all__ = ["HOST", "MAX_CLIENTS", "Host", "Server", "serve"]


class Server(Host[Gateway]):
    """A running simulated gateway; made by `serve`. A context manager: leaving it closes it.

    Attributes
    ----------
    gateway : Gateway
        Owned by the server's thread: look at it through `call`, or after `close`.
    server_version : int
        The highest version that it agrees to.
    """

    def __init__(
        self,
        gateway: Gateway,
        port: int = 0,
        server_version: int = V.MAX_CLIENT_VERSION,
        time_scale: float = 1.0,
        *,
        virtual: bool = False,
        step_s: float = 0.0,
        watch: Watch | None = None,
        listener: socket.socket | None = None,
    ) -> None:
        if not V.MIN_CLIENT_VERSION <= server_version <= V.MAX_CLIENT_VERSION:
            raise ValueError(f"server_version must be in {V.MIN_CLIENT_VERSION}..{V.MAX_CLIENT_VERSION}")
        if step_s < 0 or (step_s and not virtual):
            raise ValueError("step_s is for virtual time, and at least 0")
        self.gateway = gateway
        self.server_version = server_version
        step_ns, clock = round(step_s * NS_PER_S), gateway.clock

        def step() -> None:
            clock.advance(clock.now_ns + step_ns)

        def make_peer(number: int) -> Peer:
            return Peer(gateway, number, server_version, step if step_ns else None, watch)

        super().__init__(gateway, make_peer, port, time_scale, virtual, listener)


def serve(
    port: int = 0,
    seed: int | None = None,
    server_version: int | None = None,
    accounts: Sequence[str] | None = None,
    rate: int = DEFAULT_TICKS_PER_S,
    time_scale: float = 1.0,
    *,
    scenario: Scenario | str | Path | None = None,
    virtual: bool = False,
    step_s: float = 0.0,
    watch: Watch | None = None,
    listener: socket.socket | None = None,
    **options: Any,
) -> Server:
    """Start a simulated gateway on the loopback address and return it, listening.

    Parameters
    ----------
    port : int
        0 chooses a free one.
    seed : int, optional
        Decides every price, delay and split; by default the scenario's, or 7.
    server_version : int, optional
        The highest version that it agrees to, 100..225; by default the scenario's, or 225.
    accounts : sequence of str, optional
        Account codes of the login; by default the scenario's, or one. With several, every order must name one.
    rate : int
        Mean quote changes per second and instrument, 1..1,000,000.
    time_scale : float
        Virtual seconds per second.
    scenario : Scenario, str or Path, optional
        What is to happen: a scenario, the name of a ready one (``ibwire sim --list``), or a TOML file.
    virtual : bool
        Time stands still but for `Server.advance` and `step_s`: equal client bytes get equal server bytes.
    step_s : float
        Virtual seconds that pass after each request; with `virtual` only.
    watch : callable, optional
        Called on the server's thread as ``watch(peer, is_request, message)`` with every message either way.
    listener : socket, optional
        Listens already, instead of `port`: who cannot wait for imports binds it before them.
    **options
        Anything else that `Gateway` takes, such as ``read_only=True``.

    Raises
    ------
    OSError
        If the port cannot be had.
    ScenarioError
        If the scenario cannot be read.
    ValueError
        If an argument is out of range.
    """
    from ibwire.sim.director import make_gateway

    gateway, version = make_gateway(
        scenario, seed=seed, accounts=accounts, ticks_per_s=rate, server_version=server_version, **options
    )
    return Server(
        gateway, port, version, time_scale, virtual=virtual, step_s=step_s, watch=watch, listener=listener
    )
