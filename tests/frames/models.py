"""Small markets with a known truth, as the frames that training reads, and rows of the model tables."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import polars as pl

from lake.tables.market import CORPORATE_ACTIONS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from pipeline.engine.stage import Moment
from pipeline.features.feature_set import current_set, extend
from pipeline.market.sessions import Sessions
from pipeline.models.members.member import Member
from pipeline.models.params import LstmParams, ModelParams, RidgeParams
from pipeline.models.train import train
from tests.frames.sessions import weekday_sessions

CALENDAR = weekday_sessions(date(2015, 1, 1), date(2021, 12, 31))
FEATURES = ("return_1", "return_5", "rsi_14", "volatility_20", "volatility_60")
"""A few names of the catalogue; `return_1` is where a planted signal stands."""
SMALL = ModelParams(
    features=FEATURES,
    window=5,
    horizons=(1, 5),
    folds=2,
    test_sessions=30,
    validation_sessions=30,
    embargo=2,
    min_train_sessions=50,
    min_sessions=120,
    min_rows=100,
    min_paired=10,
    weight_step=0.25,
    lstm=LstmParams(
        hidden=4,
        epochs=2,
        windows_per_epoch=1_000,
        batch=128,
        inputs=2,
        sessions=3,
        location_hidden=4,
        networks=2,
        location_epochs=3,
    ),
    ridge=RidgeParams(penalties=(0.01, 1.0, 100.0)),
)
"""Everything in miniature, so that a whole training run takes a fraction of a second."""


@dataclass(frozen=True)
class Market:
    """The frames that the train stage reads, up to the last session."""

    feature_rows: pl.DataFrame
    market_prices: pl.DataFrame
    corporate_actions: pl.DataFrame
    ticker_universe: pl.DataFrame
    calendar: Sessions = CALENDAR

    def until(self, session: date) -> Market:
        """What a stage would be given at an earlier session."""
        return replace(
            self,
            feature_rows=self.feature_rows.filter(pl.col("session") <= session),
            market_prices=self.market_prices.filter(pl.col("session") <= session),
            corporate_actions=self.corporate_actions.filter(pl.col("ex_date") <= session),
            ticker_universe=self.ticker_universe.filter(pl.col("session") <= session),
        )

    @property
    def sessions(self) -> list[date]:
        """Sessions with features, in order."""
        return self.feature_rows["session"].unique().sort().to_list()


def market(
    *, tickers: int = 12, sessions: int = 180, signal: float = 0.0, seed: int = 1, stirring: float = 0.0
) -> Market:
    """A made-up market with daily volatility of 1 to 3 % and a common factor.

    Args:
        tickers: how many names.
        sessions: how many sessions.
        signal: correlation of `return_1` with the next session's own return.
        seed: which world.
        stirring: how far `rsi_14`, as stored, foretells the logarithm of the next session's volatility.
    """
    random = np.random.default_rng(seed)
    days = CALENDAR.days[:sessions]
    shape = (sessions, tickers)
    volatility = np.linspace(0.01, 0.03, tickers)
    told, mood = random.standard_normal(shape), random.standard_normal(shape)
    own = random.standard_normal(shape)
    own[1:] = signal * told[:-1] + np.sqrt(1 - signal**2) * own[1:]
    own[1:] *= np.exp(stirring * mood[:-1])
    returns = volatility * own + 0.005 * random.standard_normal((sessions, 1))
    close = 50 * np.cumprod(1 + returns, axis=0)
    return Market(
        feature_rows=_features(days, told, mood, np.broadcast_to(np.sqrt(volatility**2 + 0.005**2), shape), random),
        market_prices=bars(days, close),
        corporate_actions=CORPORATE_ACTIONS.empty(),
        ticker_universe=_grid(days, tickers).with_columns(member=pl.lit(True)).sort("session", "ticker"),
    )


def moment(at: Market, *, seed: int = 7, members: Sequence[Member] = ()) -> Moment:
    """The last session of the market, an hour after its close; `members` are those that plugins declare."""
    session = at.sessions[-1]
    return Moment(
        session=session,
        since=session,
        as_of=datetime(session.year, session.month, session.day, 22, tzinfo=UTC),
        seed=seed,
        versions={"feature_rows": 3, "market_prices": 5},
        calendar=at.calendar,
        extensions=replace(extend(), members=tuple(members)),
    )


def trained(
    at: Market,
    params: ModelParams = SMALL,
    *,
    seed: int = 7,
    registry: pl.DataFrame | None = None,
    promotions: pl.DataFrame | None = None,
    members: Sequence[Member] = (),
) -> pl.DataFrame:
    """Run the train stage at the market's last session; the rows have passed the contract."""
    rows = train(
        at.feature_rows,
        at.market_prices,
        at.corporate_actions,
        at.ticker_universe,
        MODEL_REGISTRY.empty() if registry is None else registry,
        MODEL_PROMOTIONS.empty() if promotions is None else promotions,
        moment(at, seed=seed, members=members),
        params,
    )
    return MODEL_REGISTRY.check(rows)


