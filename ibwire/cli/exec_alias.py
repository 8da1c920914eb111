"""``ibapi`` is ibwire.compat: the module finder of ``ibwire exec``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

OFFICIAL: Final = "ibapi"
OURS: Final = "ibwire.compat"


class Alias(MetaPathFinder, Loader):
    """Finds ``ibapi`` and ``ibapi.x`` as the very modules ``ibwire.compat`` and ``ibwire.compat.x``."""

    def __init__(self) -> None:
        self._specs: dict[str, ModuleSpec | None] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of an alias; None for everything else. Raises ModuleNotFoundError for what compat does not have."""
        if fullname != OFFICIAL and not fullname.startswith(OFFICIAL + "."):
            return None
        ours = _ours(fullname)
        known = not any(part.startswith("_") for part in fullname.split("."))
        found = importlib.util.find_spec(ours) if known else None
        if found is None:
            raise ModuleNotFoundError(
                f"ibwire has no module {fullname!r}: `ibwire exec` runs programs on {OURS}, and there is no {ours}",
                name=fullname,
            )
        return ModuleSpec(fullname, self, origin=found.origin, is_package=found.submodule_search_locations is not None)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Our module itself, so that classes are the same under both names."""
        module = importlib.import_module(_ours(spec.name))
        self._specs[spec.name] = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing is left to run; the import system wrote the alias's spec into our module, which has its own."""
        for alias, own in self._specs.items():
            if sys.modules.get(alias) is module:
                module.__spec__ = own


def install() -> None:
    """From now on, in this process. An ``ibapi`` that was imported before is forgotten."""
    for name in [name for name in sys.modules if name == OFFICIAL or name.startswith(OFFICIAL + ".")]:
        del sys.modules[name]
    sys.meta_path.insert(0, Alias())


def _ours(fullname: str) -> str:
    return OURS + fullname[len(OFFICIAL) :]
