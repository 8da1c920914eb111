"""The layer check finds every way to import what a module must not know."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools import check_imports

ROOT = Path(__file__).resolve().parents[2]


def tree(root: Path, **files: str) -> Path:
    """A source tree: ``sim__server="..."`` is ibwire/sim/server.py; a name that starts with ``c_`` is a .pyx."""
    for name, text in files.items():
        compiled = name.startswith("c_")
        # "__init__" and "__main__" keep their underscores
        inside = name[1:] if compiled else name if name.startswith("__") else name.replace("__", "/")
        path = (root / "ibwire" / inside).with_suffix(".pyx" if compiled else ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def messages(root: Path) -> list[str]:
    return [str(violation) for violation in check_imports.check(root)]


def test_this_project_holds_its_layers() -> None:
    assert messages(ROOT) == []


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        pytest.param("errors", "import ibwire.spec.model", "errors imports ibwire.spec.model: sideways", id="L0"),
        pytest.param("spec__model", "from ibwire.types import UNSET", "upward", id="L0 on types"),
        pytest.param("types__order", "from ibwire.wire.plan import Plan", "upward", id="L1 on wire"),
        pytest.param("wire__codec", "from ibwire.session import session", "upward", id="L2 on session"),
        pytest.param("session__session", "from ibwire.io import clock", "upward", id="L3 on io"),
        pytest.param("session__session", "from ibwire.trade import orders", "sideways", id="session on trade"),
        pytest.param("session__session", "from ibwire.wire import text", "pure", id="session on wire"),
        pytest.param("trade__orders", "from ibwire.wire import text", "pure", id="trade on wire"),
        pytest.param("sim__gateway", "from ibwire.session import handshake", "sideways", id="sim on session"),
        pytest.param("sim__gateway", "from ibwire.trade import orders", "sideways", id="sim on trade"),
        pytest.param("sim__gateway", "from ibwire.io import transport", "upward", id="sim on io"),
        pytest.param("sim__gateway", "from .server import serve", "upward", id="sim on its server"),
        pytest.param("io__reader", "from ibwire.client import Client", "upward", id="io on client"),
        pytest.param("client", "from ibwire.cli import main", "upward", id="client on cli"),
        pytest.param("client", "from ibwire import stock", "upward", id="client on the public names"),
        pytest.param("wire__text", "import socket", "imports socket: only io", id="socket"),
        pytest.param("trade__orders", "import threading", "imports threading: only io", id="threading"),
        pytest.param("sim__clock", "from time import monotonic", "imports time: only io", id="time"),
        pytest.param("sim__gateway", "import random", "imports random: only io", id="random"),
        pytest.param("client", "import asyncio", "imports asyncio: only aio", id="asyncio"),
        pytest.param("types__order", "import numpy as np", "imports numpy: only ring", id="numpy"),
        pytest.param("wire__proto", "from google.protobuf import message", "only compat may", id="protobuf"),
        pytest.param("wire__proto", "import orjson", "numpy alone", id="another dependency"),
        pytest.param("gadgets", "X = 1", "ibwire.gadgets has no layer", id="module without a layer"),
        pytest.param("client", "import ibwire.gadgets", "ibwire.gadgets, which has no layer", id="unknown target"),
        pytest.param("client", "def f(:", "does not parse", id="syntax error"),
    ],
)
def test_breaking_import_is_found(tmp_path: Path, name: str, text: str, words: str) -> None:
    (found,) = messages(tree(tmp_path, **{name: text}))
    assert words in found
    assert f"ibwire/{name.replace('__', '/')}.py:1:" in found


@pytest.mark.parametrize(
    "text",
    [
        "def f():\n    import ibwire.io.reader",
        "if TYPE_CHECKING:\n    from ..io import reader",
        "import importlib\nm = importlib.import_module('ibwire.io.reader')",
        "import importlib\nm = importlib.import_module('..io.reader', __package__)",
        "\n__import__('ibwire.io.reader')",
        "\nfrom .. import io",
    ],
)
def test_hidden_import_is_found_with_its_line(tmp_path: Path, text: str) -> None:
    (found,) = messages(tree(tmp_path, trade__orders=text, io__reader=""))
    assert found.startswith("ibwire/trade/orders.py:2: trade imports ibwire.io")


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("from ibwire.errors import ProtocolError", 1),
        ("cdef int x\n\nfrom .wire cimport plan", 3),
        ("def f():\n    import ibwire.spec.model as m, sys", 2),
        ("from . cimport (\n    _ring,  # ours\n    wire,\n)", 1),
        ("from . cimport _ring, \\\n    wire", 1),
        ("cimport cython\nimport socket", 2),
        ("cimport numpy as np", 1),
    ],
)
def test_breaking_import_of_a_compiled_module_is_found(tmp_path: Path, text: str, line: int) -> None:
    (found,) = messages(tree(tmp_path, c_fastdecode=text, c_ring="", wire__plan="", errors="", spec__model=""))
    assert found.startswith(f"ibwire/_fastdecode.pyx:{line}: _fastdecode imports")


def test_what_the_design_allows_passes(tmp_path: Path) -> None:
    root = tree(
        tmp_path,
        __init__="from ibwire.client import Client\nfrom .errors import ConfigError",
        __main__="from ibwire.cli import main",
        errors="import enum",
        spec__model="from ibwire.errors import ConfigError\nfrom . import structs",
        spec__structs="",
        types__order="from ibwire.spec import structs",
        wire__codec="from ibwire import _fastdecode\nfrom ibwire.types.order import Order",
        ring__view="def view():\n    import numpy",
        session__session="from ibwire.spec import model\nfrom . import handshake",
        session__handshake="",
        trade__orders="from ibwire.ring import view\nfrom decimal import Decimal",
        sim__gateway="from ibwire.wire.codec import Codec",
        sim__server="import socket, threading, time\nfrom .gateway import Gateway\nfrom ibwire.io import transport",
        io__transport="import socket\nimport time\nfrom ibwire.session import session",
        client="from ibwire.io import transport\nfrom ibwire.trade import orders",
        compat__client="from ibwire.client import Client",
        cli__demo="import random\nimport ibwire\nfrom ibwire.sim.server import serve",
        c_fastdecode=(
            '"""\nimport socket in a docstring is text\n"""\nfrom libc.string cimport memcpy\n'
            "from ibwire._ring cimport Ring\nfrom ibwire cimport _ring\nimport sys  # import socket"
        ),
        c_ring="cimport cython\nfrom cpython.bytes cimport (\n    PyBytes_AS_STRING,\n    PyBytes_GET_SIZE,\n)",
    )
    assert messages(root) == []


def test_command_names_the_breach_and_fails(tmp_path: Path) -> None:
    tool = ROOT / "tools" / "check_imports.py"
    root = tree(tmp_path, spec__model="import ibwire.io")
    run = subprocess.run([sys.executable, tool, root], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "ibwire/spec/model.py:1: spec imports ibwire.io: upward" in run.stdout
    assert "1 rules broken" in run.stdout


def test_command_does_not_pass_an_empty_tree(tmp_path: Path) -> None:
    tool = ROOT / "tools" / "check_imports.py"
    run = subprocess.run([sys.executable, tool, tmp_path], capture_output=True, text=True, check=False)
    assert run.returncode == 2
