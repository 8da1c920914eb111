"""``ibwire exec --compare``: the same bytes decoded by the official package and by ibwire, in one table."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final, TextIO

import ibwire
from ibwire.cli import decoding
from ibwire.cli.decode import DEFAULT_VERSION
from ibwire.cli.exec import CHILD
from ibwire.errors import IbwireError
from ibwire.wire.codec import Role
from ibwire.wire.framing import Framer, frame

REPLAY: Final = Path(__file__).with_name("exec_replay.py")
_SHOWN: Final = 3  # differences
_MAX_TEXT: Final = 300
# Where the gateway sends no time, the official client takes its own; classes were renamed.
_UNCOMPARED: Final = frozenset({"errorTime", "class"})


Defaults = dict[str, dict[str, Any]]


class CompareError(IbwireError):
    """One of the two sides could not do it; the text says why."""


@dataclass(slots=True)
class Tally:
    """How two traces compare.

    Attributes
    ----------
    theirs, ours : class name -> attribute -> value of a new object. An attribute that no message carried has each
        release's own: such two are equal.
    """

    theirs: Defaults = field(default_factory=dict)
    ours: Defaults = field(default_factory=dict)
    equal: int = 0
    different: int = 0
    names: Counter[str] = field(default_factory=Counter)
    shown: list[str] = field(default_factory=list)

    def add(self, number: int, theirs: list[Any], ours: list[Any]) -> None:
        """Compare the callbacks of one message."""
        for one, other in zip_longest(theirs, ours):
            if one is not None and other is not None and one[0] == other[0] and self.same(one[1], other[1]):
                self.equal += 1
                continue
            self.different += 1
            self.names[(one or other)[0]] += 1
            if self.different <= _SHOWN:
                self.shown += [
                    f"message {number}:",
                    f"  ibapi   {self._text(one, other)}",
                    f"  ibwire  {self._text(other, one)}",
                ]

    def same(self, theirs: Any, ours: Any) -> bool:
        """Whether two values mean the same. Of objects, what both generations of a class have is compared."""
        if isinstance(theirs, dict) and isinstance(ours, dict):
            left, right = self.theirs.get(theirs.get("class", ""), {}), self.ours.get(ours.get("class", ""), {})
            shared = (theirs.keys() & ours.keys()) - _UNCOMPARED
            return (bool(shared) or theirs == ours) and all(
                self.same(theirs[name], ours[name])
                or (name in left and name in right and (theirs[name], ours[name]) == (left[name], right[name]))
                for name in shared
            )
        if isinstance(theirs, list) and isinstance(ours, list):
            return len(theirs) == len(ours) and all(map(self.same, theirs, ours))
        return bool(theirs == ours)

    def _text(self, call: list[Any] | None, other: list[Any] | None) -> str:
        """A callback for people; of a long one, what is different."""
        if call is None:
            return "no callback"
        name, arguments = call
        if other is not None and other[0] == name:
            arguments = self._unlike(arguments, other[1])
        text = f"{name} {json.dumps(arguments)}"
        return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."

    def _unlike(self, one: Any, other: Any) -> Any:
        if isinstance(one, dict) and isinstance(other, dict):
            return {k: self._unlike(v, other[k]) for k, v in one.items() if k in other and not self.same(v, other[k])}
        return one

    def lines(self) -> list[str]:
        """For people."""
        named = ", ".join(f"{name} {count:,}" for name, count in self.names.most_common(8))
        verdict = f"{self.equal:,} equal, {self.different:,} different{': ' + named if named else ''}"
        return [f"callbacks  {verdict}", *(f"  {line}" for line in self.shown)]


def compare(file: str, folder: str | None, server_version: int | None, out: TextIO) -> int:
    """Do it and print the table; 0 when all callbacks are equal, else 1.

    Parameters
    ----------
    file : frames, as ``ibwire decode`` reads them.
    folder : where the official package lies; None looks for an installed one.
    server_version : of bytes without a handshake.

    Raises
    ------
    CompareError : there is no official package, it cannot read this version, or a side failed.
    """
    home = official_home(folder)
    segments, payloads = read(file, server_version)
    if not payloads:
        raise CompareError(f"{file} holds no message")
    with tempfile.TemporaryDirectory(prefix="ibwire-") as name:
        work = Path(name)
        (work / "payloads").write_bytes(b"".join(map(frame, payloads)))
        theirs = _side(work, "ibapi", segments, None, home)
        highest = max(version for version, _ in segments)
        if highest > theirs["max_server_version"]:
            raise CompareError(
                f"{file} is of server version {highest}; this ibapi knows versions up to {theirs['max_server_version']}"
            )
        ours = _side(work, "ibwire", segments, theirs["signatures"], None)
        tally = Tally(theirs["defaults"], ours["defaults"])
        with (work / "ibapi.trace").open() as left, (work / "ibwire.trace").open() as right:
            for number, (one, other) in enumerate(zip(left, right, strict=True)):
                tally.add(number, json.loads(one), json.loads(other))
    versions = ", ".join(str(version) for version in dict.fromkeys(version for version, _ in segments))
    print(f"{file}: {len(payloads):,} messages, server version {versions}\n", file=out)
    print(_table(theirs, ours), file=out)
    print("\n" + "\n".join(tally.lines()), file=out)
    return 1 if tally.different else 0


def official_home(folder: str | None) -> Path | None:
    """The folder to put on PYTHONPATH; None when the package is installed in this environment. Raises CompareError."""
    if folder is None:
        if importlib.util.find_spec("ibapi") is None:
            raise CompareError("no official package is installed here: name the folder that holds it with --ibapi")
        return None
    home = Path(folder).resolve()
    if home.name == "ibapi" and (home / "client.py").is_file():
        home = home.parent
    if not (home / "ibapi" / "client.py").is_file():
        raise CompareError(f"{folder} holds no ibapi package")
    return home


def read(file: str, server_version: int | None) -> tuple[list[tuple[int, int]], list[bytes]]:
    """The messages of a file, and of which server version how many follow each other."""
    reader = decoding.Reader(Role.CLIENT, server_version or DEFAULT_VERSION, pinned=server_version is not None)
    framer = Framer()
    framer.feed(Path(file).read_bytes())
    segments: list[tuple[int, int]] = []
    payloads: list[bytes] = []
    number = -1
    while (payload := framer.next()) is not None:
        number += 1
        # A version and a time, each with its NUL; only what looks like it is worth asking.
        likely = payload[:1].isdigit() and payload.count(b"\0") == 2
        if likely and reader.entry(payload, number, 0).name == decoding.HANDSHAKE:
            continue
        if not segments or segments[-1][0] != reader.server_version:
            segments.append((reader.server_version, 0))
        segments[-1] = (reader.server_version, segments[-1][1] + 1)
        payloads.append(payload)
    return segments, payloads


def _side(
    work: Path, name: str, segments: list[tuple[int, int]], signatures: dict[str, list[str]] | None, home: Path | None
) -> dict[str, Any]:
    """Run one side; what it wrote. With signatures it is ours."""
    job = work / f"{name}.job"
    files = {"payloads": str(work / "payloads"), "trace": str(work / f"{name}.trace"), "result": str(work / name)}
    job.write_text(json.dumps({**files, "segments": segments, "signatures": signatures}))
    command = [sys.executable]
    if signatures is not None:
        command += [CHILD, "{}"]
    environment = dict(os.environ)
    if home is not None:
        environment["PYTHONPATH"] = str(home)
    done = subprocess.run(
        [*command, str(REPLAY), str(job)],
        env=environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode or not (work / name).is_file():
        said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
        raise CompareError(f"{name} could not decode the file: {said[-1]}")
    result: dict[str, Any] = json.loads((work / name).read_text())
    return result


def _table(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    rows = [("", "messages/s", "ns/message", "callbacks", "exceptions")]
    for name, side in (("ibapi " + theirs["version"], theirs), ("ibwire " + ibwire.__version__, ours)):
        best_ns, messages = side["best_ns"], side["messages"]
        rate, each = messages / best_ns * 1e9, best_ns / messages
        rows.append((name, f"{rate:,.0f}", f"{each:,.0f}", f"{side['callbacks']:,}", f"{side['exceptions']:,}"))
    rows.append(("times as fast", f"{theirs['best_ns'] / ours['best_ns']:.1f}", "", "", ""))
    return "\n".join(f"{row[0]:<16}" + "".join(f"{cell:>14}" for cell in row[1:]).rstrip() for row in rows)
