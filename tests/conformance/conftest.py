"""Fixtures: the official releases, started once a session. An absent one fails, it never skips."""

from collections.abc import Callable, Iterator

import pytest

from .oracle import VERSIONS, Oracle, OracleMissing


@pytest.fixture(scope="session")
def oracle_for() -> Iterator[Callable[[str], Oracle]]:
    """``oracle_for("10.46.1")`` gives that release; each process starts at its first use."""
    running: dict[str, Oracle] = {}

    def start(version: str) -> Oracle:
        if version not in running:
            try:
                running[version] = Oracle(version)
            except OracleMissing as error:
                pytest.fail(str(error), pytrace=False)
        return running[version]

    yield start
    for oracle in running.values():
        oracle.close()


@pytest.fixture(scope="session", params=VERSIONS)
def oracle(request: pytest.FixtureRequest, oracle_for: Callable[[str], Oracle]) -> Oracle:
    """Each release in turn."""
    return oracle_for(request.param)
