"""Keeps every delivered row that broke a rule: complete, with the rule, so that nothing is lost silently."""

from __future__ import annotations

from datetime import timedelta

import polars as pl

from lake.contract import UTC
from lake.tables.imports import IMPORTED_PREDICTIONS, IMPORTED_TRADES, RAW_IMPORTS
from lake.tables.market import (
    CONSTITUENTS,
    CORPORATE_ACTIONS,
    FX_RATES,
    INSTRUMENTS,
    MARKET_PRICES,
    QUARANTINED_ROWS,
    RAW_PRICES,
)
from lake.tables.news import NEWS_ARTICLES, RAW_NEWS
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.ingestion.actions.foreign_amounts import Conversion
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.imports.validate import validate_predictions, validate_trades
from pipeline.ingestion.news.articles import validate_articles
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.cross_check import validate_second_source
from pipeline.ingestion.prices.validate_bars import KNOWN, LOOKBACK, set_aside_bars
from pipeline.ingestion.prices.waiting_bars import WAITING, sessions_of_waiting
from pipeline.ingestion.rates.validate_rates import validate_rates
from pipeline.ingestion.universe.index_constituents import validate_memberships
from pipeline.ingestion.universe.instruments import validate_listings


def quarantine(
    quarantined_rows: pl.DataFrame,
    raw_prices: pl.DataFrame,
    raw_news: pl.DataFrame,
    raw_imports: pl.DataFrame,
    market_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Check everything landed in the moment's sessions as the other stages do, and keep the rows they set aside.

    Runs after them: a bar that they took is known by then and passes again. Works on a range of sessions.
    """
    ends = corporate_actions.filter(pl.col("kind") != "split")
    known = (market_prices, instruments, cut_to_recent(corporate_actions, "ex_date", LOOKBACK, moment))
    bars = set_aside_bars(quarantined_rows, raw_prices, *known, moment, params)
    raw_prices = raw_prices.filter(pl.col("session") >= moment.since)
    rates = Conversion(fx_rates, moment.session, params.max_rate_age_days)
    left = {
        MARKET_PRICES.name: bars,
        CORPORATE_ACTIONS.name: validate_actions(raw_prices, instruments, ends, moment.calendar, rates).bad.drop(
            "ex_date"
        ),
        INSTRUMENTS.name: validate_listings(raw_prices).bad,
        CONSTITUENTS.name: validate_memberships(raw_prices).bad,
        FX_RATES.name: validate_rates(raw_prices).bad,
        NEWS_ARTICLES.name: validate_articles(raw_news, moment.calendar).bad,
        IMPORTED_PREDICTIONS.name: validate_predictions(raw_imports, moment.calendar).bad,
        IMPORTED_TRADES.name: validate_trades(raw_imports, moment.calendar).bad,
    }
    checked = validate_second_source(raw_prices, market_prices, moment.calendar, params.check)
    left[MARKET_PRICES.name] = pl.concat([bars, checked.select(bars.columns)])
    rows = pl.concat(part.with_columns(target=pl.lit(target)) for target, part in left.items())
    return _to_contract(rows, moment, params.publication_lag(moment.calendar)).sort(QUARANTINED_ROWS.key)


def _to_contract(rows: pl.DataFrame, moment: Moment, lag: timedelta) -> pl.DataFrame:
    """The contract's columns; texts are bounded, and a row without a ticker has an empty one."""
    public = {day: moment.calendar.close_at(day) + lag for day in rows["landed"].unique()}
    return rows.with_columns(
        pl.col("ticker").fill_null("").str.slice(0, QUARANTINED_ROWS.columns["ticker"].max_length),
        session="landed",
        row=pl.col("text").str.slice(0, QUARANTINED_ROWS.columns["row"].max_length),
        available_at=pl.col("landed").replace_strict(
            list(public), list(public.values()), default=None, return_dtype=UTC
        ),
    ).select(*QUARANTINED_ROWS.columns)


STAGE = Stage(
    name="quarantine",
    function=quarantine,
    reads=(
        WAITING,
        Read(RAW_PRICES, further=sessions_of_waiting),
        Read(RAW_NEWS),
        Read(RAW_IMPORTS),
        Read(MARKET_PRICES, lookback=LOOKBACK, every_revision=True, columns=KNOWN),
        Read(INSTRUMENTS, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=None, where=pl.col("kind").is_in(["split", "rename", "delisting"])),
        Read(FX_RATES, lookback=None),
    ),
    writes=QUARANTINED_ROWS,
    params=IngestionParams(),
    section="ingestion",
)
