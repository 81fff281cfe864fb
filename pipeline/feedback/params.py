"""The settings of the feedback stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import DISTINCT, Earlier, Formerly, Share


@dataclass(frozen=True, kw_only=True)
class MetricParams:
    """How quality is measured over the trailing window."""

    window: Annotated[int, Field(ge=5, le=250)] = 250
    """Sessions of scores that count: about a year, so that a figure is neither anecdote nor history."""
    min_sessions: Annotated[int, Field(ge=2, le=250), Formerly("least_sessions")] = 20
    """Sessions below which a figure is called 'too few'; four times the horizon is needed as well."""
    min_names: Annotated[int, Field(ge=3, le=1000), Formerly("least_names")] = 5
    """Forecasts a session needs for a rank correlation; fewer say nothing about ranking."""
    figures: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Which there are: 2 the steadiness of rank correlations (ICIR) too; 1 not, as in runs of earlier programs."""
    draws: Annotated[int, Field(ge=20, le=10_000)] = 500
    """Bootstrap resamples behind each interval: the ends of a 95 % interval then move by about a tenth of it."""

    def contradictions(self) -> Iterator[str]:
        """A window too short for its own minimum."""
        if self.min_sessions > self.window:
            yield (
                f"min_sessions is {self.min_sessions} and window is {self.window}; no figure would ever count,"
                " so min_sessions must be at most the window"
            )


@dataclass(frozen=True, kw_only=True)
class IntervalParams:
    """How the width of the intervals is learned from realised coverage."""

    level: Annotated[float, Field(gt=0, lt=1)] = 0.90
    """The nominal coverage that is made true; the other intervals are scaled alike."""
    half_life: Annotated[float, Field(gt=0, le=1000)] = 8.0
    """Sessions after which a score weighs half, or half a horizon if that is more: short enough to follow a change of
    volatility within weeks."""
    rule: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Which quantile of past scores it is: 2 the order statistic that covers the next outcome with the stated
    probability, by horizon and regime; 1 the weighted quantile of all, as in runs of earlier programs."""
    min_units: Annotated[float, Field(ge=1, le=1000)] = 20.0
    """Independent forecasts below which scores are filled up with what the model's own width claims; a 90 % interval
    needs nine to be bounded by any."""
    pooled_units: Annotated[float, Field(ge=0, le=1000)] = 20.0
    """How many independent forecasts the scores of all regimes count for beside a regime's own (partial pooling)."""
    regime_sessions: Annotated[int, Field(ge=1, le=250)] = 10
    """Scored sessions that a regime has at least before its intervals get a width of their own, and never less than
    the horizon."""
    prior_sessions: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """With rule 1, the weight in sessions of the prior that the model's own width is right."""
    min_sessions: Annotated[int, Field(ge=1, le=250), Formerly("least_sessions")] = 5
    """Sessions of scores before anything is learned, and never less than the horizon; the prior does the rest."""
    min_scale: Annotated[float, Field(gt=0, le=1), Formerly("narrowest")] = 0.5
    """Smallest scale; below it the model should be trained again, not corrected."""
    max_scale: Annotated[float, Field(ge=1, le=100), Formerly("widest")] = 2.0
    """Largest scale, for the same reason."""


@dataclass(frozen=True, kw_only=True)
class BiasParams:
    """When a one-sided error counts as a bias, and how far it is corrected."""

    window: Annotated[int, Field(ge=2, le=60)] = 60
    """Sessions of scores tested; the stage reads no more than 60."""
    recent: Annotated[int, Field(ge=1, le=60)] = 15
    """Sessions that have to bear the adjustment out as well: they retire it soon after a bias has gone."""
    min_sessions: Annotated[int, Field(ge=2, le=60), Formerly("least_sessions")] = 20
    """Sessions below which nothing is tested; three times the horizon is needed as well."""
    enter: Annotated[float, Field(gt=0, lt=1)] = 0.01
    """False discovery rate at which a flag becomes active (Benjamini-Hochberg within a scope, all horizons together);
    well below the usual 0.05 because every session tests anew."""
    leave: Annotated[float, Field(gt=0, le=1)] = 0.10
    """Rate above which an active flag is dropped; wider than `enter` so that flags do not flip back and forth."""
    suspect: Share = 0.01
    """A ticker that is not active gets a row only below this unadjusted p-value: the rest is silence."""
    max_sigmas: Annotated[float, Field(gt=0, le=10), Formerly("most_sigmas")] = 0.5
    """Largest adjustment, in the forecasts' own standard deviations: a larger error asks for a new model."""
    quarantine: Annotated[int, Field(ge=0, le=60)] = 60
    """Sessions a slice is left alone after an adjustment there was measured to hurt."""

    def contradictions(self) -> Iterator[str]:
        """Spans and rates that exclude each other."""
        if self.recent > self.window:
            yield f"recent is {self.recent} and window is {self.window}; recent sessions are part of the window"
        if self.min_sessions > self.window:
            yield (
                f"min_sessions is {self.min_sessions} and window is {self.window}; nothing would ever be tested, so"
                " min_sessions must be at most the window"
            )
        if self.leave < self.enter:
            yield (
                f"leave is {self.leave} and enter is {self.enter}; a flag would go as it comes, so leave must be"
                " at least enter"
            )


