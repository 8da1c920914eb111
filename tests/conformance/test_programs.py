"""The same programs on the official releases and, through ``ibwire exec``, on ibwire: equal callbacks.

Both talk to a simulated gateway of the same seed that agrees on the same server version. Real time flows differently
in two runs, so the comparison does not look at it:

- Callbacks are compared per request id (per name, where a callback has no id), each sequence in its order; how the
  sequences interleave is not compared.
- Times, error texts and the client's own clock are left out, and so are prices of fills and what follows from them
  (the market moves on between two runs). Execution ids and permanent ids are numbered in the order in which they come.
- Of streaming quotes, what each line begins with is compared: kinds of callbacks with their tick types and the shapes
  of their values. Later ticks may only be of the kinds in LATER.
- Of objects, the attributes that both releases know are compared; one that the message did not carry has each side's
  own default. A number that stands for "not set" is equal to another such number.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from ibwire.sim.gateway import Gateway
from ibwire.sim.server import serve
from ibwire.types import outgoing, structs
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

from .known_differences import INCOMING
from .oracle import REPOSITORY, VERSIONS, oracle_path
from .tally import Tally

PROGRAMS = REPOSITORY / "tests" / "programs"
TIME_LIMIT_S = 60
Line = dict[str, Any]
Sequences = dict[str, list[Any]]

# What each release announces, and so agrees on with a gateway of version 225.
AGREED = {"9.81.1": 157, "10.19.4": 176, "10.30.1": 187, "10.37.2": 203, "10.46.1": 225}
STREAMS = {"31", "32", "33", "34", "35"}
# Ticks that a line need not have while it is looked at.
LATER = {"tickString 45", "tickPrice 6", "tickPrice 7"}
# Arguments that depend on when something happened.
MASKED = {
    "currentTime": {"arg0"},
    "currentTimeInMillis": {"arg0"},
    "updateAccountTime": {"arg0"},
    "orderStatus": {"avgFillPrice", "lastFillPrice", "mktCapPrice"},
    "position": {"arg3"},
    "histogramData": {"arg1"},
    "error": {"errorTime", "errorString"},
}
# The first protobuf release hands on sizes as text; ours are decimals, as in the next.
TEXT_SIZES = "10.37.2"
MASKED_ATTRIBUTES = {"time", "price", "avgPrice", "completedTime", "lastNDays"}
UNSET = {float(2**31 - 1), float(2**63 - 1), float(2**127 - 1), sys.float_info.max}
# What the first protobuf release loses; the reason stands with the difference.
FIRST_PROTOBUF = next(d for d in INCOMING if d.key == "10.37.2.protobuf")
NUMBERED = {"execId", "permId"}


class Trace:
    """What a program printed."""

    def __init__(self, text: str) -> None:
        lines = [json.loads(line) for line in text.splitlines()]
        self.result: dict[str, Any] = lines.pop()["result"]
        self.defaults: dict[str, Any] = lines.pop()["defaults"]
        self.lines: list[Line] = lines

    def sequences(self) -> Sequences:
        """The callbacks per request id, or per name; streams as the sorted set of their kinds."""
        found: Sequences = defaultdict(list)
        seen: dict[str, dict[str, int]] = {name: {} for name in NUMBERED}
        for line in self.lines:
            args = numbered(line["args"], seen)
            key = number(line["id"]) if line["id"] is not None else ""
            masked = MASKED.get(line["name"], set())
            call = [line["name"], {name: value for name, value in args.items() if name not in masked}]
            if key in STREAMS and line["name"] != "error":
                kind = line["name"] + (f" {number(args['tickType'])}" if "tickType" in args else "")
                if kind not in LATER and [kind, shape(args)] not in found[f"id {key}"]:
                    found[f"id {key}"].append([kind, shape(args)])
            elif key in ("", "-1"):
                found[line["name"]].append(call)
            else:
                found[f"id {key}"].append(call)
        for key in STREAMS:
            if f"id {key}" in found:
                found[f"id {key}"].sort(key=json.dumps)
        return dict(found)


def number(value: Any) -> str:
    return str(value["n"]) if isinstance(value, dict) else str(value)


def numbered(value: Any, seen: dict[str, dict[str, int]], name: str = "") -> Any:
    """Ids that the gateway makes up by their first occurrence."""
    if name in NUMBERED and value not in ("", {"n": "0"}):
        known = seen[name]
        return f"{name} {known.setdefault(json.dumps(value), len(known) + 1)}"
    if isinstance(value, dict):
        return {key: numbered(item, seen, key) for key, item in value.items()}
    if isinstance(value, list):
        return [numbered(item, seen) for item in value]
    return value


def is_unset(value: Any) -> bool:
    """Whether it is a number that stands for none; which one depends on the type, and that on the generation."""
    return isinstance(value, dict) and "n" in value and float(value["n"]) in UNSET


def shape(value: Any) -> Any:
    """A value without the value."""
    if isinstance(value, dict):
        return "number" if "n" in value else {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value).__name__


class Comparison:
    """Values of two sides with their classes' defaults."""

    def __init__(self, theirs: Trace, ours: Trace, version: str) -> None:
        self._defaults = theirs.defaults, ours.defaults
        self._lost = FIRST_PROTOBUF.ignore if version in FIRST_PROTOBUF.releases else ()
        self._texts = version in FIRST_PROTOBUF.releases

    def differ(self, theirs: Any, ours: Any, name: str = "") -> Any:
        """What is not equal, as ``[theirs, ours]`` at its place; None when nothing is."""
        if name in MASKED_ATTRIBUTES or theirs == ours or (is_unset(theirs) and is_unset(ours)):
            return None
        if self._texts and isinstance(theirs, str) and {"n": theirs} == ours:
            return None
        if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
            found = dict(enumerate(map(self.differ, theirs, ours)))
        elif isinstance(theirs, dict) and isinstance(ours, dict) and "o" in theirs and "o" in ours:
            left, right = self._defaults[0].get(theirs["o"], {}), self._defaults[1].get(ours["o"], {})
            one, other = theirs["v"], ours["v"]
            shared = one.keys() & ours["v"].keys()
            found = {
                key: self.differ(one[key], other[key], key)
                for key in shared
                if f"{theirs['o']}.{key}" not in self._lost
                if one[key] != left.get(key) or other[key] != right.get(key)
            }
            if not shared:
                return [theirs, ours]
        elif isinstance(theirs, dict) and isinstance(ours, dict) and theirs.keys() == ours.keys() and "n" not in theirs:
            found = {key: self.differ(theirs[key], ours[key], key) for key in theirs}
        else:
            return [theirs, ours]
        return {key: value for key, value in found.items() if value is not None} or None


