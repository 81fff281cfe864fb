"""Compares the bars of a second source with those that stand."""

from __future__ import annotations

import polars as pl

from lake.tables.market import INSTRUMENTS, MARKET_PRICES
from pipeline.ingestion.decode_payloads import SET_ASIDE
from pipeline.ingestion.params import CheckParams
from pipeline.ingestion.prices.bar_rules import read_bars
from pipeline.ingestion.prices.jumps import BAR
from pipeline.market.sessions import Sessions

AGREES = "the second source agrees on the close"
UNANSWERED = "failure"
"""Format of a landing that says why there was no answer; it is told whatever it holds."""


def validate_second_source(
    raw_prices: pl.DataFrame, market_prices: pl.DataFrame, calendar: Sessions, params: CheckParams
) -> pl.DataFrame:
    """The second source's bars whose close differs from the standing one by more than the tolerance.

    A bar that only one of them has is no disagreement, and what breaks a rule by itself is not worth a comparison.

    Args:
        raw_prices: landed rows; those that are no checks are passed over.
        market_prices: known bars, every revision; the last one stands.

    Returns:
        payload_id, line, ticker, source, landed, text (both closes in words) and rule.
    """
    checks = raw_prices.filter(pl.col("kind") == "check")
    if checks.is_empty():  # most lakes have no second source; the rest costs the same for none as for one
        return pl.DataFrame(schema=SET_ASIDE)
    bars = read_bars(checks.with_columns(kind=pl.lit("bars")), INSTRUMENTS.empty(), calendar)
    unanswered = checks.filter(pl.col("format") == UNANSWERED)["payload_id"].implode()
    silent = bars.filter(pl.col("payload_id").is_in(unanswered)).select(*SET_ASIDE)
    standing = market_prices.sort(MARKET_PRICES.key).unique(BAR, keep="last", maintain_order=True)
    beside = bars.filter(pl.col("rule").is_null()).join(
        standing.select(*BAR, standing="close", first="source"), on=BAR, how="inner", maintain_order="left"
    )
    apart = beside.filter((pl.col("close") / pl.col("standing") - 1).abs() > params.close)
    words = pl.format("{} {}: {} says {}, {} says {}", "session", "interval", "first", "standing", "source", "close")
    told = apart.with_columns(text=words, rule=pl.lit(AGREES)).select(*SET_ASIDE)
    return pl.concat([silent, told])
