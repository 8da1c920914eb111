from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ibwire.errors import ConfigError
from ibwire.io.idstore import FileIdStore, open_id_store
from ibwire.io.journal_errors import JournalFull
from ibwire.trade.identity import Ids, MemoryIdStore

ROOT = Path(__file__).resolve().parents[3]
TAKE = """
import sys
from ibwire.io.idstore import FileIdStore
store = FileIdStore(sys.argv[1], block=int(sys.argv[2]))
print(*(store.reserve(1, 3) for _ in range(50)), flush=True)
if len(sys.argv) > 3:
    import os, signal
    os.kill(os.getpid(), signal.SIGKILL)
"""


def taker(path: Path, block: int, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TAKE, str(path), str(block), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)


def test_none_keeps_it_in_memory() -> None:
    assert isinstance(open_id_store(None), MemoryIdStore)


def test_a_second_life_goes_on_above_the_first(tmp_path: Path) -> None:
    store = open_id_store(tmp_path / "deep" / "state")
    taken = [store.reserve(1, 1) for _ in range(10)]
    assert taken == list(range(1, 11))
    again = open_id_store(tmp_path / "deep" / "state")
    assert again.reserve(1, 1) > 10


def test_the_gateway_can_only_raise_it(tmp_path: Path) -> None:
    store = FileIdStore(tmp_path / "ids", block=4)
    assert store.reserve(500, 2) == 500
    assert store.reserve(3, 1) == 502
    assert FileIdStore(tmp_path / "ids").reserve(1, 1) >= 503


def test_more_than_a_block_is_in_a_row(tmp_path: Path) -> None:
    store = FileIdStore(tmp_path / "ids", block=4)
    assert [store.reserve(1, 3), store.reserve(1, 10), store.reserve(1, 1)] == [1, 4, 14]


def test_an_id_of_the_callers_is_marked_at_once(tmp_path: Path) -> None:
    ids = Ids(FileIdStore(tmp_path / "ids"))
    ids.use(900)
    assert FileIdStore(tmp_path / "ids").mark() >= 901
    assert ids.reserve() == 901


def test_threads_and_stores_never_share_an_id(tmp_path: Path) -> None:
    stores = [FileIdStore(tmp_path / "ids", block=5) for _ in range(2)]
    taken: list[list[int]] = [[] for _ in range(6)]

    def take(number: int) -> None:
        for _ in range(40):
            first = stores[number % 2].reserve(1, 2)
            taken[number] += [first, first + 1]

    threads = [threading.Thread(target=take, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    every = [one for some in taken for one in some]
    assert len(set(every)) == len(every) == 480


def test_processes_never_share_an_id_even_when_killed(tmp_path: Path) -> None:
    for kill in ((), ("kill",)):
        running = [taker(tmp_path / "ids", block, *kill) for block in (1, 7, 64)]
        firsts = [int(text) for one in running for text in one.communicate(timeout=60)[0].split()]
        assert len(firsts) == 150
        every = [first + more for first in firsts for more in range(3)]
        assert len(set(every)) == len(every)
        last = max(every)
        assert FileIdStore(tmp_path / "ids").reserve(1, 1) > last


def test_what_is_left_of_a_block_is_given_back(tmp_path: Path) -> None:
    one, other = FileIdStore(tmp_path / "ids", block=10), FileIdStore(tmp_path / "ids", block=10)
    assert [one.reserve(1, 3), other.reserve(1, 3)] == [1, 11]
    one.close()  # not the end of what is taken: nothing to give back
    assert other.mark() == 21
    other.close()
    assert other.mark() == 14
    other.close()
    assert FileIdStore(tmp_path / "ids").reserve(1, 1) == 14
    assert one.reserve(1, 1) > 14


def test_it_is_topped_up_before_it_is_empty(tmp_path: Path) -> None:
    store = FileIdStore(tmp_path / "ids", block=10)
    store.top_up()
    assert store.mark() == 1  # nobody has taken anything: nobody may
    store.reserve(1, 5)
    store.top_up()
    assert store.mark() == 11  # half is left
    store.reserve(1, 1)
    store.top_up()
    assert store.mark() == 21
    assert store.reserve(1, 12) == 7  # in a row, over the end of the first block
    FileIdStore(tmp_path / "ids", block=1).reserve(1, 1)  # another process
    store.top_up()
    assert store.mark() == 22
    assert [store.reserve(1, 2), store.reserve(1, 1)] == [19, 22]


def test_a_forked_child_takes_ids_of_its_own(tmp_path: Path) -> None:
    store = FileIdStore(tmp_path / "ids")
    store.reserve(1, 1)
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, str(store.reserve(1, 1)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    theirs = int(os.read(reader, 100))
    assert store.reserve(1, 1) != theirs
    os.close(reader)
    os.close(writer)


@pytest.mark.parametrize(
    "content", [b"", b"12\n", b"ibwire ids 1 12 00000000\n", b"ibwire ids 2 12 deadbeef\n", b"\xff" * 300]
)
def test_a_damaged_file_is_told_before_any_order(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ids").write_bytes(content)
    with pytest.raises(ConfigError, match="damaged"):
        FileIdStore(tmp_path / "ids")


def test_a_half_written_new_file_is_no_matter(tmp_path: Path) -> None:
    FileIdStore(tmp_path / "ids", block=1).reserve(1, 7)
    (tmp_path / "ids.new").write_bytes(b"ibwire ids 1 9")
    assert FileIdStore(tmp_path / "ids").reserve(1, 1) == 8


def test_what_cannot_be_written_gives_no_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileIdStore(tmp_path / "ids", block=1)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(JournalFull, match=r"no order id can be marked as taken .*: No space left"):
            store.reserve(1, 1)
        with pytest.raises(ConfigError, match="other/ids: it cannot be made"):
            FileIdStore(tmp_path / "other" / "ids")
    assert store.reserve(1, 1) > 1, "what was written and not synced may be on the disk"


def test_a_write_takes_no_room(tmp_path: Path) -> None:
    store = FileIdStore(tmp_path / "ids", block=1)
    file = (tmp_path / "ids").stat()
    store.reserve(2_000_000_000, 1)
    again = (tmp_path / "ids").stat()
    assert (again.st_ino, again.st_size) == (file.st_ino, file.st_size) == (file.st_ino, 64)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["ids", "ids.lock"]


def test_a_directory_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="state_dir"):
        open_id_store(tmp_path / "file" / "state")


def test_a_block_is_at_least_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="at least 1"):
        FileIdStore(tmp_path / "ids", block=0)
