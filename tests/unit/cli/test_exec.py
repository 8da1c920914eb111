"""ibwire exec: a program cannot tell it from plain Python, but for its ibapi."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ibwire.cli import exec as verb
from ibwire.cli import exec_compare, main
from ibwire.errors import IbwireError
from ibwire.sim.server import Server, serve
from ibwire.types import incoming
from ibwire.wire.codec import Codec, Role
from ibwire.wire.framing import frame

ROOT = Path(__file__).resolve().parents[3]
PATIENCE_S = 60
# ibwire from this tree, whatever the program's own folder is; and nothing that only one of two runs would see.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}

LOOKS = """
import __main__, sys
print(sys.argv, sys.path, __name__, __file__, __package__, sorted(globals()))
print(__main__ is sys.modules["__main__"], vars(__main__) is globals(), sys.flags.optimize)
def fail():
    raise ValueError("planned")
what = sys.argv[1]
if what == "raise":
    fail()
if what == "hook":
    sys.excepthook = lambda kind, error, trace: print(kind, error, trace.tb_lineno, file=sys.stderr)
    fail()
if what == "exit":
    sys.exit(int(sys.argv[2]))
if what == "text":
    sys.exit("a text")
if what == "interrupt":
    raise KeyboardInterrupt
if what == "input":
    print(sys.stdin.read())
if what == "thread":
    import threading, time
    threading.Thread(target=lambda: (time.sleep(0.1), print("still", what))).start()
if what == "atexit":
    import atexit
    atexit.register(print, "at the end", what)
