"""What the bars within a session say of it, in a few numbers that no split or dividend touches."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl

from pipeline.features.facts.declarations import BAR_FACTS
from pipeline.features.panel import Floats, Panel
from pipeline.market.sessions import Sessions

SLOT = timedelta(minutes=5)
"""The usual compromise: shorter returns measure the bounce between bid and ask, longer ones miss what happens."""
HALF_HOUR = 6
"""Slots of half an hour."""
ENOUGH = 0.8
"""Share of a session's slots that need a bar."""
SUMS = ("realised_variance", "falling_variance", "bipower_variation")
BAR_COLUMNS = ("ticker", "interval", "session", "ts", "open", "high", "low", "close", "volume")


def known_in_time(intraday_prices: pl.DataFrame, calendar: Sessions, lag: timedelta) -> pl.DataFrame:
    """Each bar as it was known when its own session's decision was made, if it was.

    Args:
        intraday_prices: every revision, sorted by the table's key.
        calendar: the exchange's sessions.
        lag: how long after the close decisions are made; never later than the next open.
    """
    days = intraday_prices["session"].unique().sort().to_list()
    decided = [min(calendar.close_at(day) + lag, calendar.open_at(calendar.next(day))) for day in days]
    cutoffs = pl.DataFrame(
        {"session": days, "decided": decided}, schema={"session": pl.Date, "decided": pl.Datetime("us", "UTC")}
    )
    bars = intraday_prices.join(cutoffs, on="session", how="left", maintain_order="left")
    bars = bars.filter(pl.col("available_at") <= pl.col("decided"))
    return bars.unique(["ticker", "interval", "ts"], keep="last", maintain_order=True).drop("decided")


def lay_out_bars(bars: pl.DataFrame, panel: Panel, calendar: Sessions) -> dict[str, Floats]:
    """The facts of five-minute bars as matrices like the panel's; NaN where bars lack.

    Args:
        bars: BAR_COLUMNS of bars within sessions, of any interval.
        panel: the sessions and companies; bars of others are left out.
        calendar: the exchange's sessions.
    """
    told = summarise(bars, calendar)
    days = calendar.days[max(panel.first, 0) : panel.first + len(panel.bar)]
    row = pl.DataFrame({"session": days, "row": range(max(-panel.first, 0), len(panel.bar))})
    column = pl.DataFrame(
        {"ticker": panel.tickers, "column": range(len(panel.tickers))}, schema_overrides={"ticker": pl.String}
    )
    placed = told.join(row, on="session").join(column, on="ticker").sort("column", "row")
    at = placed["row"].to_numpy(), placed["column"].to_numpy()
    found = {}
    for name in told.columns[2:]:
        matrix = np.full(panel.bar.shape, np.nan)
        matrix[at] = placed[name].fill_null(np.nan).to_numpy()
        found[name] = matrix
    return found


def summarise(bars: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """One row for each ticker and session that has bars for most of its slots, with each fact of BAR_FACTS.

    A half hour is known if its bars are there at both ends; a share of volume if anything was traded.
    """
    slots = _fill_slots(bars, _measure_sessions(bars["session"].unique().sort().to_list(), calendar))
    change = (pl.col("close") / pl.col("close").shift(1).over("ticker", "session").fill_null(pl.col("open"))).log()
    slots = slots.with_columns(change=change).with_columns(
        realised_variance=pl.col("change") ** 2,
        falling_variance=pl.when(pl.col("change") < 0).then(pl.col("change") ** 2).otherwise(0.0),
        bipower_variation=pl.col("change").abs() * pl.col("change").abs().shift(1).over("ticker", "session"),
        dollars=(pl.col("high") + pl.col("low") + pl.col("close")) / 3 * pl.col("volume"),
    )
    told = slots.group_by("ticker", "session", maintain_order=True).agg(_pick())
    sums = {name: _add_up(slots[name], told["count"]) for name in (*SUMS, "dollars")}
    told = told.with_columns(**sums).with_columns(
        bipower_variation=pl.col("bipower_variation") * (np.pi / 2),
        close_over_average=(pl.col("closed") * pl.col("traded") / pl.col("dollars")).log(),
    )
    told = told.filter(pl.col("count") >= ENOUGH * pl.col("slots"))
    return told.select(
        "ticker", "session", *(pl.when(pl.col(fact.name).is_finite()).then(pl.col(fact.name)) for fact in BAR_FACTS)
    )


def _add_up(values: pl.Series, counts: pl.Series) -> Floats:
    """The sum of each run of that many values, one after the other: grouped sums may be added in another order."""
    runs = np.repeat(np.arange(len(counts)), counts.to_numpy())
    weights = values.fill_null(0.0).to_numpy()
    return np.bincount(runs, weights=weights, minlength=len(counts)).astype(np.float64)


def _pick() -> list[pl.Expr]:
    """What takes no sums of fractions."""
    volume, close, slot = pl.col("volume"), pl.col("close"), pl.col("slot")
    last_half = slot >= pl.col("slots") - HALF_HOUR
    at_half_hour = close.filter(slot == HALF_HOUR - 1).first()
    before_last = close.filter(slot == pl.col("slots") - HALF_HOUR - 1).first()
    opened, closed = pl.col("open").filter(slot == 0).first(), close.filter(slot == pl.col("slots") - 1).first()
    low, high = pl.col("low").min(), pl.col("high").max()
    return [
        pl.len().cast(pl.Int64).alias("count"),
        pl.col("slots").first(),
        close.last().alias("closed"),
        volume.sum().alias("traded"),
        (at_half_hour / opened).log().alias("first_half_hour"),
        (closed / before_last).log().alias("last_half_hour"),
        (volume.filter(slot < HALF_HOUR).sum() / volume.sum()).alias("first_half_hour_volume"),
        (volume.filter(last_half).sum() / volume.sum()).alias("last_half_hour_volume"),
        ((2 * close.last() - high - low) / (high - low)).alias("close_in_range"),
    ]


def _measure_sessions(days: list[date], calendar: Sessions) -> pl.DataFrame:
    """When each session opens, and how many slots it has."""
    opens = [calendar.open_at(day) for day in days]
    slots = [(calendar.close_at(day) - start) // SLOT for day, start in zip(days, opens, strict=True)]
    return pl.DataFrame(
        {
            "session": pl.Series(days, dtype=pl.Date),
            "opened": pl.Series(opens, dtype=pl.Datetime("us", "UTC")),
            "slots": pl.Series(slots, dtype=pl.Int64),
        }
    )


def _fill_slots(bars: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """One bar for each ticker, session and slot within the session, in order; five-minute bars before shorter ones."""
    fine = bars.filter(pl.col("interval").is_in(["5m", "1m"])).join(sessions, on="session")
    # A bar is named by its end: one that ends five minutes after the open fills the first slot.
    into = (pl.col("ts") - pl.col("opened")).dt.total_microseconds() - 1
    placed = fine.with_columns(slot=into // (SLOT // timedelta(microseconds=1)), whole=pl.col("interval") == "5m")
    placed = placed.filter(pl.col("slot").is_between(0, pl.col("slots") - 1))
    five = placed.filter(pl.col("whole").any().over("ticker", "session") == pl.col("whole"))
    ordered = five.sort("ticker", "session", "slot", "ts")
    return ordered.group_by("ticker", "session", "slot", maintain_order=True).agg(
        pl.col("open").first(),
        pl.col("high").max(),
        pl.col("low").min(),
        pl.col("close").last(),
        pl.col("volume").sum().cast(pl.Float64),
        pl.col("slots").first(),
    )
