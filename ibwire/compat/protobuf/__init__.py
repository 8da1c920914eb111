"""The official ``protobuf`` package: a module ``<Message>_pb2`` for each message, made when it is imported.

``from ibwire.compat.protobuf.TickPrice_pb2 import TickPrice`` gives a message class of google.protobuf, built from the
spec: names, numbers, presence and bytes of the official one. The extra brings what that needs:
``pip install 'ibwire[protobuf]'``; without it, importing a message is an ImportError that says so.

Our classes live in a descriptor pool of their own, so that an installed official package does not collide with them.
To hand a part of an official message to one of ours, go by bytes:
``ours.ParseFromString(official.SerializeToString())``.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

_SUFFIX: Final = "_pb2"


class _Messages(MetaPathFinder, Loader):
    """Finds and fills the modules of this package's messages; knows nothing else."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        package, _, name = fullname.rpartition(".")
        if package != __name__ or not name.endswith(_SUFFIX):
            return None
        from ibwire.compat.protobuf import _schema

        if name.removesuffix(_SUFFIX) not in _schema.messages():
            return None
        return ModuleSpec(fullname, self)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        from ibwire.compat.protobuf import _build

        name = module.__name__.rpartition(".")[2].removesuffix(_SUFFIX)
        cls = _build.message_class(name)
        module.__doc__ = f"The protobuf message {name}."
        module.__dict__.update({name: cls, "DESCRIPTOR": cls.DESCRIPTOR.file})


def __getattr__(name: str) -> Any:
    """A module of a message that was not imported by name."""
    if name.endswith(_SUFFIX):
        try:
            return importlib.import_module(f"{__name__}.{name}")
        except ModuleNotFoundError:
            pass
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


sys.meta_path.append(_Messages())
