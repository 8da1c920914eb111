"""Scenarios: what is to happen to the simulated gateway's clients, and when. A TOML file, or the same in Python.

::

    scenario = Scenario(title="The cancel comes too late")
    scenario.rule(
        when={"request": "cancelOrder", "nth": 1},
        do=[{"refuse": {"code": 10148, "text": "..."}}, {"fill": {"size": 100}, "after_ms": 5}],
    )

is what this file says::

    title = "The cancel comes too late"
    [[rule]]
    when = { request = "cancelOrder", nth = 1 }
    do = [{ refuse = { code = 10148, text = "..." } }, { fill = 100, after_ms = 5 }]

`vocabulary` has every word; `director` does what they say. In Python `do` may also be a function of an `Occasion`.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

from ibwire.errors import ScenarioError
from ibwire.sim import tomlines
from ibwire.sim.vocabulary import (
    ACTIONS,
    COMMON,
    GATEWAY,
    IMMEDIATE,
    KINDS,
    LATENCY,
    MANNERS,
    PACING,
    TOP,
    TRIGGERS,
    WHEN,
    Action,
    Key,
)
from ibwire.sim.working import Latency, Manners
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.types import incoming

_NS_PER_MS = 1_000_000
_FOLDER = "scenarios"
REQUESTS = frozenset(row.name for row in OUTGOING.values())
MESSAGES = frozenset(row.name for row in INCOMING.values())


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: the action's name, its value, and when and for what."""

    name: str
    value: Any
    after_ms: float = 0
    order_id: int | None = None
    client: int | None = None


@dataclass(slots=True)
class Rule:
    """When what happens. `do` are steps, or in Python a function that is called with an `Occasion`."""

    when: dict[str, Any]
    do: tuple[Step, ...] | Callable[[Any], object]


@dataclass(slots=True)
class Scenario:
    """What is to happen.

    Parameters
    ----------
    title, about, items, sequence
        For readers; see `vocabulary.TOP`.
    seed : int, optional
        Of the world, unless the caller gives one.
    gateway, pacing : mapping
        Settings; see `vocabulary.GATEWAY` and `vocabulary.PACING`.
    manners : Manners, optional
    latency : Latency, optional
    source : str
        Where it came from, for errors.
    """

    title: str = ""
    about: str = ""
    items: tuple[int, ...] = ()
    sequence: tuple[str, ...] = ()
    seed: int | None = None
    gateway: dict[str, Any] = field(default_factory=dict)
    manners: Manners | None = None
    latency: Latency | None = None
    pacing: dict[str, Any] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    source: str = field(default="scenario", compare=False)

    def rule(self, when: Mapping[str, Any], do: Any) -> Scenario:
        """Add a rule and return the scenario.

        Parameters
        ----------
        when : mapping
            Keys of `vocabulary.WHEN`.
        do : mapping, list of mappings, or callable
            Actions of `vocabulary.ACTIONS`; a function is called with the `Occasion`.

        Raises
        ------
        ScenarioError
            If a key or a value is not one.
        """
        reader = _Reader(self.source, {})
        self.rules.append(reader.rule({"when": dict(when), "do": do}, ("rule", len(self.rules))))
        return self

    @classmethod
    def parse(cls, text: str, source: str = "scenario") -> Scenario:
        """Read a scenario from TOML text. Raises ScenarioError, which names the line and the key."""
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise ScenarioError(f"this is not TOML: {error}", source=source) from None
        return _Reader(source, tomlines.lines_of(text)).scenario(data)

    @classmethod
    def load(cls, where: str | Path) -> Scenario:
        """Read a ready scenario by its name, or one from a file.

        Raises
        ------
        ScenarioError
            If there is no such name or file, or what is in it is wrong.
        """
        if isinstance(where, str) and where in names():
            found = resources.files(__package__).joinpath(_FOLDER, f"{where}.toml")
            return cls.parse(found.read_text(encoding="utf-8"), f"{where}.toml")
        try:
            text = Path(where).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            raise ScenarioError("this is not UTF-8 text", source=str(where)) from None
        except OSError as error:
            near = difflib.get_close_matches(str(where), names(), 1, 0.5)
            hint = f"did you mean {near[0]!r}?" if near else "ibwire sim --list names the ready ones"
            raise ScenarioError(f"no scenario: {error.strerror}", source=str(where), hint=hint) from None
        return cls.parse(text, str(where))


def names() -> list[str]:
    """Return the names of the ready scenarios, sorted."""
    files = resources.files(__package__).joinpath(_FOLDER).iterdir()
    return sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml"))


