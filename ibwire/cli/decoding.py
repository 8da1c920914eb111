"""Frames of a recording to entries: handshake, messages, what is wrong with a frame, which versions fit it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from ibwire.cli import layout
from ibwire.errors import ProtocolError
from ibwire.spec import versions as V
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import PROTO_OFFSET, Codec, Role, UnknownMessage
from ibwire.wire.framing import Framer
from ibwire.wire.plan import interesting_versions

UNKNOWN: Final = "unknown message"
HANDSHAKE: Final = "handshake"
_PREFIX: Final = b"API\0"


@dataclass(slots=True)
class Entry:
    """One frame. ``error`` is empty when it was read; ``fits`` names the versions that consume it exactly."""

    index: int
    offset: int
    nbytes: int
    name: str
    dialect: str = ""
    wire_id: int | None = None
    server_version: int = 0
    fields: dict[str, Any] = field(default_factory=dict)
    extra: int = 0
    error: str = ""
    fits: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the keys that say something."""
        out: dict[str, Any] = {"index": self.index, "offset": self.offset, "bytes": self.nbytes, "message": self.name}
        optional = (("dialect", self.dialect), ("id", self.wire_id), ("server_version", self.server_version or None))
        out.update((key, value) for key, value in optional if value not in ("", None))
        if self.error:
            out["error"] = self.error
        if self.fits is not None:
            out["fits"] = self.fits
        out["extra"] = self.extra
        out["fields"] = self.fields
        return out


