"""A made-up world whose forecasts can be given a bias or a change of volatility, run through the real feedback."""

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
from pipeline.feedback.learning import register
from pipeline.prediction.corrections import interval_scales
from pipeline.prediction.lessons import apply_lessons
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.quantiles import widen
from pipeline.prediction.traits import WEEKDAYS
from tests.frames.feedback import Tables, at, run_and_keep, seen
from tests.frames.market import CALENDAR, DAY
from tests.frames.predictions import Z

STAGES: tuple[Stage, ...] = (
    validate.STAGE,
    validation_events.STAGE,
    daily_scores.STAGE,
    metrics.STAGE,
    register.STAGE,
    bias.STAGE,
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
    stages: tuple[Stage, ...] = STAGES
    """The feedback that runs; a test of one lesson can leave the others out."""
    tables: Tables = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.names = [f"T{number:03d}" for number in range(self.tickers)]
        self.sectors = [SECTORS[number % len(SECTORS)] for number in range(self.tickers)]
        self.close = np.full(self.tickers, 100.0)
        self.start = CALENDAR.position(DAY)

    def step(self, *, bias: float | np.ndarray[Any, Any] = 0.0, turbulence: float = 1.0) -> None:
        """One session: the market moves, feedback judges, and forecasts are made with `bias` in the raw point.

        `turbulence` multiplies the world's volatility, and the forecaster does not notice.
        """
        day = CALENDAR.days[self.start + self.session]
        moves = self.market * self.random.standard_normal() + self.own * self.random.standard_normal(self.tickers)
        self.close = self.close * (1 + turbulence * moves)
        self._add(MARKET_PRICES.name, self._bars(day))
        self._add(TICKER_UNIVERSE.name, self._universe(day))
        for stage in self.stages:
            run_and_keep(stage, self.tables, at(day))
        self._add(PREDICTIONS.name, self._forecasts(day, np.broadcast_to(bias, (self.tickers,))))
        self.session += 1

    def latest(self, table: str) -> pl.DataFrame:
        """The rows of the last session."""
        frame = self.tables[table]
        return frame.filter(pl.col("session") == CALENDAR.days[self.start + self.session - 1])

    def _add(self, name: str, rows: pl.DataFrame) -> None:
        self.tables[name] = pl.concat([self.tables[name], rows]) if name in self.tables else rows

    def _forecasts(self, day: Any, bias: np.ndarray[Any, Any]) -> pl.DataFrame:
        moment = at(CALENDAR.next(day))
        flags = seen(Read(TABLE_OF["bias_flags"], lookback=5, upto="previous"), self.tables, moment)
        figures = seen(Read(TABLE_OF["feedback_metrics"], lookback=5, upto="previous"), self.tables, moment)
        # As in the predict stage: what was learned at a session speaks from the next one on.
        flags, figures = (frame.filter(pl.col("session") < day) for frame in (flags, figures))
        horizons = list(self.horizons)
        sigma = np.hypot(self.own, self.market) * np.sqrt(np.array(horizons))
        traits = [[self._traits(day, number)] * len(horizons) for number in range(self.tickers)]
        lessons = apply_lessons(flags, self.names, self.sectors, horizons, traits, day)
        added = lessons.added
        scales = interval_scales(figures, horizons, PredictionParams())
        raw = bias[:, None, None] + sigma[None, :, None] * np.array(Z)[None, None, :]
        quantiles = widen(raw + added[..., None], scales)
        naive = sigma[:, None] * np.array(Z)[None, :]
        return PREDICTIONS.check(
            pl.DataFrame(
                [
                    self._row(day, number, h, quantiles[number, k], naive[k], sigma[k], scales[k], added[number, k])
                    | {"lessons": lessons.used[number][k], "traits": traits[number][k]}
                    for number in range(self.tickers)
                    for k, h in enumerate(horizons)
                ],
                schema=PREDICTIONS.schema,
            )
        )

    def _traits(self, day: Any, number: int) -> list[str]:
        """What a forecast is like: every third ticker of a session is in the news."""
        news = "yes" if (number + self.session) % 3 == 0 else "no"
        return sorted([f"sector:{self.sectors[number]}", f"news:{news}", f"weekday:{WEEKDAYS[day.weekday()]}"])

    def _row(
        self, day: Any, number: int, horizon: int, q: Any, naive: Any, sigma: float, scale: float, added: float
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
                {"member": "naive", "weight": 0.0, "point": 0.0, **dict(zip(QUANTILE_COLUMNS, naive, strict=True))}
            ],
            "bias_adjustment": -added,
            "interval_scale": scale,
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
