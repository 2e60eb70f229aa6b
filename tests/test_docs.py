"""The documents say what the code does."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from store import models

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.rglob("*.md")])


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["settings", "commands"])
def test_generated_pages_are_up_to_date(generator: ModuleType, name: str) -> None:
    written = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    assert written == getattr(generator, f"{name}_page")(), "run: make docs"


def test_every_link_between_the_documents_leads_somewhere() -> None:
    missing = [
        f"{page.relative_to(ROOT)} → {target}"
        for page in PAGES
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8"))
        if not target.startswith(("http", "mailto:")) and not (page.parent / target).exists()
    ]
    assert missing == []


def test_the_glossary_knows_the_nouns_of_the_tables() -> None:
    glossary = (DOCS / "glossary.md").read_text(encoding="utf-8").lower()
    nouns = [
        "article", "assessment", "author", "brand", "canned response", "conversation", "customer",
        "detection", "incident", "job", "lease", "mention", "notification", "override", "reply",
        "rollup", "rule", "source", "ticket", "watermark",
    ]  # fmt: skip
    tables = {name.replace("_", " ") for name in models.Base.metadata.tables}
    assert [noun for noun in nouns if noun not in tables] == []
    assert [noun for noun in nouns if f"| {noun}" not in glossary and noun not in glossary] == []


def test_the_glossary_gives_every_term_in_chinese() -> None:
    rows = re.findall(r"^\| (?!term|-)(.+?) \| (.*?) \|", (DOCS / "glossary.md").read_text(), re.M)
    assert len(rows) > 40
    assert [term for term, chinese in rows if not re.search("[\u4e00-\u9fff]", chinese)] == []


def test_the_readme_shows_both_commands_in_both_languages() -> None:
    for name in ("README.md", "README.zh.md"):
        words = (ROOT / name).read_text(encoding="utf-8")
        assert "make up" in words, name
        assert "make test" in words, name


def test_the_changelog_has_an_unreleased_part() -> None:
    assert "## Unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_every_target_of_the_makefile_is_in_its_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in ("up", "install", "test", "test-servers", "lint", "bench", "clean"):
        assert re.search(rf"^{target}:.*## ", makefile, re.M), target


def test_the_exact_versions_hold_no_addresses() -> None:
    lines = (ROOT / "constraints.txt").read_text().split()
    assert len(lines) > 100
    assert [
        line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.]+", line)
    ] == []
