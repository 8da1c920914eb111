from __future__ import annotations

import time

from ibwire.io import clock


def test_units_and_order() -> None:
    first, second = clock.now_ns(), clock.now_ns()
    assert second >= first
    before, ns, ms, after = time.time(), clock.wall_ns(), clock.wall_ms(), time.time()
    assert before - 1e-3 <= ns / 1e9 <= after + 1e-3
    assert ns // 1_000_000 <= ms <= after * 1000 + 1
