"""kill -9 between every two steps of place, cancel and modify: nothing that was sent is unknown to the journal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stress.journal_kill import OPERATIONS, Rig, check

ROUNDS = 20
HALF = "half of the bytes"
WAY = {  # "put": an entry of the journal
    "place": [
        *("take_turn", "take_order_id", "_write", "put", "begin_place", "send", HALF, "put", "on_placed", "put"),
        "after",
    ],
    "cancel": ["take_turn", "put", "on_cancel_request", "put", "send", HALF, "put", "after"],
    "modify": ["take_turn", "put", "begin_place", "send", HALF, "put", "on_placed", "after"],
}


@pytest.fixture(scope="module")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    with Rig(tmp_path_factory.mktemp("killed")) as made:
        yield made


@pytest.mark.parametrize("operation", OPERATIONS)
def test_nothing_sent_is_unknown(operation: str, rig: Rig) -> None:
    before = 0 if operation == "place" else 1
    passed: list[str] = []
    seen = {"before the intent": 0, "intended only": 0, "sent": 0, "recorded as sent": 0}
    for number in range(1, ROUNDS):
        death = rig.kill(operation, f"point:{number}")
        assert death.point
        check(death)
        passed.append(death.point.rpartition(".")[2])
        intended, sent, recorded = len(death.intents) - before, len(death.got) - before, death.recorded - before
        seen["before the intent"] += not intended
        seen["intended only"] += intended > sent
        seen["sent"] += sent > recorded
        seen["recorded as sent"] += recorded
        if death.point == "after":
            break
    else:
        pytest.fail("the operation has no end")
    assert all(seen.values()), seen  # each stretch of the way was cut at least once
    assert passed == WAY[operation]


def test_threads_killed_from_outside(rig: Rig) -> None:
    for milliseconds in (0, 3, 12):
        death = rig.kill("stream", "-", milliseconds / 1000)
        check(death)
