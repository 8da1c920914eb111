"""Writing a journal and reading it back: both writers, damage of every kind, locks, full disks, forks."""

from __future__ import annotations

import errno
import os
import random
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ibwire import _journal
from ibwire.errors import ConfigError, ForkedClient
from ibwire.io import journal_plain, statedir
from ibwire.io.journal import Act, FileJournal, MemoryJournal, NullJournal
from ibwire.io.journal_errors import JournalCorrupt, JournalError, JournalFull, JournalLocked, JournalVersion
from ibwire.io.journal_format import Kind, intent_of, make_head, result_of
from ibwire.io.journal_read import read, segments_of
from ibwire.ring import impl

SMALL = 1 << 16
ROOT = Path(__file__).resolve().parents[3]


def fill(journal: Any, count: int, first: int = 1) -> None:
    for order_id in range(first, first + count):
        intent = journal.intent(Act.PLACE, order_id, b"frame %d" % order_id * 9, order_id - 1, 1000 + order_id)
        journal.sent(intent, order_id, 60, order_id, 2000 + order_id)


def written(path: Path, count: int = 600) -> list[Any]:
    with FileJournal(path, segment_bytes=SMALL, thread=False) as journal:
        journal.session(1, 176, 5)
        fill(journal, count)
    return list(read(path))


def key(entry: Any) -> tuple[Any, ...]:
    return entry.seq, entry.ns, entry.kind, entry.epoch, entry.body


