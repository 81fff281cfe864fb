"""Checks of bars within sessions: how fresh they are at the close, and whether the daily bar agrees with them."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.health.checks import Check
from pipeline.health.params import HealthParams
from pipeline.text_format import counted, percent

LOOKBACK = 5
"""Sessions before the one judged: whoever took snapshots in them is told when none arrive."""


def check_snapshots(intraday: pl.DataFrame, moment: Moment, params: HealthParams) -> Iterator[Check]:
    """For each length of bars that snapshots brought lately: how long before the close the newest of them ended."""
    close = moment.calendar.close_at(moment.session)
    newest = intraday.group_by("interval").agg(pl.col("ts").max()).sort("interval")
    for interval, ts in newest.iter_rows():
        minutes = (close - ts).total_seconds() / 60
        limit = float(params.max_snapshot_age_minutes)
        told = f"the newest bar of {interval} ends at {ts:%Y-%m-%d %H:%M} UTC"
        if minutes <= limit:
            yield Check("intraday_prices", f"fresh {interval}", "ok", minutes, limit, f"{told}, as the session needs")
        else:
            late = f"{told}, {minutes:,.0f} minutes before the close; see `nextgen runs` for the snapshots since"
            yield Check("intraday_prices", f"fresh {interval}", "warn", minutes, limit, late)


def check_daily_bars(
    intraday: pl.DataFrame, prices: pl.DataFrame, moment: Moment, params: HealthParams
) -> Iterator[Check]:
    """Compare the session's daily bars with the shorter ones of the same ticker.

    None of them may have traded outside the day's range, the first has to begin at the day's open, and the last to end
    at its close, each within a tolerance: an auction is not in every vendor's last bar. A first or last bar that is
    missing says nothing. Volumes are not compared: vendors count different exchanges.

    Args:
        intraday: the last revisions of bars with ticker, interval, session, ts, open, high, low and close.
        prices: the same of `market_prices`.
        moment: of the report.
        params: the tolerance.
    """
    daily = prices.filter(pl.col("interval") == "1d", pl.col("session") == moment.session)
    within = intraday.filter(pl.col("session") == moment.session)
    beside = _summarize_bars(within, moment).join(daily, on="ticker", suffix="_of_day").sort("ticker", "interval")
    if beside.is_empty():
        return
    apart = beside.with_columns(said=pl.coalesce(_contradictions(params.daily_tolerance))).drop_nulls("said")
    limit, judged, wrong = params.daily_tolerance, beside["ticker"].n_unique(), apart["ticker"].n_unique()
    if apart.is_empty():
        message = f"{counted(judged, 'daily bar')} beside shorter ones, none contradicted by {percent(limit, 1)}"
        yield Check("intraday_prices", "daily bar", "ok", 0.0, 0.0, message)
        return
    first = apart.row(0, named=True)
    message = (
        f"contradicted by their own shorter bars: {wrong} of {counted(judged, 'daily bar')}, the first "
        f"is {first['ticker']}: {first['said']}; fetch both again, or see which of them is adjusted for a split"
    )
    yield Check("intraday_prices", "daily bar", "warn", float(wrong), 0.0, message[:500])


def _summarize_bars(within: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """One row per ticker and length: its range, and open and close where the first and the last bar are there."""
    opened, closed = moment.calendar.open_at(moment.session), moment.calendar.close_at(moment.session)
    length = pl.duration(minutes=pl.col("interval").replace_strict({"1h": 60, "5m": 5, "1m": 1}, return_dtype=pl.Int64))
    ordered = within.sort("ticker", "interval", "ts").with_columns(
        first=pl.col("ts") - length <= opened, last=pl.col("ts") == closed
    )
    return ordered.group_by("ticker", "interval").agg(
        bar_open=pl.col("open").filter("first").first(),
        bar_high=pl.col("high").max(),
        bar_low=pl.col("low").min(),
        bar_close=pl.col("close").filter("last").last(),
    )


def _contradictions(tolerance: float) -> list[pl.Expr]:
    """What the first contradiction is, in words; null where there is none."""
    off = {name: (pl.col(f"bar_{name}") / pl.col(name) - 1).abs() > tolerance for name in ("open", "close")}
    off["high"] = pl.col("bar_high") > pl.col("high") * (1 + tolerance)
    off["low"] = pl.col("bar_low") < pl.col("low") * (1 - tolerance)
    return [
        pl.when(wrong).then(
            pl.format(
                f"{name} {{}} where bars of {{}} have {{}}",
                pl.col(name).round_sig_figs(9),
                "interval",
                pl.col(f"bar_{name}").round_sig_figs(9),
            )
        )
        for name, wrong in off.items()
    ]
