"""The Research screen says what was tried by a moment, and what of it was kept."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest

from lake.branches.branch import BRANCHES, create_branch
from lake.contract import Table
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.models import TRIALS
from lake.tables.research import (
    EXPERIMENT_RESULTS,
    EXPERIMENTS,
    FACTOR_PROPOSALS,
    FACTOR_RESULTS,
    HOLDOUT_OPENINGS,
    WHAT_IFS,
)
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import plain_text
from nextgen_tui.console.pages.research import ResearchPage, compare_variants
from nextgen_tui.console.time_travel import AsOf
from pipeline.research.recording import record
from tests.nextgen_tui.lakes import publish

WHEN = datetime(2026, 5, 1, 12, tzinfo=UTC)


def add(lake: Lake, table: Table, **values: object) -> None:
    """A row with what a test does not care about."""
    row = _row(table, values)
    record(lake, table, "-".join(str(row[name]) for name in table.key), [row])


def _row(table: Table, values: Mapping[str, object]) -> dict[str, object]:
    plain = {pl.String: "x", pl.Float64: 0.0, pl.Int64: 1, pl.Boolean: False, pl.Date: date(2026, 1, 5)}
    return {
        name: values.get(name, WHEN if isinstance(kind, pl.Datetime) else plain.get(type(kind), []))
        for name, kind in table.schema.items()
    }


def view(lake: Lake, at: AsOf | None = None) -> LakeView:
    return LakeView(Lake.open(lake.path), lake.read(RUNS), at)


@pytest.fixture
def tried(lake: Lake) -> Lake:
    """Two variants of three, of which one is kept, a day apart; two factors; one look at the holdout."""
    add(lake, EXPERIMENTS, experiment_id="one", question="Does it help?", variants=3, metric="return")
    for day, (name, difference, verdict, kept) in enumerate((("a", 0.1, "helped", True), ("b", -0.2, "hurt", False))):
        add(
            lake, EXPERIMENT_RESULTS, experiment_id="one", variant=name, difference=difference, low=difference - 0.05,
            high=difference + 0.05, verdict=verdict, kept=kept, settings='{"trading.costs.impact": 0.5}',
            finished_at=WHEN + timedelta(days=day),
        )  # fmt: skip
    for name, verdict in (("momentum(5)", "no better than chance"), ("news(3)", "kept")):
        words = {"authored": 1, "hypothesis": "\x1b[31mwhat is told"} if name == "news(3)" else {"authored": None}
        add(lake, FACTOR_PROPOSALS, search_id="s", proposal=name, formula=name, parents=[], **words)
        add(lake, FACTOR_RESULTS, search_id="s", proposal=name, verdict=verdict)
    add(lake, HOLDOUT_OPENINGS, opening_id="o", reason="the year is over")
    days = [date(2026, 1, 5), date(2026, 1, 6)]
    trials = [
        {"candidate": name, "gain": gain, "settings": settings, "days": days, "advantages": [0.5, gain - 0.5]}
        for name, gain, settings in (("ridge", 0.1, None), ("lstm", 0.2, None), ("search 1", 0.3, '{"score": 1}'))
    ]
    publish(lake, TRIALS, pl.DataFrame([_row(TRIALS, {"model_id": "m", **one}) for one in trials], TRIALS.schema))
    add(lake, WHAT_IFS, what_if_id="w", settings='{"trading.costs.impact": 0.5}', book_return=0.1, **{"return": 0.2})
    return lake


def test_what_was_tried_and_kept_is_one_sentence(tried: Lake) -> None:
    page = ResearchPage()
    data = page.load(view(tried))
    assert page.sentence(data) == (
        "3 variants registered, 1 kept; 2 factors proposed, 1 kept; 2 candidates of trainings tried on held-out "
        "sessions; 1 what-if asked; the holdout was opened 1 time."
    )
    assert [spec.frame(data).height for spec in page.specs(data)] == [2, 1, 2, 3, 1, 0, 0]
    assert data.experiments.select("ended", "kept").rows() == [(2, 1)]
    assert data.factors["proposal"].to_list() == ["news(3)", "momentum(5)"]
    assert "the year is over" in str(page.summary(data))


def test_a_trials_gain_is_added_up_and_says_whether_its_sessions_were_held_out(tried: Lake) -> None:
    page = ResearchPage()
    data = page.load(view(tried))
    assert data.trials["candidate"].to_list() == ["search 1", "lstm", "ridge"], "the highest gain first"
    searched, lstm = (data.trials.row(number, named=True) for number in (0, 1))
    (chart,) = page.charts(data, "trials", lstm)
    assert chart.lines[0].ys == (0.5, pytest.approx(0.2))
    assert "held out: it counts" in plain_text(page.notes(data, "trials", lstm))
    assert "it deflates nothing" in plain_text(page.notes(data, "trials", searched))


def test_a_factor_that_a_model_wrote_shows_its_words_and_no_sign_of_theirs_works(tried: Lake) -> None:
    page = ResearchPage()
    data = page.load(view(tried))
    told, other = (plain_text(page.notes(data, "factors", row)) for row in data.factors.iter_rows(named=True))
    assert "a language model's words" in told and "what is told" in told and "\x1b" not in told
    assert "a language model's words" not in other


def test_a_question_about_the_book_tells_both_returns(tried: Lake) -> None:
    page = ResearchPage()
    data = page.load(view(tried))
    told = plain_text(page.notes(data, "what-ifs", data.what_ifs.row(0, named=True)))
    assert "impact       0.5" in told and "+10.00 % a year" in told and "+20.00 % a year" in told
    assert page.sheet(data, "what-ifs").cells(0)[1].text == "trading.costs.impact=0.5"


def test_a_rule_that_was_left_out_is_told_by_its_name(tried: Lake) -> None:
    add(tried, WHAT_IFS, what_if_id="r", settings='{"trading.philosophy.order": "without cost_awareness"}')
    page = ResearchPage()
    sheet = page.sheet(page.load(view(tried)), "what-ifs")
    assert "without cost awareness" in {sheet.cells(row)[1].text for row in range(2)}


@pytest.mark.parametrize(
    ("p", "told"),
    [(2.1e-11, "2.1e-11, at most"), (0.0123, "0.012, at most"), (0.0, "below 1e-15, at most"), (None, "–, at most")],
)
def test_a_small_probability_is_not_told_as_none(tried: Lake, p: float | None, told: str) -> None:
    add(tried, FACTOR_PROPOSALS, search_id="s", proposal="tiny", formula="tiny", parents=[], authored=None)
    add(tried, FACTOR_RESULTS, search_id="s", proposal="tiny", verdict="kept", p=p)
    page = ResearchPage()
    data = page.load(view(tried))
    row = next(one for one in data.factors.iter_rows(named=True) if one["proposal"] == "tiny")
    assert told in plain_text(page.notes(data, "factors", row))


def test_sheets_without_rows_come_last(tried: Lake, lake: Lake) -> None:
    page = ResearchPage()
    names = page.sheets(page.load(view(tried)))
    assert names == ("variants", "experiments", "factors", "trials", "what-ifs", "branches", "notes")
    early = page.load(view(tried, AsOf(WHEN.date(), WHEN - timedelta(days=1))))
    assert page.sheets(early)[0] == "trials"


def test_a_past_moment_has_nothing_of_what_came_later(tried: Lake) -> None:
    page = ResearchPage()
    data = page.load(view(tried, AsOf(WHEN.date(), WHEN + timedelta(hours=1))))
    assert data.results["variant"].to_list() == ["a"]
    before = page.load(view(tried, AsOf(WHEN.date(), WHEN - timedelta(days=1))))
    assert (before.experiments.height, before.factors.height, before.openings.height) == (0, 0, 0)
    assert page.sentence(before).startswith("No experiment was registered and no factor proposed; 2 candidates")


def test_variants_are_drawn_within_their_intervals_and_the_chosen_one_is_marked(tried: Lake) -> None:
    page = ResearchPage()
    data = page.load(view(tried))
    row = data.results.filter(pl.col("variant") == "a").row(0, named=True)
    (chart,) = compare_variants(data, row)
    nothing, *intervals = chart.lines
    assert nothing.ys == (0.0, 0.0)
    assert [one.xs for one in intervals] == [(0.0, 0.0), (1.0, 1.0)], "variants are no course in time: none is joined"
    assert [one.ys for one in intervals] == [pytest.approx((-0.25, -0.15)), pytest.approx((0.05, 0.15))]
    assert [(mark.x, mark.y, mark.role) for mark in chart.marks] == [(0.0, -0.2, "own"), (1.0, 0.1, "hot")]
    assert chart.title == "return, of NAV a year: each variant less its base, with 95 %"
    told = str(page.spec(data, "variants").notes(data, row))  # type: ignore[misc]
    assert all(words in told for words in ("impact", "0.5", "Does it help?"))


def test_both_ends_of_an_interval_stand_in_one_column(tried: Lake) -> None:
    unsure = {"low": None, "high": None, "verdict": "cannot be told"}
    add(tried, EXPERIMENT_RESULTS, experiment_id="one", variant="c", settings="{}", difference=0.0, **unsure)
    page = ResearchPage()
    sheet = page.sheet(page.load(view(tried)), "variants")
    at = [column.heading for column in sheet.cols].index("95 % interval")
    assert {sheet.cells(row)[at].text for row in range(3)} == {
        "+0.0500 to +0.1500", "-0.2500 to -0.1500", "too few sessions",
    }  # fmt: skip


def test_a_damaged_branch_does_not_hide_the_screen(tried: Lake) -> None:
    create_branch(tried, "one", reason="to try")
    page = ResearchPage()
    assert page.load(view(tried)).branches["branch"].to_list() == ["one"]
    (tried.path / BRANCHES / "one" / "branch.json").write_text("{", encoding="utf-8")
    data = page.load(view(tried))
    assert data.branches["branch"].to_list() == ["damaged"]
    assert data.results.height == 2
