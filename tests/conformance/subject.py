"""What stands for us in conformance: objects built by compat's own factory."""

from __future__ import annotations

from ibwire.compat.objects import make_official as official_make

from .normal import Notation, normalise

__all__ = ["Notation", "normalise", "official_make"]
