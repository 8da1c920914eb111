"""Everything that the README shows is run and compared: programs, commands and their output, paths and links."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import ibwire
from ibwire.cli import VERBS, main
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.types import incoming
from ibwire.types.structs import TickAttrib
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(kind: str, text: str = README) -> list[str]:
    """Contents of the fenced blocks of a kind, in order."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def marked(name: str, closing: str) -> str:
    """What stands between ``<!-- name -->`` and ``<!-- /closing -->``."""
    found = re.search(rf"^<!-- {re.escape(name)} -->\n(.*?)^<!-- /{closing} -->$", README, re.MULTILINE | re.DOTALL)
    assert found is not None, f"README has no {name!r}"
    return found[1]


def console() -> list[tuple[str, str]]:
    """(command, expected output) of every console block."""
    pairs = []
    for block in blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            pairs.append((command, expected))
    return pairs


def test_the_first_program_is_the_example() -> None:
    names = re.findall(r"^<!-- example: (.*) -->$", README, re.MULTILINE)
    assert names == ["examples/first.py"]
    (block,) = blocks("python", marked(f"example: {names[0]}", "example"))
    assert block == (ROOT / names[0]).read_text()


@pytest.mark.parametrize(("command", "expected"), console(), ids=lambda text: text.split("\n")[0][:40])
def test_a_command_prints_what_the_readme_shows(
    command: str, expected: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    program, *arguments = shlex.split(command)
    assert program == "ibwire"
    assert main(arguments) == 0
    assert capsys.readouterr().out == expected


def test_the_commands_shown_are_decode_and_explain() -> None:
    assert [command.split()[1] for command, _ in console()] == ["decode", "explain"]


def test_the_sample_is_what_a_gateway_of_that_version_sends() -> None:
    codec = Codec(176, Role.GATEWAY)
    messages = [
        incoming.NextValidId(1),
        incoming.ManagedAccounts("DU0000001"),
        incoming.TickPrice(1, 2, 187.43, Decimal(200), TickAttrib(canAutoExecute=True)),
        incoming.OrderStatus(
            orderId=1,
            status="Filled",
            filled=Decimal(100),
            remaining=Decimal(0),
            avgFillPrice=187.426,
            permId=904117,
            lastFillPrice=187.42,
            clientId=1,
        ),
    ]
    handshake = frame(b"176\x0020260102 09:30:00 EST\0")
    assert (ROOT / "docs/sample.bin").read_bytes() == handshake + b"".join(frame(codec.encode(m)) for m in messages)


def migrated() -> tuple[str, str]:
    """The program for those who come from ibapi, and what it prints."""
    found = re.search(r"^<!-- run -->\n```python\n(.*?)^```\n```text\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1], found[2]


def run(*command: str, cwd: Path) -> str:
    environment = {"PYTHONPATH": str(ROOT), "PATH": ""}
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_program_for_those_who_come_from_ibapi_runs_as_it_stands(tmp_path: Path) -> None:
    source, expected = migrated()
    (tmp_path / "program.py").write_text(source)
    assert run("program.py", cwd=tmp_path) == expected


def test_the_two_lines_that_change_are_those_of_the_program() -> None:
    (diff,) = blocks("diff")
    old, new = ([line[1:] for line in diff.splitlines() if line[0] == sign] for sign in "-+")
    imports = dict(line.split("  # was: ")[::-1] for line in migrated()[0].splitlines() if "  # was: " in line)
    assert len(old) == len(new) == 2 and [imports[line] for line in old] == new


def test_the_same_program_with_its_old_imports_runs_through_exec(tmp_path: Path) -> None:
    source, expected = migrated()
    old = re.sub(r"from ibwire\.compat\.(\w+) import (\w+)  # was: .*", r"from ibapi.\1 import \2", source)
    assert old.count("from ibapi.") == 3 and "ibwire.compat" not in old
    (tmp_path / "program.py").write_text(old)
    assert run("-m", "ibwire", "exec", "program.py", cwd=tmp_path) == expected


def test_the_demo_block_is_of_this_version() -> None:
    """The demo itself is run by tests/unit/cli/test_demo.py; its numbers differ from run to run."""
    lines = marked("demo", "demo").splitlines()
    assert any(line.startswith(f"ibwire {ibwire.__version__}   simulated gateway 127.0.0.1:") for line in lines)
    for start in ("handshake ", " AAPL ", "order 1   BUY 100 AAPL LMT", "    position "):
        assert any(line.startswith(start) for line in lines), start


def test_every_make_target_and_verb_that_is_named_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):.*## ", MAKEFILE, re.MULTILINE))
    # In code only: both are also words in sentences.
    code = "\n".join([*blocks("sh"), *blocks("console"), *re.findall(r"`([^`\n]+)`", README)])
    named = set(re.findall(r"^make ([a-z-]+)", code, re.MULTILINE))
    assert {"demo", "test", "bench", "conformance"} <= named <= targets
    verbs = set(re.findall(r"^(?:\$ )?ibwire ([a-z]+)", code, re.MULTILINE))
    assert verbs == set(VERBS)


def test_the_map_names_what_is_there_and_all_of_it() -> None:
    section = README.split("## Map of the house")[1].split("\n## ")[0]
    named = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
    assert [name for name in named if not (ROOT / name).exists()] == []
    packages = {f"ibwire/{path.parent.name}" for path in (ROOT / "ibwire").glob("*/__init__.py")}
    compiled = {path.relative_to(ROOT).as_posix() for path in (ROOT / "ibwire").glob("*.pyx")}
    assert packages | compiled <= set(named)


def test_the_counts_of_messages_are_those_of_the_spec() -> None:
    assert f"{len(INCOMING)} from a gateway and {len(OUTGOING)} from a client" in README
