"""The past cases nearest to a forecast, by what moves it, and what came of them.

Two cases are near where the inputs that count are alike: inputs in standard deviations of the training rows, each
weighed by the size of its coefficient in the champion's line at that horizon. Features are read at the versions that
the forecast's explanation read; what came of a case was known by the session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.runs import find_run
from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.models import MODEL_REGISTRY
from pipeline.market.returns import daily_total_returns, forward_total_returns
from pipeline.market.sessions import Sessions
from pipeline.models.scaling import standardise
from pipeline.models.serialization import decode
from pipeline.reading.learning.explanations import ExplainedForecast

LOOKBACK = 504
"""Sessions that are looked through: two years."""


@dataclass(frozen=True)
class PastCase:
    """A ticker at a session whose outcome is known."""

    session: date
    ticker: str
    distance: float
    """Root of the mean squared difference of the inputs, in standard deviations, weighed by coefficients."""
    outcome: float
    """Total return over the horizon from that session's close, as a fraction."""


def find_past_cases(
    lake: Lake, calendar: Sessions, explained: ExplainedForecast, count: int = 5
) -> tuple[PastCase, ...]:
    """The nearest cases, the nearest first; of one ticker none that overlap.

    Args:
        lake: with the champion's line and the features of two years.
        calendar: the exchange's sessions.
        explained: the forecast.
        count: how many at most.
    """
    model = lake.read(MODEL_REGISTRY, where=(pl.col("model_id") == explained.model_id) & (pl.col("member") == "ridge"))
    if model.is_empty():
        return ()
    row = model.row(0, named=True)
    rows = _read_rows(lake, calendar, explained, row)
    here = rows.filter((pl.col("session") == explained.session) & (pl.col("ticker") == explained.ticker))
    known = rows.filter(pl.col("session") <= calendar.offset(explained.session, -explained.horizon))
    if here.is_empty() or known.is_empty():
        return ()
    distance = _measure(row, here, known, row["horizons"].index(explained.horizon))
    outcomes = _read_outcomes(lake, calendar, explained, known["session"].min())  # type: ignore[arg-type]
    near = (
        known.select("session", "ticker")
        .with_columns(distance=pl.Series(distance))
        .join(outcomes, on=["ticker", "session"], how="inner")
    )
    return _choose_apart(near.sort("distance", "session", "ticker"), calendar, explained.horizon, count)


def _read_rows(lake: Lake, calendar: Sessions, explained: ExplainedForecast, model: dict[str, Any]) -> pl.DataFrame:
    """Complete rows of the model's features, up to the session."""
    pinned = find_run(lake, explained.run_id).recipe.inputs[FEATURE_ROWS.name]
    rows = lake.read(
        FEATURE_ROWS,
        version=pinned,
        since=calendar.offset(explained.session, -LOOKBACK),
        until=explained.session,
        columns=(*FEATURE_ROWS.key, "complete", *model["features"]),
    )
    own = rows.filter(pl.col("complete") & (pl.col("feature_set") == pl.col("feature_set").last()))
    return own.drop_nulls(model["features"])


def _measure(model: dict[str, Any], here: pl.DataFrame, known: pl.DataFrame, horizon: int) -> npt.NDArray[np.float64]:
    line = decode(model["weights"], model["weights_sha256"], f"model {model['model_id']!r}, member 'ridge'")
    weight = np.abs(line["coefficients"][:, horizon])
    weight = weight / weight.sum() if weight.any() else np.full(len(weight), 1 / len(weight))
    scaled, mine = (standardise(one.select(model["features"]).to_numpy(), line) for one in (known, here))
    distance: npt.NDArray[np.float64] = np.sqrt(((scaled - mine) ** 2 * weight).sum(axis=1))
    return distance


def _read_outcomes(lake: Lake, calendar: Sessions, explained: ExplainedForecast, since: date) -> pl.DataFrame:
    """ticker, session, outcome: total returns over the horizon that were known by the session."""
    daily = pl.col("interval") == "1d"
    columns = (*MARKET_PRICES.key, "session", "close")
    bars = lake.read(MARKET_PRICES, since=since, until=explained.session, where=daily, columns=columns)
    actions = lake.read(CORPORATE_ACTIONS, since=since, until=explained.session)
    delistings = actions.filter(pl.col("kind") == "delisting")
    found = forward_total_returns(daily_total_returns(bars, actions), (explained.horizon,), calendar, delistings)
    return found.select("ticker", "session", outcome="forward_return").drop_nulls()


def _choose_apart(near: pl.DataFrame, calendar: Sessions, horizon: int, count: int) -> tuple[PastCase, ...]:
    """The first ones, of each ticker none whose spans overlap."""
    found: list[PastCase] = []
    taken: dict[str, list[int]] = {}
    for row in near.iter_rows(named=True):
        at, own = calendar.position(row["session"]), taken.setdefault(row["ticker"], [])
        if all(abs(at - other) >= horizon for other in own):
            own.append(at)
            found.append(PastCase(**row))
        if len(found) == count:
            break
    return tuple(found)
