"""Figures: what was measured beside what, the target, and the files that `make bench-full` leaves in ``results/``."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any, Final

from benchmarks import native
from benchmarks.child import ROOT

RATE: Final = "messages/s"
NS: Final = "ns"
BYTES: Final = "bytes"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table: samples of ibwire and of what it is compared with, from the same rounds.

    Attributes
    ----------
    part : the part of the report that measured it
    what, dialect : in words; dialect ``-`` where it makes no difference
    unit : `RATE` (more is better), `NS` or `BYTES` (less is better)
    ours, theirs : one value per round
    other : what ``theirs`` are of
    target : the ratio of medians (ibwire over the other) that is to be reached: at least that of a rate, at most that
        of a time or of memory; None for a picture
    """

    part: str
    what: str
    dialect: str
    unit: str
    ours: Sequence[float]
    other: str
    theirs: Sequence[float]
    target: float | None = None

    @property
    def ratio(self) -> float:
        """Of the medians."""
        return median(self.ours) / median(self.theirs)

    @property
    def best_ratio(self) -> float:
        """Of the rounds that the machine disturbed least, each side's own."""
        best: Callable[[Sequence[float]], float] = max if self.unit == RATE else min
        return best(self.ours) / best(self.theirs)

    @property
    def met(self) -> bool | None:
        """Whether the ratio of medians reaches the target; None without one."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.unit == RATE else self.ratio <= self.target

    def as_json(self) -> dict[str, Any]:
        """For the file; samples too, so that others may judge the spread."""
        return {
            "part": self.part, "what": self.what, "dialect": self.dialect, "unit": self.unit,
            "ibwire": median(self.ours), "other": self.other, "other_value": median(self.theirs),
            "ratio": self.ratio, "best_ratio": self.best_ratio, "target": self.target, "met": self.met,
            "ibwire_samples": list(self.ours), "other_samples": list(self.theirs),
        }  # fmt: skip

    def row(self) -> tuple[str, ...]:
        """Cells of the table."""
        target = "-" if self.target is None else f"{'>=' if self.unit == RATE else '<='} {_number(self.target)}"
        met = {None: "-", True: "yes", False: "no"}[self.met]
        ours, theirs = _value(self.ours, self.unit), _value(self.theirs, self.unit)
        ratios = _number(self.ratio), _number(self.best_ratio)
        return (self.what, self.dialect, ours, self.other, theirs, *ratios, target, met)


HEADINGS: Final = ("what", "dialect", "ibwire", "compared with", "its value", "ratio", "ratio of best", "target", "met")


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 20 else f"{value:.3g}"


def _value(samples: Sequence[float], unit: str) -> str:
    value = median(samples)
    if unit == RATE:
        return f"{value / 1e6:.2f} M/s" if value >= 1e6 else f"{value / 1e3:.1f} k/s"
    if unit == BYTES:
        return f"{value / 2**20:.1f} MiB"
    if value >= 1e6:
        return f"{value / 1e6:.2f} ms"
    return f"{value / 1e3:.1f} us" if value >= 1e3 else f"{value:.0f} ns"


def table(figures: Sequence[Figure]) -> str:
    """The figures as a markdown table."""
    rows = [HEADINGS, tuple("---" for _ in HEADINGS), *(figure.row() for figure in figures)]
    return "\n".join("| " + " | ".join(row) + " |" for row in rows)


# ------------------------------------------------------------------------------------------------------ where and when


def _first_line(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return done.stdout.partition("\n")[0]


def _processor() -> str:
    with open("/proc/cpuinfo") as cpuinfo:
        return next((line.partition(":")[2].strip() for line in cpuinfo if line.startswith("model name")), "unknown")


def _commit() -> str:
    commit = _first_line("git", "rev-parse", "HEAD")
    changed = _first_line("git", "status", "--porcelain", "--", ".", ":!benchmarks/results")
    return commit if changed in ("", "unknown") else f"{commit} and changes"


def circumstances() -> dict[str, Any]:
    """Machine, programs, commit and date."""
    return {
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)),
        "kernel": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "compiler": _first_line(*native.compiler(), "--version"),
        "commit": _commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def write(path: Path, figures: Sequence[Figure], missing: Sequence[str], runs: int) -> None:
    """Write ``path`` (JSON) and the same beside it as markdown."""
    about = {**circumstances(), "runs": runs}
    whole = {"about": about, "figures": [figure.as_json() for figure in figures], "not_available": list(missing)}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    lines = [
        "# Figures",
        "",
        *(f"- {name}: {value}" for name, value in about.items()),
        "",
        "Medians of interleaved rounds. An absolute figure of a shared machine is a picture; a ratio inside one run is",
        'a fact. "Ratio of best" is of the rounds that the machine disturbed least.',
        "",
        table(figures),
        *(("", "Not available:", "", *(f"- {line}" for line in missing)) if missing else ()),
        "",
    ]
    path.with_suffix(".md").write_text("\n".join(lines), encoding="utf-8")
