"""Why a forecast is what it is, as the operator reads it: what moved it, and what came of the cases nearest to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.explanations import EXPLANATIONS
from lake.tables.predictions import PREDICTIONS
from pipeline.text_format import counted


@dataclass(frozen=True)
class ForecastPart:
    """What an input adds to a point."""

    feature: str
    value: float
    """At the session, in the feature's unit."""
    contribution: float
    """As a fraction."""
    exact: bool
    """A line's term; False where a part is from a network's gradients."""


@dataclass(frozen=True)
class ExplainedForecast:
    """A forecast in parts that add up to its point."""

    session: date
    ticker: str
    horizon: int
    model_id: str
    specialist: str | None
    """Who spoke in the champion's place."""
    point: float
    low: float
    """Lower end of its 80 % interval."""
    high: float
    parts: tuple[ForecastPart, ...]
    rest: float
    """All inputs that are not told."""
    level: float
    gap: float
    corrections: float
    run_id: str
    """The run that explained it, which names the versions it read."""

    @property
    def further(self) -> tuple[tuple[str, float], ...]:
        """What else adds up to the point, in words, as far as it is anything."""
        named = (
            ("all other inputs", self.rest),
            ("networks at average inputs", self.level),
            ("what the networks' parts miss", self.gap),
            ("lessons and bounds", self.corrections),
        )
        return tuple((words, value) for words, value in named if abs(value) >= 5e-7)


def read_explanations(
    lake: Lake, ticker: str, session: date | None = None, horizon: int | None = None
) -> tuple[ExplainedForecast, ...]:
    """Read why a ticker's forecasts are what they are, by horizon; at the last session with any by default.

    Raises:
        NoSuchError: if none is explained, and whose are.
    """
    session = session or lake.last_clock(EXPLANATIONS, until=date.max)
    rows = lake.read(EXPLANATIONS, since=session, until=session) if session is not None else EXPLANATIONS.empty()
    mine = rows.filter(pl.col("ticker") == ticker)
    if horizon is not None:
        mine = mine.filter(pl.col("horizon") == horizon)
    if mine.is_empty():
        raise NoSuchError(_describe_missing(rows, ticker, session, horizon))
    columns = (*PREDICTIONS.key, "prediction_id", "q10", "q90", "specialist")
    made = lake.read(PREDICTIONS, since=session, until=session, columns=columns)
    told = mine.join(made.select("prediction_id", "q10", "q90", "specialist"), on="prediction_id", how="left")
    return tuple(_show(row) for row in told.sort("horizon").iter_rows(named=True))


def _describe_missing(rows: pl.DataFrame, ticker: str, session: date | None, horizon: int | None) -> str:
    if rows.is_empty():
        return f"no forecast is explained{f' at {session}' if session else ''}: no champion forecast anything then"
    at = f" over {counted(horizon, 'session')}" if horizon else ""
    names = rows["ticker"].unique().sort().to_list()
    return (
        f"no forecast of {ticker}{at} is explained at {session}; the {len(names)} with the largest points are"
        f" (prediction.explained): {', '.join(names[:20])}"
    )


def _show(row: dict[str, Any]) -> ExplainedForecast:
    return ExplainedForecast(
        **{name: row[name] for name in ("session", "ticker", "horizon", "model_id", "specialist", "point", "run_id")},
        low=row["q10"],
        high=row["q90"],
        parts=tuple(ForecastPart(**one) for one in row["parts"]),
        **{name: row[name] for name in ("rest", "level", "gap", "corrections")},
    )
