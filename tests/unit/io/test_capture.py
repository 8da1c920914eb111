"""Capture files: exact to the byte, torn tails cut, damage told; the proxy; sanitizing; a full disk."""

from __future__ import annotations

import errno
import io
import os
import socket
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ibwire
from ibwire.errors import CaptureError, ConnectError
from ibwire.io.capture import CaptureProxy, CaptureReader, CaptureWriter
from ibwire.sim.server import serve
from ibwire.types import incoming as i
from ibwire.types import outgoing as o
from ibwire.types.structs import Contract, Order
from ibwire.wire.capture import Decoder, Entry, Kind, encode_entry, encode_header, sessions
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import Framer, frame
from ibwire.wire.sanitize import Sanitizer

AAPL = Contract(symbol="AAPL", secType="STK", exchange="SMART", currency="USD")
ENTRIES = st.builds(
    Entry,
    st.sampled_from(Kind),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**63),
    st.binary(max_size=300),
)


def read(data: bytes) -> tuple[list[Entry], Decoder]:
    decoder = Decoder(io.BytesIO(data).read, "x")
    return list(decoder), decoder


@given(st.lists(ENTRIES, max_size=8), st.text(max_size=20).filter(lambda text: text.isprintable()))
def test_what_is_written_is_read_and_a_torn_tail_is_cut(entries: list[Entry], note: str) -> None:
    parts = [encode_header(5, note), *map(encode_entry, entries)]
    found, decoder = read(b"".join(parts))
    assert (found, decoder.note, decoder.created_ns, decoder.torn_bytes) == (entries, note, 5, 0)
    if entries:
        for cut in (1, len(parts[-1]) // 2, len(parts[-1]) - 1):
            found, decoder = read(b"".join(parts)[:-cut])
            assert found == entries[:-1] and decoder.torn_bytes == len(parts[-1]) - cut


def test_a_file_is_exact_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.ibcap"
    with CaptureWriter(path, "a note") as writer:
        writer.write(Kind.CONNECTED, 1)
        writer.write(Kind.FROM_CLIENT, 1, b"API\0", 123)
    with pytest.raises(CaptureError, match="closed"):
        writer.write(Kind.FROM_CLIENT, 1, b"x")
    with CaptureReader(path) as reader:
        first, second = reader
        assert (reader.note, first.kind, second.data, second.time_ns) == ("a note", Kind.CONNECTED, b"API\0", 123)
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(CaptureError, match="exists"):
        CaptureWriter(path)
    with pytest.raises(CaptureError, match="cannot be created"):
        CaptureWriter(tmp_path / "no" / "b.ibcap")
    with pytest.raises(CaptureError, match="cannot be read"):
        CaptureReader(tmp_path / "c.ibcap")


@pytest.mark.parametrize("data", [b"", b"IBWCAP1", b"\0\0\0\x1a176\x00", b"x" * 100])
def test_what_is_no_capture_is_told(data: bytes) -> None:
    with pytest.raises(CaptureError, match="no capture"):
        read(data)


def test_damage_in_the_middle_is_no_torn_tail() -> None:
    entries = [Entry(Kind.FROM_GATEWAY, 1, n, b"abc" * n) for n in range(1, 5)]
    header, parts = encode_header(1), [encode_entry(entry) for entry in entries]
    for place in range(len(parts[1])):
        data = bytearray(header + b"".join(parts))
        data[len(header) + len(parts[0]) + place] ^= 0x41
        decoder = Decoder(io.BytesIO(bytes(data)).read, "file")
        found = []
        try:
            for entry in decoder:
                found.append(entry)
        except CaptureError as error:
            assert error.offset == len(header) + len(parts[0]) and "file at byte" in str(error)
        else:
            assert decoder.torn_bytes  # a length that leads beyond the end cannot be told from a torn tail
        assert found == entries[:1]
    last = bytearray(header + b"".join(parts))
    last[-1] ^= 1
    assert read(bytes(last))[0] == entries[:3]
    with pytest.raises(CaptureError, match="header"):
        read(header[:10] + b"\xff" + header[11:])


def test_a_full_disk_leaves_whole_entries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.ibcap"
    with CaptureWriter(path) as writer:
        writer.write(Kind.FROM_CLIENT, 1, b"first")
        real, calls = os.write, []

        def full(fd: int, data: Any) -> int:
            calls.append(1)
            if len(calls) == 1:
                return real(fd, bytes(data)[:3])
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "write", full)
        with pytest.raises(CaptureError, match="the disk is full"):
            writer.write(Kind.FROM_CLIENT, 1, b"second")
        monkeypatch.setattr(os, "write", real)
        writer.write(Kind.FROM_CLIENT, 1, b"third")
    with CaptureReader(path) as reader:
        assert [entry.data for entry in reader] == [b"first", b"third"] and reader.torn_bytes == 0


