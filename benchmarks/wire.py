"""The wire of the benchmarks: ``wire.c`` through ctypes, and the stamped message that its paced sender sends.

The stamp is the sender's CLOCK_MONOTONIC modulo a second, as the last nine digits of a tickPrice's size: every client
decodes it exactly, so each one's own record or callback says how long its message took. That holds below one second.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks import mixes, native

HOST: Final = "127.0.0.1"
STAMP_MODULUS: Final = 1_000_000_000
_SIZE: Final = "1000000000"
"""A one, so that no digit is ever lost, and the nine digits of the stamp."""
_SILENCE_S: Final = 30
"""A receiver that hears nothing for that long gives up."""
_REQ_ID: Final = mixes.REQUEST_IDS[0]
GREETING_TIME: Final = "20260102 09:30:00 UTC"


def one_way_ns(now_ns: int, size: float | int) -> int:
    """Nanoseconds since the stamp in a size; ``now_ns`` is of the same clock (time.monotonic_ns())."""
    return (now_ns - int(size)) % STAMP_MODULUS


@dataclass(frozen=True, slots=True)
class Stamped:
    """A frame that the paced sender repeats, and where in it the nine digits stand."""

    frame: bytes
    digits_at: int


def stamped(dialect: str) -> Stamped:
    """The tickPrice that carries the stamp."""
    sink: Any = mixes.Text176() if dialect == "t176" else mixes.Proto225()
    payload: bytes = sink.tick_price(_REQ_ID, mixes.BID, 10_000, _SIZE, 0)
    frame = struct.pack(">I", len(payload)) + payload
    assert frame.count(_SIZE.encode()) == 1
    return Stamped(frame, frame.index(_SIZE.encode()) + 1)


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Of many one-way times, ns."""

    p50: int
    p99: int
    maximum: int
    count: int


