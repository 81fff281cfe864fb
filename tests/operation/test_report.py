"""The report's figures are those that a hand gets from the tables, and the page says them."""

from __future__ import annotations

import json
from decimal import Decimal
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev

import polars as pl
import pytest

from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.feedback import FEEDBACK_METRICS, SESSION_SCORES
from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, TRIALS
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS, TRADE_REFLECTIONS
from nextgen_tui.report.page import write_page
from nextgen_tui.text import formats
from pipeline.config.resolving import DEFAULT, Loaded, values_of
from pipeline.reading.report.forecast_quality import REPORTED
from pipeline.reading.report.full_report import Report, build_report
from pipeline.reading.report.span_summary import summarize_span
from pipeline.reading.results.summary import coverage_facts, skill_facts
from tests.nextgen_tui.report.parsed_page import Words
from tests.operation.conftest import Operation


@pytest.fixture(scope="module")
def report(operation: Operation) -> Report:
    """From the second session on, so that there is a session before."""
    origins = dict.fromkeys((key for key, _ in values_of(operation.settings)), DEFAULT)
    loaded = Loaded(operation.settings, origins, None, {})
    return build_report(operation.lake, loaded, operation.runner.calendar, operation.sessions[1], trials=3)


@pytest.fixture(scope="module")
def value(operation: Operation) -> pl.DataFrame:
    return operation.lake.read(PORTFOLIO_VALUE).sort("session")


def inside(operation: Operation, frame: pl.DataFrame) -> pl.DataFrame:
    return frame.filter(pl.col("session") >= operation.sessions[1])


def test_money_is_that_of_the_first_and_last_rows(report: Report, value: pl.DataFrame) -> None:
    book, navs = report.summary.book, value["nav"].to_list()
    assert (book.start_value, book.value) == (navs[0], navs[-1])
    assert book.total_return == pytest.approx(float(navs[-1] / navs[0]) - 1, abs=1e-12)
    for name, column in (
        ("equal weight", "equal_weight_net"),
        ("benchmark", "benchmark_net"),
        ("top-k dropout", "top_k"),
    ):
        assert report.summary.baselines[name] == pytest.approx(value[column][-1] / value[column][0] - 1, abs=1e-12)
    spent = [value[name][-1] - value[name][0] for name in ("commission", "spread_cost", "impact_cost")]
    assert book.costs == sum(spent, Decimal(0))
    assert report.series.costs[-1] == pytest.approx(float(sum(spent, Decimal(0))))


def test_the_parts_of_the_profit_sum_to_it(report: Report, value: pl.DataFrame) -> None:
    parts = dict(report.sources)
    assert sum(parts.values(), Decimal(0)) == report.summary.book.profit
    assert parts["Gains of what is held"] == value["unrealised"][-1] - value["unrealised"][0]
    assert parts["Commission"] == value["commission"][0] - value["commission"][-1]
    assert abs(parts.get("Rounding", Decimal(0))) <= Decimal("0.10")


def test_risk_is_that_of_the_session_returns(report: Report, value: pl.DataFrame) -> None:
    gains = value["session_return"].to_list()[1:]
    year = report.figures.sessions_per_year
    found = report.figures.tracks["book"]
    assert year in range(250, 254)
    assert found.volatility == pytest.approx(stdev(gains) * sqrt(year))
    assert found.sharpe == pytest.approx(fmean(gains) / stdev(gains) * sqrt(year))
    downside = sqrt(fmean([min(gain, 0.0) ** 2 for gain in gains]))
    assert found.sortino == pytest.approx(fmean(gains) / downside * sqrt(year))
    assert (found.best, found.worst) == (max(gains), min(gains))
    level, peak, deepest = 1.0, 1.0, 0.0
    for gain in gains:
        level *= 1 + gain
        peak = max(peak, level)
        deepest = max(deepest, 1 - level / peak)
    assert report.summary.book.max_drawdown == pytest.approx(deepest)


def test_the_book_is_set_beside_the_benchmark(report: Report, value: pl.DataFrame) -> None:
    gains = value["session_return"].to_list()[1:]
    other = [later / earlier - 1 for earlier, later in pairwise(value["benchmark"].to_list())]
    mean, mean_other = fmean(gains), fmean(other)
    spread = sum((a - mean) * (b - mean_other) for a, b in zip(gains, other, strict=True))
    beta = spread / sum((b - mean_other) ** 2 for b in other)
    found = report.figures.against["benchmark"]
    assert found.beta == pytest.approx(beta)
    assert found.alpha == pytest.approx((mean - beta * mean_other) * report.figures.sessions_per_year)
    apart = [a - b for a, b in zip(gains, other, strict=True)]
    assert found.tracking_error == pytest.approx(stdev(apart) * sqrt(report.figures.sessions_per_year))
    assert found.excess_return == pytest.approx(
        report.summary.book.total_return - report.summary.baselines["benchmark"]
    )


def test_skill_and_coverage_are_ratios_of_the_scores(report: Report, operation: Operation) -> None:
    scores = operation.lake.read(SESSION_SCORES)
    scores = scores.filter(pl.col("scope") == "all", pl.col("target_session") >= operation.sessions[1])
    for horizon in scores["horizon"].unique():
        at = scores.filter(pl.col("horizon") == horizon)
        claimed = at.filter(pl.col("role") == "champion")
        ratio = sum(claimed["pinball"].to_list()) / sum(claimed["naive_pinball"].to_list())
        told = {(one.horizon, one.metric): one for one in report.summary.quality.skills}
        assert told[horizon, "pinball_skill"].value == pytest.approx(1 - ratio)
        decided = at.filter(pl.col("role") != "shadow")
        covered = {(one.horizon, one.stated): one.measured for one in report.summary.quality.coverages}
        assert covered[horizon, 0.8] == pytest.approx(sum(decided["inside_80"]) / sum(decided["n"]))


