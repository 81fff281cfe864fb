"""Tells of doubts about which company a ticker is: what was taken for what, and what the operator can do."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.health.checks import Check
from pipeline.health.params import HealthParams
from pipeline.market.securities.spells import trace_spells
from pipeline.text_format import counted

LOOKBACK = 20
"""Sessions of renames, delistings and verdicts that are read."""


def check_companies(
    corporate_actions: pl.DataFrame, ticker_universe: pl.DataFrame, moment: Moment, params: HealthParams
) -> list[Check]:
    """Name the tickers of which it was decided lately, and not known, whose they are; nothing where there are none.

    Args:
        corporate_actions: renames and delistings of the last sessions.
        ticker_universe: verdicts of the same sessions: session, ticker, history, stale, reason.
        moment: the session judged.
        params: for how many sessions a doubt is told.
    """
    if not params.doubt_sessions:
        return []
    first = moment.calendar.offset(moment.session, 1 - min(params.doubt_sessions, LOOKBACK))
    traded = ticker_universe.filter(pl.col("stale") == 0).select("ticker", "session")
    spells = trace_spells(corporate_actions.filter(pl.col("ex_date") >= first), traded).drop_nulls("doubt")
    told = [f"{ticker}: {doubt}" for ticker, doubt in spells.select("ticker", "doubt").iter_rows()]
    told += _find_returns(ticker_universe.filter(pl.col("session") >= first))
    if not told:
        return []
    doubts = "; ".join(told[:5])
    message = (
        f"{counted(len(told), 'ticker')} in doubt, see `nextgen securities`: {doubts}; a rename, a delisting or an"
        " identifier settles it"
    )
    return [Check("instruments", "one company a ticker", "warn", float(len(told)), 0.0, message[:500])]


def _find_returns(universe: pl.DataFrame) -> Iterator[str]:
    """Who trades under a ticker that was silent, with a history of its own and no word of an end before it."""
    ordered = universe.sort("ticker", "session").with_columns(
        silent=pl.col("stale").shift(1).over("ticker"), word=pl.col("reason").shift(1).over("ticker")
    )
    begun = (pl.col("stale") == 0) & (pl.col("history") == 1) & (pl.col("silent") > 0)
    found = ordered.filter(begun, ~pl.col("word").str.starts_with("delisted"))
    for ticker, session, silent in found.select("ticker", "session", "silent").iter_rows():
        gap = counted(silent, "session")
        yield f"{ticker}: another company is taken to trade since {session}, after {gap} without a bar"
