"""How older official releases differ in shape from the newest: names, parameters, class attributes, kinds of sizes.

Shape only, all of it derived from what the releases say of themselves (``Oracle.facts``) and the tables here.
Differences in behaviour stand in ``known_differences.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ibwire.spec.model import Row

from .normal import JSON
from .official import field_argument, request
from .oracle import EncodeCase, Oracle

_COMMISSION = {
    "commissionAndFeesReport": "commissionReport",
    "CommissionAndFeesReport": "CommissionReport",
    "CommissionAndFeesReport.commissionAndFees": "commission",
    "OrderState.commissionAndFees": "commission",
    "OrderState.minCommissionAndFees": "minCommission",
    "OrderState.maxCommissionAndFees": "maxCommission",
    "OrderState.commissionAndFeesCurrency": "commissionCurrency",
}
_AVERAGE = {"BarData.wap": "average", "HistogramData.size": "count"}


@dataclass(frozen=True, slots=True)
class Release:
    """One release's shape.

    Attributes
    ----------
    names : our callback, class or ``Class.attribute`` -> its name there.
    whole_sizes : sizes are ints there; values are compared as numbers.
    printable : it refuses tabs and line ends in text too.
    """

    names: Mapping[str, str] = field(default_factory=dict)
    whole_sizes: bool = False
    printable: bool = False


RELEASES: Mapping[str, Release] = {
    "9.81.1": Release(_COMMISSION | _AVERAGE, whole_sizes=True, printable=True),
    "10.19.4": Release(_COMMISSION, printable=True),
    "10.30.1": Release(_COMMISSION),
    "10.37.2": Release(),
    "10.46.1": Release(),
}


def knows(oracle: Oracle, row: Row) -> bool:
    """Whether a release has the message at all, at a server version that it can speak."""
    ids = oracle.facts["IN" if row.direction.value == "incoming" else "OUT"].values()
    return row.id in ids and lowest(row) <= oracle.max_server_version


def lowest(row: Row) -> int:
    """The first server version of a message: where it has no text form, that of its protobuf form."""
    return max(row.since, row.proto_since) if row.text is None else row.since


# What an older parameter means where the newest method has no parameter of that name.
_PARAMETERS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("cancelOrder", "manualCancelOrderTime"): lambda message: message.orderCancel.manualOrderCancelTime,
    ("reqWshEventData", "MIN_SERVER_VER_WSH_EVENT_DATA_FILTERS_DATE"): lambda message: 173,
}


def call(oracle: Oracle, latest: Oracle, row: Row, server_version: int, message: Any) -> EncodeCase:
    """The call that sends the message with that release: its own parameters, by name."""
    case = request(row, server_version, message)
    method = oracle.facts["client"].get(case.method)
    if oracle is latest or method is None or case.method == "startApi" or case.method.endswith("ProtoBuf"):
        return case
    newest = [p[0] for p in latest.facts["client"][case.method]["params"]]
    fields = dict(zip(newest, row.fields, strict=True))
    args = []
    for name, _, _ in method["params"]:
        if name in fields:
            args.append(field_argument(fields[name], getattr(message, fields[name].name)))
        else:
            args.append(_PARAMETERS[row.name, name](message))
    return case._replace(args=args)


def fit(oracle: Oracle, latest: Oracle, ours: list[list[JSON]], theirs: list[list[JSON]]) -> list[list[JSON]]:
    """Our callbacks in the shape of that release: names, parameters by name, attributes that its classes have.

    An attribute that the message does not carry stays at its class's default, which changed between releases: our
    default counts as theirs.
    """
    if oracle is latest:
        return ours
    names = RELEASES[oracle.version].names
    out = []
    for i, (name, args) in enumerate(ours):
        old = names.get(name, name)
        newest = [p[0] for p in latest.facts["wrapper"][name]["params"]]
        theirs_args = theirs[i][1] if i < len(theirs) else []
        params = [p[0] for p in oracle.facts["wrapper"].get(old, {"params": []})["params"]]
        if len(params) != len(newest):
            by_name = dict(zip(newest, args, strict=True))
            args = [by_name[p] for p in params]
        fitted = [_fit(oracle, latest, a, theirs_args[k] if k < len(theirs_args) else None) for k, a in enumerate(args)]
        out.append([old, fitted])
    return out


def _fit(oracle: Oracle, latest: Oracle, ours: JSON, theirs: JSON) -> JSON:
    if isinstance(ours, list):
        other = theirs if isinstance(theirs, list) else []
        return [_fit(oracle, latest, o, other[i] if i < len(other) else None) for i, o in enumerate(ours)]
    if not (isinstance(ours, dict) and "o" in ours):
        return ours
    names = RELEASES[oracle.version].names
    cls = ours["o"]
    old = names.get(cls, cls)
    known = oracle.facts["classes"][old]["attributes"]
    defaults = latest.facts["classes"][cls]["attributes"]
    other = theirs["v"] if isinstance(theirs, dict) and "v" in theirs else {}
    attributes = {}
    for name, value in ours["v"].items():
        new = names.get(f"{cls}.{name}", name)
        if new not in known:
            continue
        seen = other.get(new)
        same = value == defaults.get(name) and seen == known[new]
        attributes[new] = seen if same else _fit(oracle, latest, value, seen)
    return {"o": old, "v": attributes}


def gone(oracle: Oracle, latest: Oracle) -> set[str]:
    """``Class.attribute`` names of that release which the newest does not have any more."""
    found = set()
    names = RELEASES[oracle.version].names
    renamed = {(names.get(k.split(".")[0], k.split(".")[0]), v) for k, v in names.items() if "." in k}
    for cls, facts in oracle.facts["classes"].items():
        if cls in latest.facts["classes"]:
            newest = latest.facts["classes"][cls]["attributes"]
            found |= {f"{cls}.{a}" for a in facts["attributes"] if a not in newest and (cls, a) not in renamed}
    return found
