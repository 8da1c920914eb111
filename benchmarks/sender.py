"""The gateway's side of the loopback benchmarks, in a process of its own: shakes hands in Python, sends from C.

    python -m benchmarks.sender        answers one JSON request per line on stdin

``{"do": "flood", "dialect", "count", "seed"}``      M1 as fast as the client reads; `BLOCK` messages, repeated
``{"do": "paced", "dialect", "count", "rate", "spin", "cpu"}``    stamped tickPrice (see ``wire.py``)
    Answer: ``{"port"}``, once everything is ready. One client is served; its third message starts the traffic.
``{"do": "sent"}``
    What went to the last client: ``messages``; of a paced run ``late`` and the sum of the stamps too.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import tempfile
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from benchmarks import mixes, wire
from benchmarks.child import Child

BLOCK: Final = 200_000
_ACCEPT_S: Final = 60


class Sender(Child):
    """The sender in a child process."""

    def __init__(self) -> None:
        super().__init__("ibwire", "benchmarks.sender")

    def flood(self, dialect: str, count: int, seed: int = 1) -> int:
        """Prepare a flood of M1; returns the port."""
        port: int = self.ask(do="flood", dialect=dialect, count=count, seed=seed)["port"]
        return port

    def paced(self, dialect: str, count: int, rate: int, *, spin: bool, cpu: int | None = None) -> int:
        """Prepare a paced run, pinned to a core or not; returns the port."""
        port: int = self.ask(do="paced", dialect=dialect, count=count, rate=rate, spin=spin, cpu=cpu)["port"]
        return port

    def sent(self) -> dict[str, Any]:
        """What went to the last client."""
        return self.ask(do="sent")


@lru_cache(maxsize=2)
def _frames(dialect: str, count: int, seed: int) -> list[bytes]:
    return list(mixes.frames("M1", dialect, count, seed))


def _send(tools: wire.Wire, sock: socket.socket, request: dict[str, Any]) -> dict[str, Any]:
    dialect, count = request["dialect"], request["count"]
    if request["do"] == "flood":
        frames = _frames(dialect, min(count, BLOCK), request["seed"])
        return {"messages": count, "bytes": tools.flood(sock, frames, count)}
    wire.pin(request["cpu"])
    try:
        stamps, late = tools.paced(sock, wire.stamped(dialect), count, request["rate"], spin=request["spin"])
    finally:
        wire.pin(None)
    return {"messages": count, "late": late, "sum": sum(stamp % wire.STAMP_MODULUS for stamp in stamps)}


def _serve_one(tools: wire.Wire, request: dict[str, Any]) -> dict[str, Any]:
    if request["do"] == "flood":
        _frames(request["dialect"], min(request["count"], BLOCK), request["seed"])  # made before the port is said
    with socket.create_server((wire.HOST, 0)) as listener:
        print(json.dumps({"port": listener.getsockname()[1]}), flush=True)
        ready, _, _ = select.select([listener, sys.stdin], [], [], _ACCEPT_S)
        if listener not in ready:  # another request, or silence
            return {"messages": 0, "error": "no client came"}
        sock, _ = listener.accept()
        with sock:
            sock.settimeout(_ACCEPT_S)
            try:
                wire.greet(sock, request["dialect"])
                sock.settimeout(None)
                sent = _send(tools, sock, request)
                while sock.recv(1 << 16):  # its end
                    pass
            except ConnectionError as error:  # it had enough
                return {"messages": -1, "error": str(error)}
    return sent


def main() -> None:
    sent: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        tools = wire.Wire(Path(folder))
        for line in sys.stdin:
            request = json.loads(line)
            if request["do"] == "sent":
                print(json.dumps(sent), flush=True)
            else:
                sent = _serve_one(tools, request)


if __name__ == "__main__":
    main()
