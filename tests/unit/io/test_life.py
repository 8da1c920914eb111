"""Fork, interpreter exit, Ctrl-C and a peer that is killed: each in a process of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LIMIT_S = 60

# A gateway that sends ticks without end, in a process of its own; prints its port.
FLOOD = """
    import sys
    from decimal import Decimal
    from ibwire.types import incoming as m
    from tests.unit.io.peer import Peer

    def script(conn):
        conn.payload()
        data = conn.wire(*[m.TickPrice(9, 1, 187.41, Decimal("300.5"))] * 1000)
        while True:
            conn.sock.sendall(data)

    with Peer(script) as peer:
        print(peer.port, flush=True)
        sys.stdin.read()
"""
# Opens a link to it (argv: port, mode).
OPEN = """
    import os, signal, sys, threading, time
    from ibwire.errors import *
    from ibwire.io.link import Link
    from ibwire.io.reader import End
    link = Link.open("127.0.0.1", int(sys.argv[1]), mode=sys.argv[2], market=sys.argv[3])
"""
# Says that it is about to wait, and what ended the wait.
QUIET = """
    def script(conn):
        while conn.payload() is not None:
            pass

    from tests.unit.io.peer import Peer
    peer = Peer(script)
    peer.__enter__()
    from ibwire.io.link import Link
    link = Link.open("127.0.0.1", peer.port, mode=sys.argv[1])
    cursor = link.cursor()

    def interrupted(wait):
        try:
            print("waiting", flush=True)
            wait()
        except KeyboardInterrupt:
            print("interrupted", flush=True)
"""


def python(program: str, *args: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # From 3.12 on Python warns of every fork in a process with threads; these programs mean it.
        [sys.executable, "-X", "faulthandler", "-Wignore::DeprecationWarning", "-c", textwrap.dedent(program), *args],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
    )


class Flood:
    """The flooding gateway's process."""

    def __enter__(self) -> Flood:
        self.process = python(FLOOD)
        assert self.process.stdout is not None
        self.port = self.process.stdout.readline().strip()
        assert self.port, self.process.communicate()[1]
        return self

    def __exit__(self, *exc: object) -> None:
        self.process.kill()
        self.process.communicate()


