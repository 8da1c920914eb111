"""Captured traffic: the bytes of a capture file, and the sessions and messages in it. No files here (`io.capture`).

A file is a header and entries, in the order in which they were written:

======  =====================================================================================================
header  ``IBWCAP1\\n``, 8 bytes time of creation (ns since 1970), 4 bytes length of a note, the note, CRC32
entry   4 bytes length of the data, 1 byte kind, 4 bytes connection, 8 bytes time (ns since 1970), data, CRC32
======  =====================================================================================================

Numbers are big-endian; a CRC32 covers everything of its header or entry before it. An entry holds what one read gave,
whatever frames it cuts: writing down and playing back is exact to the byte.
"""

from __future__ import annotations

import enum
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from ibwire.errors import CaptureError, ProtocolError
from ibwire.wire.framing import Framer

MAGIC: Final = b"IBWCAP1\n"
_HEAD: Final = struct.Struct(">8sQI")
_ENTRY: Final = struct.Struct(">IBIQ")
_CRC: Final = struct.Struct(">I")
MAX_DATA_BYTES: Final = 1 << 26
_MAX_NOTE_BYTES: Final = 1 << 16
_HELLO: Final = b"API\0"


class Kind(enum.IntEnum):
    """What an entry is."""

    CONNECTED = 0
    FROM_CLIENT = 1
    FROM_GATEWAY = 2
    CLIENT_ENDED = 3
    GATEWAY_ENDED = 4


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry. `connection` counts from 1, `time_ns` is wall time in ns since 1970."""

    kind: Kind
    connection: int
    time_ns: int
    data: bytes = b""


def encode_header(created_ns: int, note: str = "") -> bytes:
    """The first bytes of a capture."""
    text = note.encode("utf-8")[:_MAX_NOTE_BYTES]
    head = _HEAD.pack(MAGIC, created_ns, len(text)) + text
    return head + _CRC.pack(zlib.crc32(head))


def encode_entry(entry: Entry) -> bytes:
    """The bytes of one entry."""
    body = _ENTRY.pack(len(entry.data), entry.kind, entry.connection, entry.time_ns) + entry.data
    return body + _CRC.pack(zlib.crc32(body))


class Decoder:
    """Reads a capture from a source of bytes.

    Parameters
    ----------
    read : callable
        ``read(n)`` returns up to n bytes, fewer only at the end.
    path : str
        For errors.

    Attributes
    ----------
    created_ns : int
    note : str
    torn_bytes : int
        How many bytes at the end are no whole entry, once all entries were read: the program that wrote them was
        stopped, or its disk was full. What comes before is whole.

    Raises
    ------
    CaptureError
        If this is no capture.
    """

    def __init__(self, read: Callable[[int], bytes], path: str = "") -> None:
        self._read, self._path = read, path
        self.torn_bytes = 0
        self._offset = 0
        head = self._take(_HEAD.size)
        if len(head) < _HEAD.size or not head.startswith(MAGIC):
            hint = "ibwire capture writes them; ibwire decode reads plain frames"
            raise CaptureError("this is no capture", path=path, hint=hint)
        _, self.created_ns, length = _HEAD.unpack(head)
        note = self._take(min(length, _MAX_NOTE_BYTES))
        if self._take(_CRC.size) != _CRC.pack(zlib.crc32(head + note)):
            raise CaptureError("the header is damaged", path=path, offset=0)
        self.note = note.decode("utf-8", "replace")

    def _take(self, count: int) -> bytes:
        data = self._read(count)
        self._offset += len(data)
        return data

    def __iter__(self) -> Iterator[Entry]:
        """Every whole entry. Raises CaptureError where an entry is damaged and others follow it."""
        while True:
            begin = self._offset
            head = self._take(_ENTRY.size)
            if len(head) < _ENTRY.size:
                self.torn_bytes = len(head)
                return
            length, kind, connection, time_ns = _ENTRY.unpack(head)
            possible = length <= MAX_DATA_BYTES and kind in Kind._value2member_map_
            body = self._take(length + _CRC.size) if possible else b""
            if possible and len(body) < length + _CRC.size:
                self.torn_bytes = len(head) + len(body)
                return
            if not possible or body[length:] != _CRC.pack(zlib.crc32(body[:length], zlib.crc32(head))):
                rest = self._read(1)
                if possible and not rest:
                    self.torn_bytes = len(head) + len(body)
                    return
                hint = "what stands before it can be read; the file was changed or its disk is failing"
                raise CaptureError("an entry is damaged", path=self._path, offset=begin, hint=hint)
            yield Entry(Kind(kind), connection, time_ns, body[:length])


# ---------------------------------------------------------------------------------------------- sessions


@dataclass(frozen=True, slots=True)
class Message:
    """One frame of a session, without its length. `time_ns` is that of the entry that had its last byte."""

    time_ns: int
    from_client: bool
    payload: bytes


@dataclass(slots=True)
class Session:
    """One captured connection.

    Attributes
    ----------
    hello, greeting : bytes
        The payloads of the handshake; empty where it is missing.
    server_version : int
        The agreed version; 0 when there is none (no whole handshake, or a redirect).
    messages : list of Message
        Everything after the handshake, in order.
    problem : str
        Why the rest of it could not be cut into frames; empty when it could.
    """

    connection: int
    begin_ns: int = 0
    hello: bytes = b""
    greeting: bytes = b""
    server_version: int = 0
    messages: list[Message] = field(default_factory=list)
    problem: str = ""


class _Cutter:
    """Cuts the two directions of one connection into messages."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._head = bytearray()
        self._client: Framer | None = None
        self._gateway = Framer()

    def take(self, entry: Entry) -> None:
        session = self.session
        if session.problem:
            return
        try:
            if entry.kind is Kind.FROM_CLIENT:
                self._from_client(entry)
            elif entry.kind is Kind.FROM_GATEWAY:
                self._gateway.feed(entry.data)
                self._cut(self._gateway, entry.time_ns, False)
        except ProtocolError as error:
            session.problem = str(error)

    def _from_client(self, entry: Entry) -> None:
        data = entry.data
        if self._client is None:
            self._head += data
            if len(self._head) < len(_HELLO):
                return
            if not self._head.startswith(_HELLO):
                raise ProtocolError("a client must begin with API and a NUL", offset=0, payload=bytes(self._head[:24]))
            self._client = Framer()
            data = bytes(self._head[len(_HELLO) :])
        self._client.feed(data)
        self._cut(self._client, entry.time_ns, True)

    def _cut(self, framer: Framer, time_ns: int, from_client: bool) -> None:
        session = self.session
        while (payload := framer.next()) is not None:
            if from_client and not session.hello:
                session.hello = payload
            elif not from_client and not session.greeting:
                session.greeting = payload
                version = payload.split(b"\0")[0]
                session.server_version = int(version) if version.isdigit() else 0
            else:
                session.messages.append(Message(time_ns, from_client, payload))


def sessions(entries: Iterable[Entry]) -> list[Session]:
    """The connections in a capture, in the order in which they were made."""
    cutters: dict[int, _Cutter] = {}
    for entry in entries:
        cutter = cutters.get(entry.connection)
        if cutter is None:
            cutter = cutters[entry.connection] = _Cutter(Session(entry.connection, entry.time_ns))
        cutter.take(entry)
    return [cutter.session for cutter in cutters.values()]
