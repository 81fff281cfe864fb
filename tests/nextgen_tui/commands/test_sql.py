"""`nextgen sql` answers, remembers what was asked, and refuses in words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nextgen_tui.cli import exit_codes
from nextgen_tui.remembered.typed_history import MAX_KEPT, TypedHistory
from tests.nextgen_tui.runner import Run, json_of

QUESTION = "SELECT ticker, horizon, point FROM predictions ORDER BY ticker, horizon"


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_a_question_is_answered_as_a_table_and_as_json(run: Run) -> None:
    code, out, _ = run("sql", QUESTION)
    assert code == exit_codes.DONE and out.splitlines()[0].split() == ["ticker", "horizon", "point"]
    told = json_of(run, "sql", QUESTION)
    assert [(one["ticker"], one["horizon"]) for one in told] == [("ACME", 1), ("ACME", 5), ("ZETA", 1), ("ZETA", 5)]


def test_the_limit_is_kept_and_told(run: Run) -> None:
    code, out, err = run("sql", QUESTION, "--limit", "2")
    assert code == exit_codes.DONE and len(out.strip().splitlines()) == 4
    assert "the first 2 rows; there are more" in err
    assert len(json_of(run, "sql", QUESTION, "--limit", "3")) == 3


def test_what_was_asked_is_remembered_once_and_what_was_refused_is_not(run: Run, own_state: Path) -> None:
    for question in (QUESTION, "SELECT 1 AS one", QUESTION):
        run("sql", question)
    assert run("sql", "SELECT * FROM read_csv('/etc/passwd')")[0] == exit_codes.USAGE
    assert json_of(run, "sql", "--history") == ["SELECT 1 AS one", QUESTION]
    (file,) = own_state.iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_a_mistake_is_a_sentence_with_the_nearest_name(run: Run) -> None:
    code, _, err = run("sql", "SELECT pont FROM predictions")
    assert code == exit_codes.USAGE and "there is no column 'pont'; did you mean 'point'?" in err
    assert run("sql")[0] == exit_codes.USAGE


def test_a_moment_cuts_what_came_later(run: Run) -> None:
    assert json_of(run, "sql", "SELECT count(*) AS n FROM predictions", "--as-of", "2021-01-01") == [{"n": 0}]


def test_a_history_that_is_damaged_or_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    file = tmp_path / "history"
    file.write_text('"one"\nnot json\n7\n"two"\n')
    history = TypedHistory(file)
    assert history.texts() == ["one", "two"]
    history.add("a\nb")
    assert [json.loads(line) for line in file.read_text().splitlines()] == ["one", "two", "a\nb"]
    (tmp_path / "taken").write_text("")
    blocked = TypedHistory(tmp_path / "taken" / "history")
    blocked.add("x")
    assert blocked.texts() == ["x"]


def test_a_history_ends_somewhere(tmp_path: Path) -> None:
    history = TypedHistory(tmp_path / "history")
    for number in range(MAX_KEPT + 3):
        history.add(str(number))
    assert TypedHistory(tmp_path / "history").texts() == [str(number) for number in range(3, MAX_KEPT + 3)]
