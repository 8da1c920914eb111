"""One side of ``ibwire exec --compare``: ``python exec_replay.py JOB``, with whatever package is called ``ibapi``.

Standard library only. The very same program runs on the official package and, through ``ibwire exec``, on ibwire: a
wrapper that overrides every callback, and the package's own message loop over payloads in memory.

JOB is a JSON file: ``payloads`` (a file of length-prefixed payloads), ``segments`` (``[server version, how many]``),
``signatures`` (callback -> parameter names; null to take the package's own), ``trace`` and ``result`` (files to write).
"""

import decimal
import enum
import importlib
import inspect
import json
import sys
import time

PACKAGE = "ibapi"  # whichever that is here
EClient = importlib.import_module(f"{PACKAGE}.client").EClient
EWrapper = importlib.import_module(f"{PACKAGE}.wrapper").EWrapper

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

LEAST_S = 0.5  # of timed passes, at least one
LEAST_MESSAGES = 5000  # in a pass: a short file is taken several times
_DROPPED = ("logAnswer",)  # no callback

defaults: "dict[str, dict[str, Any]]" = {}  # class name -> attribute -> value, of the classes that occurred


class Ended(Exception):
    """The payloads are at their end."""


class Feed:
    """Payloads in the place of the queue of the official client, or of the link of ours."""

    def __init__(self, payloads: "list[bytes]", server_version: int) -> None:
        self._payloads = payloads
        self.next = 0
        self.server_version = server_version
        self.connection_time = ""

    # The queue of the official client.
    def get(self, block: bool = True, timeout: "float | None" = None) -> bytes:
        payload = self._payloads[self.next]
        self.next += 1
        return payload

    def empty(self) -> bool:
        return self.next >= len(self._payloads)

    def qsize(self) -> int:
        return len(self._payloads) - self.next

    # The link of ours, and the payloads that it gives.
    def drain(self, timeout_ms: int, into: "Callable[[Any], int]") -> int:
        if self.empty():
            raise self.ended()
        return into(self)

    def poll(self, most: int) -> "list[bytes]":
        if self.empty():
            return []
        return [self.get()]  # one at a time: ``next`` tells which message a callback belongs to

    def ended(self) -> Exception:
        from ibwire.errors import SessionLost

        return SessionLost("the payloads are at their end")

    def is_open(self) -> bool:
        return True

    def send(self, payload: bytes) -> None:
        pass  # startApi

    def close(self) -> None:
        pass


def max_server_version() -> int:
    """The highest server version that the package announces."""
    for name in ("server_versions", "client"):  # 9.81 has it in the second
        found = getattr(importlib.import_module(f"{PACKAGE}.{name}"), "MAX_CLIENT_VER", None)
        if found is not None:
            return int(found)
    raise ImportError(f"{PACKAGE} does not say which server versions it knows")


def signatures() -> "dict[str, list[str]]":
    """Every callback of the package with its parameter names, without self."""
    found = {}
    for name, method in inspect.getmembers(EWrapper, inspect.isfunction):
        if not name.startswith("_") and not name.endswith("ProtoBuf") and name not in _DROPPED:
            found[name] = [p.name for p in inspect.signature(method).parameters.values()][1:]
    return found


def wrapper_class(callbacks: "dict[str, list[str]]", record: "Callable[[str, dict[str, Any]], None] | None") -> "Any":
    """An EWrapper that overrides every callback with these very parameter names."""
    methods: dict[str, Any] = {}
    for name, parameters in callbacks.items():
        given = ", ".join(["self", *parameters])
        kept = ", ".join(f"{p!r}: {p}" for p in parameters)
        body = "pass" if record is None else f"record({name!r}, {{{kept}}})"
        exec(f"def {name}({given}): {body}", {"record": record}, methods)
    return type("Wrapper", (EWrapper,), methods)


def connected(wrapper: "Any", feed: Feed) -> "Any":
    """A client of the package whose message loop takes the feed's payloads and ends with them."""
    client: Any = EClient(wrapper)
    if is_ours():
        client._ibwire_open = lambda host, port, options: feed
        client.connect("127.0.0.1", 4002, 0)  # nowhere: the feed is there already
        return client
    client.serverVersion_ = feed.server_version
    client.decoder = importlib.import_module(f"{PACKAGE}.decoder").Decoder(wrapper, feed.server_version)
    client.msg_queue = feed
    client.isConnected = lambda: False
    client.disconnect = lambda: None
    return client


def is_ours() -> bool:
    return hasattr(EClient, "_ibwire_open")


