"""What a lesson gained: forecasts that used it against those of its control arm, over the same sessions."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.prediction.lessons import in_control_arm, number_week
from pipeline.student import quantile

Floats = NDArray[np.float64]
LOOKS = 3
"""Times that a lesson's gain is looked at; each interval is the wider for it (Bonferroni)."""
MIN_UNITS = 4
"""Units an arm has at least, for a line and its error."""


@dataclass(frozen=True)
class ArmsCompared:
    """Both arms of a lesson over the sessions since it began; losses in units of sigma."""

    treated: int
    """Scored forecasts that used the lesson."""
    control: int
    treated_error: float | None
    """Mean of realised less forecast."""
    control_error: float | None
    gain: float | None
    """Loss of the control arm less that of the treated; None where an arm has too few units."""
    low: float | None
    high: float | None


@dataclass(frozen=True)
class ExpectedOutcome:
    """What outcomes of a slice are on average, in units of sigma, and how surely that is known."""

    value: float
    error: float


def compare_arms(
    rows: pl.DataFrame,
    insight_id: str,
    arm: str,
    applied: Collection[date],
    expected: ExpectedOutcome | None,
    error: pl.Expr | None = None,
) -> ArmsCompared:
    """Compare the arms of a lesson: Neyman's difference of randomised units, adjusted by a line for what they met.

    The unit is what was drawn into an arm, a ticker or a week, with its mean over all of its forecasts. So it does
    not matter that outcomes overlap in time. Within each arm the loss less the naive forecast's is fitted on the
    units' mean standardised outcome, and the fits are compared at one outcome: the interacted regression of Lin (2013),
    which takes out that one arm met other outcomes than the other. That one outcome is what is to be expected, not what
    came: had the market risen by chance, a correction downwards would have hurt, and would not be the worse for it.
    What is not known of it counts as error.

    A lesson on widths or members is not compared by what came, but by what would have been lost without it, which each
    forecast says of itself: what the arms lost is compared at what both would have lost.

    Args:
        rows: prediction_accuracy of the slice's deciding forecasts at one horizon.
        insight_id: the lesson.
        arm: what was halved; `all` after the control arm was given up.
        applied: sessions forecasts were made at while the lesson acted.
        expected: the outcome at which the arms are compared; None for lessons on widths and members.
        error: what a slice's forecasts are measured by; realised less forecast by default.
    """
    mine = rows.filter(pl.col("made_session").is_in(list(applied)))
    drawn = mine.select("ticker", "made_session").iter_rows()
    mine = mine.with_columns(
        alone=pl.Series([in_control_arm(insight_id, arm, *one) for one in drawn], dtype=pl.Boolean)
    )
    # A forecast says which lessons it used; a program that did not write it down had no others beside.
    untouched = pl.lit(True) if expected is not None else pl.col("pinball_without").is_null()
    mine = mine.filter(pl.col("alone") & untouched | pl.col("lessons").list.contains(insight_id).fill_null(True))
    units = _mean_by_unit(mine, arm, expected is None, error)
    treated, control = units.filter(~pl.col("alone")), units.filter(pl.col("alone"))
    gain, low, high = _difference(control, treated, expected or ExpectedOutcome(_mean(units["met"]), 0.0))
    return ArmsCompared(
        int(treated["len"].sum()),
        int(control["len"].sum()),
        _mean_error(treated),
        _mean_error(control),
        gain,
        low,
        high,
    )


def _mean_by_unit(rows: pl.DataFrame, arm: str, by_own_loss: bool, error: pl.Expr | None) -> pl.DataFrame:
    """Each ticker or week with its arm, its number of forecasts, and the means over these."""
    unit = (
        pl.col("ticker")
        if arm.startswith("ticker")
        else pl.col("made_session").map_elements(number_week, return_dtype=pl.Int64).cast(pl.String)
    )
    without = pl.coalesce("pinball_without", "pinball") if by_own_loss else pl.col("realised")
    less = pl.lit(0.0) if by_own_loss else pl.col("naive_pinball")
    return (
        rows.with_columns(unit=unit, loss=(pl.col("pinball") - less) / pl.col("sigma"))
        .with_columns(met=without / pl.col("sigma"), error=pl.col("error") if error is None else error)
        .sort("unit", "made_session", "ticker")
        .group_by("unit", maintain_order=True)
        .agg(pl.col("alone").first(), pl.len(), pl.col("error", "loss", "met").mean())
    )


def _mean(values: pl.Series) -> float:
    return float(values.sum()) / len(values) if len(values) else 0.0


def _mean_error(units: pl.DataFrame) -> float | None:
    n = int(units["len"].sum())
    return float((units["error"] * units["len"]).sum()) / n if n else None


def _difference(
    control: pl.DataFrame, treated: pl.DataFrame, expected: ExpectedOutcome
) -> tuple[float | None, float | None, float | None]:
    if min(len(control), len(treated)) < MIN_UNITS:
        return None, None, None
    above, below = (_fit_at(units, expected.value) for units in (control, treated))
    gain = above.loss - below.loss
    freedom = _welch(above.variance, len(control) - 2, below.variance, len(treated) - 2)
    unknown = (above.slope - below.slope) * expected.error
    error = float(np.sqrt(above.variance + below.variance + unknown**2))
    margin = quantile(1 - 0.025 / LOOKS, freedom) * error
    return gain, gain - margin, gain + margin


@dataclass(frozen=True)
class _LossLine:
    loss: float
    variance: float
    slope: float


def _fit_at(units: pl.DataFrame, at: float) -> _LossLine:
    """The loss that a line through an arm's units has at a standardised outcome, its variance, and the line's slope."""
    x, y = units["met"].to_numpy() - at, units["loss"].to_numpy()
    design = np.column_stack([np.ones_like(x), x])
    inverse = np.linalg.pinv(design.T @ design)
    coefficients = inverse @ design.T @ y
    residuals = y - design @ coefficients
    spread = float(residuals @ residuals) / (len(y) - 2)
    return _LossLine(float(coefficients[0]), spread * float(inverse[0, 0]), float(coefficients[1]))


def _welch(one: float, one_freedom: int, other: float, other_freedom: int) -> float:
    """Degrees of freedom of a difference whose parts have unequal variances (Welch, 1947)."""
    below = one**2 / one_freedom + other**2 / other_freedom
    return (one + other) ** 2 / below if below > 0 else float(one_freedom + other_freedom)
