"""The official package's module and class names, on ibwire: change ``ibapi`` to ``ibwire.compat`` in the imports."""

from __future__ import annotations

VERSION = {"major": 10, "minor": 46, "micro": 1}
"""The official release whose surface this is."""


def get_version_string() -> str:
    """That release as ``10.46.1``; what ibwire's own is, ``ibwire.__version__`` says."""
    return "{major}.{minor}.{micro}".format(**VERSION)


__version__ = get_version_string()
