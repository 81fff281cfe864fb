"""Labels: the total return of a forecast's ticker between two closes, where it is known."""

from __future__ import annotations

import polars as pl

from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities


def label_forecasts(due: pl.DataFrame, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Join the realised total return to forecasts that fell due, where it is known.

    The return runs from the close of `session` to the close of `target_session`. A ticker without a bar at the
    target has no label, however many bars come later, unless it was delisted: then its final value per share stands
    for the close, also where trading had stopped before the target and the delisting came after it. Leaving those
    out would score only survivors.

    Args:
        due: forecasts with ticker, session, target_session.
        market_prices: daily bars reaching back to the earliest of these sessions.
        corporate_actions: actions over the same time.

    Returns:
        The rows of `due` whose outcome is known, with `realised` (Float64), in the order given.
    """
    bars = market_prices.join(due.select("ticker").unique(), on="ticker", how="semi")
    levels = _levels(bars, corporate_actions)
    ends = pl.concat([_closes_at_target(due, levels), _final_values(due, levels, corporate_actions)]).unique(
        ["ticker", "target_session"], keep="first", maintain_order=True
    )
    start = levels.select("ticker", "session", start="level")
    return (
        due.join(start, on=["ticker", "session"], how="inner", maintain_order="left")
        .join(ends, on=["ticker", "target_session"], how="inner", maintain_order="left")
        .with_columns(realised=pl.col("end") / pl.col("start") - 1)
        .drop("start", "end")
    )


def label_companies(
    due: pl.DataFrame, market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, companies: Securities
) -> pl.DataFrame:
    """Do the same for the company that each forecast was about, under whatever ticker it trades at the target.

    Returns:
        As `label_forecasts`, with company (String): the company's id.
    """
    named = companies.name_companies(due, "session").with_columns(stated=due["ticker"])
    bars = companies.name_companies(market_prices, "session")
    known = label_forecasts(named, bars, restate_in_gaps(companies.name_actions(corporate_actions), bars))
    return known.rename({"ticker": "company", "stated": "ticker"})


def _levels(bars: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """A total-return index per ticker that starts at 1."""
    daily = daily_total_returns(bars, corporate_actions)
    level = (1 + pl.col("total_return").fill_null(0.0)).cum_prod().over("ticker")
    return daily.select("ticker", "session", "close", level=level)


def _closes_at_target(due: pl.DataFrame, levels: pl.DataFrame) -> pl.DataFrame:
    at = levels.select("ticker", target_session="session", end="level")
    return due.select("ticker", "target_session").unique(maintain_order=True).join(at, on=["ticker", "target_session"])


def _final_values(due: pl.DataFrame, levels: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """The index at a delisting's final value, for forecasts whose ticker had its last bar before their target."""
    last = levels.group_by("ticker", maintain_order=True).last()
    final = (
        corporate_actions.filter(pl.col("kind") == "delisting")
        .sort("ticker", "ex_date")
        .unique("ticker", keep="last", maintain_order=True)
        .join(last, on="ticker", how="inner")
        .filter(pl.col("ex_date") > pl.col("session"))
        .select("ticker", last="session", end=pl.col("level") * pl.col("amount") / pl.col("close"))
    )
    return (
        due.select("ticker", "target_session")
        .unique(maintain_order=True)
        .join(final, on="ticker", how="inner")
        .filter(pl.col("target_session") > pl.col("last"))
        .select("ticker", "target_session", "end")
    )
