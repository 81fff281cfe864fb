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


def test_every_path_named_in_the_documents_exists() -> None:
    roots = "lake|pipeline|nextgen_tui|tests|benchmarks|docs"
    gone = [
        f"{page.relative_to(ROOT)}: {path}"
        for page in WRITTEN
        for path in re.findall(rf"`((?:{roots})/[\w./-]*)", page.read_text(encoding="utf-8"))
        if not (ROOT / path).exists()
    ]
    assert not gone, f"the documents name paths that do not exist: {gone}"


def test_every_test_named_in_the_documents_exists() -> None:
    defined = {
        name
        for file in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    named = {name for page in WRITTEN for name in re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))}
    assert not named - defined, f"the documents name tests that do not exist: {sorted(named - defined)}"


@pytest.mark.parametrize("page", WRITTEN, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_named_in_the_documents_exist(page: Path) -> None:
    known = set(main.list_commands(None))  # type: ignore[arg-type]
    if page.name in PAGES:
        return
    for name in re.findall(r"`nextgen ([a-z][a-z-]+)", page.read_text(encoding="utf-8")):
        assert name in known, f"{page.name} speaks of `nextgen {name}`, which does not exist"