def test_over_the_whole_book_skill_is_the_consoles_to_the_last_bit(operation: Operation) -> None:
    quality = summarize_span(operation.lake, operation.settings, operation.runner.calendar).quality
    metrics = operation.lake.read(FEEDBACK_METRICS)
    last = metrics.filter(pl.col("session") == operation.sessions[-1])
    assert quality.skills == skill_facts(last, REPORTED)
    assert quality.coverages == coverage_facts(last)
    assert quality.coverages


def test_plans_trades_and_data_are_counted(report: Report, operation: Operation) -> None:
    plans = inside(operation, operation.lake.read(TRADE_PLANS))
    assert report.summary.plans.considered == plans.height
    blocked = plans["blocked_by"].drop_nulls().to_list()
    assert {one.rule: one.plans for one in report.summary.plans.refusals} == {
        rule: blocked.count(rule) for rule in set(blocked)
    }
    fills = inside(operation, operation.lake.read(EXECUTED_TRADES)).filter(pl.col("shares") > 0)
    assert report.trading.trades == report.summary.plans.filled == fills.height
    sales = inside(operation, operation.lake.read(TRADE_REFLECTIONS))["profit"].to_list()
    gained = sorted((profit for profit in sales if profit > 0), reverse=True)
    assert [one.profit for one in report.summary.best] == gained[:5]
    bars = inside(operation, operation.lake.read(MARKET_PRICES)).filter(pl.col("revision") == 0)
    assert report.quality.data.bars == bars.height
    aside = inside(operation, operation.lake.read(QUARANTINED_ROWS))
    assert sum(count for _, count in report.quality.data.quarantined) == aside.height


def test_every_champion_has_a_card_of_what_it_is_how_it_did_and_what_was_tried(
    report: Report, operation: Operation
) -> None:
    decisions = operation.lake.read(MODEL_PROMOTIONS).sort("session", "model_id")
    assert [card.model_id for card in report.models] == decisions["champion"].drop_nulls().unique().to_list()
    card, registry = report.models[0], operation.lake.read(MODEL_REGISTRY)
    mine = registry.filter(pl.col("model_id") == card.model_id).sort("member")
    assert dict(card.data)["fitted on"].startswith(f"{mine['train_first'][0]} to {mine['train_last'][0]}, ")
    assert [one.member for one in card.members] == mine["member"].to_list()
    for number, _ in enumerate(card.horizons):
        assert sum(one.ranking[number] for one in card.members) == pytest.approx(1.0)
        assert sum(one.width[number] for one in card.members) == pytest.approx(1.0)
    stored = json.loads(mine["metrics"][0])["ensemble"]["figures"]
    told = {(one.horizon, one.metric): one for one in card.figures if one.when == "held out"}
    for horizon in card.horizons:
        assert told[horizon, "pinball_skill"].value == stored[str(horizon)]["skill"]
        assert told[horizon, "coverage_90"].baseline == 0.9
    live = operation.lake.read(FEEDBACK_METRICS).filter(pl.col("slice") == card.model_id)
    latest = live.filter(pl.col("session") == live["session"].max(), pl.col("metric") == "ic")
    assert {(one.horizon, one.value) for one in card.figures if (one.when, one.metric) == ("live", "ic")} == set(
        latest.select("horizon", "value").iter_rows()
    )
    tried = operation.lake.read(TRIALS).filter(pl.col("session") <= card.decided).height
    assert dict(card.trials)["trials"].startswith(f"{tried} candidates had been tried")
    made = operation.lake.read(PREDICTIONS).filter(pl.col("model_id") == card.model_id)
    assert any(f"Of {made.height:,} forecasts, " in limit for limit in card.limits)
    seen = Words(write_page(report, "nextgen 1.0", "nextgen report", "nextgen reproduce --all"))
    assert f"{card.model_id}, champion from {card.decided} until now" in seen.words
    assert all(limit in seen.words for limit in card.limits)
    assert report.as_dict()["models"][0]["model_id"] == card.model_id


def test_the_page_says_these_figures_and_asks_for_nothing(report: Report) -> None:
    page = write_page(report, "nextgen 1.0", "nextgen report", "nextgen reproduce --all")
    assert page == write_page(report, "nextgen 1.0", "nextgen report", "nextgen reproduce --all")
    seen = Words(page)
    book = report.summary.book
    for words in (
        formats.money(book.value),
        formats.percent(book.total_return, signed=True),
        formats.percent(report.summary.baselines["equal weight"], signed=True),
        formats.percent(book.max_drawdown, 1),
        formats.number(report.figures.tracks["book"].sharpe, 2),
        formats.money(book.costs),
    ):
        assert words in seen.words
    drawn = [attributes["points"] for tag, attributes in seen.elements if tag == "polyline"]
    assert len(str(drawn[0]).split()) == report.summary.sessions + 1
    assert not {tag for tag, _ in seen.elements} & {"script", "link", "img", "iframe", "object", "a", "form"}
    assert not {name for _, given in seen.elements for name in given} & {"src", "href", "onload", "onclick", "srcset"}
    assert "url(" not in page
    assert "@import" not in page
