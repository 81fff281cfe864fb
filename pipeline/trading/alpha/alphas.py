"""Say what the book may expect of each name over its holding period, and what the name adds to its risk."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_REGISTRY
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import ALPHAS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities
from pipeline.trading.alpha.risk_model import LOOKBACK, NameRisk, model_risk
from pipeline.trading.alpha.signals import Signal, combine_signals, measure_half_life, score_names
from pipeline.trading.alpha.skill import Skill, believe_in, read_live, read_registered
from pipeline.trading.construction.problem import Flags, Floats
from pipeline.trading.mandates import mandate
from pipeline.trading.mandates.mandate import read_mandate
from pipeline.trading.params import TradingParams

SIGNAL_LOOKBACK = 5
"""Sessions of earlier forecasts that tell how fast a signal decays."""
NORMAL_80 = 2.5631
"""Width of a normal distribution's 80 % interval, in standard deviations."""


def alphas(
    predictions: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    model_registry: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    mandates: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return a row for each name with bars in the last half year, at the close of `moment.session` alone.

    alpha = IC x sigma x score at each horizon, the IC shrunk to what the evidence bears, carried over to the mandate's
    holding period and averaged by that evidence. Forecasts of the naive model stand out nowhere: their alpha is 0.
    """
    session = moment.session
    companies = Securities.trace(corporate_actions, market_prices)
    bars = companies.follow_to(market_prices, "session", session)
    actions = restate_in_gaps(companies.follow_actions_to(corporate_actions, session), bars)
    names = bars["ticker"].unique().sort().to_list()
    listed = ticker_universe.filter(pl.col("session") == session)
    members = set(listed.filter("member")["ticker"])
    sector_of = dict(listed.select("ticker", "sector").iter_rows())
    sectors = [sector_of.get(name) for name in names]
    inside = np.array([name in members for name in names], dtype=bool)
    risk = model_risk(_lay_out(daily_total_returns(bars, actions), names), inside, sectors)
    forecasts = companies.follow_to(predictions, "session", session)
    champion = forecasts.filter(pl.col("session") == session, pl.col("role") == "champion")["model_id"].sort()
    model_id = champion[0] if len(champion) else None
    holding = read_mandate(mandates, params.mandate).mandate.horizon
    shown, live = read_registered(model_registry, model_id), read_live(feedback_metrics)
    signals = _read_signals(forecasts.filter(pl.col("role") == "champion"), names, inside, shown, live, holding, moment)
    return _rows(session, names, sectors, risk, signals, holding, model_id)


def _lay_out(returns: pl.DataFrame, names: list[str]) -> Floats:
    """Total returns, [sessions, names], NaN where a name has none."""
    rows = returns.filter(pl.col("total_return").is_not_null())
    days = rows["session"].unique().sort()
    laid = np.full((len(days), len(names)), np.nan)
    row_of = days.search_sorted(rows["session"]).to_numpy()
    column_of = rows["ticker"].cast(pl.Enum(names)).to_physical().to_numpy()
    laid[row_of, column_of] = rows["total_return"].to_numpy()
    return laid


def _read_signals(
    forecasts: pl.DataFrame,
    names: list[str],
    members: Flags,
    shown: Mapping[int, dict[str, Any]],
    live: Mapping[int, Skill],
    holding: int,
    moment: Moment,
) -> list[Signal]:
    """What each horizon says; members alone are compared with each other."""
    scores, sigmas, half_lives, skills = {}, {}, {}, {}
    for horizon in forecasts["horizon"].unique().sort().to_list():
        mine = forecasts.filter(pl.col("horizon") == horizon)
        now, sigma = _score_at(mine, moment.session, names, members)
        if not now.any():
            continue
        past = [
            (moment.calendar.distance(day, moment.session), _score_at(mine, day, names, members)[0])
            for day in mine["session"].unique().sort().to_list()
            if day < moment.session
        ]
        scores[horizon], sigmas[horizon] = now, sigma
        half_lives[horizon] = measure_half_life(past, now, horizon)
        skills[horizon] = believe_in(shown.get(horizon), live.get(horizon))
    return combine_signals(scores, sigmas, half_lives, skills, holding)


def _score_at(forecasts: pl.DataFrame, day: date, names: list[str], members: Flags) -> tuple[Floats, Floats]:
    """Each name's score and its deviation over the horizon, at a session: [N] each."""
    rows = {
        ticker: (point, (high - low) / NORMAL_80)
        for ticker, point, low, high in forecasts.filter(pl.col("session") == day)
        .select("ticker", "point", "q10", "q90")
        .iter_rows()
    }
    points, sigmas = (
        np.array([rows.get(name, (np.nan, np.nan))[part] for name in names], dtype=np.float64) for part in (0, 1)
    )
    return score_names(np.where(members, points, np.nan), sigmas), sigmas


def _rows(
    session: date,
    names: list[str],
    sectors: list[str | None],
    risk: NameRisk,
    signals: list[Signal],
    holding: int,
    model_id: str | None,
) -> pl.DataFrame:
    expected = sum((one.weight * one.alphas for one in signals), np.zeros(len(names)))
    parts = [[_part(one, at) for one in signals if one.sigmas[at] > 0] for at in range(len(names))]
    frame = pl.DataFrame(
        {
            "session": pl.Series([session] * len(names), dtype=pl.Date),
            "ticker": pl.Series(names, dtype=pl.String),
            "sector": pl.Series(sectors, dtype=pl.String),
            "horizon": pl.Series([holding] * len(names), dtype=pl.Int64),
            "alpha": expected,
            "parts": pl.Series(parts, dtype=ALPHAS.schema["parts"]),
            "model_id": pl.Series([model_id if part else None for part in parts], dtype=pl.String),
            "beta": risk.beta,
            "market_variance": np.full(len(names), risk.market),
            "sector_variance": risk.sector,
            "specific_variance": risk.specific,
            "observations": risk.observations.astype(np.int64),
        }
    )
    return frame.select(*ALPHAS.columns)


def _part(signal: Signal, at: int) -> dict[str, float]:
    return {
        "horizon": signal.horizon,
        "ic": signal.skill.ic,
        "ic_error": signal.skill.error,
        "score": float(signal.scores[at]),
        "sigma": float(signal.sigmas[at]),
        "half_life": signal.half_life,
        "weight": signal.weight,
        "alpha": float(signal.alphas[at]),
    }


STAGE = Stage(
    name="alpha",
    function=alphas,
    reads=(
        Read(
            PREDICTIONS,
            lookback=SIGNAL_LOOKBACK,
            columns=(*PREDICTIONS.key, "point", "q10", "q90", "role"),
            where=pl.col("role").is_in(["champion", "naive"]),
        ),
        Read(FEEDBACK_METRICS, lookback=5),
        Read(MODEL_REGISTRY, lookback=None, columns=("model_id", "member", "session", "metrics")),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close"),
        ),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(TICKER_UNIVERSE, columns=(*TICKER_UNIVERSE.key, "member", "sector")),
        mandate.READ,
    ),
    writes=ALPHAS,
    params=TradingParams(),
    section="trading",
)
