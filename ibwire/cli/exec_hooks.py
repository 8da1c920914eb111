"""What the options of ``ibwire exec`` change in the program's EClient, and the figures of ``--stats``."""

from __future__ import annotations

import atexit
import functools
import sys
import time
from collections import Counter
from collections.abc import Callable
from typing import Any, Final, TextIO

from ibwire.compat.client import EClient
from ibwire.compat.wrapper import EWrapper, overridden

_NAMES: Final = 8  # callbacks and error codes named, the most frequent first


class Run:
    """One connection: what came and what was called."""

    def __init__(self, host: str, port: int, client_id: int, calls: Counter[str], errors: Counter[int]) -> None:
        self.where = f"{host}:{port}"
        self.client_id = client_id
        self.server_version: int | None = None
        self.link: Any = None  # the figures of a connection that came about
        self.begin_ns = time.perf_counter_ns()
        self.end_ns = 0
        self.calls, self.errors = calls, errors

    def close(self) -> None:
        """The connection has ended; twice does no harm."""
        self.end_ns = self.end_ns or time.perf_counter_ns()

    def lines(self) -> list[str]:
        """The figures, for people."""
        seconds = ((self.end_ns or time.perf_counter_ns()) - self.begin_ns) / 1e9
        version = "no connection" if self.server_version is None else f"server version {self.server_version}"
        out = [f"{self.where}  client {self.client_id}  {version}  {seconds:.2f} s"]
        if self.link is not None:
            received, sent = self.link.decoder.stats, self.link.writer
            messages = received["messages"]
            out.append(f"  received   {messages:,} messages, {received['bytes']:,} bytes, {_rate(messages, seconds)}")
            out.append(f"  sent       {sent.messages:,} messages, {sent.bytes:,} bytes")
        calls = self.calls.total()
        out.append(f"  callbacks  {calls:,}, {_rate(calls, seconds)}{_most(self.calls)}")
        out.append(f"  errors     {self.errors.total():,}{_most(self.errors)}")
        return out


class Stats:
    """Every connection of the program."""

    def __init__(self) -> None:
        self.runs: list[Run] = []
        self._counters: dict[int, tuple[Any, Counter[str], Counter[int]]] = {}

    def watch(self, wrapper: Any) -> tuple[Counter[str], Counter[int]]:
        """Count the callbacks that a wrapper overrides; the others stay free of cost."""
        found = self._counters.get(id(wrapper))
        if found is None:
            calls: Counter[str] = Counter()
            errors: Counter[int] = Counter()
            found = self._counters[id(wrapper)] = (wrapper, calls, errors)
            for name in dir(EWrapper):
                if not name.startswith("_") and callable(getattr(wrapper, name, None)) and overridden(wrapper, name):
                    setattr(wrapper, name, _counting(getattr(wrapper, name), name, calls, errors))
        return found[1], found[2]

    def report(self, out: TextIO) -> None:
        """Print every connection's figures."""
        count = len(self.runs)
        print(f"ibwire exec: {count} connection{'' if count == 1 else 's'}", file=out)
        for run in self.runs:
            for line in run.lines():
                print(f"  {line}", file=out)


def _counting(callback: Callable[..., Any], name: str, calls: Counter[str], errors: Counter[int]) -> Callable[..., Any]:
    if name == "error":

        @functools.wraps(callback)
        def counted(*args: Any, **kw: Any) -> Any:
            calls[name] += 1
            # Three generations: the code is third where a time stands before it, else second; texts are no numbers.
            code = args[2] if len(args) > 2 and isinstance(args[2], int) else args[1] if len(args) > 1 else 0
            errors[code] += 1
            return callback(*args, **kw)
    else:

        @functools.wraps(callback)
        def counted(*args: Any, **kw: Any) -> Any:
            calls[name] += 1
            return callback(*args, **kw)

    return counted


def _rate(count: int, seconds: float) -> str:
    return f"{count / seconds:,.0f}/s" if seconds > 0 else "no time"


def _most(counts: Counter[Any]) -> str:
    if not counts:
        return ""
    named = [f"{name} {count:,}" for name, count in counts.most_common(_NAMES)]
    rest = len(counts) - len(named)
    return ": " + ", ".join(named) + (f" and {rest} more" if rest > 0 else "")


def install(settings: dict[str, Any]) -> None:
    """Change EClient as the settings say; before the program's first line.

    Parameters
    ----------
    settings : ``host``, ``port``, ``client_id``, ``sizes``, ``error_style``, ``stats``, each only where given.
    """
    client: Any = EClient
    if "sizes" in settings:
        client._ibwire_sizes = settings["sizes"]
    if "error_style" in settings:
        client._ibwire_error_style = settings["error_style"]
    if settings.get("stats"):
        stats = Stats()
        _measure(client, stats)
        atexit.register(stats.report, sys.stderr)
    if any(name in settings for name in ("host", "port", "client_id")):
        _redirect(client, settings)  # last: the figures name where it really went


def _redirect(client: Any, settings: dict[str, Any]) -> None:
    original = client.connect

    @functools.wraps(original)
    def connect(self: EClient, host: str, port: int, clientId: int) -> Any:
        return original(
            self, settings.get("host", host), settings.get("port", port), settings.get("client_id", clientId)
        )

    client.connect = connect


def _measure(client: Any, stats: Stats) -> None:
    connect, begin, disconnect = client.connect, client._ibwire_begin, client.disconnect
    running: dict[int, Run] = {}

    @functools.wraps(connect)
    def measured_connect(self: EClient, host: str, port: int, clientId: int) -> Any:
        if self.isConnected():
            return connect(self, host, port, clientId)  # refused
        close(self)
        calls, errors = stats.watch(self.wrapper)
        calls.clear()
        errors.clear()
        run = running[id(self)] = Run(host, port, clientId, calls, errors)
        stats.runs.append(run)
        return connect(self, host, port, clientId)

    @functools.wraps(begin)
    def measured_begin(self: EClient, link: Any) -> Any:
        run = running.get(id(self))
        if run is not None:
            run.link, run.server_version = getattr(link, "link", None), link.server_version
        return begin(self, link)

    @functools.wraps(disconnect)
    def measured_disconnect(self: EClient) -> Any:
        result = disconnect(self)
        close(self)
        return result

    def close(client: EClient) -> None:
        run = running.pop(id(client), None)
        if run is not None:
            run.close()
            run.calls, run.errors = Counter(run.calls), Counter(run.errors)

    client.connect, client._ibwire_begin, client.disconnect = measured_connect, measured_begin, measured_disconnect
