"""Counts what was compared with which release, for the summary at the end of a run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from .known_differences import Difference


@dataclass(slots=True)
class Count:
    """Of one release and direction: cases compared, their rows, server versions and known differences."""

    cases: int = 0
    rows: set[str] = field(default_factory=set)
    versions: set[int] = field(default_factory=set)
    differences: set[str] = field(default_factory=set)

    def add(self, row: str, version: int, known: Iterable[Difference]) -> None:
        self.cases += 1
        self.rows.add(row)
        self.versions.add(version)
        self.differences.update(d.key for d in known)


class Tally:
    """One per run; ``counts`` by (release, direction), ``notes`` are further lines."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], Count] = defaultdict(Count)
        self.fields: set[tuple[str, int]] = set()
        self.refusals: set[tuple[str, str, int]] = set()
        self.notes: dict[str, str] = {}

    def lines(self) -> list[str]:
        """The summary, one line per release and direction."""
        out = []
        for (version, direction), c in sorted(self.counts.items(), key=lambda item: (_order(item[0][0]), item[0][1])):
            out.append(
                f"{version:>8} {direction:<9} {c.cases:>7,} cases equal, {len(c.rows):>3} messages, "
                f"{len(c.versions):>3} server versions ({min(c.versions, default=0)}..{max(c.versions, default=0)}), "
                f"{len(c.differences):>2} known differences"
            )
        if self.refusals:
            values = sum(bool(name) for _, name, _ in self.refusals)
            requests = len(self.refusals) - values
            out.append(f"refused by both below their gates: {requests} requests, {values} values of requests")
        if self.fields:
            messages = len({m for m, _ in self.fields})
            out.append(f"protobuf fields equal: {len(self.fields)} of {messages} messages")
        return out + [f"{name}: {text}" for name, text in self.notes.items()]


def _order(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
