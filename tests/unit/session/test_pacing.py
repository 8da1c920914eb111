"""The bucket of tokens and the queue in front of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire.errors import ConfigError
from ibwire.session.pacing import SECOND_NS, Pacing, Queue, Ticket, TokenBucket, Traffic

MS = 1_000_000
CANCEL, REST = Traffic.CANCEL, Traffic.REST


@given(st.lists(st.tuples(st.integers(0, 120 * MS), st.sampled_from(Traffic)), max_size=300), st.integers(1, 20))
def test_no_second_ever_sees_more_than_the_rate(moves: list[tuple[int, Traffic]], rate: int) -> None:
    reserved = (rate - 1) // 3
    bucket = TokenBucket(rate, reserved)
    now, sent = 0, list[tuple[int, Traffic]]()
    for pause, traffic in moves:
        now += pause
        if bucket.take(traffic, now) == 0:
            sent.append((now, traffic))
    for at, _ in sent:
        window = [traffic for when, traffic in sent if at - SECOND_NS < when <= at]
        assert len(window) <= rate
        assert window[-1] is CANCEL or len(window) <= rate - reserved


@given(st.integers(1, 30), st.integers(1, 200))
def test_what_is_told_to_wait_goes_when_it_was_told(rate: int, count: int) -> None:
    bucket, now = TokenBucket(rate), 0
    for _ in range(count):
        wait = bucket.take(REST, now)
        if wait:
            assert bucket.take(REST, now + wait - 1) > 0
            now += wait
            assert bucket.take(REST, now) == 0
    assert now == (count - 1) // rate * SECOND_NS  # the full rate, and not a moment more


def test_cancels_have_tokens_of_their_own() -> None:
    bucket = TokenBucket(10, reserved=3)
    assert [bucket.take(REST, 0) for _ in range(7)] == [0] * 7
    assert bucket.take(REST, 0) == SECOND_NS
    assert (bucket.available(0), bucket.available(0, REST)) == (3, 0)
    assert [bucket.take(CANCEL, 0) for _ in range(3)] == [0] * 3
    assert bucket.take(CANCEL, 1) == SECOND_NS - 1


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    bucket = TokenBucket(2)
    assert bucket.take(REST, 5 * SECOND_NS) == bucket.take(REST, 0) == 0
    assert bucket.take(REST, 5 * SECOND_NS + SECOND_NS - 1) > 0


def test_cancels_go_before_what_came_earlier() -> None:
    queue = Queue(Pacing(rate_per_s=1, reserved=0, max_queue_ms=60_000))
    assert queue.try_take(REST, 0)
    assert not queue.try_take(REST, 0)
    first, second = queue.join(REST, 0), queue.join(REST, 0)
    cancel = queue.join(CANCEL, 10)
    order = list[Ticket]()
    for now in range(0, 4 * SECOND_NS, 100 * MS):
        for ticket in [t for t in (first, second, cancel) if t not in order]:
            if queue.ask(ticket, now) == 0:
                order.append(ticket)
    assert order == [cancel, first, second]
    assert len(queue) == 0
    assert queue.waited == 3


def test_nothing_overtakes_who_waits() -> None:
    queue = Queue(Pacing(rate_per_s=1, reserved=0))
    assert queue.try_take(REST, 0)
    queue.join(REST, 0)
    assert not queue.try_take(REST, 5 * SECOND_NS)
    assert queue.try_take(CANCEL, 5 * SECOND_NS)


def test_who_waits_too_long_is_told_and_a_cancel_never_is() -> None:
    queue = Queue(Pacing(rate_per_s=1, reserved=0, max_queue_ms=300))
    assert queue.try_take(CANCEL, 0)
    rest, cancel = queue.join(REST, 0), queue.join(CANCEL, 0)
    assert queue.ask(rest, 100 * MS) == 200 * MS
    assert queue.ask(rest, 300 * MS) < 0
    assert (queue.refused, len(queue)) == (1, 1)
    queue.leave(rest)  # twice is harmless
    assert queue.ask(cancel, 999 * MS) == MS
    assert queue.ask(cancel, SECOND_NS) == 0
    assert queue.longest_ns == SECOND_NS


def test_a_guess_at_the_wait() -> None:
    queue = Queue(Pacing(rate_per_s=2, reserved=0))
    assert queue.retry_after_ns(REST, 0) == 0
    queue.try_take(REST, 0)
    queue.try_take(REST, 0)
    assert queue.retry_after_ns(REST, 0) == SECOND_NS
    for _ in range(2):
        queue.join(REST, 0)
    assert queue.retry_after_ns(REST, 0) == 2 * SECOND_NS
    assert queue.retry_after_ns(CANCEL, 0) == SECOND_NS


def test_defaults_and_limits() -> None:
    assert (Pacing().rate_per_s, Pacing().reserved) == (50, 5)
    assert Pacing(rate_per_s=1).reserved == 0
    for bad in ({"rate_per_s": 0}, {"rate_per_s": True}, {"reserved": 50}, {"reserved": -2}, {"max_queue_ms": -1}):
        with pytest.raises(ConfigError, match=next(iter(bad))):
            Pacing(**bad)
    with pytest.raises(ConfigError, match="max_queue_ms"):
        Pacing(max_queue_ms=float("nan"))
