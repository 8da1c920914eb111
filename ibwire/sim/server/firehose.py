"""The firehose on a loopback socket: one thread per client that does nothing but send.

A client connects, starts the API and subscribes to market data; from then on frames come, under the ids of its first
subscriptions, at a rate or as fast as it reads.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Sequence
from itertools import cycle
from types import TracebackType
from typing import Any, Final, Self

from ibwire.errors import ConfigError, IbwireError
from ibwire.sim import firehose
from ibwire.sim.account import DEFAULT_ACCOUNT
from ibwire.sim.server.host import HOST, MAX_CLIENTS
from ibwire.spec import versions as V
from ibwire.types import incoming, outgoing
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame

_READ_BYTES: Final = 65_536
_TICK_NS: Final = 1_000_000  # a paced firehose sends every millisecond
_MORE_REQUESTS_S: Final = 0.05
_PATIENCE_S: Final = 30.0
_SEND_BUFFER_BYTES: Final = 4 * 1024 * 1024
_STALL_S: Final = 0.5


class FirehoseServer:
    """A server that sends pre-encoded frames to whoever subscribes. A context manager: leaving it closes it.

    Parameters
    ----------
    port : int
        0 takes a free one.
    rate : int
        Messages per second and client; 0 as fast as the client reads.
    mix : sequence of str
        Names of the messages, sent round robin.
    server_version : int
        The highest version agreed to, 100..225.

    Attributes
    ----------
    host : str
    port : int
    sent : int
        Messages handed to the kernel so far, of all clients.
    """

    def __init__(
        self,
        port: int = 0,
        rate: int = 0,
        mix: Sequence[str] = ("tickPrice",),
        server_version: int = V.MAX_CLIENT_VERSION,
    ) -> None:
        if rate < 0:
            raise ConfigError(f"rate is {rate}; it must be at least 0")
        firehose.blocks(server_version, mix, [1], messages=1, count=1)  # wrong names are told here
        self.host = HOST
        self.rate, self.mix, self.server_version = rate, tuple(mix), server_version
        self._sent: dict[int, int] = {}
        self._closing = threading.Event()
        self._clients: set[socket.socket] = set()
        self._lock = threading.Lock()  # guards _clients
        self._listener = socket.create_server((HOST, port), backlog=MAX_CLIENTS)
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="ibwire-firehose", daemon=True)]
        self._threads[0].start()

    @property
    def sent(self) -> int:
        """Messages handed to the kernel so far."""
        return sum(self._sent.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Hang up and stop; twice is harmless."""
        self._closing.set()
        _shut(self._listener)
        with self._lock:
            for client in self._clients:
                _shut(client)
        for thread in tuple(self._threads):
            thread.join()
        self._listener.close()

    # -- threads -----------------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        number = 0
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._closing.is_set() or len(self._clients) >= MAX_CLIENTS:
                    client.close()
                    continue
                self._clients.add(client)
            number += 1
            thread = threading.Thread(target=self._serve, args=(client, number), name="ibwire-firehose", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, client: socket.socket, number: int) -> None:
        try:
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER_BYTES)
            client.settimeout(_PATIENCE_S)
            version, reqIds = self._greet(client)
            size = {} if not self.rate else {"messages": max(self.rate * _TICK_NS // 1_000_000_000, 1)}
            self._pour(client, number, firehose.blocks(version, self.mix, reqIds, **size))
        except (OSError, IbwireError, ValueError):
            pass  # it left, or is no client
        finally:
            with self._lock:
                self._clients.discard(client)
            client.close()

    def _greet(self, client: socket.socket) -> tuple[int, list[int]]:
        """Shake hands and wait for subscriptions; return the version and their ids."""
        data = b""
        while len(data) < 4:
            data += _read(client)
        if data[:4] != b"API\0":
            raise ConfigError("not a client of the API")
        framer = Framer()
        framer.feed(data[4:])
        while (hello := framer.next()) is None:
            framer.feed(_read(client))
        highest = int(hello.split(b" ")[0].rpartition(b"..")[2].lstrip(b"v"))
        version = min(self.server_version, highest)
        codec = Codec(version, Role.GATEWAY)
        client.sendall(frame(f"{version}\x0020260302 14:30:00 UTC\0".encode()))
        reqIds: list[int] = []
        while True:
            while (payload := framer.next()) is not None:
                self._answer(client, codec, codec.decode(payload), reqIds)
            # A moment for the other subscriptions, once there is one.
            if reqIds and not select.select([client], [], [], _MORE_REQUESTS_S)[0]:
                return version, reqIds
            framer.feed(_read(client))

    def _answer(self, client: socket.socket, codec: Codec, message: Any, reqIds: list[int]) -> None:
        if isinstance(message, outgoing.ReqMktData):
            reqIds.append(message.reqId)
        elif isinstance(message, outgoing.StartApi):
            greeting = (incoming.ManagedAccounts(DEFAULT_ACCOUNT), incoming.NextValidId(1))
            client.sendall(b"".join(frame(codec.encode(one)) for one in greeting))

    def _pour(self, client: socket.socket, number: int, blocks: list[firehose.Block]) -> None:
        """Send until the client leaves. Sockets are non-blocking underneath, so that closing is noticed."""
        client.settimeout(_STALL_S)
        due_ns = now_ns = time.monotonic_ns()
        span_ns = blocks[0].messages * 1_000_000_000 // self.rate if self.rate else 0
        sent = self._sent
        sent[number] = 0
        for block in cycle(blocks):
            if span_ns:
                while (now_ns := time.monotonic_ns()) < due_ns:
                    time.sleep((due_ns - now_ns) / 1e9)
                due_ns += span_ns
            data = block.stamp(time.monotonic_ns())
            while data:
                try:
                    data = data[client.sendmsg([data]) :]
                except TimeoutError:
                    if self._closing.is_set():
                        return
            sent[number] += block.messages


def _read(client: socket.socket) -> bytes:
    data = client.recv(_READ_BYTES)
    if not data:
        raise ConnectionError("the client left")
    return data


def _shut(sock: socket.socket) -> None:
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