"""


def run(command: list[str], folder: Path, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=ENVIRONMENT,
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


def run_exec(folder: Path, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return run([sys.executable, "-m", "ibwire", "exec", *arguments], folder, stdin)


def both(folder: Path, *arguments: str, stdin: str = "") -> None:
    """The same command with plain Python and with exec: equal output, errors and exit code."""
    plain, ours = run([sys.executable, *arguments], folder, stdin), run_exec(folder, *arguments, stdin=stdin)
    assert (ours.stdout, ours.stderr, ours.returncode) == (plain.stdout, plain.stderr, plain.returncode)
    assert plain.stdout or plain.stderr


# ---------------------------------------------------------------------------------------------- plain Python


@pytest.mark.parametrize("how", ["script", "module", "package"])
@pytest.mark.parametrize("what", ["raise", "exit 7", "interrupt", "thread"])
def test_a_program_runs_as_with_plain_python(tmp_path: Path, how: str, what: str) -> None:
    (tmp_path / "folder" / "package").mkdir(parents=True)
    (tmp_path / "folder" / "script.py").write_text(LOOKS)
    (tmp_path / "folder" / "package" / "__init__.py").write_text("")
    (tmp_path / "folder" / "package" / "__main__.py").write_text(LOOKS)
    (tmp_path / "module.py").write_text(LOOKS)
    program = {"script": ["folder/script.py"], "module": ["-m", "module"], "package": ["-m", "folder.package"]}[how]
    both(tmp_path, *program, *what.split(), "--stats", "-m", "--", "--port")


@pytest.mark.parametrize("what", ["hook", "text", "input", "atexit"])
def test_what_a_script_leaves_is_as_with_plain_python(tmp_path: Path, what: str) -> None:
    (tmp_path / "script.py").write_text(LOOKS)
    both(tmp_path, "script.py", what, stdin="typed")


def test_a_folder_with_a_main_and_a_script_with_a_wrong_syntax(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "__main__.py").write_text(LOOKS)
    (tmp_path / "wrong.py").write_text("def :\n")
    both(tmp_path, "folder", "raise")
    both(tmp_path, "wrong.py")
    both(tmp_path, "-m", "nonexistent")


def test_a_missing_script_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    done = run_exec(tmp_path, "missing.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1 and str(tmp_path / "missing.py") in done.stderr


def test_options_of_the_interpreter_go_on(tmp_path: Path) -> None:
    (tmp_path / "script.py").write_text("import sys; print(sys.flags.optimize, sys.flags.dev_mode)")
    done = run([sys.executable, "-O", "-X", "dev", "-m", "ibwire", "exec", "script.py"], tmp_path)
    assert done.stdout == "1 True\n"


@pytest.mark.parametrize(
    ("original", "own", "options"),
    [
        (["python", "-m", "ibwire", "exec", "s.py"], ["/x/__main__.py", "exec", "s.py"], []),
        (["python", "-X", "dev", "-m", "ibwire", "exec"], ["/x/__main__.py", "exec"], ["-X", "dev"]),
        (["python", "-O", "/bin/ibwire", "exec", "-m", "x"], ["/bin/ibwire", "exec", "-m", "x"], ["-O"]),
        ([], ["embedded"], []),
    ],
)
def test_interpreter_options(original: list[str], own: list[str], options: list[str]) -> None:
    assert verb.interpreter_options(original, own) == options


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["-m"],
        ["--port", "0", "s.py"],
        ["--port", "x", "s.py"],
        ["--sizes", "long", "s.py"],
        ["--error-style", "6", "s.py"],
        ["--ibapi", "x", "s.py"],
        ["--server-version", "176", "s.py"],
        ["--compare", "f", "s.py"],
        ["--compare", "f", "--server-version", "99"],
    ],
)
def test_wrong_usage(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["exec", *arguments]) == 2
    assert capsys.readouterr().err


# ---------------------------------------------------------------------------------------------- ibapi


def test_ibapi_is_compat(tmp_path: Path) -> None:
    (tmp_path / "ibapi").mkdir()
    (tmp_path / "ibapi" / "__init__.py").write_text("raise SystemExit('the one beside the script')")
    (tmp_path / "script.py").write_text(
        "import importlib, pickle, sys\n"
        "import ibapi, ibapi.wrapper as w\n"
        "from ibapi.contract import Contract, ComboLeg\n"
        "from ibapi.client import *\n"
        "from ibapi import order, tag_value\n"
        "import ibwire, ibwire.compat.contract as ours\n"
        "assert ours.Contract is Contract and ibapi.contract is ours and sys.modules['ibapi.contract'] is ours\n"
        "assert ibwire.EClient is EClient and ibwire.EWrapper is w.EWrapper\n"
        "assert ours.__spec__.name == 'ibwire.compat.contract' == ours.__name__, ours.__spec__\n"
        "assert importlib.import_module('ibapi.order') is order\n"
        "assert pickle.loads(pickle.dumps(Contract())).__dict__ == Contract().__dict__\n"
        "assert ibapi.get_version_string() == ibapi.__version__ == '10.46.1' and ibapi.VERSION['minor'] == 46\n"
        "print('done')\n"
    )
    done = run_exec(tmp_path, "script.py")
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


@pytest.mark.parametrize("name", ["ibapi.nonsense", "ibapi._objects"])
def test_an_unknown_module_is_an_import_error_that_says_so(tmp_path: Path, name: str) -> None:
    (tmp_path / "script.py").write_text(f"import {name}\n")
    done = run_exec(tmp_path, "script.py")
    assert done.returncode == 1
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"ModuleNotFoundError: ibwire has no module '{name}")


# ---------------------------------------------------------------------------------------------- options


PROGRAM = """
import sys
from ibapi.client import EClient
from ibapi.wrapper import EWrapper
from ibapi.contract import Contract
class App(EWrapper, EClient):
    def __init__(self):
        EClient.__init__(self, self)
    def nextValidId(self, orderId):
        print("connected to", self.host, self.clientId)
        apple = Contract()
        apple.symbol, apple.secType, apple.exchange, apple.currency = "AAPL", "STK", "SMART", "USD"
        self.reqMktData(1, apple, "", True, False, [])
    def tickSize(self, reqId, tickType, size):
        print("size", type(size).__name__)
    def tickSnapshotEnd(self, reqId):
        self.disconnect()
    def error(self, ERROR):
        print("error", SHOWN)