class Reader:
    """Reads one side's recorded bytes.

    Parameters
    ----------
    role : who decodes: CLIENT for bytes of a gateway, GATEWAY for bytes of a client.
    server_version : the version to begin with; a handshake in the bytes replaces it unless ``pinned``.
    pinned : the caller named the version.
    try_versions : find for each frame the versions that consume it exactly, and read it at the highest of them.
    """

    def __init__(self, role: Role, server_version: int, *, pinned: bool = False, try_versions: bool = False) -> None:
        self.role = role
        self.server_version = server_version
        self.try_versions = try_versions and not pinned
        self._pinned = pinned
        self._codecs: dict[int, Codec] = {}
        self._carried: dict[tuple[int, int], frozenset[str]] = {}

    def codec(self, server_version: int) -> Codec:
        """The codec of a version, made once."""
        found = self._codecs.get(server_version)
        if found is None:
            found = self._codecs[server_version] = Codec(server_version, self.role)
        return found

    def entries(self, chunks: Iterable[bytes]) -> Iterator[Entry]:
        """Every frame in order. Lost framing and a frame cut off at the end are entries too."""
        framer = Framer()
        index = offset = 0
        first = True
        for chunk in chunks:
            if first and self.role is Role.GATEWAY and chunk.startswith(_PREFIX):
                chunk, offset = chunk[len(_PREFIX) :], len(_PREFIX)
            first = False
            framer.feed(chunk)
            while True:
                try:
                    payload = framer.next()
                except ProtocolError as error:
                    yield Entry(index, offset, framer.pending_bytes, "framing lost", error=str(error))
                    return
                if payload is None:
                    break
                yield self.entry(payload, index, offset)
                index += 1
                offset += 4 + len(payload)
        if framer.pending_bytes:
            left = framer.pending_bytes
            problem = f"the file ends inside a frame, {left} bytes after its start"
            yield Entry(index, offset, left, "cut off", error=problem)

    def entry(self, payload: bytes, index: int, offset: int) -> Entry:
        """One payload to its entry; never raises for what the bytes hold."""
        entry = Entry(index, offset, len(payload), "")
        if self._handshake(payload, entry, first=index == 0):
            return entry
        version = self.server_version
        if self.try_versions:
            fits = self.fitting(payload)
            entry.fits = ranges(fits)
            version = min(fits, key=lambda v: abs(v - self.server_version), default=version)
        self._decode(payload, version, entry)
        return entry

    def _handshake(self, payload: bytes, entry: Entry, first: bool) -> bool:
        """The one frame without a message id. Recordings joined together have more than one, each with its time."""
        if self.role is Role.GATEWAY:
            if not first or not re.match(rb"v\d+(\.\.\d+)?( |$)", payload):
                return False
            entry.name, entry.fields = HANDSHAKE, {"versions": payload.decode("latin-1")}
            return True
        found = re.fullmatch(rb"(\d{3})\0([^\0]*)\0", payload)
        if found is None or not (re.match(rb"\d{8} ", found[2]) or (first and not found[2].isdigit())):
            return False
        version = int(found[1])
        if version < V.MIN_CLIENT_VERSION:
            return False
        entry.name = HANDSHAKE
        entry.fields = {"serverVersion": version, "time": found[2].decode("utf-8", "replace")}
        if not self._pinned:
            self.server_version = min(version, V.MAX_CLIENT_VERSION)
        return True

    def _decode(self, payload: bytes, version: int, entry: Entry) -> None:
        codec = self.codec(version)
        before = codec.counts["extra_bytes"] + codec.counts["unknown_fields"]
        entry.server_version = version
        try:
            entry.wire_id, _ = codec.split(payload)
            entry.name = self._name_of(entry.wire_id)
            message = codec.decode(payload)
        except ProtocolError as error:
            entry.name, entry.error = entry.name or "no message", str(error)
            return
        if isinstance(message, UnknownMessage):
            entry.name, entry.fields = UNKNOWN, {"payload": message.payload}
            return
        entry.extra = codec.counts["extra_bytes"] + codec.counts["unknown_fields"] - before
        entry.dialect = "protobuf" if entry.wire_id > PROTO_OFFSET else "text"
        entry.fields = {
            f.name: value
            for f in dataclasses.fields(message)
            if (value := getattr(message, f.name)) or self._on_wire(codec, entry.wire_id, f.name)
        }

    def _on_wire(self, codec: Codec, wire_id: int, name: str) -> bool:
        """Whether this version carries a field at all: a zero of a field that is not there would be an invention."""
        key = (codec.server_version, wire_id)
        names = self._carried.get(key)
        if names is None:
            found = codec.decoder(wire_id)
            assert found is not None
            names = self._carried[key] = layout.carried(found[0])
        return name in names

    def _name_of(self, wire_id: int) -> str:
        rows = INCOMING if self.role is Role.CLIENT else OUTGOING
        row = rows.get(wire_id - PROTO_OFFSET if wire_id > PROTO_OFFSET else wire_id)
        return row.name if row is not None else ""

    def fitting(self, payload: bytes) -> list[int]:
        """Every server version at which the payload is a known message and nothing is left over."""
        raw = payload[:1] == b"\0"  # a raw id begins with a NUL, a text id never does
        low, high = (V.PROTOBUF, V.MAX_CLIENT_VERSION) if raw else (V.MIN_CLIENT_VERSION, V.PROTOBUF - 1)
        try:
            wire_id, _ = self.codec(low).split(payload)
        except ProtocolError:
            return []
        rows = INCOMING if self.role is Role.CLIENT else OUTGOING
        row = rows.get(wire_id - PROTO_OFFSET if wire_id > PROTO_OFFSET else wire_id)
        if row is None:
            return []
        # The layout changes at the row's gates only: one trial per stretch between them.
        starts = sorted({low, *(v for v in interesting_versions(row) if low <= v <= high)})
        fits: list[int] = []
        for start, stop in zip(starts, [*starts[1:], high + 1], strict=True):
            if start >= row.since and self._consumes(payload, start):
                fits.extend(range(start, stop))
        return fits

    def _consumes(self, payload: bytes, version: int) -> bool:
        try:
            found = self.codec(version).decode_registers(payload)
        except ProtocolError:
            return False
        return not isinstance(found, UnknownMessage) and found[2] == 0


def ranges(numbers: list[int]) -> str:
    """``100..165, 194``: sorted numbers as ranges; an empty text for none."""
    parts: list[tuple[int, int]] = []
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1] = (parts[-1][0], number)
        else:
            parts.append((number, number))
    return ", ".join(str(a) if a == b else f"{a}..{b}" for a, b in parts)
