"""The answer at the end says what the tables say."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from lake.store import Lake
from lake.tables.predictions import INFERENCE_LOG
from nextgen_tui.cli.output import to_json_value
from pipeline.config.settings import Settings
from pipeline.reading.report.span_summary import SpanSummary, summarize_span
from tests.frames.sessions import weekday_sessions
from tests.nextgen_tui.lakes import publish, rows
from tests.pipeline.reading.report.conftest import DAYS, valued_lake

CALENDAR = weekday_sessions(DAYS[0], DAYS[-1])


@pytest.fixture(scope="module")
def summary(book_lake: Lake) -> SpanSummary:
    return summarize_span(book_lake, Settings(), CALENDAR)


def test_money_and_returns_are_those_of_the_book(summary: SpanSummary) -> None:
    book = summary.book
    assert (book.start_value, book.value, book.profit) == (Decimal("1000.00"), Decimal("1039.50"), Decimal("39.50"))
    assert book.total_return == pytest.approx(0.0395)
    assert summary.baselines == {"equal weight": pytest.approx(0.04)}
    assert (book.costs, book.currency) == (Decimal("4.50"), "USD")
    assert (book.mean_exposure, book.max_drawdown) == (0.5, pytest.approx(0.1))


def test_a_ratio_of_five_sessions_is_not_annualised(summary: SpanSummary) -> None:
    assert summary.book.sharpe is None


def test_what_stands_out_is_named_with_the_command_that_shows_it(summary: SpanSummary) -> None:
    commands = [step.command for step in summary.next_steps]
    assert commands[0][:2] == ("show", "model_promotions")  # nobody has earned to forecast here
    assert ("show", "trade_plans", "--where", "blocked_by=cost_awareness", "--limit", "10") in commands
    assert commands[-1] == ("report", "--from", "2022-01-28", "--to", "2022-02-03", "--html", "report.html")


def test_sessions_in_which_nothing_has_a_bar_are_named_before_what_follows_from_them(tmp_path: Path) -> None:
    lake = valued_lake(tmp_path / "lake", DAYS[:2])
    _, silent, *others = summarize_span(lake, Settings(), CALENDAR).next_steps  # the first: nothing is in the ledger
    assert silent.sentence == (
        "No name has a bar in 3 sessions of 5, the first of them 2022-02-01: the source gave none (the newest is of"
        " 2022-01-31)"
    )
    assert silent.command == ("status",)
    assert not any("run on" in one.sentence for one in others)


def test_where_nothing_could_be_forecast_the_reason_stands_for_what_follows_from_it(tmp_path: Path) -> None:
    lake = valued_lake(tmp_path / "lake", DAYS)
    asked = [
        {"session": DAYS[-1], "ticker": ticker, "status": "incomplete_window", "reason": reason, "model_id": None}
        for ticker, reason in (("AAA", "0 of 20 sessions"), ("BBB", "0 of 20 sessions"), ("CCC", "3 of 20 sessions"))
    ]
    publish(lake, INFERENCE_LOG, rows(INFERENCE_LOG, *asked), name="inference_log")
    sentences = [step.sentence for step in summarize_span(lake, Settings(), CALENDAR).next_steps]
    assert (
        "Nothing was forecast: of 3 names at the end, most for '0 of 20 sessions' (features look back up to 252"
        " sessions, and there are bars of 5)"
    ) in sentences
    assert not any("earned" in one or "run on" in one for one in sentences)


def test_books_that_are_off_come_first(book_lake: Lake) -> None:
    past = summarize_span(book_lake, Settings(), CALENDAR, last=DAYS[1])  # the ledger has more cash than the book had
    assert past.next_steps[0].command == ("status",)


def test_a_script_gets_the_same(summary: SpanSummary) -> None:
    told = json.loads(json.dumps(summary.as_dict(), default=to_json_value))
    assert told["book"]["value"] == "1039.50"
    assert told["plans"]["refusals"][0]["rule"] == "cost_awareness"
    assert told["quality"]["sentence"] == summary.quality.sentence
    assert told["quality"]["skills"][0]["finding"] == "too few to say"
    assert "tracks" not in told
