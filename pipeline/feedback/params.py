"""What the feedback stages can be told."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class MetricParams:
    """How quality is measured over the trailing window."""

    window: int = 250
    """Sessions of scores that count: about a year, so that a figure is neither anecdote nor history."""
    least_sessions: int = 20
    """Sessions below which a figure is called 'too few'; four times the horizon is needed as well."""
    least_names: int = 5
    """Forecasts a session needs for a rank correlation; fewer say nothing about ranking."""
    draws: int = 500
    """Bootstrap resamples behind each interval: the ends of a 95 % interval then move by about a tenth of it."""


@dataclass(frozen=True, kw_only=True)
class IntervalParams:
    """How the width of the intervals is learned from realised coverage."""

    level: float = 0.90
    """The stated coverage that is made true; the other intervals are scaled alike."""
    half_life: float = 8.0
    """Sessions after which a score weighs half: short enough to follow a change of regime within weeks."""
    prior_sessions: float = 0.5
    """Weight, in sessions, of the belief that the model's own width is right: holds the scale while scores are few."""
    least_sessions: int = 5
    """Sessions of scores before anything is learned, and never less than the horizon; the prior does the rest."""
    narrowest: float = 0.5
    """Least scale; below it the model should be trained again, not corrected."""
    widest: float = 2.0
    """Greatest scale, for the same reason."""


@dataclass(frozen=True, kw_only=True)
class BiasParams:
    """When a one-sided error is believed, and how far it is corrected."""

    window: int = 60
    """Sessions of scores tested; the stage reads no more than its default of 60."""
    recent: int = 15
    """Sessions that have to bear the adjustment out as well: they retire it soon after a bias has gone."""
    least_sessions: int = 20
    """Sessions below which nothing is tested; three times the horizon is needed as well."""
    enter: float = 0.01
    """False discovery rate at which a flag becomes active (Benjamini-Hochberg within a scope, all horizons together);
    well below the usual 0.05 because every session tests anew."""
    leave: float = 0.10
    """Rate above which an active flag is dropped; wider than `enter` so that flags do not flutter."""
    suspect: float = 0.01
    """A ticker that is not active gets a row only below this unadjusted p-value: the rest is silence."""
    most_sigmas: float = 0.5
    """Largest adjustment, in the forecasts' own standard deviations: a larger error asks for a new model."""
    quarantine: int = 60
    """Sessions a slice is left alone after an adjustment there was measured to hurt."""


@dataclass(frozen=True, kw_only=True)
class RetrainParams:
    """When training is asked for."""

    age: int = 60
    """Sessions after which a champion is old: about a quarter, the rhythm at which markets change their habits."""
    cool_down: int = 20
    """Least sessions between two trainings, successful or not; without it a lasting reason would train each session."""
    skill_loss: float = 0.02
    """Fall of the pinball skill below what the court measured before promotion, beyond its own uncertainty."""
    coverage_gap: float = 0.05
    """Miss of the 90 % interval's coverage, beyond its own uncertainty."""
    bias_t: float = 4.0
    """Ratio of mean to standard error of a bias over all tickers that a correction should not have to carry."""
    drift: float = 0.5
    """Mean shift of the forecast's input features, in standard deviations of the training rows."""


@dataclass(frozen=True, kw_only=True)
class InsightParams:
    """When a belief about our own errors is opened, judged and closed."""

    measure_after: int = 15
    """Scored sessions since the action before its effect is judged, and between two judgements."""
    interval_moved: float = 0.15
    """Change of the interval scale, as a fraction, that is worth an insight of its own."""
    tolerance: float = 0.25
    """Share of the earlier error by which it has to fall (or rise) for 'helped' (or 'hurt')."""


@dataclass(frozen=True, kw_only=True)
class FeedbackParams:
    """Everything that turns outcomes into lessons."""

    grace: int = 5
    """Sessions to wait for a target session's bar before a forecast is void: vendors deliver late, seldom later."""
    metrics: MetricParams = field(default_factory=MetricParams)
    intervals: IntervalParams = field(default_factory=IntervalParams)
    bias: BiasParams = field(default_factory=BiasParams)
    retrain: RetrainParams = field(default_factory=RetrainParams)
    insights: InsightParams = field(default_factory=InsightParams)