def bars(days: Sequence[date], close: np.ndarray[Any, Any]) -> pl.DataFrame:
    """Daily bars as training reads them: close [sessions, tickers]."""
    return (
        _grid(days, close.shape[1])
        .with_columns(
            interval=pl.lit("1d"),
            ts=pl.col("session").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
            revision=pl.lit(0, dtype=pl.Int32),
            close=pl.Series(close.ravel()),
        )
        .select("ticker", "interval", "ts", "revision", "session", "close")
        .sort("ticker", "interval", "ts", "revision")
    )


def promotions(champion: str | None, session: date = date(2015, 3, 2)) -> pl.DataFrame:
    """One decision after which this model is champion."""
    row = {
        "session": session,
        "model_id": champion or "m-20150302-00000000",
        "promoted": champion is not None,
        "champion": champion,
        "previous": None,
        "reason": "planted by a test",
        "challenger_loss": 0.3,
        "champion_loss": None,
        "naive_loss": 0.31,
        "gain_over_naive": 0.03,
        "gain_error": 0.01,
        "sessions": 60,
    }
    return MODEL_PROMOTIONS.check(pl.DataFrame([row], schema=MODEL_PROMOTIONS.schema))


def challenger(
    comparison: Mapping[str, Any], *, model_id: str = "m-20160104-00000001", session: date = date(2016, 1, 4)
) -> pl.DataFrame:
    """A registry row as promotion reads it, resting on this comparison."""
    return pl.DataFrame(
        {
            "model_id": [model_id],
            "member": ["naive"],
            "session": [session],
            "metrics": [json.dumps({"comparison": dict(comparison)})],
            "merge_id": pl.Series([None], dtype=pl.String()),
        }
    )


def _features(
    days: Sequence[date],
    told: np.ndarray[Any, Any],
    mood: np.ndarray[Any, Any],
    volatility: np.ndarray[Any, Any],
    random: np.random.Generator,
) -> pl.DataFrame:
    values = {
        "return_1": told,
        "return_5": random.standard_normal(told.shape),
        "rsi_14": mood,
        "volatility_20": volatility,
        "volatility_60": volatility,
    }
    return (
        _grid(days, told.shape[1])
        .with_columns(
            feature_set=pl.lit(current_set().name),
            complete=pl.lit(True),
            **{name: pl.Series(value.ravel().astype(np.float32)) for name, value in values.items()},
        )
        .sort("feature_set", "session", "ticker")
    )


def _grid(days: Sequence[date], tickers: int) -> pl.DataFrame:
    """Session-major rows of session and ticker."""
    return pl.DataFrame(
        {
            "session": np.repeat(np.array(days, dtype="datetime64[D]"), tickers),
            "ticker": [f"T{number:03d}" for number in range(tickers)] * len(days),
        }
    )
