"""How messages look in a terminal and as JSON. Nothing unset is ever shown as a number."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from ibwire.spec import ticks

__all__ = ["flat", "plain_value", "to_json", "value_text"]


def value_text(value: Any, name: str = "") -> str:
    """One scalar as text: unset, quoted where blank, numbers without noise."""
    if value is None:
        return "unset"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value and value.isprintable() and value == value.strip() else json.dumps(value)
    if isinstance(value, bytes):
        return f"{len(value)} bytes: {value[:24].hex(' ')}{' ...' if len(value) > 24 else ''}"
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, int) and name == "tickType":
        known = ticks.NAMES.get(value)
        return f"{value} ({known})" if known else str(value)
    return repr(value) if isinstance(value, float) else str(value)


def flat(fields: Mapping[str, Any], *, everything: bool = False) -> Iterator[tuple[str, str]]:
    """(path, text) of every value; a message's own fields always, those of its structs where they say something."""
    for name, value in fields.items():
        yield from _walk(name, value, everything)


def _walk(path: str, value: Any, everything: bool) -> Iterator[tuple[str, str]]:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        shown = False
        for f in dataclasses.fields(value):
            inner = getattr(value, f.name)
            if everything or not _says_nothing(f, inner):
                shown = True
                yield from _walk(f"{path}.{f.name}", inner, everything)
        if not shown:
            yield path, "(all unset)"
    elif isinstance(value, list | tuple):
        if not value:
            yield path, "none"
        elif not any(dataclasses.is_dataclass(item) for item in value):
            yield path, ", ".join(value_text(item) for item in value)
        else:
            for index, item in enumerate(value):
                yield from _walk(f"{path}[{index}]", item, everything)
    else:
        yield path, value_text(value, path.rpartition(".")[2])


def _says_nothing(f: dataclasses.Field[Any], value: Any) -> bool:
    if value is None or value == "" or value == []:
        return True
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return all(_says_nothing(inner, getattr(value, inner.name)) for inner in dataclasses.fields(value))
    return bool(f.default is not dataclasses.MISSING and value == f.default)


def plain_value(value: Any) -> Any:
    """A value as JSON has it: unset is null, a Decimal keeps its digits as text, a struct is an object."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain_value(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, list | tuple):
        return [plain_value(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain_value(item) for key, item in value.items()}
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)  # JSON has no infinity; a text says which
    return value


def to_json(value: Any) -> str:
    """One line of JSON."""
    return json.dumps(plain_value(value), ensure_ascii=False, allow_nan=False)
