"""A ticker's past and the fan of its forecast: paths of total returns, and the picture of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.predictions import INTERVALS, QUANTILE_COLUMNS
from nextgen_tui.console.charts.charts import Band, Chart, Curve
from nextgen_tui.console.lake_view import LakeView
from pipeline.market.returns import daily_total_returns

DAYS_BEFORE = 120
"""Calendar days of closes before the forecasts: about 82 sessions."""
DAYS_AFTER = 45
"""Calendar days after them in which an outcome is looked for: beyond the longest horizon."""
PATH = 60
"""Sessions drawn before a forecast."""
SPARK = 16
"""Closes in a sparkline."""


def read_paths(view: LakeView, tickers: Sequence[str], session: date) -> pl.DataFrame:
    """Closes and total returns around a session; what came after it is read from now, wherever the view stands.

    Returns:
        ticker, session, close, total_return; sorted by ticker and session.
    """
    wanted = pl.col("ticker").is_in(list(tickers))
    since, until = session - timedelta(days=DAYS_BEFORE), session + timedelta(days=DAYS_AFTER)
    daily = wanted & (pl.col("interval") == "1d")
    lake = view.lake
    prices = lake.read(MARKET_PRICES, since=since, until=until, where=daily, every_revision=False)
    actions = lake.read(CORPORATE_ACTIONS, since=since, until=until, where=wanted, every_revision=False)
    if prices.is_empty():
        return empty_paths()
    return (
        daily_total_returns(prices, actions)
        .select("ticker", "session", "close", "total_return")
        .sort("ticker", "session")
    )


def empty_paths() -> pl.DataFrame:
    """Paths of nothing."""
    return pl.DataFrame(
        schema={"ticker": pl.String, "session": pl.Date, "close": pl.Float64, "total_return": pl.Float64}
    )


def levels(paths: pl.DataFrame, ticker: str, origin: date) -> tuple[list[float], list[float], list[date]]:
    """The ticker's total-return path through the close at the origin: up to it, after it, and the sessions of both.

    Splits and dividends leave no step in it.
    """
    rows = paths.filter(pl.col("ticker") == ticker)
    before = rows.filter(pl.col("session") <= origin).tail(PATH)
    after = rows.filter(pl.col("session") > origin)
    if before.is_empty():
        return [], [], []
    past = [float(before["close"][-1])]
    for change in reversed(before["total_return"].to_list()[1:]):
        past.append(past[-1] / (1 + (change or 0.0)))
    later: list[float] = []
    for change in after["total_return"]:
        later.append((later or [past[0]])[-1] * (1 + (change or 0.0)))
    return past[::-1], later, [*before["session"].to_list(), *after["session"].to_list()]


def fan(predictions: pl.DataFrame, paths: pl.DataFrame, ticker: str, session: date | None) -> Chart:
    """The past as a line, the forecast as median and 50, 80 and 90 % bands, and what happened where it is known."""
    rows = predictions.filter(pl.col("ticker") == ticker).sort("horizon")
    if rows.is_empty() or session is None:
        return Chart()
    past, later, days = levels(paths, ticker, session)
    start = float(rows["reference_close"][0])
    origin = float(max(len(past) - 1, 0))
    steps = (origin, *(origin + h for h in rows["horizon"]))
    curve = {name: (start, *(start * (1 + value) for value in rows[name])) for name in QUANTILE_COLUMNS}
    shades = {90: 1, 80: 2, 50: 3}
    bands = tuple(Band(steps, curve[low], curve[high], shades[p]) for p, (low, high) in INTERVALS.items())
    known = later[: int(rows["horizon"][-1])]
    lines = [Curve(tuple(float(n) for n in range(len(past))), tuple(past), "past")]
    legend = [*(("█", f"band{shades[p]}", f"{p} %") for p in sorted(shades)), ("⠤", "median", "median")]
    if known:
        lines.append(Curve(tuple(origin + n for n in range(len(known) + 1)), (start, *known), "outcome"))
        legend.append(("⠒", "outcome", "what happened"))
    lines.append(Curve(steps, curve["q50"], "median", dotted=True))
    legend.append(("⠒", "past", "past"))
    ticks = [(0.0, f"{days[0]:%b %d}"), (origin, f"{session:%b %d}")] if days else []
    ticks.append((steps[-1], f"+{rows['horizon'][-1]}"))
    return Chart(ticker, tuple(lines), bands, ticks=tuple(ticks), legend=tuple(legend))


def recent_closes(paths: pl.DataFrame, session: date | None) -> pl.DataFrame:
    """The last closes up to the session of each ticker, as a list: `closes`."""
    known = paths.filter(pl.col("session") <= session) if session else paths
    return known.group_by("ticker", maintain_order=True).agg(pl.col("close").tail(SPARK).alias("closes"))