class _Reader:
    """Turns plain data into a scenario, and knows on which line each key stands."""

    def __init__(self, source: str, lines: dict[tomlines.Path, int]) -> None:
        self._source, self._lines = source, lines

    def fail(self, path: tomlines.Path, problem: str, hint: str = "") -> ScenarioError:
        """An error that says where."""
        line, known = 0, path
        while known and not line:
            line, known = self._lines.get(known, 0), known[:-1]
        key = ""
        for part in path:
            key += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if key else part
        return ScenarioError(problem, source=self._source, line=line, key=key, hint=hint)

    # -- tables ------------------------------------------------------------------------------------------------------

    def scenario(self, data: dict[str, Any]) -> Scenario:
        self.check(data, TOP, ())
        found = Scenario(source=self._source, seed=data.get("seed"))
        found.title, found.about = data.get("title", ""), data.get("about", "").strip()
        items = data.get("items", ())
        found.items = tuple(items) if isinstance(items, list) else (items,) if items else ()
        found.sequence = tuple(data.get("sequence", ()))
        found.gateway = dict(self.table(data, "gateway", GATEWAY))
        found.pacing = dict(self.table(data, "pacing", PACING))
        if "manners" in data:
            found.manners = Manners(**dict(self.habits(self.table(data, "manners", MANNERS))))
        if "latency_ms" in data:
            spans = self.table(data, "latency_ms", LATENCY).items()
            found.latency = Latency(**{f"{name}_ns": _span_ns(value) for name, value in spans})
        rules = data.get("rule", [])
        if not isinstance(rules, list):
            raise self.fail(("rule",), "rules are written [[rule]]")
        for number, rule in enumerate(rules):
            found.rules.append(self.rule(rule, ("rule", number)))
        return found

    def habits(self, table: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        for name, value in table.items():
            yield (f"{name.removesuffix('_ms')}_ns", _span_ns(value)) if name.endswith("_ms") else (name, value)

    def table(self, data: dict[str, Any], name: str, known: dict[str, Key]) -> dict[str, Any]:
        found = data.get(name, {})
        if not isinstance(found, dict):
            raise self.fail((name,), f"is {found!r}, not a table")
        self.check(found, known, (name,))
        return found

    def check(self, table: dict[str, Any], known: Mapping[str, Key], path: tomlines.Path) -> None:
        """Every key is known and has a value of its kind."""
        for name, value in table.items():
            key = known.get(name)
            if key is None:
                raise self.unknown((*path, name), name, known)
            self.value(key, value, (*path, name))

    def unknown(self, path: tomlines.Path, name: str, known: Mapping[str, object]) -> ScenarioError:
        near = difflib.get_close_matches(name, known, 1, 0.5)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
        return self.fail(path, "there is no such key", hint)

    def value(self, key: Key, value: Any, path: tomlines.Path) -> None:
        if not _is_kind(key.kind, value):
            raise self.fail(path, f"is {value!r}, not {KINDS[key.kind]}")
        if key.least is not None and any(one < key.least for one in _each(value)):
            raise self.fail(path, f"is {value!r}; it must be at least {key.least}")
        if key.words and value not in key.words:
            raise self.fail(path, f"is {value!r}", f"say {', '.join(key.words)}")

    # -- rules -------------------------------------------------------------------------------------------------------

    def rule(self, data: Any, path: tomlines.Path) -> Rule:
        if not isinstance(data, dict):
            raise self.fail(path, "a rule is a table with when and do")
        for name in data:
            if name not in ("when", "do"):
                raise self.unknown((*path, name), name, {"when": 0, "do": 0})
        for name in ("when", "do"):
            if name not in data:
                raise self.fail(path, f"a rule without {name}")
        when = data["when"]
        if not isinstance(when, dict):
            raise self.fail((*path, "when"), f"is {when!r}, not a table")
        trigger = self.trigger(when, (*path, "when"))
        do = data["do"]
        if callable(do):
            return Rule(when, do)
        listed = do if isinstance(do, list) else [do]
        if not listed:
            raise self.fail((*path, "do"), "is empty: nothing would happen")
        place = (*path, "do")
        steps = [
            self.step(one, (*place, number) if isinstance(do, list) else place, trigger)
            for number, one in enumerate(listed)
        ]
        return Rule(when, tuple(steps))

    def trigger(self, when: dict[str, Any], path: tomlines.Path) -> str:
        """Check a `when` and return which trigger it has."""
        self.check(when, WHEN, path)
        triggers = [name for name in TRIGGERS if name in when]
        if len(triggers) != 1:
            raise self.fail(path, "needs exactly one of " + ", ".join(TRIGGERS))
        if "every_s" in when and "at_s" not in when:
            raise self.fail((*path, "every_s"), "goes with at_s")
        for name, known in (("request", REQUESTS), ("message", MESSAGES)):
            for one in _each(when.get(name, [])):
                if one not in known:
                    near = difflib.get_close_matches(one, known, 1, 0.5)
                    hint = f"did you mean {near[0]}?" if near else "docs/messages.md lists them"
                    raise self.fail((*path, name), f"there is no message {one!r} in that direction", hint)
        return triggers[0]

    def step(self, data: Any, path: tomlines.Path, trigger: str) -> Step:
        if not isinstance(data, dict):
            raise self.fail(path, f"is {data!r}, not a table")
        for name in data:
            if name not in ACTIONS and name not in COMMON:
                raise self.unknown((*path, name), name, {**ACTIONS, **COMMON})
        self.check({name: value for name, value in data.items() if name in COMMON}, COMMON, path)
        chosen = [name for name in data if name in ACTIONS]
        if len(chosen) != 1:
            raise self.fail(path, f"needs exactly one action, not {len(chosen)}")
        name = chosen[0]
        action, place = ACTIONS[name], (*path, name)
        self.scope(name, action, trigger, data, place)
        return Step(
            name,
            self.argument(action, data[name], place),
            data.get("after_ms", 0),
            data.get("order_id"),
            data.get("client"),
        )

    def scope(self, name: str, action: Action, trigger: str, data: dict[str, Any], path: tomlines.Path) -> None:
        """The action makes sense for what triggers it."""
        if name in IMMEDIATE and "after_ms" in data:
            raise self.fail((*path[:-1], "after_ms"), f"{name} decides at once")
        scopes = action.scope.split()
        if set(scopes) <= {"request", "message"} and trigger not in scopes:
            raise self.fail(path, f"needs a {' or a '.join(scopes)} as its trigger, not {trigger}")
        if "handshake" in scopes and trigger != "event":
            raise self.fail(path, 'goes with event = "handshake"')
        if scopes == ["order"] and trigger in ("event", "at_s") and ("order_id" not in data or "client" not in data):
            raise self.fail(path, f"with {trigger} it must say for which order: client and order_id")
        if scopes == ["client"] and trigger == "at_s" and "client" not in data:
            raise self.fail(path, "with at_s it must say for which client")

    def argument(self, action: Action, value: Any, path: tomlines.Path) -> Any:
        keys = action.value
        if isinstance(keys, Key):
            self.value(keys, value, path)
            return value
        if value is True:  # `restart = true`: everything by default
            return {}
        if not isinstance(value, dict):
            if not action.main:
                raise self.fail(path, f"is {value!r}, not a table with {', '.join(keys)}")
            value = {action.main: value}
            self.value(keys[action.main], value[action.main], path)
        self.check(value, keys, path)
        if path[-1] == "send" and value.get("message") not in MESSAGES:
            near = difflib.get_close_matches(str(value.get("message")), MESSAGES, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else "docs/messages.md lists them"
            raise self.fail((*path, "message"), f"there is no message {value.get('message')!r}", hint)
        if path[-1] == "send":
            self.fields_of(value, path)
        return value

    def fields_of(self, value: dict[str, Any], path: tomlines.Path) -> None:
        kind = {cls.NAME: cls for cls in incoming.CLASSES.values()}[value["message"]]
        for name in value.get("fields", {}):
            if name not in kind.__dataclass_fields__:
                raise self.unknown((*path, "fields", name), name, kind.__dataclass_fields__)


def _each(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == value


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_kind(kind: str, value: Any) -> bool:
    if kind == "ints":
        return bool(_each(value)) and all(map(_is_int, _each(value)))
    if kind == "texts":
        return all(isinstance(one, str) for one in _each(value))
    if kind == "span":
        numbers = _each(value)
        return len(numbers) in (1, 2) and all(map(_is_number, numbers)) and numbers[0] <= numbers[-1]
    if kind == "table":
        return isinstance(value, dict)
    checks: dict[str, Callable[[Any], bool]] = {
        "int": _is_int,
        "number": _is_number,
        "text": lambda one: isinstance(one, str),
        "flag": lambda one: isinstance(one, bool),
    }
    return checks.get(kind, lambda one: True)(value)


def _span_ns(value: Any) -> tuple[int, int]:
    numbers = [round(one * _NS_PER_MS) for one in _each(value)]
    return numbers[0], numbers[-1]
