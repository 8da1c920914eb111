"""Checking a journal as a whole says the same as reading it entry by entry, in compiled code and in plain Python."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from ibwire import _journal
from ibwire.io import journal_restore
from ibwire.io.journal import FileJournal
from ibwire.io.journal_errors import JournalCorrupt
from ibwire.io.journal_format import HEAD_BYTES, Kind
from ibwire.io.journal_read import Reading, segments_of, span
from ibwire.ring import impl

SMALL = 1 << 16


def outcome(sources: list[tuple[str, bytes]], *, whole: bool) -> tuple[Any, ...]:
    reading = Reading(list(sources))
    said = ""
    try:
        if whole:
            reading.check()
        else:
            for _ in reading:
                pass
    except JournalCorrupt as error:
        said = str(error)
    found = (said, reading.last_seq, reading.next_offset, reading.epoch, reading.is_ended, len(reading.heads))
    return (*found, str(reading.tail), reading.unused)


@pytest.mark.parametrize("name", ["compiled", "plain"])
def test_a_check_finds_what_reading_finds(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(impl, "NAME", name)
    rng = random.Random(5)
    with FileJournal(tmp_path, segment_bytes=SMALL, thread=False) as journal:
        for epoch in range(3):
            journal.session(1, 176, epoch)
            for n in range(300):
                journal.note("x" * rng.randrange(400), n)
    whole = [(path.name, path.read_bytes()) for path in segments_of(tmp_path)]
    assert len(whole) > 2
    assert outcome(whole, whole=True) == outcome(whole, whole=False)
    said = set()
    for _ in range(150):
        sources = whole[: rng.randrange(1, len(whole) + 1)]
        place = len(sources) - 1 if rng.random() < 0.7 else 0
        damaged = bytearray(sources[place][1])
        at = rng.randrange(HEAD_BYTES, len(damaged))
        match rng.randrange(4):
            case 0:
                damaged[at] ^= 1 << rng.randrange(8)
            case 1:
                damaged[at:] = bytes(len(damaged) - at)  # a torn tail
            case 2:
                damaged[at : at + 64] = rng.randbytes(min(64, len(damaged) - at))
            case 3:
                del damaged[at:]
        sources[place] = (sources[place][0], bytes(damaged))
        found = outcome(sources, whole=True)
        assert found == outcome(sources, whole=False)
        said.add((bool(found[0]), found[6] != "None"))
    assert said == {(True, False), (False, True), (False, False)}


def test_compiled_code_has_the_numbers_of_the_format() -> None:
    package = Path(_journal.__file__).parent
    kinds = dict(re.findall(r"^    KIND_(\w+) = (\d+)$", (package / "_journal.pyx").read_text(), re.M))
    assert len(kinds) > 12
    assert {name: int(number) for name, number in kinds.items()} == {name: int(Kind[name]) for name in kinds}
    roles = re.findall(r"^    (NAMES_[A-Z]+|BINDS_ORDER) = (\d)", (package / "_journal_index.pxi").read_text(), re.M)
    known = {name: getattr(journal_restore, f"_{name}", 0) for name, _ in roles}
    assert {name: int(number) for name, number in roles} == known
    assert len(known) == 7


def test_both_spans_end_at_the_same_place(tmp_path: Path) -> None:
    with FileJournal(tmp_path, segment_bytes=SMALL, thread=False) as journal:
        for n in range(300):
            journal.note("y" * (n % 70), n)
    data = segments_of(tmp_path)[0].read_bytes()
    assert span(data, HEAD_BYTES, 0) == _journal.span(data, HEAD_BYTES, 0)
    assert span(data, HEAD_BYTES, 0)[1] > 250
    assert _journal.span(data, HEAD_BYTES, 1)[:2] == (HEAD_BYTES, 1)  # not the one that should follow
    for at in range(HEAD_BYTES, 2000, 7):
        broken = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        assert span(broken, HEAD_BYTES, 0) == _journal.span(broken, HEAD_BYTES, 0)
        assert span(data[:at], HEAD_BYTES, 0) == _journal.span(data[:at], HEAD_BYTES, 0)