# ---------------------------------------------------------------------------------------------- the proxy


class Program:
    """A small client that keeps every byte."""

    def __init__(self, host: str, port: int, version: int) -> None:
        self.socket = socket.create_connection((host, port), 20)
        self.sent, self.received, self.framer = b"", b"", Framer()
        self.codec = Codec(version, Role.CLIENT)
        self.send(b"API\0" + frame(b"v100..%d" % version))
        self.payload()

    def send(self, data: bytes) -> None:
        self.sent += data
        self.socket.sendall(data)

    def ask(self, *messages: Any) -> None:
        for message in messages:
            self.send(frame(self.codec.encode(message)))

    def payload(self) -> bytes:
        while (found := self.framer.next()) is None:
            data = self.socket.recv(65_536)
            assert data
            self.received += data
            self.framer.feed(data)
        return found

    def until(self, kind: type[Any]) -> Any:
        while not isinstance(message := self.codec.decode(self.payload()), kind):
            pass
        return message

    def leave(self) -> None:
        self.socket.shutdown(socket.SHUT_WR)
        while data := self.socket.recv(65_536):
            self.received += data
        self.socket.close()


@pytest.fixture(params=[176, 225])
def captured(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, Program]]:
    path = tmp_path / "session.ibcap"
    with serve(seed=7, time_scale=20.0, accounts=["DU7654321"]) as gateway:
        with CaptureProxy(CaptureWriter(path), gateway.host, gateway.port) as proxy:
            program = Program(proxy.host, proxy.port, request.param)
            program.ask(o.StartApi(3))
            program.until(i.NextValidId)
            order = Order(action="BUY", totalQuantity=Decimal(100), orderType="MKT", orderRef="grandmother's plan")
            program.ask(o.PlaceOrder(1, AAPL, order))
            program.until(i.CommissionAndFeesReport)
            program.ask(o.ReqExecutions(9))
            program.until(i.ExecDetailsEnd)
            program.leave()
            assert proxy.problem is None and proxy.connections == 1
    yield path, program


def test_the_proxy_writes_down_every_byte_with_its_time(captured: tuple[Path, Program]) -> None:
    path, program = captured
    with CaptureReader(path) as reader:
        entries = list(reader)
    for kind, data in ((Kind.FROM_CLIENT, program.sent), (Kind.FROM_GATEWAY, program.received)):
        assert b"".join(entry.data for entry in entries if entry.kind is kind) == data
    assert entries[0].kind is Kind.CONNECTED and entries[-1].kind in (Kind.GATEWAY_ENDED, Kind.CLIENT_ENDED)
    times = [entry.time_ns for entry in entries]
    assert times == sorted(times) and reader.torn_bytes == 0
    (session,) = sessions(entries)
    assert session.server_version == program.codec.server_version and not session.problem


