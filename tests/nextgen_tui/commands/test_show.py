"""`nextgen show`: rows of a table, now and at a past moment."""

from __future__ import annotations

import pytest

from nextgen_tui.cli import exit_codes
from tests.nextgen_tui.runner import Run, json_of

# pandas' own change of mind, inside the calendar library.
pytestmark = pytest.mark.filterwarnings("ignore:Series.values returning")


def test_show_gives_the_rows_as_json_and_as_a_table(run: Run) -> None:
    content = json_of(run, "show", "predictions", "--where", "ticker=ZETA", "--where", "horizon>=5")
    assert [(row["ticker"], row["horizon"], row["session"]) for row in content] == [("ZETA", 5, "2022-03-01")]
    code, out, err = run("show", "predictions", "--columns", "ticker,point", "--limit", "1")
    assert code == exit_codes.DONE
    assert "3.00 %" in out
    assert "the last 1 of 4 rows" in err


@pytest.mark.parametrize(
    "words",
    [
        ("show", "market_prices"), ("sql", "SELECT count(*) FROM predictions"), ("securities",),
        ("features", "momentum_120_20"),
    ],
)  # fmt: skip
def test_nobody_looks_back_from_a_moment_that_has_not_come(run: Run, words: tuple[str, ...]) -> None:
    code, out, err = run(*words, "--as-of", "2999-01-01")
    assert code != exit_codes.DONE and not out
    assert "2999-01-01 23:59 UTC has not come yet" in " ".join(err.split())


def test_show_as_of_a_past_moment_leaves_out_what_was_not_public(run: Run) -> None:
    limit = ("--limit", "1000")
    assert len(json_of(run, "show", "market_prices", *limit)) == 120
    assert len(json_of(run, "show", "market_prices", "--as-of", "2022-02-27", *limit)) == 116
    assert json_of(run, "show", "predictions", "--as-of", "2022-02-28") == []


def test_columns_that_do_not_fit_are_named(run: Run) -> None:
    _, _, err = run("show", "predictions")
    assert "columns do not fit:" in err
