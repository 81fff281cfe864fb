"""Daily closes, as traded: what the older system stored beside what stands in the lake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.market import INSTRUMENTS, MARKET_PRICES, RAW_PRICES
from pipeline.comparison.figure import Figure, counted, merge_figures, states, to_words
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.market.sessions import Sessions

AT = ("ticker", "session")
DAILY = "1d"


def closes(lake: Lake, source: str, first: date, last: date, calendar: Sessions, tolerance: float) -> Figure | None:
    """Compare every daily close of a range of sessions; None where the older system brought no prices.

    Only tickers that the older system knows are compared, each from its first session there to its last.

    Args:
        lake: to look in.
        source: the older system, `import-NAME`.
        first: first session.
        last: last session.
        calendar: the exchange's sessions.
        tolerance: fraction of the close.
    """
    held = [old for old in _by_year(lake, source, first, last, calendar) if old.height]
    if not held:
        return None
    reach = pl.concat(held).group_by("ticker").agg(begins=pl.col("session").min(), ends=pl.col("session").max())
    return merge_figures([_compare(lake, source, old, reach, tolerance) for old in held], "closes")


def _by_year(lake: Lake, source: str, first: date, last: date, calendar: Sessions) -> Iterator[pl.DataFrame]:
    """The older system's sound closes, year by year: ticker, session, old."""
    wanted = (pl.col("source") == source) & pl.col("kind").is_in(["bars", "check"])
    for year in range(first.year, last.year + 1):
        begin, end = max(first, date(year, 1, 1)), min(last, date(year, 12, 31))
        meets = pl.col("request").str.extract(r'"since": ?"(\d{4}-\d{2}-\d{2})"') <= end.isoformat()
        raw = lake.read(RAW_PRICES, since=begin, where=wanted & meets.fill_null(True))
        bars = read_bars(raw.with_columns(kind=pl.lit("bars")), INSTRUMENTS.empty(), calendar)
        sound = bars.filter(
            pl.col("rule").is_null() & (pl.col("interval") == DAILY) & pl.col("session").is_between(begin, end)
        )
        last_said = sound.sort(*AT, "fetched_at", "payload_id", "line").unique(AT, keep="last", maintain_order=True)
        yield last_said.select(*AT, old="close")


def _compare(lake: Lake, source: str, old: pl.DataFrame, reach: pl.DataFrame, tolerance: float) -> Figure:
    first, last = old["session"].min(), old["session"].max()
    assert isinstance(first, date) and isinstance(last, date)
    stands = lake.read(
        MARKET_PRICES,
        since=first,
        until=last,
        where=(pl.col("interval") == DAILY) & pl.col("ticker").is_in(old["ticker"].unique().implode()),
        columns=(*MARKET_PRICES.key, "session", "close", "source"),
        every_revision=False,
    )
    within = stands.join(reach, on="ticker").filter(pl.col("session").is_between("begins", "ends"))
    ours = within.select(*AT, ours="close", from_source="source")
    both = old.join(ours, on=AT, how="full", coalesce=True)
    both = both.with_columns(states((pl.col("old") / pl.col("ours") - 1).abs() > tolerance))
    ourselves = (pl.col("state") == "matched") & (pl.col("from_source") == source)
    both = both.with_columns(state=pl.when(ourselves).then(pl.lit("taken_over")).otherwise("state"))
    words = pl.format("{} {}: {} there, {} here", "ticker", "session", to_words("old"), to_words("ours"))
    return counted("closes", both, words, ("session", "ticker"))
