"""What could be known at best: the expectation the simulated market was built around. For tests only."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from pipeline.ingestion.sources.simulated.instruments import Floats, Instruments
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.returns import (
    BURN_IN,
    MOMENTUM_FROM,
    TRANSITIONS,
    ReturnPaths,
    hidden_drift,
    own_drift,
    regime_drift,
    regime_mood,
)

FORECAST_SCHEMA = {
    "session": pl.Date,
    "ticker": pl.String,
    "horizon": pl.Int32,
    "expected_return": pl.Float64,
}


def expected_returns(
    instruments: Instruments, path: ReturnPaths, params: SimulatedParams, now: int, horizons: tuple[int, ...]
) -> dict[int, Floats]:
    """Return, per horizon, each name's expected total return from close `now` to close `now + horizon`.

    The drift is linear in past returns and impulses, so that its expectation follows by iterating it with unknown
    returns at their own expectation and unknown impulses at 0; what is planted beside the line follows with unknown
    surprises at 0, and the market's drift from the regime's transition matrix. Products of two surprises
    (autocovariances, about 1e-5 per pair of sessions) and the chance of a bankruptcy or takeover not yet public are
    left out.
    """
    own = path.own[: BURN_IN + now + 1][-MOMENTUM_FROM:]
    impulse = path.impulse[: BURN_IN + now + 1][-MOMENTUM_FROM:]
    surprise = path.surprise[: BURN_IN + now + 1][-MOMENTUM_FROM:]
    regime = np.eye(len(TRANSITIONS))[path.regime[now]]
    drift = regime_drift(params)
    growth = np.ones(instruments.size)
    found: dict[int, Floats] = {}
    for ahead in range(1, max(horizons) + 1):
        mood = float((regime * regime_mood()).sum())
        regime = (regime[:, None] * TRANSITIONS).sum(axis=0)
        next_own = own_drift(own, impulse, instruments, params) + hidden_drift(surprise, mood, instruments, params)
        growth = growth * (1 + instruments.beta * (regime * drift).sum() + next_own)
        own = np.vstack([own[1:], next_own])
        impulse, surprise = (np.vstack([rows[1:], np.zeros(instruments.size)]) for rows in (impulse, surprise))
        if ahead in horizons:
            found[ahead] = growth - 1
    return found


def best_forecast(
    instruments: Instruments,
    path: ReturnPaths,
    params: SimulatedParams,
    now: int,
    session: date,
    horizons: tuple[int, ...],
) -> pl.DataFrame:
    """Return session, ticker, horizon (Int32), expected_return (Float64) of the names trading in the ordinary way.

    Raises:
        ValueError: for a horizon below 1.
    """
    if not horizons or min(horizons) < 1:
        raise ValueError(f"horizons are {horizons}; they count sessions ahead, from 1")
    struck = {departure.name: departure.struck for departure in instruments.departures}
    there = [
        name for name in range(instruments.size) if instruments.listed[name] <= now and now < struck.get(name, now + 1)
    ]
    expected = expected_returns(instruments, path, params, now, horizons)
    rows = [
        (session, instruments.tickers[name], horizon, float(expected[horizon][name]))
        for name in there
        for horizon in sorted(set(horizons))
    ]
    return pl.DataFrame(rows, schema=FORECAST_SCHEMA, orient="row")
