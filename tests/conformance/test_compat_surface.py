"""Names, signatures, defaults, constants and enumerations of compat equal those of the newest official release."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable
from typing import Any

import pytest

from ibwire.compat import const, contract, errors, execution, message, order, server_versions, utils
from ibwire.compat.client import EClient
from ibwire.compat.order_condition import OrderCondition
from ibwire.compat.wrapper import EWrapper

from .normal import JSON, Notation, normalise
from .oracle import LATEST, Oracle

# What the official surface has and ours does not, and why.
LEFT_OUT_METHODS = {
    "logRequest": "an internal of its requests",
    "validateInvalidSymbols": "an internal of connect",
    "checkConnected": "an internal of connect",
    "useProtoBuf": "the codec chooses the dialect",
    "validateOrderParameters": "an internal of placeOrder",
    "validateAttachedOrdersParameters": "an internal of placeOrder",
}
# The official member is a tuple in a tuple by mistake, so that its code is never found.
DIFFERENT_MEMBERS = {("FundAssetType", "Others")}


@pytest.fixture(scope="module")
def facts(oracle_for: Callable[[str], Oracle]) -> dict[str, Any]:
    return oracle_for(LATEST).facts


def parameters(function: Any) -> list[tuple[str, JSON]]:
    """(name, [default] or None) of each parameter but self."""
    found = list(inspect.signature(function).parameters.values())[1:]
    return [(p.name, None if p.default is p.empty else [normalise(p.default)]) for p in found]


def compared(official: dict[str, Any], ours: type, left_out: dict[str, str]) -> int:
    count = 0
    for name, about in official.items():
        if name in left_out:
            assert not hasattr(ours, name), f"{name} is there: take it off the list"
            continue
        assert parameters(getattr(ours, name)) == [(p, d) for p, _, d in about["params"]], name
        count += 1
    return count


def test_callbacks(facts: dict[str, Any]) -> None:
    assert compared(facts["wrapper"], EWrapper, {}) > 160


def test_requests(facts: dict[str, Any]) -> None:
    assert compared(facts["client"], EClient, LEFT_OUT_METHODS) > 170


def test_classes(facts: dict[str, Any]) -> None:
    for name, about in facts["classes"].items():
        cls = getattr(importlib.import_module(f"ibwire.compat.{about['module']}"), name)
        assert list(inspect.signature(cls).parameters) == about["init"], name
        assert [b.__name__ for b in cls.__mro__[1:] if b.__name__ not in ("Object", "object")] == about["bases"], name
        made = cls(0) if cls is OrderCondition else cls()
        if cls is not OrderCondition:
            assert normalise(vars(made)) == normalise(_plain(about["attributes"])), name
        for constant, value in about["constants"].items():
            assert normalise(getattr(cls, constant)) == value, f"{name}.{constant}"


def _plain(attributes: dict[str, JSON]) -> dict[str, JSON]:
    return {k: Notation(v) if isinstance(v, dict) else v for k, v in attributes.items()}


def test_constants(facts: dict[str, Any]) -> None:
    homes: tuple[Any, ...] = (const, contract, order, utils, message, server_versions)
    homes += tuple(importlib.import_module(f"ibwire.compat.{m}") for m in ("common", "news", "scanner"))
    for name, value in facts["constants"].items():
        found = {str(normalise(getattr(home, name))) for home in homes if hasattr(home, name)}
        assert found == {str(value)}, name


def test_ids_gates_and_codes(facts: dict[str, Any]) -> None:
    for cls in (message.IN, message.OUT):
        assert {k: v for k, v in vars(cls).items() if k.isupper()} == facts[cls.__name__]
    for name, value in facts["min_server_versions"].items():
        assert getattr(server_versions, name if name.startswith("MIN_") else f"MIN_SERVER_VER_{name}") == value
    for name, code in facts["error_codes"].items():
        assert getattr(errors, name).code() == code


def test_enumerations(facts: dict[str, Any]) -> None:
    for module, names in (
        (contract, ("FundAssetType", "FundDistributionPolicyIndicator")),
        (execution, ("OptionExerciseType",)),
    ):
        for name in names:
            official = facts["enums"][name]
            ours = {member.name: normalise(member.value) for member in getattr(module, name)}
            assert ours.keys() == official.keys()
            for member, value in official.items():
                assert (ours[member] == value) is ((name, member) not in DIFFERENT_MEMBERS), f"{name}.{member}"