def finish(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    try:
        out, err = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        pytest.fail(f"it did not end; {out}{err}")
    return out, err, process.returncode


def run(program: str, *args: str) -> str:
    """What it printed; it must end by itself, well and in silence."""
    out, err, code = finish(python(program, *args))
    assert (code, err) == (0, ""), (out, err)
    return out


KINDS = [(mode, market) for mode in ("threaded", "inline") for market in ("latest", "every")]


# --------------------------------------------------------------------------------------------------------------- exit

ENDS = {
    "the end of the program": "pass",
    "sys.exit": "sys.exit(0)",
    "everything let go": "del link; import gc; gc.collect()",
    "a waiting daemon thread": "threading.Thread(target=link.cursor().wait, daemon=True).start(); time.sleep(0.1)",
    "a polling daemon thread": textwrap.dedent("""
        cursor = link.cursor()
        def poll():
            while True: cursor.poll_bytes()
        threading.Thread(target=poll, daemon=True).start(); time.sleep(0.1)"""),
    "a close in an exit handler": "import atexit; atexit.register(link.close)",
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
def test_the_program_ends_while_a_flood_comes(end: str) -> None:
    with Flood() as flood:
        program = textwrap.dedent(OPEN) + "assert link.poll(10_000) > 0\nprint('here', flush=True)\n" + end
        assert run(program, flood.port, "threaded", "every") == "here\n"


def test_a_client_that_nobody_closes_does_not_keep_the_program() -> None:
    program = """
        import ibwire
        client = ibwire.connect("sim")
        stream = client.stream([client.qualify(ibwire.stock("AAPL"))])
        assert stream.update(10)
    """
    assert run(program) == ""


# --------------------------------------------------------------------------------------------------------------- fork


@pytest.mark.parametrize(("mode", "market"), KINDS)
def test_a_fork_in_the_middle_of_a_flood(mode: str, market: str) -> None:
    program = textwrap.dedent(OPEN) + textwrap.dedent("""
        cursor = link.cursor()
        assert link.poll(10_000) > 0 and cursor.wait(10) and len(cursor.poll_bytes())
        pids = []
        for _ in range(5):
            pid = os.fork()
            if pid == 0:
                send = lambda: link.send(b"x")
                for call in (link.poll, link.fileno, link.cursor, cursor.poll_bytes, cursor.wait, send):
                    try:
                        call()
                    except ForkedClient:
                        continue
                    os._exit(1)
                link.close()  # nothing of the parent's
                link.bell.ring()
                if _ % 2:
                    os._exit(0)
                sys.exit(0)  # exit handlers and all
            pids.append(pid)
            assert link.poll(10_000) > 0
        assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 5
        before = link.decoder.watermark
        while link.decoder.watermark < before + 20_000:
            link.poll(10_000)
        assert not link.closed
        link.close()
        print("parent goes on")
    """)
    with Flood() as flood:
        assert run(program, flood.port, mode, market) == "parent goes on\n"


# ------------------------------------------------------------------------------------------------------ a killed peer


@pytest.mark.parametrize(("mode", "market"), KINDS)
def test_a_peer_that_is_killed(mode: str, market: str) -> None:
    program = textwrap.dedent(OPEN) + textwrap.dedent("""
        assert link.poll(10_000) > 0
        print("reading", flush=True)
        try:
            while True:
                link.poll(10_000)
        except SessionLost as error:
            assert link.ending.end in (End.EOF, End.ERROR) and link.closed
            print("ended")
        link.close()
    """)
    with Flood() as flood:
        process = python(program, flood.port, mode, market)
        assert process.stdout is not None and process.stdout.readline() == "reading\n"
        os.kill(flood.process.pid, signal.SIGKILL)
        out, err, code = finish(process)
        assert (out, err, code) == ("ended\n", "", 0)


# -------------------------------------------------------------------------------------------------------------- Ctrl-C

WAITS = {
    "poll": "interrupted(lambda: link.poll(60_000))",
    "poll without limit": "interrupted(lambda: link.poll(None))",
    "bell": "interrupted(lambda: link.bell.wait(link.bell.count))",
    "bell until": "interrupted(lambda: link.bell.wait_until(lambda: False, 60_000))",
    "cursor, block": "interrupted(lambda: cursor.wait(60))",
    "cursor, yield": "interrupted(lambda: cursor.wait(60, how='yield'))",
    "cursor, spin": "interrupted(lambda: cursor.wait(60, how='spin'))",
    "ready": "from ibwire.errors import *\ninterrupted(lambda: link.wait_ready(60_000))",
}


@pytest.mark.parametrize("mode", ["threaded", "inline"])
@pytest.mark.parametrize("wait", WAITS.values(), ids=list(WAITS))
def test_no_wait_is_deaf_to_an_interrupt(wait: str, mode: str) -> None:
    program = "import os, signal, sys\n" + textwrap.dedent(QUIET) + wait + "\nlink.close()\nos._exit(0)\n"
    _interrupt(python(program, mode))


def test_a_client_waits_for_its_orders_with_an_open_ear() -> None:
    program = """
        import os, sys, ibwire
        client = ibwire.connect("sim", mode=sys.argv[1])
        order = client.orders.place(client.qualify(ibwire.stock("AAPL")), ibwire.limit("BUY", 1, 1.0))
        try:
            print("waiting", flush=True)
            order.wait("done", timeout=60)
        except KeyboardInterrupt:
            print("interrupted", flush=True)
        os._exit(0)
    """
    for mode in ("threaded", "inline"):
        _interrupt(python(program, mode))


def _interrupt(process: subprocess.Popen[str]) -> None:
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "waiting\n", (line, process.communicate()[1])
    process.send_signal(signal.SIGINT)
    out, err, code = finish(process)
    assert (out, err, code) == ("interrupted\n", "", 0)


# ----------------------------------------------------------------------------------------------------- the plain twins


@pytest.mark.parametrize(("mode", "market"), KINDS)
def test_the_plain_twins_hold_a_session(mode: str, market: str) -> None:
    program = """
        import select, sys, ibwire
        from ibwire.ring import impl
        assert impl.NAME == "plain" and impl.reader_module() is None
        with ibwire.connect("sim", mode=sys.argv[1], market=sys.argv[2], timers=True) as client:
            apple = client.qualify(ibwire.stock("AAPL"))
            cursor = client.cursor()
            with client.stream([apple]) as stream:
                while not stream.quote().is_two_sided:
                    assert stream.update(20)
                assert cursor.wait(10) and len(cursor.poll_bytes()) >= 64
                assert select.select([client.fileno()], [], [], 10)[0]
            client.orders.place(apple, ibwire.market("BUY", 1)).wait("done")
            metrics = client.metrics()
            assert metrics.kinds["tickPrice"] and metrics.stages["decode"].total
    """
    environment = {**os.environ, "IBWIRE_PURE": "1"}
    assert finish(python(program, mode, market, env=environment)) == ("", "", 0)
