"""`nextgen branch`, `compare-runs`, `what-if`, `experiment` and `holdout` say what they did, or what is wrong."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from lake.branches.branch import BRANCHES, list_branches
from lake.store import Lake
from lake.tables.books import PORTFOLIO_VALUE
from nextgen_tui.cli import exit_codes
from tests.frames.trading import DAYS, SETTLE, World, bar, free
from tests.nextgen_tui.lakes import publish
from tests.nextgen_tui.runner import Run, json_of


@pytest.fixture(scope="module")
def values() -> pl.DataFrame:
    """A book's worth in some sessions. Tests only read it."""
    world = World(*[bar("AAA", day, 10.0 + n) for n, day in enumerate(DAYS[:4])], params=free(), settling=SETTLE)
    world.order(DAYS[0], "AAA", "buy", 100)
    world.settle_to(DAYS[3])
    return world.rows(PORTFOLIO_VALUE.name)


@pytest.fixture
def valued(lake: Lake, values: pl.DataFrame) -> Lake:
    """A lake with a book of some sessions."""
    publish(lake, PORTFOLIO_VALUE, values, name="value-of-some-sessions")
    return lake


def words(text: str) -> str:
    return " ".join(text.split())


def test_a_branch_is_made_listed_worked_on_and_discarded(run: Run, valued: Lake) -> None:
    code, out, _ = run("branch", "create", "one", "--reason", "to try something")
    assert (code, "Made branch one" in out) == (exit_codes.DONE, True)
    listed = json_of(run, "branch", "list")
    assert [(one["name"], one["reason"]) for one in listed] == [("one", "to try something")]
    shown = json_of(run, "--branch", "one", "show", "portfolio_value")
    assert shown == json_of(run, "show", "portfolio_value")
    code, out, _ = run("--branch", "one", "branch", "create", "two")
    assert (code, f"--lake {valued.path}/branches/one --branch two" in words(out)) == (exit_codes.DONE, True)
    assert run("--branch", "one", "branch", "discard", "two")[0] == exit_codes.DONE
    assert run("branch", "discard", "one")[0] == exit_codes.DONE
    assert list_branches(valued.path) == []


def test_two_that_are_the_same_are_called_equal(run: Run, valued: Lake) -> None:
    run("branch", "create", "one")
    told = json_of(run, "compare-runs", "main", "one")
    assert (told["verdict"], told["first_difference"], told["sessions"]) == ("equal", None, 4)
    assert json_of(run, "branch", "diff", "one")["verdict"] == "equal"
    assert "not one row differs" in words(run("compare-runs", "main", "one")[1])


def test_a_branch_with_other_settings_can_be_merged_with_a_reason(run: Run, valued: Lake) -> None:
    run("branch", "create", "one")
    (valued.path / BRANCHES / "one" / "nextgen.toml").write_text("[trading.costs]\nimpact = 0.5\n", encoding="utf-8")
    told = json_of(run, "branch", "merge", "one", "--dry-run")
    assert told["settings"] == {"trading.costs.impact": ["1.0", "0.5"]}
    assert (told["models"], told["champion"], told["writes"]) == ([], None, {"branch_merges": 1})
    assert "It would write 1 row of branch_merges, nextgen.toml." in words(
        run("branch", "merge", "one", "--dry-run")[1]
    )
    code, _, err = run("branch", "merge", "one")
    assert (code, "say why" in words(err)) == (exit_codes.USAGE, True)
    code, _, err = run("branch", "merge", "one", "--reason", "x" * 990)
    assert (code, "in 18 characters less" in words(err)) == (exit_codes.USAGE, True)
    assert not (valued.path / "nextgen.toml").exists()
    assert json_of(run, "branch", "merge", "one", "--reason", "it was cheaper")["merged"] is True
    assert "impact = 0.5" in (valued.path / "nextgen.toml").read_text(encoding="utf-8")
    code, _, err = run("branch", "merge", "one", "--reason", "again")
    assert (code, "nothing to merge" in words(err)) == (exit_codes.USAGE, True)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("branch", "create", "../up"), "cannot be the name of a branch"),
        (("branch", "create", "main"), "is the lake itself"),
        (("branch", "create", "one", "--at", "2001-01-02"), "no cycle of 2001-01-02 is published"),
        (("branch", "discard", "nobody"), "there is no branch nobody"),
        (("branch", "merge", "nobody", "--reason", "why"), "there is no branch nobody"),
        (("--branch", "nobody", "status"), "there is no branch nobody"),
        (("compare-runs", "main", "nobody"), "there is no branch nobody"),
        (("compare-runs", "main", "main", "--metric", "luck"), "there is no figure 'luck'"),
        (("compare-runs", "main", "main", "--from", "2099-01-05"), "have no session of their books in common"),
        (("what-if", "--set", "trading.costs.impact=0.5"), "has run fewer than two sessions"),
        (("what-if", "--set", "trading.costs.impct=0.5"), "did you mean trading.costs.impact"),
        (
            ("what-if", "--set", "trading.costs.impact=0.5", "--set", "trading.costs.impact=1"),
            "two values, 0.5 and 1.0",
        ),
        (("propose", "--write", "nowhere/kept.py"), "for the plugin; make it first, or choose another with --write"),
        (("experiment", "show", "nothing"), "there is no experiment nothing"),
        (("experiment", "promote", "nothing", "one", "--reason", "why"), "there is no experiment nothing"),
        (("propose", "--dry-run"), "sessions"),
        (("propose", "--author"), "no language model is named that could propose factors"),
        (("holdout", "open", "--reason", "why"), "nothing is put aside"),
        (("holdout", "open", "--reason", "x" * 1_001), "it has 1,001 characters, and at most 1,000 are recorded"),
        (("pause", "--reason", "x" * 1_001), "it has 1,001 characters, and at most 1,000 are recorded"),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_made(
    run: Run, valued: Lake, arguments: tuple[str, ...], said: str
) -> None:
    code, _, err = run(*arguments)
    assert (code, said in words(err)) == (exit_codes.USAGE, True), err
    assert list_branches(valued.path) == []


def test_an_experiment_that_cannot_be_run_is_not_registered(run: Run, valued: Lake, tmp_path: Path) -> None:
    file = tmp_path / "spec.toml"
    file.write_text(
        'name = "one"\nquestion = "?"\nkill = "!"\nfrom = 2021-01-04\nto = 2021-01-05\n[[variant]]\nname = "a"\n'
    )
    for also in ((), ("--dry-run",)):
        code, _, err = run("experiment", "run", str(file), *also)
        assert (code, "needs the cycle of a session before it" in words(err)) == (exit_codes.USAGE, True)
    file.write_bytes(file.read_bytes() + "# café".encode("latin-1"))
    code, _, err = run("experiment", "run", str(file))
    assert (code, "is not UTF-8 text" in words(err)) == (exit_codes.USAGE, True)
    assert json_of(run, "experiment", "list") == []
    assert json_of(run, "holdout") == {"holdout": None, "trials": 0, "openings": []}
