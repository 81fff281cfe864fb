"""What a holder earned: total returns from as-traded bars and the corporate actions beside them."""

from __future__ import annotations

import polars as pl

from pipeline.market.sessions import Sessions


def daily_total_returns(market_prices: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Return each bar's total return over the ticker's bar before.

    r_t = (close_t + dividend_t) x ratio_t / close_{t-1} - 1, with ratio_t the new shares for each old one and
    dividend_t the cash per share on the ex-date's share basis. An action whose ex-date has no bar counts at the next
    bar. Each value uses the bar, the bar before and the actions between them: nothing later can change it.

    Args:
        market_prices: daily bars with ticker, session, close (as traded); one row per ticker and session.
        corporate_actions: ticker, ex_date, kind, numerator, denominator, amount.

    Returns:
        ticker, session (Date), close (Float64), ratio (Float64, 1 without a split), dividend (Float64, 0 without),
        total_return (Float64; null at a ticker's first bar), sorted by ticker and session.
    """
    bars = market_prices.select("ticker", "session", "close").sort("ticker", "session")
    effects = _effects(bars, corporate_actions)
    previous = pl.col("close").shift(1).over("ticker")
    return (
        bars.join(effects, on=["ticker", "session"], how="left", maintain_order="left")
        .with_columns(pl.col("ratio").fill_null(1.0), pl.col("dividend").fill_null(0.0))
        .with_columns(total_return=(pl.col("close") + pl.col("dividend")) * pl.col("ratio") / previous - 1)
    )


def forward_total_returns(
    daily: pl.DataFrame, horizons: tuple[int, ...], calendar: Sessions, delistings: pl.DataFrame
) -> pl.DataFrame:
    """Return the total return from each bar's close to the close `horizon` exchange sessions later.

    Only rows whose target session has a bar, or whose ticker was delisted by then (the final value per share then
    stands for the target close), are returned: an outcome that is not known is not there.

    Args:
        daily: the result of `daily_total_returns`.
        horizons: sessions ahead.
        calendar: the exchange's sessions; every session of `daily` has to be one of them.
        delistings: corporate actions of kind delisting (ticker, ex_date, amount); may be empty.

    Returns:
        ticker, session, horizon (Int32), target_session (Date), forward_return (Float64), sorted
        by ticker, session, horizon.
    """
    if daily.is_empty():
        return _no_forward()
    index = _with_final_values(daily, delistings, calendar).with_columns(
        level=(1 + pl.col("total_return").fill_null(0.0)).cum_prod().over("ticker")
    )
    last = calendar.at_or_after(index["session"].max())  # type: ignore[arg-type]
    grid = calendar.frame(index["session"].min(), last).select("session", "position")  # type: ignore[arg-type]
    index = index.join(grid, on="session", how="inner", maintain_order="left")
    parts = [_forward(index, grid, horizon) for horizon in horizons]
    return pl.concat(parts).sort("ticker", "session", "horizon")


def _forward(index: pl.DataFrame, grid: pl.DataFrame, horizon: int) -> pl.DataFrame:
    starts = index.filter(~pl.col("final")).select("ticker", "session", "position", "level")
    targets = index.select("ticker", pl.col("position") - horizon, end="level")
    reached = starts.join(targets, on=["ticker", "position"], how="inner")
    ended = index.filter(pl.col("final")).select("ticker", ended="position", final_level="level")
    cashed = (
        starts.join(ended, on="ticker", how="inner")
        .filter((pl.col("ended") > pl.col("position")) & (pl.col("ended") < pl.col("position") + horizon))
        .select("ticker", "session", "position", "level", end="final_level")
    )
    sessions = grid.select(pl.col("position") - horizon, target_session="session")
    return (
        pl.concat([reached, cashed])
        .join(sessions, on="position", how="inner")
        .select(
            "ticker",
            "session",
            horizon=pl.lit(horizon, dtype=pl.Int32),
            target_session="target_session",
            forward_return=pl.col("end") / pl.col("level") - 1,
        )
    )


def _with_final_values(daily: pl.DataFrame, delistings: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """Add, for each delisted ticker, a last row at its ex-date whose return leads to the final value per share."""
    bars = daily.with_columns(final=pl.lit(False))
    if delistings.is_empty():
        return bars
    last_bars = bars.group_by("ticker", maintain_order=True).last().select("ticker", "close", last="session")
    final = (
        delistings.select("ticker", "ex_date", "amount")
        .sort("ticker", "ex_date")
        .unique("ticker", keep="last", maintain_order=True)
        .join(last_bars, on="ticker", how="inner")
        .filter(pl.col("ex_date") > pl.col("last"))
        .filter(pl.col("ex_date").map_elements(calendar.is_session, return_dtype=pl.Boolean))
        .select(
            "ticker",
            session="ex_date",
            close=pl.col("amount"),
            ratio=pl.lit(1.0),
            dividend=pl.lit(0.0),
            total_return=pl.col("amount") / pl.col("close") - 1,
            final=pl.lit(True),
        )
    )
    return pl.concat([bars, final]).sort("ticker", "session")


def _effects(bars: pl.DataFrame, corporate_actions: pl.DataFrame) -> pl.DataFrame:
    """Split ratio and dividend per (ticker, session of the first bar on or after the ex-date)."""
    actions = (
        corporate_actions.filter(pl.col("kind").is_in(["split", "dividend"]))
        .select(
            "ticker",
            "ex_date",
            ratio=pl.when(pl.col("kind") == "split").then(pl.col("numerator") / pl.col("denominator")).otherwise(1.0),
            dividend=pl.when(pl.col("kind") == "dividend").then(pl.col("amount")).otherwise(0.0),
        )
        .sort("ex_date", "ticker", "ratio", "dividend")
    )
    # The bars of each ticker are in order, which is all that the join asks for where it goes by ticker.
    dated = actions.join_asof(
        bars.select("ticker", "session"),
        left_on="ex_date",
        right_on="session",
        by="ticker",
        strategy="forward",
        check_sortedness=False,
    ).filter(pl.col("session").is_not_null())
    ordered = dated.sort("ticker", "session", "ex_date", "ratio", "dividend")
    return ordered.group_by("ticker", "session", maintain_order=True).agg(
        pl.col("ratio").product(), pl.col("dividend").sum()
    )


def _no_forward() -> pl.DataFrame:
    return pl.DataFrame(
        schema={
            "ticker": pl.String,
            "session": pl.Date,
            "horizon": pl.Int32,
            "target_session": pl.Date,
            "forward_return": pl.Float64,
        }
    )