@dataclass(frozen=True, kw_only=True)
class RetrainParams:
    """When training is requested."""

    age: Annotated[int, Field(ge=1, le=2_500)] = 60
    """Sessions after which a champion is old: about a quarter, the rhythm at which markets change their habits."""
    cool_down: Annotated[int, Field(ge=0, le=2_500)] = 20
    """Sessions between two trainings at least, successful or not; or a lasting reason would train each session. Where
    history was lacking, as many as were lacking, but no more than `age`."""
    counts: Annotated[Literal[1, 2], Earlier(1)] = 2
    """What the cool-down follows: 2 every training that was begun; 1 those alone that registered a model, as in runs of
    earlier programs."""
    skill_loss: Annotated[float, Field(ge=0, le=1)] = 0.02
    """Fall of the pinball skill below what was measured at promotion, beyond its own uncertainty."""
    coverage_gap: Share = 0.05
    """Miss of the 90 % interval's coverage, beyond its own uncertainty."""
    bias_t: Annotated[float, Field(gt=0, le=1000)] = 4.0
    """Ratio of mean to standard error of a bias over all tickers that a correction should not have to carry."""
    drift: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """Mean shift of the forecast's input features, in standard deviations of the training rows."""


@dataclass(frozen=True, kw_only=True)
class DriftParams:
    """When an input of the champion counts as drifted away from its training rows."""

    false_discovery: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """False discovery rate among all inputs (Benjamini-Yekutieli) at which an input lies elsewhere than in training."""
    min_stability: Annotated[float, Field(ge=0, le=100)] = 0.25
    """Population stability index from which the difference is large as well; a quarter is the custom."""
    min_rows: Annotated[int, Field(ge=10, le=1_000_000)] = 100
    """Values over the last 20 sessions below which nothing is said of an input."""


@dataclass(frozen=True, kw_only=True)
class InsightParams:
    """When a hypothesis about our own errors is opened, evaluated and closed."""

    measure_after: Annotated[int, Field(ge=1, le=30)] = 15
    """Scored sessions since the action before its effect is evaluated, and between two evaluations."""
    interval_moved: Annotated[float, Field(gt=0, le=100)] = 0.15
    """Change of the interval scale, as a fraction, that is worth an insight of its own."""
    tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.25
    """Share of the earlier error by which it has to fall (or rise) for 'helped' (or 'hurt')."""


@dataclass(frozen=True, kw_only=True)
class LearningParams:
    """How hypotheses on one-sided errors are tested and what follows from them."""

    false_discovery: Annotated[float, Field(gt=0, lt=1)] = 0.05
    """Expected share of false ones among all hypotheses ever confirmed, split between families of hypotheses: on bias
    by scope, on widths, exclusions and weights."""
    scored: Annotated[int, Field(ge=8, le=80)] = 40
    """Scored sessions over which a hypothesis is tested, at half, three quarters and all of them; four times the
    horizon, if that is more."""
    screened: Annotated[int, Field(ge=5, le=80)] = 12
    """Scored sessions below which no sector, ticker or trait is proposed."""
    propose: Annotated[float, Field(gt=0, le=1)] = 0.05
    """Probability that chance brings any of the slices looked over as far out, at which one is proposed (Bonferroni).
    The scores that it was found in do not count when it is tested."""
    min_sigmas: Annotated[float, Field(ge=0, le=1)] = 0.075
    """Smallest mean error that is confirmed, in the forecasts' own standard deviations: what is smaller costs half a
    percent of the loss at most."""
    remedies: Annotated[
        tuple[Literal["width", "exclusion", "weight"], ...], Field(max_length=3), DISTINCT, Earlier(())
    ] = (
        "width",
        "exclusion",
        "weight",
    )
    """What is asked beside bias, and acted on: other widths for a slice, the naive forecast in its place, more weight
    for a member there. Runs of earlier programs asked none of it."""
    min_width: Annotated[float, Field(ge=0, le=1)] = 0.15
    """Smallest miss of a slice's widths that is confirmed, as a share of them."""
    min_loss: Annotated[float, Field(ge=0, le=1)] = 0.005
    """Smallest loss beyond the naive forecast's or a member's that is confirmed, in sigma: about two percent."""
    prior_sessions: Annotated[float, Field(ge=0, le=100_000)] = 2_500.0
    """How many sessions the knowledge weighs that the market as a whole earns about nothing a session, as the naive
    forecast says: ten years, after which a market's mean return is known to some 5 % a year. A lucky quarter then
    makes no bias."""


@dataclass(frozen=True, kw_only=True)
class FeedbackParams:
    """Everything that turns labels into corrections."""

    grace: Annotated[int, Field(ge=0, le=20)] = 5
    """Sessions to wait for a target session's bar before a forecast is void: vendors deliver late, seldom later."""
    securities: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whose outcome a forecast is scored by: 2 that of the company it was about, under any name; 1 that of the ticker,
    whoever had it, as in runs of earlier programs."""
    learning: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How a bias is found and what comes of it: 2 by hypotheses registered before they are tested, with a control arm;
    1 by testing every slice anew each session, without one, as in runs of earlier programs."""
    metrics: MetricParams = field(default_factory=MetricParams)
    intervals: IntervalParams = field(default_factory=IntervalParams)
    bias: BiasParams = field(default_factory=BiasParams)
    retrain: RetrainParams = field(default_factory=RetrainParams)
    drift: DriftParams = field(default_factory=DriftParams)
    insights: InsightParams = field(default_factory=InsightParams)
    hypotheses: LearningParams = field(default_factory=LearningParams)
