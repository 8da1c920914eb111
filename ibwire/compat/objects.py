"""Decoded values to objects of the official classes: the factory that compat gives to the codec."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from types import SimpleNamespace
from typing import Any, Final

from ibwire.compat import _objects
from ibwire.compat._enums import FundAssetType, FundDistributionPolicyIndicator, OptionExerciseType
from ibwire.compat.ineligibility_reason import IneligibilityReason
from ibwire.compat.order_condition import Create, OrderCondition
from ibwire.compat.softdollartier import SoftDollarTier
from ibwire.compat.tag_value import TagValue
from ibwire.wire.plan import UNSET_DOUBLE, UNSET_INT

_Maker = Callable[[tuple[str, ...], list[Any]], Any]

_CONDITION_FIELDS: Final[dict[int, tuple[str, ...]]] = {
    OrderCondition.Price: ("isMore", "price", "conId", "exchange", "triggerMethod"),
    OrderCondition.Time: ("isMore", "time"),
    OrderCondition.Margin: ("isMore", "percent"),
    OrderCondition.Execution: ("secType", "exchange", "symbol"),
    OrderCondition.Volume: ("isMore", "volume", "conId", "exchange"),
    OrderCondition.PercentChange: ("isMore", "changePercent", "conId", "exchange"),
}


def _plain(cls: type[Any]) -> _Maker:
    """Objects whose attributes are the struct's fields."""
    new = object.__new__

    def make(names: tuple[str, ...], values: list[Any]) -> Any:
        made: Any = new(cls)
        made.__dict__ = dict(zip(names, values, strict=True))
        return made

    return make


def _codes(cls: type[Enum]) -> dict[object, Enum]:
    return {member.value[0]: member for member in cls}


def _with_enums(cls: type[Any], enums: dict[str, type[Enum]]) -> _Maker:
    """As :func:`_plain`, with codes made members; an unknown code is the first member, as officially."""
    plain = _plain(cls)
    tables = [(name, _codes(enum), next(iter(enum))) for name, enum in enums.items()]

    def make(names: tuple[str, ...], values: list[Any]) -> Any:
        made = plain(names, values)
        attributes = made.__dict__
        for name, members, first in tables:
            attributes[name] = members.get(attributes[name], first)
        return made

    return make


def _contract(names: tuple[str, ...], values: list[Any]) -> Any:
    """A contract; in protobuf its legs carried their prices until the order had them."""
    made = _plain_contract(names, values)
    for leg in made.comboLegs or ():
        leg.__dict__.pop("perLegPrice", None)
    return made


def _condition(names: tuple[str, ...], values: list[Any]) -> Any:
    """A condition of its kind, with the attributes of that kind alone; what was not sent stays as a new one has it."""
    found = dict(zip(names, values, strict=True))
    kind = found["condType"]
    made = Create(kind) or OrderCondition(kind)
    attributes = made.__dict__
    attributes["isConjunctionConnection"] = found["isConjunctionConnection"]
    for name in _CONDITION_FIELDS.get(kind, ()):
        value = found[name]
        if value is not None and value != UNSET_INT and value != UNSET_DOUBLE:
            attributes[name] = value
    return made


def _internal(names: tuple[str, ...], values: list[Any]) -> Any:
    """A group of fields that the official package has no class for; callbacks get its parts."""
    return SimpleNamespace(**dict(zip(names, values, strict=True)))


_plain_contract = _plain(_objects.Contract)

_MAKERS: Final[dict[str, _Maker]] = {
    **{name: _plain(cls) for name, cls in _objects.CLASSES.items()},
    "Contract": _contract,
    "ContractDetails": _with_enums(
        _objects.ContractDetails,
        {
            "fundAssetType": FundAssetType,
            "fundDistributionPolicyIndicator": FundDistributionPolicyIndicator,
        },
    ),
    "Execution": _with_enums(_objects.Execution, {"optExerciseOrLapseType": OptionExerciseType}),
    "IneligibilityReason": _plain(IneligibilityReason),
    "OrderCondition": _condition,
    "SoftDollarTier": _plain(SoftDollarTier),
    "TagValue": _plain(TagValue),
}


def make_official(name: str, names: tuple[str, ...], values: list[Any]) -> Any:
    """Build the official object of a struct from decoded values.

    Parameters
    ----------
    name : the struct's name in :mod:`ibwire.spec.structs`.
    names, values : its fields in their order; values as :attr:`ibwire.wire.plan.Profile.OFFICIAL` decodes them.

    Returns
    -------
    a new object that belongs to the caller; unset attributes hold the official sentinels.
    """
    return _MAKERS.get(name, _internal)(names, values)
