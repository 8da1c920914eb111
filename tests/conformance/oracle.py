"""Asks an official release, in its own process, what it would do with bytes and with requests.

The releases lie under ``$IBWIRE_ORACLES/<version>`` or ``<repository>/.oracles/<version>``, each
folder holding ``ibapi`` (and ``google`` where that release needs protobuf).
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple, Self

from .normal import JSON

VERSIONS = ("9.81.1", "10.19.4", "10.30.1", "10.37.2", "10.46.1")
LATEST = VERSIONS[-1]

REPOSITORY = Path(__file__).resolve().parents[2]
WORKER = Path(__file__).with_name("oracle_worker.py")
_BATCH = 2000  # cases per request line


class OracleMissing(RuntimeError):
    """The release is not installed here; the text says what to run."""


class OracleError(RuntimeError):
    """The worker refused a request or died; the text holds what it said."""


class EncodeCase(NamedTuple):
    """One request to encode.

    Attributes
    ----------
    server_version : int
        The version that the connected peer claims.
    method : str
        Name of an ``EClient`` method.
    args : sequence of JSON-able values
        Positional arguments, in the notation of ``normal.py``.
    client : mapping
        Attributes set on the client first, such as ``clientId`` (0 otherwise) or ``optCapab``.
    """

    server_version: int
    method: str
    args: Sequence[JSON] = ()
    client: Mapping[str, JSON] = {}


@dataclass(frozen=True, slots=True)
class Decoded:
    """What the official client did with one payload.

    Attributes
    ----------
    calls : list of [str, list]
        Callbacks in order, ``[name, args]``, defaults filled in, in the notation of ``normal.py``.
        Where the official client stamps ``errorTime`` with its own clock it is 0. Empty when it
        dropped the message silently.
    exception : str or None
        ``"Type: text"`` of what left the message loop (or was swallowed by it: BadMessage).
    """

    calls: list[list[JSON]]
    exception: str | None

    def json(self) -> JSON:
        """The calls, or ``{"exception": ..., "calls": ...}``; what the worker sends."""
        return self.calls if self.exception is None else {"exception": self.exception, "calls": self.calls}


@dataclass(frozen=True, slots=True)
class Encoded:
    """What the official client wrote for one request.

    Attributes
    ----------
    frames : list of bytes
        Whole frames, length prefix included, in order.
    errors : list of (int, int)
        ``(code, id)`` of each ``error()`` callback; `texts` are their messages.
    exception : str or None
        What the method raised.
    unknown : str or None
        ``"Contract.x"``, ``"EClient.x"`` or a class name that this release lacks; nothing was sent.
    dropped : list of str
        Attributes left out because this release lacks them.
    """

    frames: list[bytes]
    errors: list[tuple[int, int]]
    texts: list[str]
    exception: str | None
    unknown: str | None
    dropped: list[str]


class Parsed(NamedTuple):
    """A protobuf message as its release parses it: `fields` that are present (nested ones as
    dictionaries, maps sorted, strangers under ``"?unknown"``), or the `exception`."""

    fields: dict[str, JSON] | None
    exception: str | None


def oracle_path(version: str) -> Path:
    """The folder of one release.

    Raises
    ------
    OracleMissing
        When it holds no ``ibapi``.
    """
    root = Path(os.environ.get("IBWIRE_ORACLES") or REPOSITORY / ".oracles")
    folder = root / version
    if not (folder / "ibapi" / "client.py").is_file():
        raise OracleMissing(
            f"the official release {version} is not in {root}: run `make conformance`, which installs the oracles,"
            " or set IBWIRE_ORACLES to the folder that holds one folder per version"
        )
    return folder


class Oracle:
    """One official release in a process of its own; a context manager, for one thread.

    Parameters
    ----------
    version : str
        One of `VERSIONS`.

    Raises
    ------
    OracleMissing
        When that release is not installed.
    """

    def __init__(self, version: str) -> None:
        self.version = version
        env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        env |= {"PYTHONPATH": str(oracle_path(version)), "PYTHONIOENCODING": "utf-8", "PYTHONDONTWRITEBYTECODE": "1"}
        self._stderr = tempfile.TemporaryFile()  # noqa: SIM115  closed in close()
        self._process = subprocess.Popen(
            [sys.executable, str(WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env=env,
            encoding="utf-8",
        )

    def __repr__(self) -> str:
        return f"Oracle({self.version!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the process; twice does no harm."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout, self._stderr):
            if stream is not None:
                stream.close()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What the release says of itself.

        Keys: ``IN``, ``OUT`` (name -> id), ``min_client_version``, ``max_client_version``,
        ``min_server_versions`` (name -> gate), ``constants``, ``enums``, ``error_codes``, ``wrapper`` and
        ``client`` (method -> ``params``: [name, annotation, [default] or None], ``out``: names of the OUT ids
        in its body), ``classes`` (name -> ``module``, ``bases``, ``init``, ``attributes``: defaults,
        ``constants``), ``handlers`` and ``proto_handlers`` (incoming id as text -> ``callback``, ``handler``,
        ``messages``), ``proto_since`` (outgoing id as text -> gate), ``messages`` (protobuf message -> fields
        with ``name``, ``number``, ``type``, ``label``, ``presence``, ``packed``, ``map``, ``message``, ``enum``;
        empty for releases without protobuf).
        """
        facts: dict[str, Any] = self._ask({"op": "describe"})
        return facts

    @property
    def max_server_version(self) -> int:
        """The highest server version that this release offers in its handshake."""
        return int(self.facts["max_client_version"])

    def decode(self, cases: Iterable[tuple[int, bytes]]) -> list[Decoded]:
        """Feed (server version, payload without length prefix) pairs to ``EClient.run()``, one at a time."""
        results = self._ask_in_batches("decode", [[version, payload.hex()] for version, payload in cases])
        return [
            Decoded(item["calls"], item["exception"]) if isinstance(item, dict) else Decoded(item, None)
            for item in results
        ]

    def encode(
        self, cases: Iterable[EncodeCase | tuple[int, str, Sequence[JSON]]], drop_unknown: bool = False
    ) -> list[Encoded]:
        """Make the requests on a connected client and collect what it writes.

        Parameters
        ----------
        cases : iterable of EncodeCase or (server_version, method, args)
            Each runs on a fresh client.
        drop_unknown : bool
            Leave out attributes that this release lacks (and list them in ``dropped``) instead of
            reporting the first as ``unknown``.
        """
        full = [EncodeCase(*case)._asdict() for case in cases]
        results = self._ask_in_batches("encode", full, drop_unknown=drop_unknown)
        return [
            Encoded(
                frames=[bytes.fromhex(frame) for frame in item["frames"]],
                errors=[(code, req_id) for code, req_id in item["errors"]],
                texts=item["texts"],
                exception=item["exception"],
                unknown=item["unknown"],
                dropped=item["dropped"],
            )
            for item in results
        ]

    def pb_parse(self, cases: Iterable[tuple[str, bytes]]) -> list[Parsed]:
        """Parse (protobuf message name, bytes) pairs with the official descriptors."""
        results = self._ask_in_batches("pb_parse", [[name, data.hex()] for name, data in cases])
        return [Parsed(item.get("fields"), item.get("exception")) for item in results]

    def _ask_in_batches(self, op: str, cases: list[Any], **options: JSON) -> list[Any]:
        results: list[Any] = []
        for start in range(0, len(cases), _BATCH):
            results += self._ask({"op": op, "cases": cases[start : start + _BATCH], **options})
        return results

    def _ask(self, request: JSON) -> Any:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        try:
            stdin.write(json.dumps(request) + "\n")
            stdin.flush()
            line = stdout.readline()
        except OSError:
            line = ""
        if not line:
            self._process.wait()
            self._stderr.seek(0)
            said = self._stderr.read().decode(errors="replace")[-4000:]
            raise OracleError(f"oracle {self.version} ended with {self._process.returncode}:\n{said}")
        reply = json.loads(line)
        if "error" in reply:
            raise OracleError(f"oracle {self.version}: {reply['error']}")
        return reply["ok"]
