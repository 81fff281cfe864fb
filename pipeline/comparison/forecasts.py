"""Forecasts of both systems for the same ticker, session and horizon, beside each other and beside what happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date

import polars as pl

from lake.store import Lake
from lake.tables.imports import IMPORTED_PREDICTIONS
from lake.tables.predictions import PREDICTIONS
from pipeline.comparison.companies import list_names, read_actions, read_bars
from pipeline.comparison.figure import Figure, counted, states, to_words
from pipeline.market.endings import forward_company_returns
from pipeline.market.sessions import Sessions

AT = ("session", "ticker", "horizon")
LEAST = 5
"""Tickers of a session, or pairs in all, from which a rank correlation says anything."""


def forecasts(
    lake: Lake, source: str, first: date, last: date, calendar: Sessions, tolerance: float | None
) -> list[Figure]:
    """One figure for each of the older system's models and horizons; none where it brought no forecasts.

    The lake's are those of its champion, or of the naive model where there was none. Two forecasters are free to
    differ: only with a tolerance does a difference count against them. Errors are absolute, against the total return
    to the target close, over the pairs of which it is known.

    Args:
        lake: to look in.
        source: the older system.
        first: first session.
        last: last session.
        calendar: the exchange's sessions.
        tolerance: fraction of the price by which two forecasts may differ; None only tells.
    """
    old = lake.read(IMPORTED_PREDICTIONS, since=first, until=last, where=pl.col("source") == source)
    if old.is_empty():
        return []
    ours = _ours(lake, first, last)
    happened = _read_outcomes(lake, old, calendar)
    return list(_figures(old, ours, happened, tolerance))


def _ours(lake: Lake, first: date, last: date) -> pl.DataFrame:
    """session, ticker, horizon, ours: the champion's forecast before the naive one's."""
    made = lake.read(
        PREDICTIONS,
        since=first,
        until=last,
        where=pl.col("role").is_in(["champion", "naive"]),
        columns=(*PREDICTIONS.key, "point", "role"),
    )
    ordered = made.sort(*AT, "role", "model_id").unique(AT, keep="first", maintain_order=True)
    return ordered.select(*AT, ours="point")


def _read_outcomes(lake: Lake, old: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """session, ticker, horizon, happened: total returns that are known by now."""
    first = old["session"].min()
    assert isinstance(first, date)
    acts = read_actions(lake, old["ticker"])
    bars = read_bars(lake, list_names(old["ticker"], acts), first)
    acts = acts.filter(pl.col("ex_date") >= first)
    horizons = tuple(old["horizon"].unique().sort())
    known = forward_company_returns(bars, acts, horizons, calendar)
    return known.select(*AT, happened="forward_return")


def _figures(
    old: pl.DataFrame, ours: pl.DataFrame, happened: pl.DataFrame, tolerance: float | None
) -> Iterator[Figure]:
    models = old["model"].n_unique()
    for (model, horizon), part in old.group_by(["model", "horizon"], maintain_order=True):
        name = f"forecasts {horizon} ahead" + (f" of {model}" if models > 1 else "")
        mine = ours.filter(pl.col("horizon") == horizon).join(part.select("session").unique(), on="session", how="semi")
        mine = mine.join(part.select("ticker").unique(), on="ticker", how="semi")
        yield _figure(name, part.select(*AT, old="point"), mine, happened, tolerance)


def _figure(
    name: str, old: pl.DataFrame, ours: pl.DataFrame, happened: pl.DataFrame, tolerance: float | None
) -> Figure:
    both = old.join(ours, on=AT, how="full", coalesce=True).join(happened, on=AT, how="left")
    apart = (pl.col("old") - pl.col("ours")).abs() > (float("inf") if tolerance is None else tolerance)
    both = both.with_columns(states(apart))
    pairs = both.drop_nulls(["old", "ours"]).sort(AT)
    words = pl.format("{} {}: {} there, {} here", "ticker", "session", to_words("old"), to_words("ours"))
    figure = counted(name, both, words, ("session", "ticker"))
    first = figure.first if figure.differs else ""
    return replace(figure, first=first, judged=tolerance is not None, numbers=_numbers(pairs))


def _numbers(pairs: pl.DataFrame) -> dict[str, float | None]:
    known = pairs.drop_nulls("happened")
    return {
        "rank_correlation": _rank_correlation(pairs),
        "mean_difference": _mean(pairs["old"] - pairs["ours"]),
        "scored": float(known.height),
        "error_there": _mean((known["old"] - known["happened"]).abs()),
        "error_here": _mean((known["ours"] - known["happened"]).abs()),
        "correlation_there": _rank_correlation(known, "happened", "old"),
        "correlation_here": _rank_correlation(known, "happened", "ours"),
    }


def _rank_correlation(pairs: pl.DataFrame, one: str = "old", other: str = "ours") -> float | None:
    """Spearman's, the mean over sessions with enough tickers; over all pairs where no session has."""
    parts = [part for part in pairs.partition_by("session", maintain_order=True) if part.height >= LEAST]
    parts = parts or ([pairs] if pairs.height >= LEAST else [])
    found = [part.select(pl.corr(one, other, method="spearman")).item() for part in parts]
    finite = pl.Series(found, dtype=pl.Float64)
    return _mean(finite.filter(finite.is_finite()))


def _mean(values: pl.Series) -> float | None:
    mean = values.mean()
    return mean if isinstance(mean, float) else None
