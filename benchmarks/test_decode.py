"""Decode rates of one thread over bytes in memory, with pytest-benchmark: ceiling, ibwire and peer per mix and dialect.

Each benchmark decodes a whole buffer once per round; ``extra_info`` has the messages per round. Nothing here asserts a
time: ``python -m benchmarks.report`` prints the ratios of interleaved runs, and only those are facts.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from benchmarks import ceiling as bare
from benchmarks import mixes, subject
from benchmarks.ceiling import Ceiling
from benchmarks.conftest import COUNT
from benchmarks.peer import Peer

PEER_COUNT = 20_000
ROUNDS = 5

by_dialect = pytest.mark.parametrize("dialect", mixes.DIALECTS)
Traffic = Callable[[str, str], bytes]
T = TypeVar("T")


def rounds(benchmark: BenchmarkFixture, group: str, messages: int, decode: Callable[[], T]) -> T:
    benchmark.group = group
    benchmark.extra_info["messages"] = messages
    pedantic: Callable[..., T] = benchmark.pedantic
    return pedantic(decode, rounds=ROUNDS, warmup_rounds=1)


@by_dialect
@pytest.mark.parametrize("name", bare.MIXES)
def test_ceiling(benchmark: BenchmarkFixture, ceiling: Ceiling, traffic: Traffic, name: str, dialect: str) -> None:
    decode = ceiling.decoder(dialect, traffic(name, dialect))
    assert rounds(benchmark, f"{name} {dialect}", COUNT, decode) == COUNT


@by_dialect
@pytest.mark.parametrize("name", mixes.MIXES)
def test_ibwire(benchmark: BenchmarkFixture, traffic: Traffic, name: str, dialect: str) -> None:
    decode = subject.decoder(dialect, traffic(name, dialect))
    assert rounds(benchmark, f"{name} {dialect}", COUNT, decode) == COUNT


@by_dialect
@pytest.mark.parametrize("name", mixes.MIXES)
def test_peer(benchmark: BenchmarkFixture, peer: Peer, name: str, dialect: str) -> None:
    """Rounds include a pipe's round trip; ``extra_info`` has the rate of the child's decode loop alone."""
    decode = partial(peer.rate, name, dialect, PEER_COUNT)
    answer = rounds(benchmark, f"{name} {dialect} peer", PEER_COUNT, decode)
    benchmark.extra_info["messages_per_s"] = answer["messages_per_s"]
    assert answer["messages"] == PEER_COUNT
    assert answer["callbacks"] >= PEER_COUNT
