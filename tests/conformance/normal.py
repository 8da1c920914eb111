"""The JSON notation in which the oracles and ibwire are compared.

Standard library only: ``oracle_worker.py`` loads this very file inside the oracle's process.

========================  =====================================================================
value                     notation
========================  =====================================================================
None, bool, int, str      as they are
float                     ``{"f": repr}``, so that nan, inf and every bit survive
Decimal                   ``{"d": str}``
bytes                     ``{"b": hex}``
Enum member               ``{"e": name}`` (``"t": type name`` may be added on the way in)
list, tuple               list
set, frozenset            ``{"set": [...]}``, sorted
dict                      ``{"m": [[key, value], ...]}``, sorted by key
any other object          ``{"o": type name, "v": {attribute: value}}``, public attributes
protobuf message (in)     ``{"pb": message name, "hex": bytes}``
========================  =====================================================================
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

JSON = Any  # a recursive alias would make every test index through casts

_MISSING = object()


class Notation(dict[str, Any]):
    """A dictionary that is notation already: :func:`normalise` leaves it as it is."""


def normalise(value: object) -> JSON:
    """Write `value` in the notation.

    Parameters
    ----------
    value : object
        Any Python value; objects are taken apart by ``__dict__`` and ``__slots__``, names with a
        leading underscore left out.

    Returns
    -------
    JSON-able value
        Two equal results mean equal values, types included.
    """
    if isinstance(value, Notation):
        return value
    if isinstance(value, Enum):
        return {"e": value.name}
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return {"f": repr(float(value))}
    if isinstance(value, Decimal):
        return {"d": str(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"b": bytes(value).hex()}
    if isinstance(value, (list, tuple)):
        return [normalise(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return {"set": sorted((normalise(item) for item in value), key=_sort_key)}
    if isinstance(value, Mapping):
        pairs = [[normalise(key), normalise(item)] for key, item in value.items()]
        return {"m": sorted(pairs, key=lambda pair: _sort_key(pair[0]))}
    return obj(type(value).__name__, **dict(_attributes(value)))


def obj(type_name: str, /, **attributes: object) -> JSON:
    """Write an object by hand: ``obj("Contract", symbol="AAPL", comboLegs=[obj("ComboLeg", ratio=1)])``."""
    return Notation(o=type_name, v={name: normalise(item) for name, item in attributes.items()})


def pb(message_name: str, data: bytes) -> JSON:
    """Write a protobuf message, for the requests that take one."""
    return Notation(pb=message_name, hex=data.hex())


def denormalise(value: JSON, build: Callable[[str, JSON], object]) -> Any:
    """Read the notation back.

    Parameters
    ----------
    value : JSON-able value
        What :func:`normalise` or :func:`obj` gave.
    build : callable
        Called as ``build(kind, value)`` for what needs the reader's own classes: kind is ``"o"``,
        ``"e"`` or ``"pb"`` and value the whole notation of it.

    Raises
    ------
    ValueError
        For a dictionary that is no notation.
    """
    if isinstance(value, list):
        return [denormalise(item, build) for item in value]
    if not isinstance(value, dict):
        return value
    if "f" in value:
        return float(value["f"])
    if "d" in value:
        return Decimal(value["d"])
    if "b" in value:
        return bytes.fromhex(value["b"])
    if "set" in value:
        return {denormalise(item, build) for item in value["set"]}
    if "m" in value:
        return {denormalise(key, build): denormalise(item, build) for key, item in value["m"]}
    for kind in ("o", "e", "pb"):
        if kind in value:
            return build(kind, value)
    raise ValueError(f"not in the notation: {sorted(value)}")


def compare(a: JSON, b: JSON, numeric: bool = False, ignore: Collection[str] = ()) -> str | None:
    """Find the first difference between two values in the notation.

    Parameters
    ----------
    a, b : JSON-able value
        What :func:`normalise` or an oracle gave.
    numeric : bool
        Compare int, float and Decimal by value: an old release has ints where a new one has
        Decimals. With a float on either side both are compared as floats. bool stays bool.
    ignore : collection of str
        ``"Type.attribute"`` names that do not count, also when only one side has them.

    Returns
    -------
    str or None
        ``"[0][1].Contract.strike: 1 != 2"``, or None when nothing differs.
    """
    return next(_differences(a, b, "", numeric, frozenset(ignore)), None)


def _attributes(value: object) -> Iterator[tuple[str, object]]:
    """Slots first, base class first, then the instance dictionary; as declared."""
    for cls in reversed(type(value).__mro__):
        slots = cls.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if not name.startswith("_") and hasattr(value, name):
                yield name, getattr(value, name)
    for name, item in getattr(value, "__dict__", {}).items():
        if not name.startswith("_"):
            yield name, item


def _sort_key(value: JSON) -> tuple[int, float, str]:
    """Numbers by value, then everything else by its text."""
    if isinstance(value, int):
        return (0, float(value), "")
    if isinstance(value, dict) and ("f" in value or "d" in value):
        return (0, float(value["f"] if "f" in value else value["d"]), json.dumps(value, sort_keys=True))
    return (1, 0.0, json.dumps(value, sort_keys=True))


def _number(value: JSON) -> int | float | Decimal | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, dict) and len(value) == 1:
        if "f" in value:
            return float(value["f"])
        if "d" in value:
            return Decimal(value["d"])
    return None


def _equal_numbers(a: int | float | Decimal, b: int | float | Decimal) -> bool:
    if isinstance(a, float) or isinstance(b, float):
        x, y = float(a), float(b)
        return x == y or (x != x and y != y)
    return a == b


def _differences(a: JSON, b: JSON, path: str, numeric: bool, ignore: frozenset[str]) -> Iterator[str]:
    if numeric:
        x, y = _number(a), _number(b)
        if x is not None and y is not None:
            if not _equal_numbers(x, y):
                yield f"{path or 'value'}: {_show(a)} != {_show(b)}"
            return
    if isinstance(a, dict) and isinstance(b, dict):
        yield from _dict_differences(a, b, path, numeric, ignore)
    elif isinstance(a, list) and isinstance(b, list):
        for index, (left, right) in enumerate(zip(a, b, strict=False)):
            yield from _differences(left, right, f"{path}[{index}]", numeric, ignore)
        if len(a) != len(b):
            yield f"{path or 'value'}: {len(a)} items != {len(b)} items: {_show(a)} != {_show(b)}"
    elif type(a) is not type(b) or a != b:
        yield f"{path or 'value'}: {_show(a)} != {_show(b)}"


def _dict_differences(
    a: dict[str, JSON], b: dict[str, JSON], path: str, numeric: bool, ignore: frozenset[str]
) -> Iterator[str]:
    is_object = "o" in a and "o" in b and isinstance(a.get("v"), dict) and isinstance(b.get("v"), dict)
    if is_object and a["o"] == b["o"]:
        type_name, left, right = f".{a['o']}", a["v"], b["v"]
    else:
        type_name, left, right = "", a, b
    for name in list(left) + [name for name in right if name not in left]:
        here = f"{type_name}.{name}"
        if here[1:] in ignore:
            continue
        x, y = left.get(name, _MISSING), right.get(name, _MISSING)
        if x is _MISSING or y is _MISSING:
            yield f"{path}{here}: {_show(x)} != {_show(y)}"
        else:
            yield from _differences(x, y, path + here, numeric, ignore)


def _show(value: JSON) -> str:
    if value is _MISSING:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 200 else text[:200] + "..."
