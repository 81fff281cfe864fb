"""`nextgen report` tells the book's sessions on the terminal, as a page, and as data."""

from __future__ import annotations

from pathlib import Path

import pytest

from lake.store import Lake
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from tests.copies import copy_lake
from tests.nextgen_tui.runner import Run, json_of
from tests.pipeline.reading.report.conftest import book_lake as book_lake

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


@pytest.fixture
def run(book_lake: Lake, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `nextgen` on a copy of the small book."""
    path = copy_lake(book_lake.path, tmp_path / "lake")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = outcome([*arguments, "--lake", str(path)])
        out, err = capsys.readouterr()
        return code, out, err

    return call


def test_the_same_figures_come_as_data_and_as_a_page(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    told = json_of(run, "report", "--from", "2022-01-31", "--html", str(page), "--trials", "4")
    assert told["summary"]["book"]["value"] == "1039.50"
    assert (told["summary"]["first"], told["summary"]["sessions"]) == ("2022-01-31", 4)
    assert told["figures"]["evidence"]["trials"] == 4
    written = page.read_text(encoding="utf-8")
    assert "1,039.50" in written
    assert f"--from 2022-01-31 --to 2022-02-03 --trials 4 --html {page} --lake {tmp_path / 'lake'}" in written
    run("report", "--from", "2022-01-31", "--html", str(page), "--trials", "4")
    assert page.read_text(encoding="utf-8") == written


def test_the_terminal_shows_it_without_a_page(run: Run) -> None:
    code, out, _ = run("report")
    assert code == exit_codes.DONE
    assert "Returns by month" in out


def test_a_page_is_not_written_into_the_lake_or_nowhere(run: Run, tmp_path: Path) -> None:
    code, _, err = run("report", "--html", str(tmp_path / "lake" / "tables" / "x.html"))
    assert (code, "lies in the lake" in err) == (exit_codes.USAGE, True)
    code, _, err = run("report", "--html", str(tmp_path / "nowhere" / "x.html"))
    assert (code, "there is no folder" in err) == (exit_codes.USAGE, True)


def test_sessions_that_the_book_has_not_are_refused_with_those_it_has(run: Run) -> None:
    code, _, err = run("report", "--from", "2023-01-01")
    assert code == exit_codes.USAGE
    assert "it has 5 sessions from 2022-01-28 to 2022-02-03" in " ".join(err.split())
    code, _, err = run("report", "--from", "2022-02-02", "--to", "2022-02-01")
    assert (code, "cannot end earlier" in err) == (exit_codes.USAGE, True)