app = App()
app.connect("192.0.2.1", 1, 1)
app.run()
"""
BY_NAME = "reqId, errorCode"
OLD = "reqId, errorCode, errorString"
NEW = "reqId, errorTime, errorCode, errorString, advancedOrderRejectJson=''"


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(seed=7, time_scale=10.0) as running:
        yield running


def program_at(
    folder: Path, server: Server, error: str, *options: str, shown: str = BY_NAME
) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(PROGRAM.replace("ERROR", error).replace("SHOWN", shown))
    where = ["--host", server.host, "--port", str(server.port), "--client-id", "9"]
    done = run_exec(folder, *where, *options, "script.py")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert "connected to 127.0.0.1 9" in lines and "error -1 2104" in lines
    return done


def sizes(done: subprocess.CompletedProcess[str]) -> set[str]:
    return {line.split()[1] for line in done.stdout.splitlines() if line.startswith("size ")}


@pytest.mark.parametrize(("error", "size"), [(OLD, "int"), (NEW, "Decimal")])
def test_a_program_of_either_time_at_another_gateway(tmp_path: Path, server: Server, error: str, size: str) -> None:
    done = program_at(tmp_path, server, error)
    assert sizes(done) == {size}
    assert done.stderr == ""


@pytest.mark.parametrize(("option", "size"), [("int", "int"), ("float", "float"), ("decimal", "Decimal")])
def test_sizes(tmp_path: Path, server: Server, option: str, size: str) -> None:
    assert sizes(program_at(tmp_path, server, OLD, "--sizes", option)) == {size}


@pytest.mark.parametrize(("style", "code"), [("3", 1), ("4", 1), ("5", 2)])
def test_error_style(tmp_path: Path, server: Server, style: str, code: int) -> None:
    shown = f"args[0], args[{code}]); print('arguments', len(args)"
    done = program_at(tmp_path, server, "*args", "--error-style", style, shown=shown)
    assert f"arguments {style}" in done.stdout.splitlines()


def test_stats(tmp_path: Path, server: Server) -> None:
    done = program_at(tmp_path, server, OLD, "--stats")
    lines = done.stderr.splitlines()
    assert lines[0] == "ibwire exec: 1 connection"
    assert f"127.0.0.1:{server.port}  client 9  server version 225" in lines[1]
    received = int(lines[2].split()[1].replace(",", ""))
    counted = done.stdout.count("size ") + 3 + 1 + 1  # notices, id, end of the snapshot
    assert received > counted - done.stdout.count("size ")
    assert f"callbacks  {counted}," in lines[4] and f"tickSize {done.stdout.count('size ')}" in lines[4]
    assert lines[5].split(maxsplit=1)[1] == "3: 2104 1, 2106 1, 2158 1"


def test_stats_of_a_program_that_reaches_nobody_and_fails(tmp_path: Path) -> None:
    with serve() as closed:
        port = closed.port
    (tmp_path / "script.py").write_text(
        PROGRAM.replace("ERROR", OLD).replace("SHOWN", BY_NAME) + "raise SystemExit(3)\n"
    )
    done = run_exec(tmp_path, "--stats", "--host", "127.0.0.1", "--port", str(port), "script.py")
    assert done.returncode == 3
    assert "no connection" in done.stderr and "errors     1: 502 1" in done.stderr


# ---------------------------------------------------------------------------------------------- --compare


def capture(path: Path, server_version: int, handshake: bool = True) -> Path:
    """A recording of a gateway: some messages, two versions if there is a handshake."""
    codec = Codec(server_version, Role.GATEWAY)
    messages = [
        incoming.NextValidId(1),
        incoming.ManagedAccounts("DU0000001"),
        *(incoming.TickPrice(1, 1, 100 + n / 4, None) for n in range(20)),
        incoming.Error(-1, 1_772_461_800_000, 2104, "connected"),
    ]
    frames = [frame(codec.encode(message)) for message in messages]
    if handshake:
        frames.insert(0, frame(f"{server_version}\0".encode() + b"20260302 14:30:00 UTC\0"))
    path.write_bytes(b"".join(frames))
    return path


def stand_in(folder: Path, max_version: int = 225) -> Path:
    """A package called ibapi: ours, under the official name, and not through the alias."""
    (folder / "ibapi").mkdir()
    for name in ("client", "wrapper"):
        (folder / "ibapi" / f"{name}.py").write_text(f"from ibwire.compat.{name} import *\n")
    (folder / "ibapi" / "__init__.py").write_text(f"import sys\nsys.path.append({str(ROOT)!r})\n__version__ = '0.0'\n")
    (folder / "ibapi" / "server_versions.py").write_text(f"MAX_CLIENT_VER = {max_version}\n")
    return folder


@pytest.mark.parametrize("server_version", [176, 225])
def test_compare_prints_one_table(tmp_path: Path, server_version: int) -> None:
    file = capture(tmp_path / "file", server_version)
    done = run_exec(tmp_path, "--compare", str(file), "--ibapi", str(stand_in(tmp_path)))
    assert (done.stderr, done.returncode) == ("", 0)
    lines = done.stdout.splitlines()
    assert lines[0] == f"{file}: 23 messages, server version {server_version}"
    assert lines[2].split() == ["messages/s", "ns/message", "callbacks", "exceptions"]
    assert [line.split()[:2] for line in lines[3:5]] == [["ibapi", "0.0"], ["ibwire", lines[4].split()[1]]]
    assert [line.split()[-2:] for line in lines[3:5]] == [["43", "0"], ["43", "0"]]  # a price has its size with it
    assert lines[-1] == "callbacks  43 equal, 0 different"


def test_compare_refuses_a_version_that_the_package_cannot_read(tmp_path: Path) -> None:
    file = capture(tmp_path / "file", 176)
    done = run_exec(tmp_path, "--compare", str(file), "--ibapi", str(stand_in(tmp_path, 157)))
    assert done.returncode == 1 and done.stdout == ""
    assert "server version 176" in done.stderr and "157" in done.stderr and done.stderr.count("\n") == 1


def test_compare_takes_the_version_of_bare_frames_from_the_option(tmp_path: Path) -> None:
    file = capture(tmp_path / "file", 150, handshake=False)
    folder = str(stand_in(tmp_path) / "ibapi")  # the package itself is as good as its folder
    done = run_exec(tmp_path, "--compare", str(file), "--ibapi", folder, "--server-version", "150")
    assert done.returncode == 0, done.stderr
    assert "23 messages, server version 150\n" in done.stdout


@pytest.mark.parametrize(("folder", "says"), [("nowhere", "holds no ibapi"), (".", "holds no ibapi")])
def test_compare_without_the_package(tmp_path: Path, folder: str, says: str) -> None:
    with pytest.raises(IbwireError, match=says):
        exec_compare.official_home(str(tmp_path / folder))


def test_differences_are_counted_and_shown() -> None:
    tally = exec_compare.Tally()
    tally.add(0, [["tickPrice", {"reqId": "#1", "price": "#2"}]], [["tickPrice", {"reqId": "#1", "price": "#3"}]])
    tally.add(1, [["tickSize", {"size": "#1"}]], [["tickSize", {"size": "#1"}]])
    tally.add(2, [], [["tickSize", {"size": "#1"}]])
    tally.add(3, [["exception", {"text": "ValueError"}]], [["tickSize", {"size": "#1"}]])
    assert (tally.equal, tally.different) == (1, 3)
    lines = tally.lines()
    assert lines[0] == "callbacks  1 equal, 3 different: tickPrice 1, tickSize 1, exception 1"
    assert lines[2].split(maxsplit=1) == ["ibapi", 'tickPrice {"price": "#2"}']
    assert lines[5].split(maxsplit=1) == ["ibapi", "no callback"]


@pytest.mark.parametrize(
    ("theirs", "ours", "equal"),
    [
        ({"a": "#1", "old": "#2"}, {"a": "#1", "new": "#3"}, True),  # what both generations have
        ({"a": "#1"}, {"b": "#1"}, False),
        ({"errorTime": "#0", "code": "#1"}, {"errorTime": "#5", "code": "#1"}, True),
        ([{"a": "#1"}], [{"a": "#2"}], False),
        (["#1"], ["#1", "#2"], False),
        ({}, {}, True),
        (None, {}, False),
        ({"class": "Order", "a": "#0", "b": "#1"}, {"class": "Order", "a": "#9", "b": "#1"}, True),  # neither carried a
        ({"class": "Order", "a": "#1", "b": "#1"}, {"class": "Order", "a": "#9", "b": "#1"}, False),
        ({"class": "Other", "a": "#0"}, {"class": "Other", "a": "#9"}, False),
    ],
)
def test_same(theirs: object, ours: object, equal: bool) -> None:
    tally = exec_compare.Tally({"Order": {"a": "#0"}}, {"Order": {"a": "#9"}})
    assert tally.same(theirs, ours) is equal
