"""What a connection counts, as plain values at one moment, and how long the stages of a receive take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ibwire.spec.registry import INCOMING
from ibwire.wire.codec import PROTO_OFFSET

COUNTS: Final = ("receives", "bytes", "messages", "bad_frames", "unknown", "extra", "market", "orders", "wakes")
"""What a stream decoder counts itself."""
STAGES: Final = ("receive", "decode", "step", "publish", "dispatch")
_BUCKETS: Final = 640
_TOP_BIT: Final = 42


@dataclass(frozen=True, slots=True)
class Histogram:
    """Durations of one stage, in buckets at most 6 % wide (sixteen for each doubling).

    Attributes
    ----------
    counts : tuple of int
        How many fell into each bucket.
    """

    counts: tuple[int, ...] = ()

    @property
    def total(self) -> int:
        """How many there were."""
        return sum(self.counts)

    def quantile_ns(self, q: float) -> int:
        """The duration that a share ``q`` (0..1) does not exceed, ns, to the width of its bucket; 0 without any."""
        left = q * self.total
        for at, count in enumerate(self.counts):
            left -= count
            if count and left <= 0:
                return bucket_end_ns(at)
        return 0


@dataclass(frozen=True, slots=True)
class Metrics:
    """The counts of one connection since its start.

    Attributes
    ----------
    receives, bytes : int
        Receives from the socket that brought something, and their bytes.
    messages : int
        Whole messages; ``kinds`` has them by IB's name (or by number, where the id is unknown).
    bad_frames, unknown, extra : int
        Messages that could not be decoded, of unknown id, and with data behind their last field.
    market, orders, control : int
        Market messages; entries of the order ring; entries of the control ring.
    segments : int
        Memory segments that the lossless rings have taken, 1 MiB each; one that is used again counts again.
    evicted : int
        Market records that ``market="every"`` gave up because a consumer was too far behind.
    wakes : int
        Publications that found a thread asleep.
    gap : int
        Market records that cursors of this connection missed.
    orders_backlog_bytes, control_backlog_bytes, market_backlog_bytes : int
        How far the slowest cursor is behind; the last with ``market="every"`` only.
    sent, sent_bytes, partial_sends : int
        Messages that left, their bytes, and how often the kernel took only part of one.
    receive_ns : int
        Monotonic time of the newest receive, ns.
    wall_offset_ns : int
        Wall clock minus monotonic clock at that moment, ns.
    stages : mapping of str to Histogram
        receive, decode, step, publish, dispatch; empty unless ``timers=True``.
    """

    receives: int = 0
    bytes: int = 0
    messages: int = 0
    bad_frames: int = 0
    unknown: int = 0
    extra: int = 0
    market: int = 0
    orders: int = 0
    control: int = 0
    segments: int = 0
    evicted: int = 0
    wakes: int = 0
    gap: int = 0
    orders_backlog_bytes: int = 0
    control_backlog_bytes: int = 0
    market_backlog_bytes: int = 0
    sent: int = 0
    sent_bytes: int = 0
    partial_sends: int = 0
    receive_ns: int = 0
    wall_offset_ns: int = 0
    kinds: Mapping[str, int] = field(default_factory=dict)
    stages: Mapping[str, Histogram] = field(default_factory=dict)


class StageTimes:
    """Durations by stage, in plain Python. Twin: ``_reader.StageTimes``."""

    __slots__ = ("_counts",)

    def __init__(self) -> None:
        self._counts = {stage: [0] * _BUCKETS for stage in STAGES}

    def record(self, stage: str, ns: int) -> None:
        """Count one duration."""
        self._counts[stage][bucket_of(ns)] += 1

    def buckets(self, stage: str) -> list[int]:
        """The counts of a stage, by bucket."""
        return list(self._counts[stage])


def bucket_of(ns: int) -> int:
    """The bucket of a duration."""
    if ns < 16:
        return max(ns, 0)
    top = ns.bit_length() - 1
    return _BUCKETS - 1 if top > _TOP_BIT else (top - 3) * 16 + (ns >> (top - 4) & 15)


def bucket_end_ns(bucket: int) -> int:
    """The longest duration of a bucket, ns."""
    if bucket < 16:
        return bucket
    top, step = bucket // 16 + 3, bucket % 16
    return (17 + step << top - 4) - 1


def histograms(times: StageTimes | None) -> dict[str, Histogram]:
    """Every stage's histogram; nothing without times."""
    if times is None:
        return {}
    return {stage: Histogram(_cut(times.buckets(stage))) for stage in STAGES}


def by_name_of(kinds: Mapping[int, int]) -> dict[str, int]:
    """Counts by wire id as counts by IB's name; both dialects of a message together."""
    found: dict[str, int] = {}
    for wire_id, count in sorted(kinds.items()):
        row = INCOMING.get(wire_id if wire_id <= PROTO_OFFSET else wire_id - PROTO_OFFSET)
        name = str(wire_id) if row is None else row.name
        found[name] = found.get(name, 0) + count
    return found


def _cut(counts: Sequence[int]) -> tuple[int, ...]:
    end = len(counts)
    while end and not counts[end - 1]:
        end -= 1
    return tuple(counts[:end])
