"""The kill switch and its file."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from ibwire import cli
from ibwire.errors import ConfigError
from ibwire.io import killswitch
from ibwire.io.killswitch import FILE_NAME, Kill, KillSwitch, read_kill, remove_kill, state_root, write_kill
from ibwire.io.statedir import default_state_dir


def test_shut_from_code_until_released(tmp_path: Path) -> None:
    told: list[Kill] = []
    switch = KillSwitch(tmp_path / "s", on_kill=told.append)
    assert switch.check() is None
    kill = switch.trip("enough", by="me")
    assert switch.check() == kill == read_kill(tmp_path / "s")
    switch.look()
    assert told == [kill]  # once
    assert KillSwitch(tmp_path / "s").check() == kill  # the next program is shut from the start
    assert switch.release()
    assert switch.check() is None
    assert KillSwitch(tmp_path / "s").check() is None
    assert not switch.release()
    assert [path.name for path in (tmp_path / "s").iterdir()] == []


def test_a_file_of_somebody_else_shuts_at_once(tmp_path: Path) -> None:
    told: list[Kill] = []
    switch = KillSwitch(tmp_path / "s", on_kill=told.append)
    write_kill(tmp_path, Kill("all of you", "ops", "everything"))
    found = switch.check()
    assert found is not None
    assert (found.scope, found.reason, str(found)) == ("everything", "all of you", "killed by ops: all of you")
    switch.look()
    switch.look()
    assert told == [found]
    with pytest.raises(ConfigError, match="every session"):
        switch.release()
    assert switch.check() is not None


@pytest.mark.parametrize("content", [b"", b"stop!", b"[]", b'{"scope": 5}', b'{"wall_ns": "x"}', b"\xff\xfe"])
def test_any_file_shuts_whatever_it_says(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    found = KillSwitch(tmp_path).check()
    assert found is not None
    assert found.scope == "mine"


def test_a_file_that_cannot_be_read_shuts(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).mkdir()
    found = KillSwitch(tmp_path).check()
    assert found is not None
    assert "cannot be read" in found.reason


def test_a_disk_that_cannot_be_written_shuts_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("a file where the directory should be")
    told: list[Kill] = []
    switch = KillSwitch(tmp_path / "s", on_kill=told.append)
    with pytest.raises(OSError):
        switch.trip("enough")
    assert switch.check() is not None
    assert len(told) == 1


def test_a_signal_shuts_at_once_and_the_rest_is_done_elsewhere(tmp_path: Path) -> None:
    told: list[Kill] = []
    switch = KillSwitch(tmp_path, on_kill=told.append)
    before = signal.getsignal(signal.SIGUSR1)
    switch.on_signal(signal.SIGUSR1)
    os.kill(os.getpid(), signal.SIGUSR1)
    assert switch.kill is not None
    assert told == []  # the handler itself does nothing more
    switch.look()
    assert [kill.by for kill in told] == ["signal"]
    assert (tmp_path / FILE_NAME).exists()
    switch.stop()
    assert signal.getsignal(signal.SIGUSR1) is before


def test_a_file_that_is_written_again_is_carried_out_again(tmp_path: Path) -> None:
    told: list[Kill] = []
    switch = KillSwitch(tmp_path / "s", on_kill=told.append)
    for kill in (Kill("first", "ops", wall_ns=1), Kill("and the rest", "ops", "everything", 2)):
        write_kill(tmp_path / "s", kill)
        switch.look()
        switch.look()
    assert [(kill.reason, kill.scope) for kill in told] == [("first", "mine"), ("and the rest", "everything")]
    assert switch.kill == told[1]
    switch.trip("from code")  # its own file is no news
    switch.look()
    assert len(told) == 3
    write_kill(tmp_path, Kill("everybody", "ops", wall_ns=3))
    switch.look()
    assert told[3:] == [Kill("everybody", "ops", wall_ns=3)]


def test_what_is_found_in_passing_is_told_by_the_next_look(tmp_path: Path) -> None:
    told: list[Kill] = []
    switch = KillSwitch(tmp_path / "s", on_kill=told.append)
    write_kill(tmp_path / "s", Kill("gone at once", "ops"))
    assert switch.check() is not None
    remove_kill(tmp_path / "s")
    switch.look()
    assert [kill.reason for kill in told] == ["gone at once"]


def test_the_users_kill_file_is_for_whoever_has_a_state_dir_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    switch, bare = KillSwitch(tmp_path / "bot" / "state"), KillSwitch(None, state_root())
    assert cli.main(["kill", "--reason", "all of you"]) == 0
    for one in (switch, bare):
        found = one.check()
        assert found is not None
        assert found.reason == "all of you"
        with pytest.raises(ConfigError, match="every session") as caught:
            one.release()
        assert str(state_root() / FILE_NAME) in str(caught.value)
    assert cli.main(["kill", "--release"]) == 0
    assert switch.release()
    assert bare.release()
    bare.trip("it keeps nothing")
    assert not state_root().exists() or list(state_root().iterdir()) == []


def test_a_release_and_a_look_at_the_same_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Kill] = []
    switch = KillSwitch(tmp_path / "s", on_kill=told.append)
    kill = switch.trip("x")
    looks = [threading.Thread(target=switch.look) for _ in range(4)]

    def slow(directory: Path) -> bool:
        for look in looks:
            look.start()
        for look in looks:  # each has looked, or waits
            look.join(0.1)
        return remove_kill(directory)

    monkeypatch.setattr(killswitch, "remove_kill", slow)
    assert switch.release()
    for look in looks:
        look.join(10)
    switch.look()
    assert told == [kill]  # once: nothing is cancelled after a release
    assert switch.check() is None


def test_cancels_do_not_wait_for_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    sync = os.fsync

    def slow(fd: int) -> None:
        steps.append("disk")
        sync(fd)

    monkeypatch.setattr(os, "fsync", slow)

    def cancel(_: Kill) -> None:
        assert read_kill(tmp_path / "s") is not None  # kill -9 from here on leaves it shut
        steps.append("cancel")

    KillSwitch(tmp_path / "s", on_kill=cancel).trip("x")
    assert steps == ["cancel", "disk", "disk"]


def test_one_signal_for_two_switches_and_the_end_of_them() -> None:
    one, two = KillSwitch(), KillSwitch()
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))
    try:
        one.on_signal(signal.SIGUSR1)
        two.on_signal(signal.SIGUSR1)
        os.kill(os.getpid(), signal.SIGUSR1)
        assert one.kill is not None
        assert two.kill is not None
        one.stop()
        two.release()
        os.kill(os.getpid(), signal.SIGUSR1)
        assert two.kill is not None
        end = threading.Thread(target=two.stop)  # a client may be closed by any thread
        end.start()
        end.join()
        assert seen == []
        os.kill(os.getpid(), signal.SIGUSR1)
        assert seen == [signal.SIGUSR1]  # it means again what it meant before
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("number", [0, 999, signal.SIGKILL, "TERM"])
def test_what_is_no_signal(number: int) -> None:
    with pytest.raises(ConfigError, match="SIGUSR1"):
        KillSwitch().on_signal(number)


def test_a_signal_is_asked_for_in_the_main_thread() -> None:
    problems: list[str] = []

    def ask() -> None:
        try:
            KillSwitch().on_signal(signal.SIGUSR1)
        except ConfigError as error:
            problems.append(str(error))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert "main thread" in problems[0]


def test_in_memory_it_ends_with_the_program() -> None:
    switch = KillSwitch()
    switch.trip("x")
    assert switch.check() is not None
    assert KillSwitch().check() is None
    with pytest.raises(ConfigError, match="scope"):
        switch.trip("x", scope="all")


def test_where_state_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_state_dir("127.0.0.1", 7497, 1) == tmp_path / "ibwire" / "127.0.0.1-7497-1"
    assert default_state_dir("::1/..", 1, 2).parent == tmp_path / "ibwire"
    monkeypatch.setenv("XDG_STATE_HOME", "not/absolute")
    assert state_root() == Path.home() / ".local" / "state" / "ibwire"


def test_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    one = default_state_dir("127.0.0.1", 7497, 1)
    switch = KillSwitch(one)
    assert cli.main(["kill", "--status"]) == 0
    assert cli.main(["kill", "127.0.0.1:7497/1", "--reason", "drill", "--everything"]) == 0
    assert "manual orders too" in capsys.readouterr().out
    found = switch.check()
    assert found is not None
    assert (found.reason, found.scope) == ("drill", "everything")
    assert cli.main(["kill", "--status"]) == 1
    assert "drill" in capsys.readouterr().out
    assert cli.main(["kill", "127.0.0.1:7497/1", "--release"]) == 0
    assert cli.main(["kill", "127.0.0.1:7497/1", "--release"]) == 1
    assert cli.main(["kill"]) == 0
    assert KillSwitch(default_state_dir("127.0.0.1", 4002, 9)).check() is not None
    assert cli.main(["kill", "--release"]) == 0
    assert cli.main(["kill", "--state-dir", str(one)]) == 0
    assert read_kill(one) is not None
    assert cli.main(["kill", "nonsense"]) == 1
    assert cli.main(["kill", "a:1/2", "--all"]) == 1
