"""The documents say what is so: their code runs, and what is generated is current."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.main import get_command

from readhead.cli import app
from readhead.vocabulary import as_markdown

ROOT = Path(__file__).parents[2]


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)


def test_the_vocabulary_page_is_current() -> None:
    assert (ROOT / "docs" / "vocabulary.md").read_text("utf-8") == as_markdown(), "run `make docs`"


@pytest.mark.slow
def test_the_python_page_runs() -> None:
    names: dict[str, object] = {}
    for block in blocks("docs/python.md", "python"):
        exec(compile(block, "docs/python.md", "exec"), names)


def test_the_readme_lists_every_command() -> None:
    listed = set(re.findall(r"^\| `readhead (\w+)", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE))
    assert listed == set(get_command(app).commands)  # type: ignore[attr-defined]  # typer types it as one command


PAGES = ["README.md", "CONTRIBUTING.md", *(str(page.relative_to(ROOT)) for page in (ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("page", PAGES)
def test_every_link_between_documents_leads_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / page).read_text("utf-8")):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target
