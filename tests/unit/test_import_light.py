"""Importing ibwire starts nothing: no thread, socket, file, logger, signal handler, and no numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

# Runs in a process of its own: argv[1] is the module. What the import machinery itself opens is reading, which is fine.
PROBE = """
import _thread, atexit, json, logging, os, signal, sys, threading

events = []
def audit(name, args):
    if name.startswith(("socket.", "subprocess.")):
        events.append(name)
    elif name == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
        events.append(f"open for writing: {args[0]}")
    elif name in ("os.mkdir", "os.rename", "os.remove", "os.fork"):
        events.append(name)

def counted(start):
    def start_counted(*args, **options):
        events.append("thread")
        return start(*args, **options)
    return start_counted

def handlers():
    named = [x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger)]
    return [repr(h) for x in [logging.root, *named] for h in x.handlers if not isinstance(h, logging.NullHandler)]

def signals():
    return {int(number): repr(signal.getsignal(number)) for number in signal.valid_signals()}

before = dict(signals=signals(), handlers=handlers(), level=logging.root.level, fds=sorted(os.listdir("/dev/fd")),
              tasks=len(os.listdir("/proc/self/task")), exits=atexit._ncallbacks())
sys.addaudithook(audit)
for module in (_thread, threading):
    for name in [name for name in dir(module) if name.endswith(("start_new_thread", "start_joinable_thread"))]:
        setattr(module, name, counted(getattr(module, name)))
__import__(sys.argv[1])
after = dict(signals=signals(), handlers=handlers(), level=logging.root.level, fds=sorted(os.listdir("/dev/fd")),
             tasks=len(os.listdir("/proc/self/task")), exits=atexit._ncallbacks())
print(json.dumps(dict(
    loaded=sorted(sys.modules), events=events, threads=threading.active_count(),
    changed=[name for name in before if before[name] != after[name]],
)))
"""

ROOT = Path(__file__).resolve().parents[2]
MODULES = ["ibwire", "ibwire.compat.client", "ibwire.compat.wrapper"]


def probe(module: str, path: str = "") -> dict[str, Any]:
    code = f"import sys; sys.path.insert(0, {path!r})\n{PROBE}" if path else PROBE
    command = [sys.executable, "-B", "-c", code, module]
    run = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert run.returncode == 0, run.stderr
    result: dict[str, Any] = json.loads(run.stdout)
    return result


@pytest.mark.parametrize("module", MODULES)
def test_import_loads_no_numpy_and_no_event_loop(module: str) -> None:
    loaded = probe(module)["loaded"]
    assert module in loaded
    assert {"numpy", "asyncio", "google.protobuf"}.isdisjoint(loaded)


@pytest.mark.parametrize("module", MODULES)
def test_import_starts_nothing(module: str) -> None:
    found = probe(module)
    assert found["events"] == []
    assert found["threads"] == 1
    assert found["changed"] == []


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("import threading; threading.Thread(target=len, args=('',)).start()", "events", "thread"),
        ("import socket; s = socket.socket()", "events", "socket.__new__"),
        ("import os; f = os.open('/dev/null', os.O_RDWR)", "events", "open for writing"),
        ("import os; f = os.dup(0)", "changed", "fds"),
        ("import logging; logging.getLogger('x').addHandler(logging.StreamHandler())", "changed", "handlers"),
        ("import signal; signal.signal(signal.SIGTERM, lambda *a: None)", "changed", "signals"),
        ("import atexit; atexit.register(print, end='')", "changed", "exits"),
    ],
)
def test_the_probe_sees(tmp_path: Path, text: str, where: str, what: str) -> None:
    (tmp_path / "culprit.py").write_text(text)
    assert any(what in entry for entry in probe("culprit", str(tmp_path))[where])