def test_a_sanitized_copy_names_nobody_and_says_the_same(captured: tuple[Path, Program]) -> None:
    path, program = captured
    with CaptureReader(path) as reader:
        original = list(reader)
    sanitizer = Sanitizer()
    clean = list(sanitizer.run(original))
    text = b"".join(entry.data for entry in clean)
    assert b"DU7654321" in program.received and b"grandmother" in program.sent + program.received
    assert b"DU7654321" not in text and b"grandmother" not in text
    assert b"DU0000001" in text and b"ref-1" in text and sanitizer.dropped == []
    (before,), (after,) = sessions(original), sessions(clean)
    assert len(before.messages) == len(after.messages)
    assert [(m.time_ns, m.from_client) for m in before.messages] == [(m.time_ns, m.from_client) for m in after.messages]
    assert list(Sanitizer().run(clean)) == list(Sanitizer().run(Sanitizer().run(clean)))


def test_what_cannot_be_read_is_left_out_unless_wanted() -> None:
    head = [Entry(Kind.FROM_CLIENT, 1, 0, b"API\0" + frame(b"v100..176 Mr Smith")), Entry(Kind.CONNECTED, 1, 0)]
    strange = frame(b"9999\0" + b"secret\0")
    surplus = frame(b"49\x001\x00123\x00secret\x00")
    entries = [*head, Entry(Kind.FROM_GATEWAY, 1, 0, frame(b"176\0now\0") + strange + surplus)]
    sanitizer = Sanitizer()
    clean = b"".join(entry.data for entry in sanitizer.run(entries))
    assert b"secret" not in clean and b"Smith" not in clean and len(sanitizer.dropped) == 1
    assert b"\x00123\x00" in clean
    assert b"9999" in b"".join(entry.data for entry in Sanitizer(keep_unknown=True).run(entries))


def test_traffic_goes_on_when_the_capture_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[CaptureError] = []
    with serve(seed=7) as gateway:
        writer = CaptureWriter(tmp_path / "a.ibcap")
        with CaptureProxy(writer, gateway.host, gateway.port, on_problem=told.append) as proxy:
            writer.close()
            program = Program(proxy.host, proxy.port, 225)
            program.ask(o.StartApi(3), o.ReqCurrentTime())
            program.until(i.CurrentTime)
            program.leave()
            assert proxy.problem is told[0] and len(told) == 1


def test_a_gateway_that_is_not_there_is_one_that_refuses(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with CaptureProxy(CaptureWriter(tmp_path / "a.ibcap"), "127.0.0.1", port) as proxy:
        with socket.create_connection((proxy.host, proxy.port), 20) as raw:
            assert raw.recv(10) == b""
        assert proxy.refused is not None and str(port) in str(proxy.refused)
    with pytest.raises(ConnectError, match=f"nothing listens at 127.0.0.1:{port}"):
        ibwire.connect("paper", port=port, capture=str(tmp_path / "b.ibcap"))


def test_what_came_before_a_reset_arrives(tmp_path: Path) -> None:
    """The gateway says a lot and dies; a client that reads late still gets all of it, and so does the file."""
    said = os.urandom(3_000_000)
    path = tmp_path / "a.ibcap"
    with socket.create_server(("127.0.0.1", 0)) as gateway:
        with CaptureProxy(CaptureWriter(path), *gateway.getsockname()) as proxy:
            with socket.create_connection((proxy.host, proxy.port), 20) as client:
                peer, _ = gateway.accept()
                client.sendall(b"API\0")
                assert peer.recv(10) == b"API\0"
                peer.settimeout(20)
                got = bytearray()
                peer.sendall(said[:1_000_000])
                while len(got) < 500_000:
                    got += client.recv(65_536)
                client.sendall(b"never read")  # unread when the gateway closes: a reset
                while peer.recv(1, socket.MSG_PEEK) != b"n":
                    pass
                peer.close()
                while data := client.recv(65_536):
                    got += data
    with CaptureReader(path) as reader:
        written = b"".join(entry.data for entry in reader if entry.kind is Kind.FROM_GATEWAY)
    assert said.startswith(got) and written.startswith(got) and len(got) >= 500_000