def quantiles(times_ns: Any) -> Quantiles:
    """Of the second half of the times: the first warms caches, branches and the interpreter up."""
    ordered = sorted(times_ns[len(times_ns) // 2 :])
    last = len(ordered) - 1
    return Quantiles(ordered[last // 2], ordered[last * 99 // 100], ordered[last], len(ordered))


def pin(cpu: int | None) -> None:
    """Bind the calling thread, and those it starts later, to one core; None and a core that is not there: to all.

    Cores are numbered from 0 among those that the process was given.
    """
    cores = _cores()
    os.sched_setaffinity(0, cores if cpu is None or cpu >= len(cores) else {cores[cpu]})


def core(cpu: int) -> int:
    """The machine's number of a core as `pin` numbers them; -1 when there is none."""
    return _cores()[cpu] if cpu < len(_cores()) else -1


_given: list[int] = []


def _cores() -> list[int]:
    if not _given:
        _given.extend(sorted(os.sched_getaffinity(0)))
    return _given


def _times(count: int) -> array[int]:
    return array("q", bytes(8 * count))


def _address(times: array[int]) -> ctypes.c_void_p:
    return ctypes.c_void_p(times.buffer_info()[0])


def _checked(result: int, what: str) -> int:
    if result < 0:
        raise OSError(-result, f"{what}: {os.strerror(-result)}")
    return result


class Wire:
    """The functions of ``wire.c``. Sockets must be blocking; every call lets other Python threads run.

    Parameters
    ----------
    folder : where the shared library is built; it must outlive this object

    Raises
    ------
    OSError : (from any call) what the system said, or that a frame or record was wrong.
    """

    def __init__(self, folder: Path) -> None:
        self._lib = native.load("wire.c", folder)
        int64, pointer = ctypes.c_int64, ctypes.c_void_p
        shapes: dict[str, tuple[Any, ...]] = {
            "flood": (ctypes.c_int, ctypes.c_char_p, int64, int64, int64),
            "paced": (ctypes.c_int, pointer, int64, int64, int64, int64, ctypes.c_int, pointer),
            "receive_paced": (ctypes.c_int, int64, int64, int64, ctypes.c_int, pointer),
            "receive_flood": (ctypes.c_int, int64, ctypes.c_int, pointer),
            "hand_over": (ctypes.c_int, int64, int64, ctypes.c_int, ctypes.c_int, pointer, pointer),
            "copies": (int64, int64),
        }
        for name, arguments in shapes.items():
            function = getattr(self._lib, name)
            function.argtypes, function.restype = arguments, int64

    def flood(self, sock: socket.socket, frames: list[bytes], count: int) -> int:
        """Send ``count`` frames, starting over when they run out; returns the bytes sent."""
        data = b"".join(frames)
        times, rest = divmod(count, len(frames))
        rest_bytes = sum(map(len, frames[:rest]))
        return _checked(self._lib.flood(sock.fileno(), data, len(data), times, rest_bytes), "flood")

    def paced(self, sock: socket.socket, what: Stamped, count: int, rate: int, *, spin: bool) -> tuple[array[int], int]:
        """Send ``count`` stamped frames, ``rate`` a second.

        Returns
        -------
        stamps : the clock of each, ns
        late : how often it came a whole period late and started its schedule again
        """
        stamps, frame = _times(count), ctypes.create_string_buffer(what.frame, len(what.frame))
        period_ns, length = 1_000_000_000 // rate, len(what.frame)
        late = self._lib.paced(
            sock.fileno(), frame, length, what.digits_at, count, period_ns, int(spin), _address(stamps)
        )
        return stamps, _checked(late, "paced sender")

    def receive_paced(self, sock: socket.socket, what: Stamped, count: int, *, spin: bool) -> array[int]:
        """One way of each of ``count`` stamped frames, ns."""
        times = _times(count)
        length, place = len(what.frame), _address(times)
        _checked(
            self._lib.receive_paced(sock.fileno(), length, what.digits_at, count, int(spin), place), "paced receiver"
        )
        return times

    def receive_flood(self, sock: socket.socket, count: int, *, spin: bool) -> tuple[int, int]:
        """Cut ``count`` frames; returns their bytes, and the sum modulo 2**64 of the last 8 bytes of each."""
        checksum = ctypes.c_uint64()
        found = self._lib.receive_flood(sock.fileno(), count, int(spin), ctypes.byref(checksum))
        return _checked(found, "flood receiver"), checksum.value

    def hand_over(self, count: int, *, processes: bool, cpus: tuple[int, int] = (0, 1)) -> tuple[float, int]:
        """Hand records over as fast as they go; returns ns a record, and the sum that `hand_over_checksum` says."""
        checksum = ctypes.c_uint64()
        places = [core(cpu) for cpu in cpus]
        took = self._lib.hand_over(int(processes), count, 0, *places, None, ctypes.byref(checksum))
        return _checked(took, "hand-over") / count, checksum.value

    def hand_over_one_way(
        self, count: int, rate: int, *, processes: bool, cpus: tuple[int, int] = (0, 1)
    ) -> tuple[array[int], int]:
        """Hand records over ``rate`` a second; returns ns from producer's to consumer's clock of each, and the sum."""
        checksum, times = ctypes.c_uint64(), _times(count)
        places = [core(cpu) for cpu in cpus]
        took = self._lib.hand_over(
            int(processes), count, 1_000_000_000 // rate, *places, _address(times), ctypes.byref(checksum)
        )
        _checked(took, "hand-over")
        return times, checksum.value

    def copy_ns(self, records: int, count: int = 100_000) -> float:
        """Nanoseconds to copy so many records of 64 bytes out of a ring of 1 MiB."""
        return _checked(self._lib.copies(records, count), "copies") / count


def hand_over_checksum(count: int) -> int:
    """What the consumer of ``count`` records must have summed up."""
    return sum(n ^ (n + 5) for n in range(count)) % 2**64


# ------------------------------------------------------------------------------------------------------- handshakes


def take(sock: socket.socket, size: int) -> bytes:
    """Exactly so many bytes. Raises ConnectionError when the peer leaves first."""
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise ConnectionError("the peer left")
        data += more
    return data


def take_frame(sock: socket.socket) -> bytes:
    """One payload."""
    (size,) = struct.unpack(">I", take(sock, 4))
    return take(sock, size)


def send_frame(sock: socket.socket, payload: bytes) -> None:
    """One payload with its length."""
    sock.sendall(struct.pack(">I", len(payload)) + payload)


def greet(sock: socket.socket, dialect: str) -> None:
    """A gateway's side of the handshake, up to the request that starts the traffic (any; the first after startApi)."""
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    take(sock, 4)  # "API\0"
    take_frame(sock)  # the versions that the client speaks
    send_frame(sock, f"{mixes.SERVER_VERSIONS[dialect]}\0{GREETING_TIME}\0".encode())
    take_frame(sock)  # startApi
    for payload in mixes.first_messages(dialect):
        send_frame(sock, payload)
    take_frame(sock)


def connect(port: int) -> socket.socket:
    """A bare client's side of it, up to that request: `begin` sends it."""
    sock = socket.create_connection((HOST, port), timeout=30)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(b"API\0")
    send_frame(sock, b"v100..225")
    take_frame(sock)
    send_frame(sock, b"71\0002\0001\0\0")  # startApi; the gateway above believes everything
    for _ in range(2):
        take_frame(sock)  # nextValidId, managedAccounts
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", _SILENCE_S, 0))
    return sock


def begin(sock: socket.socket) -> socket.socket:
    """Send the request that starts the traffic; returns the socket."""
    send_frame(sock, b"8\0001\0001\0")
    return sock


def resident_bytes() -> int:
    """Resident memory of this process."""
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