@pytest.fixture(params=["compiled", "plain"])
def writer(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(impl, "NAME", request.param)
    return str(request.param)


@contextmanager
def no_room() -> Iterator[None]:
    """No file can be made larger than 8 KiB, as on a full disk; the memory of open ones is untouched."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def test_the_checksum_is_that_of_zlib() -> None:
    rng = random.Random(1)
    for size in [*range(200), 1000, 4096, 70_001]:
        data = rng.randbytes(size)
        assert _journal.crc32(data) == zlib.crc32(data)
        assert _journal.crc32(data, 7) == zlib.crc32(data, 7)


def test_both_writers_write_the_same_bytes(tmp_path: Path) -> None:
    head = make_head(
        journal=7, number=1, first_seq=1, capacity=8192, wall_ns=0, mono_ns=0, high_water=0, pid=3, package="1.2"
    )
    found = []
    for name, make in (("a", _journal.Appender), ("b", journal_plain.Appender)):
        (tmp_path / name).mkdir()
        appender: Any = make(str(tmp_path / name), head, 8192)
        appender.start(1, 1)
        appender.set_preamble(b"{}", 4)
        rng = random.Random(5)
        numbers = [appender.put(1 + n % 9, n, rng.randbytes(n), rng.randbytes(n % 13)) for n in range(120)]
        assert numbers[:5] == [1, 2, 3, 4, 5]
        appender.drop()
        found.append(tmp_path / name)
    assert len(segments_of(found[0])) == len(segments_of(found[1])) > 1
    for one, other in zip(read(found[0]), read(found[1]), strict=True):
        assert one.offset == other.offset
        if one.kind != Kind.END and not one.flags:  # those carry the time
            assert key(one) == key(other)
        else:
            assert (one.seq, one.kind, one.body) == (other.seq, other.kind, other.body)


def test_what_was_written_is_read(tmp_path: Path, writer: str) -> None:
    entries = written(tmp_path)
    intents = [intent_of(entry) for entry in entries if entry.kind == Kind.INTENT]
    assert [one.order_id for one in intents] == list(range(1, 601))
    assert intents[41].frame == b"frame 42" * 9
    assert intents[41].after_seq == 41
    results = [result_of(entry) for entry in entries if entry.kind == Kind.SENT]
    assert [entry.seq for entry in entries] == list(range(1, len(entries) + 1))
    by_seq = {entry.seq: entry for entry in entries}
    assert all(intent_of(by_seq[one.intent_seq]).order_id == one.order_id for one in results)
    assert len(segments_of(tmp_path)) > 1
    assert entries[-1].kind == Kind.CLOSED


def test_it_goes_on_where_it_ended(tmp_path: Path, writer: str) -> None:
    before = written(tmp_path, 20)
    with FileJournal(tmp_path, thread=False) as journal:
        assert journal.epoch == 1
        assert journal.session(1, 176, 9) == 2
        fill(journal, 5, 100)
    after = list(read(tmp_path))
    assert [key(one) for one in after[: len(before)]] == [key(one) for one in before]
    assert [one.label for one in after[len(before) :]][:3] == ["opened", "session", "intent"]
    assert read_all(tmp_path).heads[-1].high_water >= 0


def read_all(path: Path) -> Any:
    reading = read(path)
    list(reading)
    return reading


def test_each_segment_repeats_its_session_and_the_highest_id(tmp_path: Path, writer: str) -> None:
    written(tmp_path)
    for path in segments_of(tmp_path)[1:]:
        reading = read(path)
        first = next(iter(reading))
        assert first.label == "session"
        assert first.flags == 1
        assert first.json()["serverVersion"] == 176
        assert reading.heads[0].high_water > 0


# ------------------------------------------------------------------ damage


def test_a_torn_tail_is_told_and_cut(tmp_path: Path, writer: str) -> None:
    entries = written(tmp_path, 20)
    path = segments_of(tmp_path)[-1]
    raw = bytearray(path.read_bytes())
    raw[entries[-1].offset + 20 : entries[-1].offset + 60] = b"\xff" * 40  # the last entry, half written
    path.write_bytes(raw)
    reading = read(tmp_path)
    assert [key(one) for one in reading] == [key(one) for one in entries[:-1]]
    assert reading.tail is not None
    assert reading.tail.offset == entries[-1].offset
    assert reading.tail.cut_bytes > 26
    with FileJournal(tmp_path, thread=False) as journal:
        assert "torn tail" in journal.cut
        fill(journal, 1, 500)
    again = list(read(tmp_path))
    assert [one.label for one in again[len(entries) - 1 :]] == ["cut", "opened", "intent", "sent", "closed"]


def test_a_killed_write_leaves_no_length(tmp_path: Path) -> None:
    entries = written(tmp_path, 5)
    path = segments_of(tmp_path)[-1]
    raw = bytearray(path.read_bytes())
    raw[entries[-1].offset : entries[-1].offset + 8] = bytes(8)
    path.write_bytes(raw)
    reading = read(tmp_path)
    assert len(list(reading)) == len(entries) - 1
    assert reading.tail is not None


def test_damage_in_the_middle_names_file_and_place(tmp_path: Path) -> None:
    entries = written(tmp_path, 20)
    victim, path = entries[10], segments_of(tmp_path)[0]
    raw = bytearray(path.read_bytes())
    raw[victim.offset + 40] ^= 1
    path.write_bytes(raw)
    got = []
    with pytest.raises(JournalCorrupt) as caught:
        for entry in read(tmp_path):
            got.append(key(entry))
    assert caught.value.path == str(path)
    assert caught.value.offset == victim.offset
    assert got == [key(one) for one in entries[:10]]
    with pytest.raises(JournalCorrupt):
        FileJournal(tmp_path)
    assert path.read_bytes() == raw  # untouched


def test_a_hole_of_zeros_is_no_end(tmp_path: Path) -> None:
    entries = written(tmp_path, 20)
    path = segments_of(tmp_path)[0]
    raw = bytearray(path.read_bytes())
    raw[entries[8].offset : entries[12].offset] = bytes(entries[12].offset - entries[8].offset)
    path.write_bytes(raw)
    with pytest.raises(JournalCorrupt, match="more behind it"):
        list(read(tmp_path))


def test_a_missing_segment_is_a_hole(tmp_path: Path) -> None:
    written(tmp_path, 1500)
    paths = segments_of(tmp_path)
    assert len(paths) > 3
    paths[1].unlink()
    with pytest.raises(JournalCorrupt, match="segment 3 follows segment 1"):
        list(read(tmp_path))


def test_a_segment_of_another_journal_is_refused(tmp_path: Path) -> None:
    written(tmp_path / "a", 1500)
    written(tmp_path / "b", 1500)
    (tmp_path / "b" / "00000002.ibj").replace(tmp_path / "a" / "00000002.ibj")
    with pytest.raises(JournalCorrupt, match="another journal"):
        list(read(tmp_path / "a"))


def test_no_damage_ever_yields_a_wrong_entry(tmp_path: Path) -> None:
    """Truncated, flipped, overwritten, zeroed, moved: what is read is a beginning of what was written."""
    truth = [key(one) for one in written(tmp_path / "j", 450)]
    originals = {path: path.read_bytes() for path in segments_of(tmp_path / "j")}
    assert len(originals) > 1
    rng = random.Random(20261121)
    outcomes = {"corrupt": 0, "tail": 0, "whole": 0}
    for _ in range(400):
        path = rng.choice(list(originals))
        raw = bytearray(originals[path])
        used = len(raw.rstrip(b"\0"))
        at = rng.randrange(used)
        match rng.randrange(5):
            case 0:
                del raw[at:]
            case 1:
                raw[at] ^= 1 << rng.randrange(8)
            case 2:
                size = rng.randrange(1, 200)
                raw[at : at + size] = rng.randbytes(size)
            case 3:
                size = rng.randrange(1, 5000)
                raw[at : at + size] = bytes(size)
            case 4:
                source = rng.randrange(0, used, 8)
                raw[at & ~7 : (at & ~7) + 512] = raw[source : source + 512]
        path.write_bytes(raw)
        got = []
        reading = read(tmp_path / "j")
        try:
            for entry in reading:
                got.append(key(entry))
            outcomes["tail" if reading.tail is not None else "whole"] += 1
            lost = len(truth) - len(got)
            assert not lost or reading.tail is not None  # nothing goes missing without being told
        except JournalCorrupt as error:
            assert error.path == str(path) or error.path in {str(one) for one in originals}
            outcomes["corrupt"] += 1
        except JournalVersion:
            outcomes["corrupt"] += 1
        assert got == truth[: len(got)]
        path.write_bytes(originals[path])
    assert all(outcomes.values())


def test_a_newer_version_names_both(tmp_path: Path) -> None:
    written(tmp_path, 3)
    path = segments_of(tmp_path)[0]
    raw = bytearray(path.read_bytes())
    raw[8] = 9
    path.write_bytes(raw)
    with pytest.raises(JournalVersion, match=r"format 9, this ibwire knows up to 1") as caught:
        list(read(tmp_path))
    assert (caught.value.found, caught.value.known) == (9, 1)
    with pytest.raises(JournalVersion):
        FileJournal(tmp_path)


def test_what_is_no_journal(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="no journal"):
        read(tmp_path)
    (tmp_path / "00000001.ibj").write_bytes(b"something else" * 100)
    with pytest.raises(JournalCorrupt, match="does not begin like a journal"):
        list(read(tmp_path))


# ------------------------------------------------------------------ one writer


def test_a_second_writer_is_told_who_writes(tmp_path: Path) -> None:
    with FileJournal(tmp_path, segment_bytes=SMALL, thread=False):
        with pytest.raises(JournalLocked) as caught:
            FileJournal(tmp_path)
        assert caught.value.pid == os.getpid()
        code = (
            "import sys\nfrom ibwire.io.journal import FileJournal\n"
            "from ibwire.io.journal_errors import JournalLocked\n"
            "try: FileJournal(sys.argv[1])\nexcept JournalLocked as e: print(e.pid, e)"
        )
        command = [sys.executable, "-c", code, str(tmp_path)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        assert done.stdout.startswith(f"{os.getpid()} {tmp_path} is written by process {os.getpid()}")
    FileJournal(tmp_path, thread=False).close()


def test_a_child_does_not_write(tmp_path: Path) -> None:
    with FileJournal(tmp_path, segment_bytes=SMALL, thread=False) as journal:
        fill(journal, 1)
        pid = os.fork()
        if not pid:  # pragma: no cover
            try:
                journal.note("from the child", 1)
            except ForkedClient:
                journal.close()
                os._exit(7)
            os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
        with pytest.raises(JournalLocked):
            FileJournal(tmp_path)
        fill(journal, 1, 2)
    assert sum(one.kind == Kind.INTENT for one in read(tmp_path)) == 2


# ------------------------------------------------------------------ a full disk


def test_a_full_disk_refuses_orders_and_lets_cancels_out(tmp_path: Path, writer: str) -> None:
    journal = FileJournal(tmp_path, segment_bytes=SMALL, thread=False)
    journal.session(1, 176, 1)
    with no_room():
        with pytest.raises(JournalFull, match=r"place of order .* cannot be journaled.*Cancels still go out") as caught:
            fill(journal, 2000)
        assert str(tmp_path) in str(caught.value)
        placed = sum(one.kind == Kind.INTENT for one in read(tmp_path))
        assert placed > 100
        assert all(journal.intent(Act.CANCEL, n, b"cancel", 0, n) for n in range(50))  # there is room kept for them
        with pytest.raises(JournalFull):
            journal.intent(Act.MODIFY, 1, b"x" * 60, 0, 1)
        while journal.intent(Act.CANCEL, 1, b"cancel" * 20, 0, 1):
            pass
        assert journal.missed
        assert journal.problem
    time.sleep(0.03)
    fill(journal, 3, 5000)
    journal.close()
    entries = list(read(tmp_path))
    gaps = [one for one in entries if one.kind == Kind.GAP]
    assert sum(int.from_bytes(one.body, "little") for one in gaps) == journal.missed
    assert [intent_of(one).order_id for one in entries if one.kind == Kind.INTENT][-3:] == [5000, 5001, 5002]


def test_no_room_for_a_first_segment(tmp_path: Path, writer: str) -> None:
    with no_room(), pytest.raises(JournalFull, match="no room"):
        FileJournal(tmp_path, segment_bytes=SMALL)
    FileJournal(tmp_path, segment_bytes=SMALL, thread=False).close()  # nothing is left behind


def test_no_room_for_its_folder_or_its_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    (tmp_path / "file").write_text("in the way")
    with pytest.raises(JournalError, match="File exists"):
        FileJournal(tmp_path / "file")
    with pytest.raises(JournalError, match="Not a directory"):
        FileJournal(tmp_path / "file" / "below")
    with monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)  # who writes it is not told, then; that it is locked is
        with FileJournal(tmp_path / "a", segment_bytes=SMALL, thread=False), pytest.raises(JournalLocked):
            FileJournal(tmp_path / "a", segment_bytes=SMALL, thread=False)
        patch.setattr(os, "open", full)
        with pytest.raises(JournalFull, match="No space left"):
            FileJournal(tmp_path / "b", segment_bytes=SMALL, thread=False)


def test_other_files_beside_its_segments_are_nobodys_business(tmp_path: Path) -> None:
    (tmp_path / "notes.ibj").write_text("mine")
    with FileJournal(tmp_path, segment_bytes=SMALL, thread=False) as journal:
        fill(journal, 3)
    assert [path.name for path in segments_of(tmp_path)] == ["00000001.ibj"]


def test_a_cancel_waits_for_no_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with FileJournal(tmp_path, segment_bytes=SMALL, fsync="always", thread=False) as journal:
        waits: list[str] = []
        monkeypatch.setattr(journal, "_sync", lambda: waits.append("disk"))
        assert journal.intent(Act.CANCEL, 1, b"cancel", 0, 1)
        assert journal.intent(Act.GLOBAL_CANCEL, 0, b"cancel", 0, 2)
        assert waits == []
        assert journal.intent(Act.PLACE, 2, b"place", 0, 3)
        assert waits == ["disk"]


def test_a_disk_that_fails_refuses_orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impl, "NAME", "plain")
    journal = FileJournal(tmp_path, segment_bytes=SMALL, fsync="always", thread=False)
    fill(journal, 2)

    def broken(fd: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fdatasync", broken)
    with pytest.raises(JournalFull, match="Input/output error"):
        fill(journal, 1, 3)
    assert journal.intent(Act.CANCEL, 1, b"cancel", 0, 1)
    monkeypatch.undo()
    fill(journal, 1, 4)
    journal.close()
    failed = [result_of(one).order_id for one in read(tmp_path) if one.kind == Kind.SEND_FAILED]
    assert failed == [3]


# ------------------------------------------------------------------ the rest


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
def test_every_way_to_synchronise_writes_the_same(tmp_path: Path, fsync: str) -> None:
    with FileJournal(tmp_path, segment_bytes=SMALL, fsync=fsync, interval_ms=1) as journal:
        fill(journal, 700)
    assert sum(one.kind == Kind.INTENT for one in read(tmp_path)) == 700


def test_retention_keeps_what_an_open_order_needs(tmp_path: Path) -> None:
    with FileJournal(tmp_path, segment_bytes=SMALL, retention_segments=2, thread=False) as journal:
        journal.session(1, 176, 1)
        fill(journal, 3000)
        before = len(segments_of(tmp_path))
        assert before > 6
        assert journal.prune({1: 0}) == []
        assert journal.prune({77: 10**9}) == [f"{n:08d}.ibj" for n in range(1, before - 2)]
    reading = read(tmp_path)
    first = next(iter(reading))
    assert reading.heads[0].first_seq > 1
    assert first.json()["clientId"] == 1


def test_settings_that_make_no_sense(tmp_path: Path) -> None:
    for values in ({"fsync": "often"}, {"segment_bytes": 100}, {"interval_ms": 0}, {"retention_segments": 0}):
        with pytest.raises(ConfigError):
            FileJournal(tmp_path, **values)
    with FileJournal(tmp_path, segment_bytes=SMALL, thread=False) as journal, pytest.raises(ConfigError, match="name"):
        journal.override(" ", "released the kill switch", 1)


def test_in_memory_the_newest_are_kept() -> None:
    journal = MemoryJournal(SMALL)
    journal.session(1, 176, 1)
    fill(journal, 5000)
    entries = list(journal.reading())
    assert intent_of(entries[-2]).order_id == 5000
    assert entries[0].seq > 1
    assert NullJournal().intent(Act.PLACE, 1, b"", 0, 0) == 0


def test_state_lies_outside_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert statedir.default_state_dir("127.0.0.1", 7497, 3) == tmp_path / "ibwire" / "127.0.0.1-7497-3"
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    found = statedir.default_state_dir("a/../b", 1, 0)
    assert found == tmp_path / "home" / ".local" / "state" / "ibwire" / "a_.._b-1-0"
    with pytest.raises(ConfigError, match="relative"):
        statedir.make_state_dir("here")
    made = statedir.make_state_dir(tmp_path / "x" / "y")
    assert made.stat().st_mode & 0o777 == 0o700
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="cannot be made"):
        statedir.make_state_dir(tmp_path / "file" / "z")
