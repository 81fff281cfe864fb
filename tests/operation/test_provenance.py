"""From a feature's value in a running operation to every row it is made of, and from a row to every value."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.contract import Table
from lake.impact import trace_impact
from lake.lineage import trace
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import MARKET_PRICES
from lake.tables.news import NEWS_SENTIMENT, RAW_NEWS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.settings import PluginParams
from pipeline.engine.executor import Executor
from pipeline.features import features
from pipeline.features.catalogue import NAMED_SETS
from pipeline.features.feature_set import current_set, feature_set
from pipeline.reading.provenance.changed_row import ChangedRow
from pipeline.reading.provenance.row_impact import RowImpact
from pipeline.reading.provenance.row_sources import RowSources
from tests.operation.conftest import Operation

EXAMPLE = Path("docs/examples/alpha_plugin.py").absolute()


def list_sources(operation: Operation, key: dict[str, Any], *features: str) -> dict[str, pl.DataFrame]:
    row = operation.lake.read(FEATURE_ROWS, where=pl.all_horizontal(pl.col(name) == key[name] for name in key))
    sources = RowSources(operation.lake, operation.runner.executor, features)
    return {table.name: rows for table, rows in sources.list_rows(row.row(0, named=True))}


def a_row(operation: Operation, session: date) -> dict[str, Any]:
    rows = operation.lake.read(FEATURE_ROWS, since=session, until=session, where=pl.col("complete"))
    return rows.select(FEATURE_ROWS.key).row(0, named=True)


def a_bar(operation: Operation, back: int = 12) -> dict[str, Any]:
    """A bar of some sessions before the last, of a ticker that has a row at the last."""
    last = operation.sessions[-1]
    session = operation.runner.calendar.offset(last, -back)
    key = {"ticker": a_row(operation, last)["ticker"], "session": session}
    here = (pl.col("ticker") == key["ticker"]) & (pl.col("interval") == "1d")
    return operation.lake.read(MARKET_PRICES, since=session, until=session, where=here).row(0, named=True) | key


def test_a_return_is_made_of_two_closes_and_the_actions_between_them(operation: Operation) -> None:
    session = operation.sessions[-1]
    found = list_sources(operation, a_row(operation, session), "return_20")
    bars = found["market_prices"]
    days = [operation.runner.calendar.offset(session, -20), session]
    assert bars["session"].to_list() == days or not found["corporate_actions"].is_empty()
    assert set(days) <= set(bars["session"]) and bars["used"].explode().unique().to_list() == ["close"]
    assert found["news_sentiment"].is_empty() and found["ticker_universe"].is_empty()


def test_a_beta_is_made_of_every_member_of_every_session_of_its_window(operation: Operation) -> None:
    session = operation.sessions[-1]
    found = list_sources(operation, a_row(operation, session), "beta_60")
    bars, members = found["market_prices"], found["ticker_universe"]
    assert members["session"].n_unique() == 60 and bars["ticker"].n_unique() > 5
    assert set(members["ticker"]) == set(bars["ticker"])


@pytest.mark.parametrize("at", [0, -1])
def test_a_row_of_a_range_is_made_of_what_its_own_session_knew(operation: Operation, at: int) -> None:
    """The first cycle computed all of history in one run; its rows know nothing that came after them."""
    sessions = operation.lake.read(FEATURE_ROWS, where=pl.col("complete"))["session"].unique().sort()
    session = sessions[at]
    found = list_sources(operation, a_row(operation, session)).values()
    for rows in (rows for rows in found if not rows.is_empty()):
        clock = "session" if "session" in rows.columns else "ex_date"
        assert (rows[clock] <= session).all()


def test_a_walk_from_a_feature_row_lists_all_of_them_and_goes_on_to_what_the_vendor_sent(operation: Operation) -> None:
    key = a_row(operation, operation.sessions[-1])
    sources = {"feature_rows": RowSources(operation.lake, operation.runner.executor).list_rows}
    hops = trace(operation.lake, FEATURE_ROWS, key, sources=sources)
    used = [hop for hop in hops if hop.used]
    whole = sum(rows.height for rows in list_sources(operation, key).values())
    assert len(used) == whole > 500
    assert {hop.table for hop in hops} >= {
        "market_prices",
        "ticker_universe",
        "raw_prices",
        "news_articles",
        "raw_news",
    }
    assert {hop.version for hop in used if hop.table == "market_prices"} == {hops[0].inputs["market_prices"]}
    assert operation.lake.rows(RAW_NEWS)


def test_a_bar_lists_the_values_that_lead_back_to_it(operation: Operation) -> None:
    bar, executor = a_bar(operation), operation.runner.executor
    impact = RowImpact(operation.lake, executor, MARKET_PRICES)
    key = {"ticker": bar["ticker"], "session": bar["session"]}
    tables = {one.table: one.rows for one in trace_impact(
        operation.lake, MARKET_PRICES, key, {"feature_rows": impact.derive_rows}
    )}  # fmt: skip
    assert impact.values["beta_60"]["ticker"].n_unique() > 5, "it moved the market, and so everybody's beta"
    assert impact.values["return_5"].height == 2 and "sentiment_5" not in impact.values
    keys = pl.concat(impact.values.values()).unique()
    assert tables["feature_rows"].select(FEATURE_ROWS.key).sort(FEATURE_ROWS.key).equals(keys.sort(FEATURE_ROWS.key))
    for name in ("beta_60", "rank_return_5", "volatility_20"):
        found = list_sources(operation, impact.values[name].row(-1, named=True), name)["market_prices"]
        assert not found.filter(ticker=bar["ticker"], session=bar["session"]).is_empty(), name


def test_a_change_moves_what_a_computation_of_everything_says_and_nothing_that_is_not_listed(
    operation: Operation,
) -> None:
    bar, executor = a_bar(operation, 30), operation.runner.executor
    rows = operation.lake.read(MARKET_PRICES, where=pl.col("ts") == bar["ts"]).filter(ticker=bar["ticker"])
    told = ChangedRow(operation.lake, executor, MARKET_PRICES, {"close": bar["close"] * 1.02})
    told.derive_rows(MARKET_PRICES, rows)
    listed = RowImpact(operation.lake, executor, MARKET_PRICES, ["close"])
    listed.derive_rows(MARKET_PRICES, rows)
    assert "return_1" in told.values and "relative_volume_20" not in told.values
    for name, moved in told.values.items():
        assert moved.join(listed.values[name], on=FEATURE_ROWS.key, how="anti").is_empty(), name
        stored = operation.lake.read(FEATURE_ROWS, columns=(*FEATURE_ROWS.key, name))
        both = moved.join(stored, on=FEATURE_ROWS.key)
        assert both.height == moved.height and (both["before"] == both[name]).all(), name
    for name in ("return_20", "volatility_20", "beta_60", "slope_20"):
        assert told.values[name].height == listed.values[name].height, name


def test_an_article_lists_what_its_score_goes_into(operation: Operation) -> None:
    last = operation.sessions[-1]
    there = operation.lake.read(FEATURE_ROWS, since=last, until=last)["ticker"]
    scored = pl.col("score").is_not_null() & pl.col("ticker").is_in(there.implode()) & (pl.col("session") <= last)
    article = operation.lake.read(NEWS_SENTIMENT, where=scored).sort("session").row(-1, named=True)
    impact = RowImpact(operation.lake, operation.runner.executor, NEWS_SENTIMENT, ["score"])
    rows = operation.lake.read(NEWS_SENTIMENT, where=pl.col("article_id") == article["article_id"])
    impact.derive_rows(NEWS_SENTIMENT, rows.filter(ticker=article["ticker"]))
    assert {"sentiment_1", "sentiment_10"} <= set(impact.values) <= {
        "sentiment_1", "sentiment_3", "sentiment_5", "sentiment_10", "sentiment_surprise", "sector_sentiment_5",
        "news_move_1", "news_move_5", "news_move_20", "news_tone_5", "news_tone_20",
    }  # fmt: skip


def test_the_commands_tell_the_same(operation: Operation, capsys: pytest.CaptureFixture[str]) -> None:
    lake, bar = ["--json", "--lake", str(operation.lake.path)], a_bar(operation)
    row = a_row(operation, operation.sessions[-1])
    named = [f"ticker={row['ticker']}", f"session={row['session']}"]
    assert outcome([*lake, "lineage", "feature_rows", *named, "--feature", "return_20"]) == exit_codes.DONE
    hops = json.loads(capsys.readouterr().out)
    assert [hop["used"] for hop in hops if hop["table"] == "market_prices"][:2] == [["close"], ["close"]]
    where = [f"ticker={bar['ticker']}", f"session={bar['session']}"]
    assert outcome([*lake, "impact", "market_prices", *where]) == exit_codes.DONE
    made = next(one for one in json.loads(capsys.readouterr().out) if one["table"] == "feature_rows")
    assert made["values"]["return_5"][0]["ticker"] == bar["ticker"]
    changed = ["--change", f"volume={bar['volume'] * 2}"]
    assert outcome([*lake, "impact", "market_prices", *where, *changed]) == exit_codes.DONE
    moved = next(one for one in json.loads(capsys.readouterr().out) if one["table"] == "feature_rows")
    assert {"before", "after"} <= set(moved["values"]["relative_volume_20"][0]) and "return_5" not in moved["values"]
    assert set(moved["values"]) < set(current_set().names)
    wrong = ["impact", "market_prices", *where, "--change", "ticker=ELSE"]
    assert outcome([*lake, *wrong]) != exit_codes.DONE
    assert "says which row of market_prices it is" in capsys.readouterr().err
    for words in (["--column", "nosuch"], ["--column", "close", "--change", "close=3"]):
        assert outcome([*lake, "impact", "market_prices", *where, *words]) == exit_codes.USAGE


class Whole:
    """All features there are, those of a plugin too, computed of all of history at once."""

    def __init__(self, operation: Operation) -> None:
        every = PluginParams(files=(str(EXAMPLE),), feature_sets=tuple(NAMED_SETS))  # type: ignore[arg-type]
        self.settings = replace(operation.settings, plugins=every)
        self.executor = Executor(operation.lake, self.settings)
        span = operation.lake.clock_span(FEATURE_ROWS, until=date.max)
        assert span is not None
        self.frames, self.moment = self.executor.read_now(features.STAGE, *span)
        self.before = self.compute({})

    def compute(self, changed: dict[str, pl.DataFrame]) -> pl.DataFrame:
        return features.features(**self.frames | changed, moment=self.moment, params=self.settings.features)


@pytest.fixture(scope="module")
def whole(operation: Operation) -> Whole:
    return Whole(operation)


def draw_change(whole: Whole, seed: int) -> tuple[Table, dict[str, Any], str, float]:
    """A bar or an article by chance, and another value of one of its columns."""
    random = np.random.default_rng(seed)
    if seed % 6 == 5:
        scored = whole.frames["news_sentiment"].filter(pl.col("score").is_not_null())
        return NEWS_SENTIMENT, scored.row(int(random.integers(scored.height)), named=True), "score", 0.123
    bars, column = whole.frames["market_prices"], ("open", "high", "low", "close", "volume")[seed % 6]
    bar = bars.row(int(random.integers(bars.height)), named=True)
    value = bar[column] * float(random.choice([0.5, 0.97, 1.001, 1.04, 3.0]))
    return MARKET_PRICES, bar, column, type(bar[column])(value)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(200))
def test_what_a_change_moves_is_what_differs_where_all_of_history_is_computed_anew(
    operation: Operation, whole: Whole, seed: int
) -> None:
    table, row, column, value = draw_change(whole, seed)
    here = pl.all_horizontal(pl.col(name) == row[name] for name in table.key)
    told = ChangedRow(operation.lake, whole.executor, table, {column: value})
    told.derive_rows(table, operation.lake.read(table, where=here))
    frame = whole.frames[table.name]
    changed = pl.when(here).then(pl.lit(value)).otherwise(pl.col(column)).cast(table.schema[column])
    after = whole.compute({table.name: frame.with_columns(changed.alias(column))})
    for name in feature_set(whole.moment.extensions).names:
        moved = whole.before.filter(whole.before[name].ne_missing(after[name])).select(FEATURE_ROWS.key)
        listed = told.values[name].select(FEATURE_ROWS.key) if name in told.values else moved.clear()
        assert moved.sort(FEATURE_ROWS.key).equals(listed.sort(FEATURE_ROWS.key)), name
