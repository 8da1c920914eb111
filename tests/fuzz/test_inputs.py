"""The fuzzers' own parts: inputs say everything, seeds reach every row, findings are kept with what repeats them."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.codec import Codec, Role
from tests.fuzz.inputs import MAX_INPUT_BYTES, VERSIONS, mutate, pack, seeds, unpack
from tests.fuzz.targets import AS_GATEWAY, RAW_STREAM, TARGETS, Differ

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_tool", ROOT / "tools" / "fuzz.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_an_input_says_everything() -> None:
    assert unpack(pack(176, 7, [b"one", b"", b"three"])) == (176, 7, [b"one", b"three"])
    assert unpack(b"") == (VERSIONS[0], 0, [])
    assert unpack(b"\xff\x00\xff\xffcut") == (VERSIONS[255 % len(VERSIONS)], 0, [b"cut"])


@pytest.mark.parametrize(("role", "rows"), [(Role.CLIENT, INCOMING), (Role.GATEWAY, OUTGOING)])
def test_seeds_reach_every_row(role: Role, rows: Any) -> None:
    reached = set()
    for version, payload in seeds(1, role):
        wire_id = Codec(version, role).split(payload)[0]
        reached.add(wire_id - 200 if wire_id > 200 else wire_id)
    assert reached == set(rows)


def test_mutations_are_repeatable_bounded_and_many() -> None:
    first = pack(225, 0, [payload for version, payload in seeds(1, Role.CLIENT) if version == 225])
    made = [mutate(first, random.Random(n)) for n in range(200)]
    assert made == [mutate(first, random.Random(n)) for n in range(200)]
    assert len(set(made)) > 190
    assert max(map(len, made)) <= MAX_INPUT_BYTES


@pytest.mark.parametrize("target", sorted(TARGETS))
@pytest.mark.parametrize("options", [0, 1, 2, 3, RAW_STREAM, AS_GATEWAY])
def test_nothing_but_messages_and_protocol_errors(target: str, options: int) -> None:
    rng = random.Random(f"{target} {options}")
    role = Role.GATEWAY if options == AS_GATEWAY else Role.CLIENT
    inputs = [pack(version, options, [payload]) for version, payload in seeds(options, role)]
    outcomes = set()
    for _ in range(400):
        outcomes.add(TARGETS[target](mutate(rng.choice(inputs), rng)))
    assert len(outcomes) > (5 if options == RAW_STREAM and target != "codec" else 30)


def test_a_difference_between_the_twins_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    from ibwire.ring import store

    payload = b"1\x006\x009\x001\x00187.43\x00300\x001\x00"
    TARGETS["twins"](pack(176, 0, [payload]))
    monkeypatch.setattr(store, "MAX_SCALE", 1)
    with pytest.raises(Differ):
        TARGETS["twins"](pack(176, 0, [payload]))


DIES = {
    "took longer": "signal.raise_signal(signal.SIGALRM)",
    "raised": "os._exit(fuzz.FINDING)",
    "status -11": "signal.raise_signal(signal.SIGSEGV)",
}


@pytest.mark.parametrize("how", sorted(DIES))
def test_a_finding_is_kept_however_the_process_ends(
    tool: ModuleType, how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    child = tmp_path / "child.py"
    child.write_text(
        "import importlib.util, os, pathlib, signal, sys\n"
        f"sys.path.append({str(ROOT)!r})\n"
        f"spec = importlib.util.spec_from_file_location('fuzz', {str(ROOT / 'tools' / 'fuzz.py')!r})\n"
        "fuzz = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(fuzz)\n"
        "fuzz.Slot(pathlib.Path(sys.argv[sys.argv.index('--slot') + 1])).put(b'the input', 12)\n"
        "print('said by the target', file=sys.stderr, flush=True)\n"
        f"{DIES[how]}\n"
    )
    monkeypatch.setattr(tool, "__file__", str(child))
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    args = type("Args", (), {"engine": "own", "seed": 1, "max_mb": 100})()
    assert tool.fuzz("codec", args, 1) is False
    said = capsys.readouterr().out
    (crash,) = tmp_path.glob("crash-codec-*")
    assert crash.read_bytes() == b"the input"
    assert how in said and "after 12 inputs" in said and "said by the target" in said
    assert f"python tools/fuzz.py --target codec --repeat {crash.name}" in said


def test_a_run_without_findings(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--engine", "own", "--minutes", "0.02"]
    done = subprocess.run([*command, "--target", "codec"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "no finding in" in done.stdout


def test_an_input_is_repeated(tmp_path: Path) -> None:
    file = tmp_path / "crash-codec-1"
    file.write_bytes(pack(176, 0, [b"1\x006\x00nine\x00"]))
    command = [sys.executable, str(ROOT / "tools" / "fuzz.py"), "--target", "codec", "--repeat", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "tickPrice" in done.stdout and "reqId" in done.stdout
