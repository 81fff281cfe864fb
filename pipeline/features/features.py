"""Compute every feature of every listed ticker that traded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.tables.features import CURRENT_FEATURE_SET, FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.news import NEWS_SENTIMENT
from pipeline.features.known import Facts, epochs
from pipeline.features.library import LIBRARY, evaluate
from pipeline.features.panel import DEPTH, MARGIN, Panel, build_panel
from pipeline.features.params import FeatureParams
from pipeline.features.view import View
from pipeline.stage import Moment, Read, Stage


def features(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    news_sentiment: pl.DataFrame,
    moment: Moment,
    params: FeatureParams,
) -> pl.DataFrame:
    """One row per listed stock that has a bar, for each session of the range.

    A row is computed from the sessions up to its own and from what was public by then, whatever else the frames
    hold; computing a range at once or session by session gives the same bits.
    """
    benchmarks = instruments.filter(pl.col("role") == "benchmark").select("ticker")
    bars = market_prices.join(benchmarks, on="ticker", how="anti", maintain_order="left")
    facts = Facts(bars, corporate_actions, news_sentiment)
    blocks = [
        _rows(panel, View(panel, session, moment.calendar, params))
        for epoch in epochs(facts, moment)
        for panel in _panels(epoch, ...)
        for session in epoch.sessions
    ]
    return FEATURE_ROWS.empty() if not blocks else pl.concat(blocks)
