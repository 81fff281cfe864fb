"""What feedback knows of a session's forecasts, laid out for hypotheses: errors by horizon, under today's tickers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.feedback.learning.grid import Floats, Grid, Mask, Numbers
from pipeline.feedback.learning.level_test import LevelTest, measure_level
from pipeline.feedback.learning.mean_test import MeanOfShared, judge_mean, measure_mean
from pipeline.feedback.learning.questions import BIAS, SliceQuestion
from pipeline.feedback.learning.slices import HorizonErrors, SliceSeries, Traits
from pipeline.feedback.params import FeedbackParams
from pipeline.market.securities.following import Securities
from pipeline.market.securities.lessons import follow_scores, follow_slices
from pipeline.market.sessions import Sessions
from pipeline.prediction.traits import split_slice

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
class ScoredForecasts:
    """The deciding forecasts' scores, laid out once they are asked for, and then for all questions."""

    accuracy: pl.DataFrame
    """Rows of prediction_accuracy, those of shadow forecasts among them."""
    calendar: Sessions

    @cached_property
    def grids(self) -> dict[int, Grid]:
        """By horizon."""
        decide = (self.accuracy["role"] != "shadow").to_numpy()
        horizons = self.accuracy["horizon"].to_numpy()
        parts = {int(one): np.flatnonzero(decide & (horizons == one)) for one in np.unique(horizons[decide])}
        return {horizon: Grid.lay_out(self.accuracy, rows, self.calendar) for horizon, rows in parts.items()}

    def measure(self, question: SliceQuestion) -> dict[int, HorizonErrors]:
        """What a question measures, by horizon."""
        values = self.accuracy.select(question.measure.cast(pl.Float64)).to_series().to_numpy()
        return {
            horizon: HorizonErrors(grid, grid.spread(values), question.nested) for horizon, grid in self.grids.items()
        }

    def select(self, horizon: int, chosen: Mask) -> pl.DataFrame:
        """The rows of forecasts in some cells of a horizon's grid."""
        grid = self.grids[horizon]
        return self.accuracy[np.sort(grid.rows[chosen[grid.cells]])]


@dataclass(frozen=True)
class SlicesTested:
    """Slices of one scope at one horizon, each tested; arrays [slices]."""

    scope: str
    horizon: int
    names: list[str]
    mean: Floats
    """Anything where nothing was scored."""
    standard_error: Floats
    p: Floats
    scored: Numbers
    """Sessions."""


@dataclass(frozen=True)
class Evidence:
    """The deciding forecasts' scores of the last LOOKBACK sessions."""

    session: date
    calendar: Sessions
    scores: ScoredForecasts
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
        """Take prediction_accuracy rows by what is asked of them; shadow forecasts are left out."""
        return cls(session, calendar, ScoredForecasts(accuracy, calendar), params, question)

    def ask(self, question: SliceQuestion) -> Evidence:
        """The same scores for another question."""
        return replace(self, question=question)

    @cached_property
    def by_horizon(self) -> dict[int, HorizonErrors]:
        """What the question measures."""
        return self.scores.measure(self.question)

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
        first = errors.find_first(since)
        series = errors.cut(scope, name, first)
        at = np.flatnonzero(~np.isnan(series.errors))[-last if last else None :]
        if not at.size:
            return None
        test = self._test(errors, series.errors[None, at], scope, [split_slice(scope, name)], at, first)
        mean, error, t, p, level, level_error = (
            float(values[0])
            for values in (test.mean, test.standard_error, test.t, test.p, test.level, test.level_error)
        )
        series = replace(series, errors=series.errors[at], forecasts=series.forecasts[at])
        return SliceEvidence(series, mean, error, t, p, at.size, level, level_error)

    def test_slices(self, horizon: int, scope: str, names: Sequence[str]) -> SlicesTested:
        """The same of many slices of a scope, but for what only one of them is asked of."""
        errors = self.by_horizon[horizon]
        traits = [split_slice(scope, name) for name in names]
        series = np.array([errors.error_means.find(one) for one in traits]).reshape(-1, len(errors.grid.made))
        mean, error, p = np.zeros((3, len(names)))
        scored = np.zeros(len(names), dtype=np.int64)
        for which, at in _group_by_sessions(~np.isnan(series)):
            test = self._test(errors, series[np.ix_(which, at)], scope, [traits[number] for number in which], at)
            mean[which], error[which], p[which], scored[which] = test.mean, test.standard_error, test.p, at.size
        return SlicesTested(scope, horizon, list(names), mean, error, p, scored)

    def _test(
        self,
        errors: HorizonErrors,
        series: Floats,
        scope: str,
        traits: Sequence[Traits],
        at: Numbers,
        first: int = 0,
    ) -> LevelTest:
        """Test slices' means against 0 that were scored at the same sessions.

        The tests want [sessions, slices]. Turned round, a slice's sessions lie side by side, and numpy adds them up as
        it adds a single column: so what is found of a slice is the same to the bit, whatever others are tested with it.

        Args:
            errors: of the horizon.
            series: [slices, sessions] in order of time.
            scope: of the slices.
            traits: of each slice.
            at: the numbers of the sessions.
            first: the number of the first session that counts.
        """
        grid, question = errors.grid, self.question
        if question.kind == "bias":
            outcomes = np.array([errors.outcome_means.find(one, first)[at] for one in traits])
            return self._test_level(series.T, outcomes.T, grid.positions[at], grid.horizon, scope)
        found = judge_mean(series.T, ~np.isnan(series.T), grid.share(at, question.overlap_power))
        return self._take_side(found)

    def test_tickers(self, horizon: int) -> LevelTest:
        """Test each ticker's mean beyond its sector."""
        errors = self.by_horizon[horizon]
        values, positions = errors.error_means.beyond_sectors, errors.grid.positions
        if self.question.kind == "bias":
            return self._test_level(values, errors.outcome_means.beyond_sectors, positions, horizon, "ticker")
        return self._take_side(measure_mean(values, positions, horizon, self.question.overlap_power))

    def _test_level(self, errors: Floats, outcomes: Floats, positions: Numbers, horizon: int, scope: str) -> LevelTest:
        prior = self.params.hypotheses.prior_sessions if scope == "all" else 0.0
        return measure_level(errors, outcomes, positions, horizon, prior)

    def _take_side(self, found: MeanOfShared) -> LevelTest:
        """What is off on one side only where it is asked so."""
        p = np.where(found.mean > 0, found.p / 2, 1.0) if self.question.one_sided else found.p
        nothing = np.zeros_like(p)
        return LevelTest(found.mean, found.standard_error, found.t, p, found.sessions, nothing, nothing)

    def find_raw(self, horizon: int, scope: str, name: str) -> float:
        """The mean of what is measured over all forecasts of a slice, not beyond anything."""
        errors = self.by_horizon[horizon]
        return errors.average(errors.errors, split_slice(scope, name))

    def rows_of(self, key: Key) -> pl.DataFrame:
        """The rows of prediction_accuracy of a slice."""
        scope, name, horizon = key
        return self.scores.select(horizon, self.by_horizon[horizon].select(scope, name))


def _group_by_sessions(scored: Mask) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield the numbers of slices that were scored at the same sessions, and of these; [slices, sessions] are given."""
    alike: dict[bytes, list[int]] = {}
    for number, mine in enumerate(scored):
        alike.setdefault(mine.tobytes(), []).append(number)
    for members in alike.values():
        at = np.flatnonzero(scored[members[0]])
        if at.size:
            yield np.array(members), at


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
