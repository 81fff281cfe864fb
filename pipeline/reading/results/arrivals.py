"""What came in lately: by ticker and by session, with what is late, restated or set aside."""

from __future__ import annotations

import polars as pl

from pipeline.reading.results.ticker_paths import SPARK


def ticker_rows(
    universe: pl.DataFrame, bars: pl.DataFrame, quarantined: pl.DataFrame, restated: pl.DataFrame, news: pl.DataFrame
) -> pl.DataFrame:
    """One row per ticker of the universe: its last bars, what was wrong with them; those with a problem first."""
    ordered = bars.sort("ticker", "session")
    last = ordered.group_by("ticker", maintain_order=True).agg(
        pl.col("session").last().alias("bar_session"),
        pl.col("ts").last(),
        pl.col("revision").last(),
        pl.col("volume").last(),
        (pl.col("close").last() / pl.col("close").tail(2).first() - 1).alias("change"),
        pl.col("close").tail(SPARK).alias("closes"),
    )
    counts = [
        (quarantined, "quarantined"),
        (restated, "restated"),
        (news.explode("tickers").rename({"tickers": "ticker"}) if news.height else news, "news"),
    ]
    rows = universe.join(last, on="ticker", how="left")
    for frame, name in counts:
        if frame.is_empty() or "ticker" not in frame.columns:
            rows = rows.with_columns(pl.lit(0, dtype=pl.Int64).alias(name))
            continue
        found = frame.group_by("ticker").agg(pl.len().cast(pl.Int64).alias(name))
        rows = rows.join(found, on="ticker", how="left").with_columns(pl.col(name).fill_null(0))
    late = pl.col("member") & (pl.col("stale") > 0)
    state = pl.when(late).then(pl.lit("warn")).when(pl.col("member")).then(pl.lit("ok")).otherwise(pl.lit("out"))
    return rows.with_columns(
        state=state, worry=late.cast(pl.Int64) * 100 + pl.col("quarantined") + pl.col("restated")
    ).sort(["worry", "ticker"], descending=[True, False])


def arrival_rows(
    universe: pl.DataFrame, bars: pl.DataFrame, quarantined: pl.DataFrame, restated: pl.DataFrame, news: pl.DataFrame
) -> pl.DataFrame:
    """One row per session, newest first: bars expected and arrived, rows set aside, bars restated, articles."""
    members = universe.filter(pl.col("member"))
    expected = members.group_by("session").agg(pl.len().cast(pl.Int64).alias("expected"))
    there = members.join(bars, on=["session", "ticker"], how="semi")
    rows = expected.join(
        there.group_by("session").agg(pl.len().cast(pl.Int64).alias("arrived")), on="session", how="left"
    )
    for frame, name in ((quarantined, "quarantined"), (restated, "restated"), (news, "articles")):
        found = frame.group_by("session").agg(pl.len().cast(pl.Int64).alias(name))
        rows = rows.join(found, on="session", how="left")
    return rows.with_columns(pl.col("arrived", "quarantined", "restated", "articles").fill_null(0)).sort(
        "session", descending=True
    )


def add_scores(articles: pl.DataFrame, sentiment: pl.DataFrame) -> pl.DataFrame:
    """Articles, newest first, each with the mean score it got; null where nobody could say."""
    scored = sentiment.filter(pl.col("score").is_not_null()).sort("article_id", "ticker", "scorer")
    means = scored.group_by("article_id", maintain_order=True).agg(pl.col("score").mean())
    return articles.join(means, on="article_id", how="left").sort("published_at", "article_id", descending=True)
