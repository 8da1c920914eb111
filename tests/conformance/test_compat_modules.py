"""What each official module offers, ours of the same name offers; every difference has its reason here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from .oracle import LATEST, REPOSITORY, oracle_path

MODULES = (
    *("account_summary_tags", "client", "comm", "commission_and_fees_report", "commission_report", "common"),
    *("connection", "const", "contract", "decoder", "enum_implem", "errors", "execution"),
    *("ineligibility_reason", "message", "news", "object_implem", "order", "order_cancel", "order_condition"),
    *("order_state", "reader", "scanner", "server_versions", "softdollartier", "sync_wrapper", "tag_value"),
    *("ticktype", "utils", "wrapper"),
)
WORKER = REPOSITORY / "tests" / "conformance" / "module_worker.py"

# Names that a module does not offer, and why.
LEFT_OUT = {
    "ExerciseStaticMethods": "prints what static methods return; a leftover of the official tests",
    "HandleInfo": "an internal of the decoder",
    "logAnswer": "an internal of the wrapper's logging",
    "OrderDecoder": "an internal of the decoder",
    "logger": "each module's own logger; ours is ibwire.compat",
    "printProtoSingleLine": "prints protobuf objects",
    "setattr_log": "a leftover of debugging",
}
# Methods of a class, and why.
LEFT_OUT_METHODS = {
    ("Decoder", "*"): "one method for each message, replaced by the spec's rows",
    ("EClient", "checkConnected"): "an internal of connect",
    ("EClient", "logRequest"): "an internal of its requests",
    ("EClient", "useProtoBuf"): "the codec chooses the dialect",
    ("EClient", "validateAttachedOrdersParameters"): "an internal of placeOrder",
    ("EClient", "validateInvalidSymbols"): "an internal of connect",
    ("EClient", "validateOrderParameters"): "an internal of placeOrder",
    ("EReader", "*"): "those of Thread; ours has start and run",
}
# Parameters that differ, and why.
DIFFERENT = {
    ("Decoder", "interpret"): "takes the form before 10.37 too",
    ("TWSSyncWrapper", "currentTime"): "named as EWrapper's",
    ("TWSSyncWrapper", "tickNews"): "named as EWrapper's",
}
MAKERS = ("create", "decode", "setLastTradeDate")  # one function for each protobuf object, replaced by the spec's rows


def offered(package: str, path: str) -> dict[str, Any]:
    command = [sys.executable, str(WORKER), package, *MODULES]
    run = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(run.stdout)
    return found


@pytest.fixture(scope="module")
def both() -> tuple[dict[str, Any], dict[str, Any]]:
    return offered("ibapi", str(oracle_path(LATEST))), offered("ibwire.compat", str(REPOSITORY))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_offers_what_the_official_one_does(both: tuple[dict[str, Any], dict[str, Any]], module: str) -> None:
    official, ours = both[0][module], both[1][module]
    everywhere = {name for names in both[1].values() for name in names}
    own = names_of_its_own(both[0], module)
    compared = 0
    for name, about in official.items():
        if name in LEFT_OUT or name.endswith("Proto") or (name.startswith(MAKERS) and name != "decode"):
            continue
        if name not in own:  # passed on from another module: that we have it there is enough
            assert name in everywhere, name
            continue
        assert name in ours, f"{module}.{name}"
        compared += 1
        if isinstance(about, dict):
            methods(name, about, ours[name])
        else:
            assert about == ours[name], f"{module}.{name}"
    assert compared, module


def names_of_its_own(official: dict[str, Any], module: str) -> set[str]:
    """What no module before it in the official import order offers."""
    return set(official[module]) - {
        name for other, names in official.items() if other != module and other in FIRST for name in names
        if module not in FIRST or FIRST.index(other) < FIRST.index(module)
    }  # fmt: skip


# Modules that others take names from, each after those that it takes from itself.
FIRST = (
    *("const", "enum_implem", "object_implem", "server_versions", "message", "errors", "utils", "tag_value"),
    *("softdollartier", "common", "comm", "order_condition", "ticktype", "account_summary_tags"),
    *("ineligibility_reason", "contract", "order", "order_state", "order_cancel", "execution"),
    *("commission_and_fees_report", "scanner", "wrapper", "connection", "client"),
)


def methods(cls: str, official: dict[str, list[str]], ours: dict[str, list[str]]) -> None:
    for name, parameters in official.items():
        bases = (cls, "EClient") if cls == "TWSSyncWrapper" else (cls,)
        if any((base, name) in LEFT_OUT_METHODS for base in bases):
            assert name not in ours, f"{cls}.{name} is there: take it off the list"
            continue
        if (cls, "*") in LEFT_OUT_METHODS and name not in ours:
            continue
        if (cls, name) in DIFFERENT:
            assert parameters != ours[name], f"{cls}.{name} is the same: take it off the list"
            continue
        assert parameters == ours[name], f"{cls}.{name}"