def run(command: list[str], program: str, version: str, environment: dict[str, str], *more: str) -> Trace:
    """One program against a gateway of its own; its trace, after it ended well."""
    generation = version.rpartition(".")[0]
    with serve(seed=7, rate=1, time_scale=10.0, server_version=AGREED[version]) as server:
        line = [*command, str(PROGRAMS / program), str(server.port), "--generation", generation, *more]
        done = subprocess.run(
            line, env=environment, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False
        )
        assert done.returncode == 0, f"{line}:\n{done.stderr[-4000:]}\n{done.stdout[-2000:]}"
        assert list(server.problems) == []
    return Trace(done.stdout)


def on_official(program: str, version: str) -> Trace:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    environment |= {"PYTHONPATH": str(oracle_path(version)), "PYTHONDONTWRITEBYTECODE": "1"}
    return run([sys.executable], program, version, environment)


def on_ibwire(program: str, version: str) -> Trace:
    return run([sys.executable, "-m", "ibwire", "exec"], program, version, dict(os.environ))


def differences(theirs: Trace, ours: Trace, version: str) -> list[str]:
    """One line for each callback or sequence that is not equal."""
    differ = Comparison(theirs, ours, version).differ
    left, right = theirs.sequences(), ours.sequences()
    found = []
    for key in sorted(left.keys() | right.keys()):
        one, other = left.get(key, []), right.get(key, [])
        if [call[0] for call in one] != [call[0] for call in other]:
            found.append(f"{key}: ibapi {[call[0] for call in one]}, ibwire {[call[0] for call in other]}")
            continue
        unlike = (differ(a[1], b[1]) for a, b in zip(one, other, strict=True))
        found += [f"{key}: {call[0]} {part}" for call, part in zip(one, unlike, strict=True) if part is not None]
    return found


def check(program: str, version: str, tally: Tally) -> tuple[Trace, Trace]:
    """Run a program on both and fail with every difference; their traces, official first."""
    theirs, ours = on_official(program, version), on_ibwire(program, version)
    found = differences(theirs, ours, version)
    if found:
        text = "\n".join(line[:600] for line in found)
        pytest.fail(f"{program} on {version}: {len(found)} differences:\n{text}", pytrace=False)
    tally.notes[f"{version:>8} {program}"] = f"{len(theirs.lines)} callbacks, {len(theirs.sequences())} sequences equal"
    return theirs, ours


@pytest.mark.parametrize("version", VERSIONS)
def test_every_request(version: str, tally: Tally) -> None:
    theirs, ours = check("every_request.py", version, tally)
    assert theirs.result["serverVersion"] == ours.result["serverVersion"] == AGREED[version]