def loop(client: "Any", feed: Feed) -> "list[tuple[int, str]]":
    """Run the package's message loop over the feed; what it raised, with the number of the message."""
    raised = []
    while not feed.empty():
        before = feed.next
        try:
            client.run()
        except Exception as error:
            if feed.next == before:  # no message did that: it would happen for ever
                raise
            raised.append((feed.next - 1, f"{type(error).__name__}: {error}"))
            if is_ours() and not feed.empty():
                client.connect("127.0.0.1", 4002, 0)
        else:
            break
    return raised


def plain(value: "Any") -> "Any":
    """A value as JSON: numbers by value whatever their type, objects by their attributes."""
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, enum.Enum):
        return value.name
    if isinstance(value, (int, float, decimal.Decimal)):
        number = decimal.Decimal(repr(value) if isinstance(value, float) else value)
        return "#" + (f"{number.normalize():f}" if number.is_finite() and abs(number) < 10**40 else str(number + 0))
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(json.dumps(plain(item)) for item in value)
    if isinstance(value, dict):
        return sorted([json.dumps(plain(key)), plain(item)] for key, item in value.items())
    note_defaults(type(value))
    return {"class": type(value).__name__, **attributes(value)}


def attributes(value: "Any") -> "dict[str, Any]":
    return {name: plain(item) for name, item in vars(value).items() if not name.startswith("_")}


def note_defaults(cls: type) -> None:
    """What a new object has: an attribute that no message carried."""
    if cls.__name__ not in defaults:
        defaults[cls.__name__] = {}
        try:
            defaults[cls.__name__] = attributes(cls())
        except TypeError:
            pass  # it cannot be made of nothing


def read_payloads(path: str) -> "list[bytes]":
    """Every payload of a file of frames that is known to be whole."""
    with open(path, "rb") as file:
        data = file.read()
    payloads = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        payloads.append(data[at + 4 : end])
        at = end
    return payloads


def trace(parts: "list[tuple[int, list[bytes]]]", callbacks: "dict[str, list[str]]", path: str) -> "tuple[int, int]":
    """Write one line for each message: ``[[name, {parameter: value}], ...]``. Returns callbacks and exceptions."""
    count = failed = 0
    with open(path, "w", encoding="utf-8") as out:
        for server_version, payloads in parts:
            feed = Feed(payloads, server_version)
            calls: list[list[Any]] = [[] for _ in payloads]

            def record(
                name: str, arguments: "dict[str, Any]", feed: Feed = feed, calls: "list[list[Any]]" = calls
            ) -> None:
                if feed.next:
                    calls[feed.next - 1].append([name, {key: plain(value) for key, value in arguments.items()}])

            raised = loop(connected(wrapper_class(callbacks, record)(), feed), feed)
            for index, text in raised:
                calls[index].append(["exception", {"text": text}])
            # What the client says of itself when the feed is at its end is no message.
            if calls and calls[-1] and calls[-1][-1][0] == "connectionClosed":
                calls[-1].pop()
            count += sum(len(each) for each in calls) - len(raised)
            failed += len(raised)
            for each in calls:
                out.write(json.dumps(each) + "\n")
    return count, failed


def measure(parts: "list[tuple[int, list[bytes]]]", callbacks: "dict[str, list[str]]") -> "tuple[int, int]":
    """The fastest of some passes over everything, ns, and how many messages it had. Connecting is not counted."""
    wrapper = wrapper_class(callbacks, None)
    total = sum(len(payloads) for _, payloads in parts)
    repeats = max(1, LEAST_MESSAGES // max(total, 1))
    best = 0
    spent = 0.0
    while spent < LEAST_S:
        taken = 0
        for server_version, payloads in parts:
            feed = Feed(payloads * repeats, server_version)
            client = connected(wrapper(), feed)
            begin = time.perf_counter_ns()
            loop(client, feed)
            taken += time.perf_counter_ns() - begin
        best = min(best or taken, taken)
        spent += taken / 1e9
    return best, total * repeats


def main() -> None:
    with open(sys.argv[1], encoding="utf-8") as file:
        job = json.load(file)
    highest = max_server_version()
    version = getattr(importlib.import_module(PACKAGE), "__version__", "")
    result = {"version": version, "max_server_version": highest}
    if max((version for version, _ in job["segments"]), default=0) <= highest:
        callbacks = job["signatures"] or signatures()
        payloads = read_payloads(job["payloads"])
        parts = []
        at = 0
        for version, count in job["segments"]:
            parts.append((version, payloads[at : at + count]))
            at += count
        result["signatures"] = callbacks
        result["callbacks"], result["exceptions"] = trace(parts, callbacks, job["trace"])
        result["defaults"] = defaults
        result["best_ns"], result["messages"] = measure(parts, callbacks)
    with open(job["result"], "w", encoding="utf-8") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
