"""Our messages in the oracle's notation: typed objects to what a user of the official package would pass."""

from __future__ import annotations

from typing import Any

from ibwire.spec.model import Row, Struct
from ibwire.spec.structs import ALL
from ibwire.wire.plan import SENTINEL

from .normal import JSON, normalise, obj

STRUCTS = {s.name: s for s in ALL}
CONDITIONS = {
    1: ("PriceCondition", "isMore price conId exchange triggerMethod"),
    3: ("TimeCondition", "isMore time"),
    4: ("MarginCondition", "isMore percent"),
    5: ("ExecutionCondition", "secType exchange symbol"),
    6: ("VolumeCondition", "isMore volume conId exchange"),
    7: ("PercentChangeCondition", "isMore changePercent conId exchange"),
}
ENUMS = {"fundAssetType", "fundDistributionPolicyIndicator", "optExerciseOrLapseType"}


def argument(value: Any, struct: Struct | None = None, name: str = "") -> JSON:
    """A typed value as an official argument."""
    if isinstance(value, list):
        return [argument(v) for v in value]
    kind = type(value).__name__
    if kind == "OrderCondition":
        cls, names = CONDITIONS[value.condType]
        attrs = {n: argument(getattr(value, n)) for n in [*names.split(), "isConjunctionConnection"]}
        return obj(cls, **attrs)
    if kind in STRUCTS:
        found = STRUCTS[kind]
        attrs = {}
        for f in found.fields:
            item = getattr(value, f.name)
            if f.name in ("perLegPrice", *ENUMS):
                continue
            if item is None and f.nullable and not isinstance(f.type, Struct):
                item = None if f.type.name == "BOOL" else SENTINEL[f.type]
            elif item == [] and f.many:
                item = [] if f.official == () else None
            attrs[f.name] = argument(item)
        return obj(kind, **attrs)
    return normalise(value)


def arguments(row: Row, message: Any) -> list[JSON]:
    """All arguments of an EClient method, in its order."""
    out = []
    for f in row.fields:
        value = getattr(message, f.name)
        if value is None and f.nullable and not isinstance(f.type, Struct):
            value = SENTINEL[f.type]
        out.append(argument(value))
    return out
