"""Decide which tickers are forecast first, and how many: the budget goes where it pays."""

from __future__ import annotations

import polars as pl

from lake.tables.books import PORTFOLIO_HOLDINGS
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.news import NEWS_ARTICLES
from lake.tables.predictions import TICKER_PRIORITIES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import feature_set
from pipeline.prediction.params import PredictionParams


def priorities(
    ticker_universe: pl.DataFrame,
    feature_rows: pl.DataFrame,
    news_articles: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    moment: Moment,
    params: PredictionParams,
) -> pl.DataFrame:
    """Rank the universe's members and what is held; the first `max_tickers` and all held ones are selected.

    Held tickers come first, then by score, then by name. For `moment.session` only (ignores `since`).
    """
    members = ticker_universe.filter((pl.col("session") == moment.session) & pl.col("member"))
    held = portfolio_holdings.select("ticker", held=pl.lit(True)).unique()
    ranked = (
        members.select("ticker", "dollar_volume")
        .join(held, on="ticker", how="full", coalesce=True)
        .join(_news_shares(news_articles, moment), on="ticker", how="left")
        .join(_moves(feature_rows, moment), on="ticker", how="left")
        .select(
            "ticker",
            held=pl.col("held").fill_null(False),
            liquidity=_share_below("dollar_volume"),
            newsworthy=pl.col("share").fill_null(0.0),
            unusual=_share_below("move"),
        )
        .with_columns(
            score=pl.col("held").cast(pl.Float64) + pl.col("liquidity") + pl.col("newsworthy") + pl.col("unusual")
        )
        .sort("held", "score", "ticker", descending=[True, True, False])
        .with_row_index("rank", offset=1)
    )
    return (
        ranked.with_columns(
            pl.col("rank").cast(pl.Int64),
            session=pl.lit(moment.session),
            selected=pl.col("held") | (pl.col("rank") <= params.max_tickers),
        )
        .select(*TICKER_PRIORITIES.columns)
        .sort("ticker")
    )


def _share_below(name: str) -> pl.Expr:
    """Share of the others with a lower value, ties counted half; 0 where the value is missing."""
    rank = pl.col(name).rank("average")
    others = pl.col(name).count() - 1
    return pl.when(others > 0).then((rank - 1) / others).otherwise(0.0).fill_null(0.0)


def _news_shares(news_articles: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """Share of the session's articles that are about each ticker."""
    today = news_articles.filter(pl.col("session") == moment.session)
    about = today.select("article_id", ticker=pl.col("tickers")).explode("ticker").drop_nulls().unique()
    return about.group_by("ticker").agg(share=pl.len() / max(today.height, 1))


def _moves(feature_rows: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """The session's absolute return in the ticker's own volatility."""
    today = feature_rows.filter(
        (pl.col("session") == moment.session)
        & (pl.col("feature_set") == feature_set(moment.extensions).name)
        & (pl.col("volatility_20") > 0)
    )
    return today.select(
        "ticker", move=pl.col("return_1").cast(pl.Float64).abs() / pl.col("volatility_20").cast(pl.Float64)
    )


STAGE = Stage(
    name="priorities",
    function=priorities,
    reads=(
        Read(TICKER_UNIVERSE, columns=("session", "ticker", "member", "dollar_volume")),
        Read(FEATURE_ROWS, columns=(*FEATURE_ROWS.key, "return_1", "volatility_20")),
        Read(NEWS_ARTICLES, columns=("article_id", "session", "tickers")),
        Read(PORTFOLIO_HOLDINGS, lookback=1, upto="previous", columns=("session", "ticker")),
    ),
    writes=TICKER_PRIORITIES,
    params=PredictionParams(),
    section="prediction",
    uses=("features",),
)
