"""A thousand hostile connections: the gateway lives, and the client that behaves notices nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from ibwire.sim.server import serve

# The module is also a program (`make soak`), and this folder is no package.
_spec = importlib.util.spec_from_file_location("hostile_clients", Path(__file__).with_name("hostile_clients.py"))
assert _spec is not None and _spec.loader is not None
hostile = importlib.util.module_from_spec(_spec)
sys.modules["hostile_clients"] = hostile
_spec.loader.exec_module(hostile)

CONNECTIONS = 1000
SEED = 1


def test_a_thousand_hostile_connections() -> None:
    with serve(seed=SEED, rate=20) as server:
        outcome = hostile.attack(server, CONNECTIONS, SEED)
        assert sum(outcome.connections.values()) == CONNECTIONS, f"seed {SEED}"
        assert len(outcome.connections) == len(hostile.KINDS)
        must = sum(count for name, count in outcome.connections.items() if name in hostile.MUST_CLOSE)
        assert outcome.closed_by_gateway >= must > CONNECTIONS // 5
        assert outcome.witness_answers == CONNECTIONS // 20
        assert outcome.defects == [], f"seed {SEED}"
