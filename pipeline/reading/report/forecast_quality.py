"""How good the forecasts were that fell due within a span, by the same measures as the console's."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import polars as pl

from pipeline.feedback.metrics import measure_scores
from pipeline.feedback.params import MetricParams
from pipeline.reading.results.accuracy import measure_title
from pipeline.reading.results.summary import CoverageFacts, SkillFacts, coverage_facts, skill_facts
from pipeline.text_format import change

REPORTED = ("pinball_skill", "mae_skill", "ic", "hit_rate")
"""Measures of skill in the order of a report."""


@dataclass(frozen=True)
class ForecastQuality:
    """What was claimed, what came of it, and what an interval allows one to say."""

    horizon: int
    """The one that decisions rest on, in sessions."""
    skills: tuple[SkillFacts, ...]
    coverages: tuple[CoverageFacts, ...]
    champion: str | None
    """The model that forecasts after the span; None where none has earned it."""

    @property
    def sentence(self) -> str:
        """The verdict at the decision horizon; skill without significance is none."""
        if not self.skills:
            return self._silence()
        told = [
            _tell(one) for one in self.skills if one.horizon == self.horizon and one.metric in ("pinball_skill", "ic")
        ]
        if not told:
            return f"No forecast over {self.horizon} sessions, which decisions rest on, has fallen due yet."
        return f"Over {self.horizon} sessions: {'; '.join(told)}."

    def as_dict(self) -> dict[str, Any]:
        """The same for a script, each measure with its finding."""
        skills = [asdict(one) | {"finding": one.finding} for one in self.skills]
        return asdict(self) | {"skills": skills, "sentence": self.sentence}

    def _silence(self) -> str:
        if self.coverages:
            return "No skill is claimed: the naive forecast decided, for no model has earned it."
        return "No forecast has fallen due yet, so nothing can be said about skill."


def _tell(one: SkillFacts) -> str:
    write = _correlation if one.metric == "ic" else change
    said = f"{measure_title(one.metric)} {write(one.value)}"
    if one.low is None or one.high is None:
        return f"{said}, {one.finding}"
    return f"{said} (95 % {write(one.low)} to {write(one.high)}), {one.finding}"


def _correlation(value: float) -> str:
    return f"{value:+.3f}"


def measure_forecasts(
    session_scores: pl.DataFrame, last: date, horizon: int, champion: str | None, seed: int, params: MetricParams
) -> ForecastQuality:
    """Measure skill and coverage of all scores given, with block-bootstrap intervals.

    Args:
        session_scores: those of the span, of forecasts whose target lies in it.
        last: its last session.
        horizon: the one that decisions rest on.
        champion: who forecasts after it.
        seed: that of the stage `metrics` at the last session: over as many sessions its figures are these.
        params: those of that stage.
    """
    overall = session_scores.filter(pl.col("scope") == "all")
    figures = measure_scores(overall, last, seed, params)
    return ForecastQuality(horizon, skill_facts(figures, REPORTED), coverage_facts(figures), champion)
