"""Fixtures: the official releases, started once a session. An absent one fails, it never skips."""

from collections.abc import Callable, Iterator

import pytest

from .oracle import LATEST, VERSIONS, Oracle, OracleMissing
from .tally import Tally

_TALLY = pytest.StashKey[Tally]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TALLY] = Tally()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    lines = config.stash[_TALLY].lines()
    if lines:
        terminalreporter.section("conformance with the official releases")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def tally(request: pytest.FixtureRequest) -> Tally:
    """What this run compared."""
    return request.config.stash[_TALLY]


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


@pytest.fixture(scope="session")
def latest(oracle_for: Callable[[str], Oracle]) -> Oracle:
    """The newest release."""
    return oracle_for(LATEST)
