"""The stubs of the compiled modules against what was built: no public name too many, none too few, same parameters."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "ibwire"
MODULES = sorted(p.stem for p in PACKAGE.glob("*.pyx"))


def _stub(module: str) -> ast.Module:
    return ast.parse((PACKAGE / f"{module}.pyi").read_text())


def _parameters(node: ast.FunctionDef) -> list[str]:
    a = node.args
    return [x.arg for x in (*a.posonlyargs, *a.args, *a.kwonlyargs)]


def _public(obj: Any) -> set[str]:
    names = {n for n in vars(obj) if not n.startswith("_")}
    return names - {n for n in names if inspect.ismodule(getattr(obj, n))}


def _defined(module: Any) -> set[str]:
    return {n for n in _public(module) if getattr(getattr(module, n), "__module__", "") == module.__name__}


def test_every_compiled_module_has_a_stub() -> None:
    assert MODULES
    for module in MODULES:
        assert (PACKAGE / f"{module}.pyi").is_file(), module


@pytest.mark.parametrize("name", MODULES)
def test_stub_names_equal_the_built_module(name: str) -> None:
    built = importlib.import_module(f"ibwire.{name}")
    tops = {n.name: n for n in _stub(name).body if isinstance(n, ast.ClassDef | ast.FunctionDef)}
    assert set(tops) == _defined(built)
    for top, node in tops.items():
        found = getattr(built, top)
        if isinstance(node, ast.FunctionDef):
            assert list(inspect.signature(found).parameters) == _parameters(node), f"{name}.{top}"
            continue
        members: set[str] = set()
        for item in node.body:
            if isinstance(item, ast.FunctionDef):
                members.add(item.name)
            elif isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                members.add(item.target.id)
        public = {m for m in members if not m.startswith("_")}
        assert public == _public(found), f"{name}.{top}"
        for item in node.body:
            if isinstance(item, ast.FunctionDef) and not item.name.startswith("_"):
                built_parameters = list(inspect.signature(getattr(found, item.name)).parameters)
                assert built_parameters == _parameters(item), f"{name}.{top}.{item.name}"


@pytest.mark.parametrize("name", MODULES)
def test_compiled_sources_know_no_message_and_no_server_version(name: str) -> None:
    from ibwire.spec import versions
    from ibwire.spec.registry import INCOMING, OUTGOING

    parts = [PACKAGE / f"{name}.pyx", *PACKAGE.glob(f"{name}_*.pxi")]
    source = "\n".join(part.read_text() for part in parts)
    source = source.replace("head.server_version", "")  # a number that the region's head carries for others to read
    words = set(re.findall(r"[A-Za-z_][A-Za-z_0-9]*", source))
    rows = {r.name for rows in (INCOMING, OUTGOING) for r in rows.values()} - {"error", "position"}
    assert not words & rows
    assert not words & set(versions.GATES)
    assert "server_version" not in words
