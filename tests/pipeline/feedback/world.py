"""A made-up world whose forecasts can be given a bias, wrong widths or noise, run through the real feedback."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from lake.tables import TABLES as TABLE_OF
from lake.tables.market import MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS, QUANTILE_COLUMNS
from pipeline.engine.stage import Read, Stage
from pipeline.feedback import bias, daily_scores, insights, metrics, validate, validation_events
from pipeline.feedback.learning import register, remedies
from pipeline.prediction.corrections import interval_scales
from pipeline.prediction.lessons import apply_lessons
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.quantiles import widen
from pipeline.prediction.remedies import Remedy, blend, choose_remedies, finish
from pipeline.prediction.traits import WEEKDAYS
from tests.frames.feedback import Tables, at, run_and_keep, seen
from tests.frames.market import CALENDAR, DAY
from tests.frames.predictions import Z

Floats = np.ndarray[Any, Any]
STAGES: tuple[Stage, ...] = (
    validate.STAGE,
    validation_events.STAGE,
    daily_scores.STAGE,
    metrics.STAGE,
    register.STAGE,
    bias.STAGE,
    remedies.STAGE,
    insights.STAGE,
)
SECTORS = ("energy", "health", "tech", "utilities")


@dataclass
class World:
    """Tickers that drift nowhere, a forecaster that knows their usual volatility, and the loop between them."""

    tickers: int = 24
    horizons: tuple[int, ...] = (1, 5)
    own: float = 0.02
    """Daily standard deviation of each ticker's own moves, as a fraction: what the forecaster believes."""
    market: float = 0.003
    """Daily standard deviation of the move all tickers share."""
    seed: int = 0
    session: int = 0
    second_member: bool = False
    """Whether the forecast is the mean of two members, of which the second can be given noise."""
    stages: tuple[Stage, ...] = STAGES
    """The feedback that runs; a test of one lesson can leave the others out."""
    tables: Tables = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.names = [f"T{number:03d}" for number in range(self.tickers)]
        self.sectors = [SECTORS[number % len(SECTORS)] for number in range(self.tickers)]
        self.close = np.full(self.tickers, 100.0)
        self.start = CALENDAR.position(DAY)

    def step(
        self,
        *,
        bias: float | Floats = 0.0,
        turbulence: float = 1.0,
        width: float | Floats = 1.0,
        noise: float | Floats = 0.0,
    ) -> None:
        """One session: the market moves, feedback judges, and forecasts are made with `bias` in the raw point.

        `turbulence` multiplies the world's volatility, and the forecaster does not notice. `width` multiplies the width
        of raw intervals. `noise` times sigma is the deviation of what the raw point is off by at random, or the second
        member's, if there is one.
        """
        day = CALENDAR.days[self.start + self.session]
        moves = self.market * self.random.standard_normal() + self.own * self.random.standard_normal(self.tickers)
        self.close = self.close * (1 + turbulence * moves)
        self._add(MARKET_PRICES.name, self._bars(day))
        self._add(TICKER_UNIVERSE.name, self._universe(day))
        for stage in self.stages:
            run_and_keep(stage, self.tables, at(day))
        told = (np.broadcast_to(one, (self.tickers,)) for one in (bias, width, noise))
        self._add(PREDICTIONS.name, self._forecasts(day, *told))
        self.session += 1

    def latest(self, table: str) -> pl.DataFrame:
        """The rows of the last session."""
        frame = self.tables[table]
        return frame.filter(pl.col("session") == CALENDAR.days[self.start + self.session - 1])

    def _add(self, name: str, rows: pl.DataFrame) -> None:
        self.tables[name] = pl.concat([self.tables[name], rows]) if name in self.tables else rows

    def _forecasts(self, day: Any, bias: Floats, width: Floats, noise: Floats) -> pl.DataFrame:
        moment = at(CALENDAR.next(day))
        flags, lessons, figures = (
            seen(Read(TABLE_OF[name], lookback=5, upto="previous"), self.tables, moment).filter(pl.col("session") < day)
            for name in ("bias_flags", "slice_lessons", "feedback_metrics")
        )  # as in the predict stage: what was learned at a session speaks from the next one on
        horizons = list(self.horizons)
        sigma = np.hypot(self.own, self.market) * np.sqrt(np.array(horizons))
        traits = [[self._traits(day, number)] * len(horizons) for number in range(self.tickers)]
        applied = apply_lessons(flags, self.names, self.sectors, horizons, traits, day)
        remedied = choose_remedies(lessons, self.names, self.sectors, horizons, traits, day)
        scales = interval_scales(figures, horizons, PredictionParams())
        members = self._members(sigma, bias, width, noise)
        combined = np.mean([members[name] for name in sorted(members) if name != "naive"], axis=0)
        plain = widen(combined + applied.added[..., None], scales)
        touched = {(one.ticker, one.horizon): one for one in remedied}
        blended = widen(blend(combined, members, remedied) + applied.added[..., None], scales)
        final = finish(blended, members, remedied)
        rows = []
        for number, k in np.ndindex(self.tickers, len(horizons)):
            row = self._row(day, number, horizons[k], final[number, k], members, (number, k), sigma[k])
            made = {
                "interval_scale": scales[k],
                "bias_adjustment": -applied.added[number, k],
                "traits": traits[number][k],
            }
            lesson = self._lesson(touched.get((number, k)), plain[number, k], applied.used[number][k])
            rows.append(row | made | lesson)
        return PREDICTIONS.check(pl.DataFrame(rows, schema=PREDICTIONS.schema))

    def _members(self, sigma: Floats, bias: Floats, width: Floats, noise: Floats) -> dict[str, Floats]:
        """Member -> [tickers, horizons, quantiles]."""
        shape = sigma[None, :, None] * np.array(Z)[None, None, :]
        own = bias[:, None, None] + width[:, None, None] * shape
        off = noise[:, None, None] * sigma[None, :, None]
        noisy = own + off * self.random.standard_normal((self.tickers, 1, 1)) if noise.any() else own
        naive = np.broadcast_to(shape, own.shape)
        return {"naive": naive, "ridge": own, "lstm": noisy} if self.second_member else {"naive": naive, "own": noisy}

    @staticmethod
    def _lesson(remedy: Remedy | None, plain: Floats, used: list[str]) -> dict[str, Any]:
        """What a lesson on widths or members changes of a row."""
        if remedy is None:
            return {"lessons": used}
        told: dict[str, Any] = {"lessons": [*used, remedy.insight_id], "without_lessons": plain.tolist()}
        if remedy.kind == "exclusion":
            told |= {"lessons": [remedy.insight_id], "interval_scale": 1.0, "bias_adjustment": 0.0}
        return told

    def _traits(self, day: Any, number: int) -> list[str]:
        """What a forecast is like: every third ticker of a session is in the news."""
        news = "yes" if (number + self.session) % 3 == 0 else "no"
        return sorted([f"sector:{self.sectors[number]}", f"news:{news}", f"weekday:{WEEKDAYS[day.weekday()]}"])

    def _row(
        self, day: Any, number: int, horizon: int, q: Any, members: dict[str, Floats], at: tuple[int, int], sigma: float
    ) -> dict[str, Any]:
        return {
            "prediction_id": f"{self.session:06x}{number:06x}{horizon:04x}",
            "session": day,
            "made_at": CALENDAR.close_at(day) + timedelta(minutes=20),
            "ticker": self.names[number],
            "horizon": horizon,
            "target_session": CALENDAR.offset(day, horizon),
            "reference_close": self.close[number],
            "point": q[3],
            **dict(zip(QUANTILE_COLUMNS, q, strict=True)),
            "probability_up": 0.5,
            "confidence": 0.5,
            "sigma": sigma,
            "members": [
                {
                    "member": name,
                    "weight": 0.0,
                    "point": one[at][3],
                    **dict(zip(QUANTILE_COLUMNS, one[at], strict=True)),
                }
                for name, one in sorted(members.items())
                if name == "naive" or self.second_member
            ],
            "bounds": [],
            "features_id": "f1-20200304-0123456789ab",
            "model_id": "m-test",
            "role": "champion",
        }

    def _bars(self, day: Any) -> pl.DataFrame:
        ts = CALENDAR.close_at(day)
        rows = [
            {
                "ticker": name,
                "interval": "1d",
                "session": day,
                "ts": ts,
                "revision": 0,
                **dict.fromkeys(("open", "high", "low", "close"), close),
                "volume": 1000,
                "currency": "USD",
                "source": "test",
                "available_at": ts,
                "payload_id": "0" * 64,
                "line": 0,
            }
            for name, close in zip(self.names, self.close.tolist(), strict=True)
        ]
        return pl.DataFrame(rows, schema=MARKET_PRICES.schema)

    def _universe(self, day: Any) -> pl.DataFrame:
        rows = [
            (day, name, True, "member", sector, 100.0, 1e6, 300, 0)
            for name, sector in zip(self.names, self.sectors, strict=True)
        ]
        return pl.DataFrame(rows, schema=TICKER_UNIVERSE.schema, orient="row")
