"""The front door in its modes: threaded and inline, latest and every, against the embedded gateway."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import ibwire
from ibwire.errors import ConfigError, ForkedClient, SessionLost, WrongThread
from ibwire.spec.errorcodes import OWN_NOTICE
from ibwire.types.constructors import limit, stock

KINDS = [(mode, market) for mode in ("threaded", "inline") for market in ("latest", "every")]


# From 3.12 on Python warns of every fork in a process with threads; what happens then is what is tested.
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(params=KINDS, ids="-".join)
def client(request: pytest.FixtureRequest) -> Iterator[ibwire.Client]:
    mode, market = request.param
    with ibwire.connect("sim", mode=mode, market=market, timers=True) as made:
        yield made


def test_requests_orders_and_quotes(client: ibwire.Client) -> None:
    apple = client.qualify(stock("AAPL"))
    cursor = client.cursor()
    quotes = client.quotes(apple)
    quote = next(q for q in quotes if q.is_two_sided)
    assert quote.bid < quote.ask
    filled = client.orders.place(apple, limit("BUY", 100, quote.ask + 5)).wait("done")
    assert filled.filled == 100
    resting = client.orders.place(apple, limit("BUY", 1, 1.0)).wait("live")
    resting.cancel()
    resting.wait("done")
    assert client.positions()[apple].size == 100
    assert cursor.wait(5)
    records = cursor.poll()
    assert len(records) and (records["seq"][1:] >= records["seq"][:-1]).all()
    assert cursor.gap == 0
    metrics = client.metrics()
    assert metrics.kinds["tickPrice"] >= 2 and metrics.kinds["openOrder"] >= 2
    assert metrics.messages == client.stats["messages"] and metrics.sent == client.stats["sent"]
    assert metrics.stages["decode"].total > 0 < metrics.stages["dispatch"].total


def test_polling_delivers_until_the_end_and_then_says_why(client: ibwire.Client) -> None:
    apple = client.qualify(stock("AAPL"))
    with client.stream([apple]):
        client.poll()
        poller = select.poll()
        poller.register(client.fileno(), select.POLLIN)
        assert poller.poll(10_000)
        assert client.poll(10_000) > 0
    assert client.simulator is not None
    client.simulator.close()
    with pytest.raises(SessionLost, match=r"the gateway closed|connection broke"):
        while True:
            client.poll(10_000)
    with pytest.raises(SessionLost):
        client.qualify(stock("AAPL"))


def test_a_child_process_is_turned_away_and_the_parent_goes_on(client: ibwire.Client) -> None:
    cursor = client.cursor()
    # Held by another thread at the moment of the fork: the child must not wait for it.
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with client._core.lock:
            held.set()
            release.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    pid = os.fork()
    if pid == 0:
        os._exit(_in_the_child(client, cursor))
    release.set()
    thread.join()
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert client.qualify(stock("MSFT")).symbol == "MSFT"


def _in_the_child(client: ibwire.Client, cursor: Any) -> int:
    """0, or which call was not turned away."""
    calls = [
        client.poll,
        client.fileno,
        client.cursor,
        client.positions,
        lambda: client.qualify(stock("AAPL")),
        lambda: client.orders.place(stock("AAPL"), limit("BUY", 1, 1.0)),
        lambda: client.orders.cancel(1),
        lambda: client._core.link.send(b"x"),
        lambda: client._core.wait_until(lambda: False, 1),
        cursor.poll_bytes,
        lambda: cursor.wait(1),
    ]
    for number, call in enumerate(calls, 1):
        try:
            call()
        except ForkedClient:
            continue
        except BaseException:
            return number
        return number
    client.close()
    return 0


def test_an_inline_client_belongs_to_one_thread() -> None:
    with ibwire.connect("sim", mode="inline") as client:
        apple = client.qualify(stock("AAPL"))
        errors: list[BaseException] = []

        def elsewhere() -> None:
            for call in (client.poll, lambda: client.orders.place(apple, limit("BUY", 1, 1.0)), client.positions):
                try:
                    call()
                except WrongThread as error:
                    errors.append(error)

        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        assert len(errors) == 3
        assert client.orders.all() == []

        found: list[str] = []

        def takes_over() -> None:
            client.adopt()
            found.append(client.qualify(stock("MSFT")).symbol)

        thread = threading.Thread(target=takes_over)
        thread.start()
        thread.join()
        assert found == ["MSFT"]
        client.adopt()


def test_evicted_market_records_are_told_in_a_notice() -> None:
    with ibwire.connect("sim", market="every", max_backlog_bytes=1 << 20, mode="inline") as client:
        core: Any = client._core
        core.link = _Evicting(core.link)
        client.poll()
        assert [text for code, text in client.notices if code == OWN_NOTICE] == [
            "7 market records were given up: a cursor is too far behind"
        ]
        client.poll()  # once a second
        assert len([code for code, _ in client.notices if code == OWN_NOTICE]) == 1


class _Evicting:
    """A link whose every-ring has just given up seven records."""

    def __init__(self, link: Any) -> None:
        self._link = link
        self.every = type("Every", (), {"evicted": 7})

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("market", "some"),
        ("mode", "async"),
        ("wait", "sleep"),
        ("market_records", 1000),
        ("market_records", 32),
        ("max_backlog_bytes", 1),
        ("buffer_bytes", 1),
        ("receive_buffer_bytes", -1),
    ],
)
def test_a_wrong_setting_is_found_before_anything_is_opened(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=name):
        ibwire.connect("sim", **{name: value})
