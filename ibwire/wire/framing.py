"""Frames: a 4-byte big-endian length, then the payload. Lost framing cannot be repaired; the session ends."""

from __future__ import annotations

from typing import Final

from ibwire.errors import ProtocolError

MAX_PAYLOAD_BYTES: Final = 0xFFFFFF
"""Longest payload; the reference client refuses more."""

_FOREIGN: Final = (
    (b"HTTP", "an HTTP server answered"),
    (b"\x15\x03", "a TLS server answered"),
    (b"\x16\x03", "a TLS server answered"),
    (b"SSH-", "an SSH server answered"),
)


def frame(payload: bytes | bytearray) -> bytes:
    """The payload with its length before it. Raises ProtocolError above :data:`MAX_PAYLOAD_BYTES`."""
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise ProtocolError(f"a payload of {len(payload)} bytes is above the limit of {MAX_PAYLOAD_BYTES}")
    return len(payload).to_bytes(4, "big") + payload


def check_length(length: int, head: bytes) -> None:
    """Raise ProtocolError if a frame cannot be that long; ``head`` is what came, for the excerpt."""
    if 0 < length <= MAX_PAYLOAD_BYTES:
        return
    for magic, what in _FOREIGN:
        if head.startswith(magic):
            raise ProtocolError(
                f"this is not a TWS socket: {what}",
                offset=0,
                payload=head,
                hint="check host and port (TWS 7496/7497, IB Gateway 4001/4002)",
            )
    what = "a frame of length 0" if length == 0 else f"a frame length of {length}, above {MAX_PAYLOAD_BYTES}"
    raise ProtocolError(
        f"{what}: framing is lost or this is not a TWS socket", field="length", offset=0, payload=head
    )


class Framer:
    """Cuts a byte stream into payloads, whatever the chunking. Not thread-safe; bytes handed out are copies."""

    __slots__ = ("_buffer", "_start")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._start = 0

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Add received bytes."""
        self._buffer += data

    def next(self) -> bytes | None:
        """The next whole payload, or None. Raises ProtocolError when framing is lost."""
        have = len(self._buffer) - self._start
        if have < 4:
            self._compact()
            return None
        at = self._start
        length = int.from_bytes(self._buffer[at : at + 4], "big")
        check_length(length, bytes(self._buffer[at : at + 24]))
        if have - 4 < length:
            self._compact()
            return None
        self._start = at + 4 + length
        return bytes(self._buffer[at + 4 : self._start])

    def _compact(self) -> None:
        # Once per receive, not once per frame: a flood costs per message what a trickle costs.
        if self._start:
            del self._buffer[: self._start]
            self._start = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes received that do not yet form a whole frame."""
        return len(self._buffer) - self._start
