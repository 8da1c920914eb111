"""Fixtures of the benchmarks: the compiled ceiling, the peer's process and one buffer per mix and dialect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import pytest

from benchmarks import mixes
from benchmarks.ceiling import Ceiling
from benchmarks.peer import Peer

COUNT = 200_000


@pytest.fixture(scope="session")
def ceiling(tmp_path_factory: pytest.TempPathFactory) -> Ceiling:
    return Ceiling(tmp_path_factory.mktemp("ceiling"))


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    with Peer() as child:
        yield child


@pytest.fixture(scope="session")
def traffic() -> Callable[[str, str], bytes]:
    """Bytes of `COUNT` messages for (mix, dialect), made once per session."""
    return cache(lambda name, dialect: mixes.mix(name, dialect, COUNT))
