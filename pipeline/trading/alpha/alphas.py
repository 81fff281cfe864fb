"""Say what the book may expect of each name over its holding period, and what the name adds to its risk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

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
    champions = forecasts.filter(pl.col("role") == "champion")
    signals = _read_signals(champions, names, inside, shown, live, holding, moment, params.horizon_evidence)
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
    version: Literal[1, 2],
) -> list[Signal]:
    """What each horizon says; members alone are compared with each other."""
    scores, sigmas, half_lives, skills = {}, {}, {}, {}
    for horizon in forecasts["horizon"].unique().sort().to_list():
        scored = _score_sessions(forecasts.filter(pl.col("horizon") == horizon), names, members)
        if moment.session not in scored or not (now := scored[moment.session][0]).any():
            continue
        sigma = scored[moment.session][1]
        past = [
            (moment.calendar.distance(day, moment.session), then)
            for day, (then, _) in scored.items()
            if day < moment.session
        ]
        scores[horizon], sigmas[horizon] = now, sigma
        half_lives[horizon] = measure_half_life(past, now, horizon)
        skills[horizon] = believe_in(shown.get(horizon), live.get(horizon))
    return combine_signals(scores, sigmas, half_lives, skills, holding, version)


def _score_sessions(forecasts: pl.DataFrame, names: list[str], members: Flags) -> dict[date, tuple[Floats, Floats]]:
    """Session -> each name's score and its deviation over the horizon, [N] each; in the order of the sessions."""
    place = pl.DataFrame({"ticker": names, "place": np.arange(len(names))}, schema_overrides={"ticker": pl.String})
    rows = forecasts.join(place, on="ticker", maintain_order="left")
    days = forecasts["session"].unique().sort()
    at = days.search_sorted(rows["session"]).to_numpy(), rows["place"].to_numpy()
    points, sigmas = (np.full((len(days), len(names)), np.nan) for _ in range(2))
    points[at] = rows["point"].to_numpy()
    sigmas[at] = (rows["q90"] - rows["q10"]).to_numpy() / NORMAL_80
    scores = (score_names(np.where(members, told, np.nan), width) for told, width in zip(points, sigmas, strict=True))
    return dict(zip(days, zip(scores, sigmas, strict=True), strict=True))


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
    parts = _parts(signals, len(names))
    frame = pl.DataFrame(
        {
            "session": pl.Series([session] * len(names), dtype=pl.Date),
            "ticker": pl.Series(names, dtype=pl.String),
            "sector": pl.Series(sectors, dtype=pl.String),
            "horizon": pl.Series([holding] * len(names), dtype=pl.Int64),
            "alpha": expected,
            "parts": parts,
            "model_id": pl.Series([model_id if part else None for part in parts.list.len()], dtype=pl.String),
            "beta": risk.beta,
            "market_variance": np.full(len(names), risk.market),
            "sector_variance": risk.sector,
            "specific_variance": risk.specific,
            "observations": risk.observations.astype(np.int64),
        }
    )
    return frame.select(*ALPHAS.columns)


def _parts(signals: Sequence[Signal], count: int) -> pl.Series:
    """For each of so many names what every signal says that knows it, as one column: a name may have none."""
    kind = ALPHAS.schema["parts"]
    told = [_tell_parts(signal).with_columns(place=np.arange(count)) for signal in signals]
    if not told:
        return pl.repeat([], count, dtype=kind, eager=True)
    known = pl.concat(told).filter(pl.Series(np.concatenate([signal.sigmas > 0 for signal in signals])))
    lists = (
        known.select("place", parts=pl.struct(pl.exclude("place"))).group_by("place", maintain_order=True).agg("parts")
    )
    every = pl.DataFrame({"place": np.arange(count)}).join(lists, on="place", how="left", maintain_order="left")
    return every["parts"].cast(kind).fill_null(pl.Series([[]], dtype=kind))


def _tell_parts(signal: Signal) -> pl.DataFrame:
    """What a signal says of each name."""
    of_all = {"horizon": signal.horizon, "ic": signal.skill.ic, "ic_error": signal.skill.error,
              "half_life": signal.half_life, "weight": signal.weight}  # fmt: skip
    names = pl.DataFrame({"score": signal.scores, "sigma": signal.sigmas, "alpha": signal.alphas})
    told = names.with_columns(pl.lit(value).alias(name) for name, value in of_all.items())
    return told.select("horizon", "ic", "ic_error", "score", "sigma", "half_life", "weight", "alpha")


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
