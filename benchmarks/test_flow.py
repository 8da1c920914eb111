"""Every party of the flow report gets what was sent: counts, never times."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import mixes, results
from benchmarks.compat_peer import Side
from benchmarks.flow_peer import FlowChild
from benchmarks.results import NS, RATE, Figure
from benchmarks.sender import Sender
from benchmarks.turns import interleaved

COUNT = 5000
RATE_PER_S = 20_000


@pytest.fixture(scope="module")
def sender() -> Iterator[Sender]:
    with Sender() as child:
        yield child


@pytest.fixture(scope="module")
def flow() -> Iterator[FlowChild]:
    with FlowChild() as child:
        yield child


@pytest.mark.parametrize("mode", ["threaded", "inline"])
@pytest.mark.parametrize("dialect", mixes.DIALECTS)
def test_a_cursor_gets_every_record_of_a_flood(sender: Sender, flow: FlowChild, dialect: str, mode: str) -> None:
    answer = flow.ask(do="flood", port=sender.flood(dialect, COUNT), count=COUNT, mode=mode)  # fails if one is missing
    assert answer["seconds"] > 0
    assert sender.sent()["messages"] == COUNT


@pytest.mark.parametrize(("mode", "how"), [("threaded", "block"), ("inline", "spin")])
def test_every_paced_message_is_timed(sender: Sender, flow: FlowChild, mode: str, how: str) -> None:
    port = sender.paced("t176", 1000, RATE_PER_S, spin=False)
    answer = flow.ask(do="paced", port=port, count=1000, mode=mode, how=how, cpu=None)
    assert answer["count"] == 500  # the second half
    assert 0 <= answer["p50"] <= answer["p99"] <= answer["maximum"]


@pytest.mark.parametrize("spinning", [False, True])
def test_receive_stamps_under_a_spinner(sender: Sender, flow: FlowChild, spinning: bool) -> None:
    port = sender.paced("t176", 1000, RATE_PER_S, spin=False)
    answer = flow.ask(do="under_spinner", port=port, count=1000, seconds=0.1, spinning=spinning)
    assert answer["count"] == 500


def test_an_attached_process_gets_every_record(flow: FlowChild) -> None:
    with FlowChild() as other:
        flow.ask(do="publish", name="bench-test")
        other.ask(do="attach", name="bench-test")
        flow.tell(do="drive", count=1000, rate=RATE_PER_S, cpu=0)
        other.tell(do="watch", count=1000, cpu=1)
        assert flow.hear()["count"] == other.hear()["count"] == 500
        flow.ask(do="unpublish")


@pytest.mark.parametrize("records", [1, 256])
def test_polls_take_what_they_are_given(flow: FlowChild, records: int) -> None:
    answer = flow.ask(do="poll", records=records, calls=1000)
    assert set(answer) == {"poll", "call", "copy"}


@pytest.mark.parametrize("side", ["ibwire", "official", "ib_async"])
def test_clients_with_callbacks_get_every_message(sender: Sender, side: str) -> None:
    with Side(side) as child:
        assert child.ask(do="flood", port=sender.flood("t176", COUNT), count=COUNT)["seconds"] > 0
        port = sender.paced("t176", 500, RATE_PER_S, spin=False)
        assert child.ask(do="paced", port=port, count=500, cpu=None)["count"] == 250
        assert sender.sent()["messages"] == 500


def test_ib_async_keeps_the_orders_of_m5() -> None:
    with Side("ib_async") as child:
        assert child.ask(do="orders", dialect="t176", count=400, seed=1)["orders"] == 100


def test_a_ratio_is_of_medians_and_a_target_has_a_direction() -> None:
    faster = Figure("p", "w", "-", RATE, (90, 100, 400), "other", (10, 10, 40), 10)
    assert (faster.ratio, faster.best_ratio, faster.met) == (10, 10, True)
    slower = Figure("p", "w", "-", NS, (30, 10, 20), "other", (10, 10, 10), 1.5)
    assert (slower.ratio, slower.best_ratio, slower.met) == (2, 1, False)
    assert Figure("p", "w", "-", NS, (1,), "other", (1,)).met is None


def test_the_files_say_where_and_what(tmp_path: Path) -> None:
    figure = Figure("p", "poll of 1 record", "-", NS, (300.0,), "memcpy", (100.0,), 10)
    results.write(tmp_path / "new" / "figures.json", [figure], ["shared: not there"], 3)
    text = (tmp_path / "new" / "figures.md").read_text()
    assert "| poll of 1 record | - | 300 ns | memcpy | 100 ns | 3 | 3 | <= 10 | yes |" in text
    assert "shared: not there" in text
    for word in ("processor", "kernel", "python", "compiler", "commit"):
        assert f"- {word}: " in text


def test_turns_are_taken_in_order_and_the_first_is_not_counted() -> None:
    seen: list[str] = []

    def take(name: str) -> str:
        seen.append(name)
        return name

    assert interleaved(2, {"a": lambda: take("a"), "b": lambda: take("b")}) == {"a": ["a", "a"], "b": ["b", "b"]}
    assert seen == ["a", "b"] * 3
