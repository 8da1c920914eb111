"""Recorded traffic of real gateways: ``$IBWIRE_CAPTURES`` or ``../shared/captures``. What is absent fails."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .oracle import REPOSITORY


class CapturesMissing(RuntimeError):
    """The recordings are not here; the text says what to set."""


@dataclass(frozen=True, slots=True)
class Capture:
    """One printed message: ``fields`` of its payload, the server versions at which it reads whole, the callbacks."""

    where: str
    inbound: bool
    complete: bool
    server_version: int | None
    fields: list[str]
    versions: tuple[int, int] | None
    args: list[list[Any]] | None

    @property
    def payload(self) -> bytes:
        """The bytes as a gateway below 201 sends them."""
        return b"".join(f.encode() + b"\0" for f in self.fields)

    @property
    def is_handshake(self) -> bool:
        """The gateway's first answer: its version and its clock, no message id."""
        return len(self.fields) == 2 and self.fields[0] == str(self.server_version)


def load() -> list[Capture]:
    """Every recorded message. Raises CapturesMissing when there is none."""
    root = Path(os.environ.get("IBWIRE_CAPTURES") or REPOSITORY.parent / "shared" / "captures")
    files = sorted(root.glob("*/messages.jsonl"))
    if not files:
        raise CapturesMissing(f"no */messages.jsonl in {root}: set IBWIRE_CAPTURES to the folder of the recordings")
    return [
        _capture(f"{file.parent.name}:{i}", line)
        for file in files
        for i, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1)
    ]


def _capture(where: str, line: str) -> Capture:
    raw = json.loads(line)
    versions = raw.get("official_ok_server_versions")
    return Capture(
        where,
        raw["dir"] == "in",
        bool(raw.get("complete")),
        raw.get("server_version"),
        raw["fields"],
        (versions[0], versions[1]) if versions else None,
        raw.get("official_args"),
    )


def true_versions(capture: Capture) -> tuple[int, int]:
    """As stated, but an error in the old form is read as such only up to 193, whatever fits by its length."""
    assert capture.versions is not None
    low, high = capture.versions
    old_error = capture.fields[0] == "4" and capture.fields[1] == "2" and len(capture.fields) == 6
    return (max(low, 166), min(high, 193)) if old_error else (low, high)
