"""What feedback knows of a session's forecasts, laid out for hypotheses: errors by horizon, under today's tickers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.feedback.learning.level_test import LevelTest, measure_level
from pipeline.feedback.learning.mean_test import measure_mean
from pipeline.feedback.learning.questions import BIAS, SliceQuestion
from pipeline.feedback.learning.slices import HorizonErrors, SliceSeries
from pipeline.feedback.params import FeedbackParams
from pipeline.market.securities.following import Securities
from pipeline.market.securities.lessons import follow_scores, follow_slices
from pipeline.market.sessions import Sessions

Floats = NDArray[np.float64]
Key = tuple[str, str, int]
"""Scope, slice, horizon."""
LOOKBACK = 120
"""Sessions of scores read: a hypothesis' span of 80 at most, and the longest horizon."""
SPAN = 100
"""Sessions after which a hypothesis has its last look, whatever was scored."""
COLUMNS = (
    *("prediction_id", "session", "made_session", "target_session", "ticker", "sector", "horizon", "role", "error"),
    *("realised", "bias_adjustment", "sigma", "pinball", "naive_pinball", "lessons", "traits"),
    *("pinball_without", "member_pinball", "interval_scale", "needed_scale", "needed_without"),
)


@dataclass(frozen=True)
class SliceEvidence:
    """A slice's series over the sessions that count, and the test of its level."""

    series: SliceSeries
    """Cut to sessions with scores."""
    mean: float
    standard_error: float
    t: float
    p: float
    scored: int
    """Sessions."""
    level: float
    """What outcomes are on average, as far as is known."""
    level_error: float


@dataclass(frozen=True)
class Evidence:
    """The deciding forecasts' scores of the last LOOKBACK sessions."""

    session: date
    calendar: Sessions
    accuracy: pl.DataFrame
    by_horizon: Mapping[int, HorizonErrors]
    params: FeedbackParams
    question: SliceQuestion = BIAS

    @classmethod
    def gather(
        cls,
        accuracy: pl.DataFrame,
        session: date,
        calendar: Sessions,
        params: FeedbackParams,
        question: SliceQuestion = BIAS,
    ) -> Evidence:
        """Lay out prediction_accuracy rows by what is asked of them; shadow forecasts are left out."""
        decided = accuracy.filter(pl.col("role") != "shadow")
        rows = {horizon: decided.filter(pl.col("horizon") == horizon) for horizon in decided["horizon"].unique().sort()}
        laid_out = {horizon: HorizonErrors.lay_out(mine, calendar, question) for horizon, mine in rows.items()}
        return cls(session, calendar, decided, laid_out, params, question)

    def weigh(self, key: Key, scored_since: date | None = None, last: int | None = None) -> SliceEvidence | None:
        """The evidence on a slice; None where nothing of it was scored.

        Args:
            key: the slice.
            scored_since: leaves out what was due before that session.
            last: only so many of the latest scored sessions.
        """
        scope, name, horizon = key
        if horizon not in self.by_horizon:
            return None
        errors = self.by_horizon[horizon]
        since = None if scored_since is None else self.calendar.offset(scored_since, -horizon)
        whole = errors.cut(scope, name, since)
        at = np.flatnonzero(~np.isnan(whole.errors))[-last if last else None :]
        if not at.size:
            return None
        series = SliceSeries(whole.errors[at], whole.outcomes[at], whole.forecasts[at], whole.sigma, whole.raw)
        test = self.test(series.errors[:, None], series.outcomes[:, None], errors.positions[at], horizon, scope)
        mean, error, t, p, level, level_error = (
            float(values[0])
            for values in (test.mean, test.standard_error, test.t, test.p, test.level, test.level_error)
        )
        return SliceEvidence(series, mean, error, t, p, at.size, level, level_error)

    def test(
        self, errors: Floats, outcomes: Floats, positions: NDArray[np.int64], horizon: int, scope: str
    ) -> LevelTest:
        """Test [sessions, slices] means of a scope against 0, on one side or both as it is asked."""
        if self.question.kind == "bias":
            prior = self.params.hypotheses.prior_sessions if scope == "all" else 0.0
            return measure_level(errors, outcomes, positions, horizon, prior)
        found = measure_mean(errors, positions, horizon, self.question.overlap_power)
        p = np.where(found.mean > 0, found.p / 2, 1.0) if self.question.one_sided else found.p
        nothing = np.zeros_like(p)
        return LevelTest(found.mean, found.standard_error, found.t, p, found.sessions, nothing, nothing)

    def rows_of(self, key: Key) -> pl.DataFrame:
        """The rows of prediction_accuracy of a slice."""
        scope, name, horizon = key
        errors = self.by_horizon[horizon]
        session, ticker = np.nonzero(errors.select(scope, name))
        chosen = pl.DataFrame(
            {
                "made_session": pl.Series(errors.made, dtype=pl.Date).gather(session),
                "ticker": pl.Series(errors.tickers, dtype=pl.String).gather(ticker),
            }
        )
        mine = self.accuracy.filter(pl.col("horizon") == horizon)
        return mine.join(chosen, on=["made_session", "ticker"], how="semi", maintain_order="left")


@dataclass(frozen=True)
class Followed:
    """Frames in which what was learned of a ticker is its company's, under the name it has today."""

    accuracy: pl.DataFrame
    learned: tuple[pl.DataFrame, ...]


def follow(accuracy: pl.DataFrame, learned: tuple[pl.DataFrame, ...], actions: pl.DataFrame, session: date) -> Followed:
    """Call scores and lessons by the tickers of a session."""
    companies = Securities.trace(actions, accuracy.select("ticker", session="made_session"))
    return Followed(
        follow_scores(accuracy, companies, session), tuple(follow_slices(one, companies, session) for one in learned)
    )
