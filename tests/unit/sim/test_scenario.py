"""The scenario language: what is wrong is told with file, line and key; Python says the same as TOML."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ibwire.errors import ConfigError, ScenarioError
from ibwire.sim import tomlines
from ibwire.sim.scenario import Scenario, Step, names
from ibwire.sim.vocabulary import ACTIONS, COMMON, GATEWAY, MANNERS, PACING, TOP, WHEN
from ibwire.sim.working import Latency, Manners

RULE = '[[rule]]\nwhen = { request = "placeOrder" }\ndo = { drop = true }\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ('titel = "x"', 1, "titel", "did you mean title?"),
        ("\n\n[gateway]\n\nserver_versoin = 3", 5, "gateway.server_versoin", "did you mean server_version?"),
        ("[gateway]\nserver_version = 99", 2, "gateway.server_version", "at least 100"),
        ("[gateway]\naccounts = [1]", 2, "gateway.accounts", "a list of texts"),
        ("[manners]\nmax_piece = 1", 2, "manners.max_piece", "did you mean max_pieces?"),
        ("[latency_ms]\nfill = [9, 2]", 2, "latency_ms.fill", "[least, most]"),
        ("[pacing]\nstrikes = -1", 2, "pacing.strikes", "at least 0"),
        ("gateway = 3", 1, "gateway", "a table"),
        ("rule = { a = 1 }", 1, "rule", "[[rule]]"),
        ("[[rule]]\nwhen = {}\ndo = {}", 2, "rule[1].when", "exactly one of"),
        ("[[rule]]\ndo = { drop = true }", 1, "rule[1]", "without when"),
        (RULE + "weather = 1", 4, "rule[1].weather", "no such key"),
        (RULE + RULE.replace("placeOrder", "placeOder"), 5, "rule[2].when.request", "did you mean placeOrder?"),
        (RULE.replace("placeOrder", "orderStatus"), 2, "rule[1].when.request", "in that direction"),
        (RULE.replace('"placeOrder"', '"placeOrder", symbl = "A"'), 2, "rule[1].when.symbl", "symbol"),
        ('[[rule]]\nwhen = { event = "lunch" }\ndo = { close = "close" }', 2, "rule[1].when.event", "handshake"),
        ("[[rule]]\nwhen={ every_s = 3, event = 'connect' }\ndo={ silence = true }", 2, "rule[1].when.every_s", "at_s"),
        (RULE.replace("drop = true", "drop = 1"), 3, "rule[1].do.drop", "true or false"),
        (RULE.replace("drop = true", "drp = true"), 3, "rule[1].do.drp", "did you mean drop?"),
        (RULE.replace("drop = true", "drop = true, release = true"), 3, "rule[1].do", "exactly one action"),
        (RULE.replace("drop = true", "drop = true, after_ms = 3"), 3, "rule[1].do.after_ms", "decides at once"),
        (RULE.replace("{ drop = true }", "[]"), 3, "rule[1].do", "nothing would happen"),
        (
            RULE.replace("{ drop = true }", "[\n{ bust = true },\n{ fill = { sze = 3 } }]"),
            *(5, "rule[1].do[2].fill.sze", "size"),
        ),
        (RULE.replace("drop = true", "duplicate = 2"), 3, "rule[1].do.duplicate", "needs a message"),
        (RULE.replace("drop = true", "redirect = 'x'"), 3, "rule[1].do.redirect", "handshake"),
        (RULE.replace("drop = true", "refuse = 201"), 3, "rule[1].do.refuse", "a table with code, text"),
        (RULE.replace("drop = true", "send = { message = 'tickPrise' }"), 3, "rule[1].do.send.message", "tickPrice"),
        (
            RULE.replace("drop = true", "send = { message = 'nextValidId', fields = { orderID = 1 } }"),
            *(3, "rule[1].do.send.fields.orderID", "orderId"),
        ),
        ("[[rule]]\nwhen = { at_s = 1 }\n\ndo = { fill = {} }", 4, "rule[1].do.fill", "client and order_id"),
        ("[[rule]]\nwhen = { at_s = 1 }\ndo = { next_id = 1 }", 3, "rule[1].do.next_id", "which client"),
        ("[[rule]]\nwhen = { at_s = -1 }\ndo = { silence = true }", 2, "rule[1].when.at_s", "at least 0"),
    ],
)
def test_what_is_wrong_is_told_with_line_and_key(text: str, line: int, key: str, said: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        Scenario.parse(text, "mine.toml")
    error = caught.value
    assert (error.source, error.line, error.key) == ("mine.toml", line, key)
    assert str(error).startswith(f"mine.toml:{line}: {key}: ") and said in str(error)
    assert isinstance(error, ConfigError)


def test_what_is_no_toml_or_no_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"not TOML: .*line 2"):
        Scenario.parse("title = 'x'\nrule = = 3\n", "f")
    with pytest.raises(ScenarioError, match="did you mean 'late-fill'"):
        Scenario.load("late-fil")
    (tmp_path / "latin.toml").write_bytes(b'title = "\xfc"')
    with pytest.raises(ScenarioError, match="UTF-8"):
        Scenario.load(tmp_path / "latin.toml")
    (tmp_path / "good.toml").write_text(RULE)
    assert len(Scenario.load(tmp_path / "good.toml").rules) == 1


def test_settings_become_what_the_gateway_takes() -> None:
    found = Scenario.parse(
        "seed = 3\nitems = 4\n[manners]\nmax_pieces = 1\nperm_id_late_ms = [5, 20]\n"
        "[latency_ms]\nfill = 2\nroute = [1, 3]\n"
    )
    assert found.manners == Manners(max_pieces=1, perm_id_late_ns=(5_000_000, 20_000_000))
    assert found.latency == Latency(fill_ns=(2_000_000, 2_000_000), route_ns=(1_000_000, 3_000_000))
    assert (found.seed, found.items) == (3, (4,))


def test_python_says_the_same() -> None:
    text = RULE + "do_not = 1"
    made = Scenario().rule({"request": "placeOrder"}, {"drop": True})
    assert made == Scenario.parse(RULE) and made.rules[0].do == (Step("drop", True),)
    with pytest.raises(ScenarioError, match=r"rule\[2\].do.drp"):
        made.rule({"request": "placeOrder"}, {"drp": True})
    with pytest.raises(ScenarioError):
        Scenario.parse(text)
    calls: list[object] = []
    assert Scenario().rule({"at_s": 1}, calls.append).rules[0].do == calls.append


def test_a_bare_value_means_the_main_key() -> None:
    steps = "[{ fill = 5 }, { restart = 3 }, { bust = true }]"
    found = Scenario.parse(f'[[rule]]\nwhen = {{ message = "execDetails" }}\ndo = {steps}')
    assert [(step.name, step.value) for step in found.rules[0].do] == [  # type: ignore[union-attr]
        *(("fill", {"size": 5}), ("restart", {"down_s": 3}), ("bust", True))
    ]


def test_words_are_explained() -> None:
    for table in (TOP, GATEWAY, MANNERS, PACING, WHEN, COMMON):
        assert all(key.text.endswith(".") or key.text.endswith("`") for key in table.values())
    assert all(action.text.endswith(".") for action in ACTIONS.values()) and len(names()) == 40


# ---------------------------------------------------------------------------------------------- lines

KEYS = st.text("abcxyz", min_size=1, max_size=3)
VALUES = st.recursive(
    st.integers(-9, 9) | st.booleans() | st.sampled_from(["a", "# no", "= x", "[[", "two\nlines", 'q"q', "b\\c"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def toml_of(value: object) -> str:
    """One value in TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml_of(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[\n" + ",\n".join(toml_of(one) for one in value) + "]"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    return str(value)


@given(st.dictionaries(KEYS, VALUES, max_size=5), st.lists(st.dictionaries(KEYS, VALUES, max_size=3), max_size=3))
def test_lines_of_every_key(top: dict[str, object], tables: list[dict[str, object]]) -> None:
    import tomllib

    lines: list[str] = []
    expected: dict[tomlines.Path, int] = {}
    for key, value in top.items():
        lines += ["# a = comment", ""]
        expected[(key,)] = len("\n".join(lines).split("\n")) + 1
        lines.append(f"{key} = {toml_of(value)}  # and = more")
    for number, table in enumerate(tables):
        lines.append("[[many]]")
        for key, value in table.items():
            expected["many", number, key] = len("\n".join(lines).split("\n")) + 1
            lines.append(f"'{key}' = {toml_of(value)}")
    text = "\n".join(lines) + "\n"
    tomllib.loads(text)
    found = tomlines.lines_of(text)
    assert {path: found.get(path) for path in expected} == expected
