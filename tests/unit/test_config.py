"""Settings are checked when they are made."""

from __future__ import annotations

from typing import Any

import pytest

from ibwire.config import LIVE_CONFIRMATION, Settings
from ibwire.errors import ConfigError


@pytest.mark.parametrize(
    ("target", "app", "port"),
    [("live", "tws", 7496), ("paper", "tws", 7497), ("live", "gateway", 4001), ("paper", "gateway", 4002)],
)
def test_default_ports(target: str, app: str, port: int) -> None:
    settings = Settings.make(target, app=app, confirm=LIVE_CONFIRMATION)
    assert settings.address == ("127.0.0.1", port)
    assert Settings.make(target, app=app, port=5000, confirm=LIVE_CONFIRMATION).address == ("127.0.0.1", 5000)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"port": 65536}, "port"),
        ({"port": "7497"}, "port"),
        ({"client_id": -1}, "client_id"),
        ({"client_id": True}, "client_id"),
        ({"max_server_version": 99}, "max_server_version"),
        ({"max_server_version": 226}, "max_server_version"),
        ({"timeout_s": 0}, "timeout_s"),
        ({"timeout_s": float("inf")}, "timeout_s"),
        *(({"gate_budget_ms": bad}, "gate_budget_ms") for bad in (0, 0.001, 60_001, float("nan"), True, "50", None)),
        ({"app": "TWS"}, "app"),
        ({"clientid": 1}, "did you mean client_id"),
        ({"qqqq": 1}, "there are app, host"),
    ],
)
def test_what_is_wrong_is_named(settings: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Settings.make("paper", **settings)


@pytest.mark.parametrize("target", ["", "Live", "demo", "real"])
def test_a_target_is_never_guessed(target: str) -> None:
    with pytest.raises(ConfigError, match="sim"):
        Settings.make(target)


@pytest.mark.parametrize("confirm", ["", "yes", LIVE_CONFIRMATION.upper(), LIVE_CONFIRMATION + " "])
def test_live_is_refused_without_the_exact_confirmation(confirm: str) -> None:
    with pytest.raises(ConfigError, match=LIVE_CONFIRMATION):
        Settings.make("live", confirm=confirm)


def test_the_sim_has_no_address() -> None:
    with pytest.raises(ConfigError, match="leave both out"):
        Settings.make("sim", port=7497)
    with pytest.raises(ConfigError, match="leave both out"):
        Settings.make("sim", host="192.0.2.1")