@pytest.mark.parametrize(
    ("program", "version"),
    [
        ("generation_981.py", "9.81.1"),
        ("generation_1019.py", "10.19.4"),
        ("generation_1046.py", "10.37.2"),
        ("generation_1046.py", "10.46.1"),
    ],
)
def test_a_generation(program: str, version: str, tally: Tally) -> None:
    theirs, ours = check(program, version, tally)
    if version == TEXT_SIZES:
        theirs.result["kinds"] = dict.fromkeys(theirs.result["kinds"], "Decimal")
    assert theirs.result == ours.result


@pytest.mark.parametrize("version", ["9.81.1", "10.46.1"])
@pytest.mark.parametrize("program", ["multi_threaded.py", "raises_in_callbacks.py", "reconnect_ten_times.py"])
def test_a_way_of_working(program: str, version: str, tally: Tally) -> None:
    theirs, ours = check(program, version, tally)
    assert theirs.result == ours.result


def quotes(server_version: int) -> bytes:
    """What a gateway sends to a client that looks at two stocks for a while."""
    gateway = Gateway(seed=7, ticks_per_s=50, conflate=False)
    session = gateway.connect("client", server_version)
    session.receive(outgoing.StartApi(1, ""))
    for reqId, symbol in enumerate(("AAPL", "MSFT"), 1):
        stock = structs.Contract(symbol=symbol, secType="STK", exchange="SMART", currency="USD")
        session.receive(outgoing.ReqContractDetails(reqId, stock))
        session.receive(outgoing.ReqMktData(reqId, stock, "233"))
    session.receive(outgoing.ReqAccountUpdates(True, ""))
    gateway.advance(gateway.clock.now_ns + 20_000_000_000)
    codec = Codec(server_version, Role.GATEWAY)
    hello = frame(f"{server_version}\0".encode() + b"20260302 14:30:00 UTC\0")
    return hello + b"".join(frame(codec.encode(message)) for message in session.take())


@pytest.mark.parametrize("version", VERSIONS)
def test_exec_compare(version: str, tmp_path: Path) -> None:
    file = tmp_path / "quotes"
    file.write_bytes(quotes(AGREED[version]))
    command = [sys.executable, "-m", "ibwire", "exec", "--compare", str(file), "--ibapi", str(oracle_path(version))]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, timeout=TIME_LIMIT_S, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    lines = done.stdout.splitlines()
    assert f"server version {AGREED[version]}" in lines[0]
    called = [int(line.split()[-2].replace(",", "")) for line in lines[3:5]]
    assert called[0] == called[1] > 1000
    assert lines[-1] == f"callbacks  {called[0]:,} equal, 0 different"


def printed(*lines: Line, defaults: Line | None = None) -> Trace:
    return Trace("\n".join(json.dumps(line) for line in (*lines, {"defaults": defaults or {}}, {"result": {}})))


def call(name: str, about: int, **args: Any) -> Line:
    return {"name": name, "id": {"n": str(about)}, "args": args}


def num(value: int) -> Line:
    return {"n": str(value)}


def new(a: int, b: int) -> Line:
    """An object of a class whose b is 5 on the one side and 6 on the other."""
    return {"o": "C", "v": {"a": a, "b": b}}


@pytest.mark.parametrize(
    ("theirs", "ours", "count"),
    [
        ([call("pnl", 1, x=num(1))], [call("pnl", 1, x=num(2))], 1),
        ([call("pnl", 1)], [], 1),
        ([call("a", 1), call("b", 1)], [call("b", 1), call("a", 1)], 1),
        ([call("a", 1), call("b", 2)], [call("b", 2), call("a", 1)], 0),
        ([call("error", 1, errorString="x")], [call("error", 1, errorString="y")], 0),
        ([call("error", 1, errorCode=num(1))], [call("error", 1, errorCode=num(2))], 1),
        ([call("tickSize", 31, tickType=num(5))], [call("tickSize", 31, tickType=num(6))], 1),
        ([call("tickSize", 31, size=num(5))], [call("tickSize", 31, size=num(6))], 0),
        ([call("tickSize", 31, size=num(5))], [call("tickSize", 31, size="5")], 1),
        ([call("x", 1, execId="a"), call("y", 1, execId="a")], [call("x", 1, execId="b"), call("y", 1, execId="b")], 0),
        ([call("x", 1, execId="a"), call("y", 1, execId="a")], [call("x", 1, execId="b"), call("y", 1, execId="c")], 1),
        ([call("x", 1, of=new(1, 5))], [call("x", 1, of=new(2, 6))], 1),
        ([call("x", 1, of=new(1, 5))], [call("x", 1, of=new(1, 6))], 0),
        ([call("x", 1, of=new(1, 5))], [call("x", 1, of=new(1, 7))], 1),
    ],
)
def test_the_comparison_sees(theirs: list[Line], ours: list[Line], count: int) -> None:
    one, other = printed(*theirs, defaults={"C": {"b": 5}}), printed(*ours, defaults={"C": {"b": 6}})
    assert len(differences(one, other, "10.46.1")) == count
