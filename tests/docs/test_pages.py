"""The pages below ``docs``: links lead somewhere, lists are complete, words are those of the code."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ibwire.spec.model import Row
from ibwire.spec.registry import INCOMING, OUTGOING
from ibwire.wire.plan import OpCode, ProtoCode
from tools import generate

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(p.relative_to(ROOT).as_posix() for p in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
RECORDS = sorted((ROOT / "docs/adr").glob("[0-9]*.md"))
HEADINGS = ["Context", "Decision", "Measured", "Consequences", "Reopen when"]


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", (ROOT / page).read_text())
    local = [link for link in links if not link.startswith("http")]
    assert [link for link in local if not (ROOT / page).parent.joinpath(link).exists()] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_headings_and_one_page(record: Path) -> None:
    text = record.read_text()
    assert text.startswith(f"# {record.stem[:4]} ")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert len(text.splitlines()) <= 70


def test_the_index_of_decision_records_is_complete() -> None:
    index = (ROOT / "docs/adr/README.md").read_text()
    listed = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\)", index, re.MULTILINE)
    assert listed == [(path.name[:4], path.name) for path in RECORDS]


def test_every_generated_file_is_on_the_page_about_them() -> None:
    page = (ROOT / "docs/generated.md").read_text()
    listed = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(path.relative_to(ROOT).as_posix() for path in generate.outputs())


def test_ops_are_called_what_the_plan_calls_them() -> None:
    page = (ROOT / "docs/wire.md").read_text()
    section = page.split("## From a row to a plan")[1].split("**Profiles.**")[0]
    assert set(re.findall(r"`([A-Z][A-Z0-9]+)`", section)) == {op.name for op in (*OpCode, *ProtoCode)}


def test_the_wire_page_counts_messages_of_one_dialect_rightly() -> None:
    rows: list[Row] = [*INCOMING.values(), *OUTGOING.values()]
    assert len([row for row in rows if not row.proto]) == 6
    assert len([row for row in rows if row.text is None]) == 6
    page = " ".join((ROOT / "docs/wire.md").read_text().split())
    assert "Six messages have no protobuf form at any version, six have no text form." in page
