"""Documents that can drift are held to the code."""

import re
from pathlib import Path

import pytest

from docs.generate import PAGES, stale
from nextgen_tui.cli.main import main

ROOT = Path(__file__).parent.parent
WRITTEN = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_the_generated_pages_say_what_the_code_says() -> None:
    assert not stale(), f"run `make docs`: {stale()} are out of date"


def test_every_command_is_in_the_operators_guide() -> None:
    guide = (ROOT / "docs" / "operating.md").read_text(encoding="utf-8")
    missing = [name for name in main.list_commands(None) if f"nextgen {name}" not in guide]  # type: ignore[arg-type]
    assert not missing, f"docs/operating.md does not speak of {missing}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
        assert (page.parent / target).exists(), f"{page.name} links to {target}, which is not there"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_named_in_the_documents_exist(page: Path) -> None:
    known = set(main.list_commands(None))  # type: ignore[arg-type]
    if page.name in PAGES:
        return
    for name in re.findall(r"`nextgen ([a-z][a-z-]+)", page.read_text(encoding="utf-8")):
        assert name in known, f"{page.name} speaks of `nextgen {name}`, which does not exist"
