"""Prints what the modules of a package offer, as JSON: for the official package, in a process of its own, and for ours.

    module_worker.py PACKAGE MODULE...
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from types import ModuleType
from typing import Any


def parameters(function: Any) -> list[str]:
    """Names, and what is not required with an ``=``."""
    found = inspect.signature(function).parameters.values()
    return [p.name + ("" if p.default is p.empty else "=") for p in found if p.name != "self"]


def members(cls: type, package: str) -> dict[str, list[str]]:
    """Public methods of a class, inherited ones too."""
    out = {}
    for name in dir(cls):
        value = getattr(cls, name)
        if not name.startswith("_") and inspect.isfunction(value):
            out[name] = parameters(value)
    return out


def about(module: ModuleType, package: str) -> dict[str, Any]:
    """Name -> parameters of a function, methods of a class, or None for another value; modules are left out."""
    out: dict[str, Any] = {}
    for name, value in vars(module).items():
        home = getattr(value, "__module__", None)
        foreign = isinstance(home, str) and home.split(".")[0] != package.split(".")[0]
        if name.startswith("_") or inspect.ismodule(value) or (foreign and callable(value)):
            continue
        if inspect.isclass(value):
            out[name] = members(value, package)
        else:
            out[name] = parameters(value) if inspect.isfunction(value) else None
    return out


def main() -> None:
    """Entry point."""
    package, *modules = sys.argv[1:]
    print(json.dumps({m: about(importlib.import_module(f"{package}.{m}"), package) for m in modules}))


if __name__ == "__main__":
    main()
