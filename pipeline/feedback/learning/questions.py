"""What can be asked of a slice's forecasts: each question has a measure, a test, and a remedy where it is so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from pipeline.feedback.params import LearningParams
from pipeline.text_format import change, percent

WEIGHT = "weight "
"""How the kinds begin that ask about a member."""
MOVED = 0.5
"""Share of a forecast that becomes the better member's: half of the way, so that a wrong one costs half."""
FURTHEST = 2.0
"""Half-widths of the 90 % interval beyond which an outcome counts as so far: one crash is no width."""
MIN_FACTOR, MAX_FACTOR = 0.5, 2.0


@dataclass(frozen=True)
class SliceQuestion:
    """One question, asked of slices of some scopes."""

    kind: str
    scopes: tuple[str, ...]
    measure: pl.Expr
    """Of each scored forecast had no lesson acted; a slice is off where its mean is not 0."""
    left: pl.Expr
    """The same of the forecast as it was made."""
    nested: bool
    """Whether a slice is measured beyond what it is part of."""
    one_sided: bool
    """Whether it is off only where its mean is above 0."""
    overlap_power: int
    """To which power of the share of moves that two outcomes have in common their measures are correlated, at most."""

    def is_large(self, mean: float, raw: float, sigma: float, params: LearningParams) -> bool:
        """Whether it is off by more than is left alone: what is smaller costs half a percent of the loss at most."""
        if self.kind == "bias":
            return abs(mean) >= params.min_sigmas * sigma
        return abs(_ratio(mean, raw) - 1) >= params.min_width if self.kind == "width" else mean >= params.min_loss

    def size(self, mean: float, standard_error: float, raw: float) -> float:
        """The remedy, shrunk towards none by its unreliability (James and Stein, 1961, positive part)."""
        if self.kind == "width":
            shrunk = mean * max(0.0, 1 - (standard_error / mean) ** 2) if mean else 0.0
            return min(max(_ratio(mean, raw, shrunk), MIN_FACTOR), MAX_FACTOR)
        return 1.0 if self.kind == "exclusion" else MOVED

    @property
    def family(self) -> str:
        """The hypotheses that share a false discovery rate, those on bias apart, which are told apart by scope."""
        return "weight" if self.kind.startswith(WEIGHT) else self.kind


def _ratio(mean: float, raw: float, wanted: float | None = None) -> float:
    """How many times as far out the slice's outcomes lie as those of what it is part of."""
    usual = raw - mean
    return 1 + (mean if wanted is None else wanted) / usual if usual > 0 else 1.0


BIAS = SliceQuestion(
    "bias",
    ("all", "sector", "ticker", "trait", "pair"),
    pl.col("error") - pl.col("bias_adjustment"),
    pl.col("error"),
    True,
    False,
    1,
)
"""Does it err to one side?"""
LOSS = pl.coalesce("pinball_without", "pinball")
"""What would have been lost without lessons on widths and members."""


def _distance(needed: pl.Expr) -> pl.Expr:
    return pl.min_horizontal(needed / pl.col("interval_scale"), pl.lit(FURTHEST))


def _beyond(other: pl.Expr, kind: str) -> tuple[pl.Expr, pl.Expr]:
    """The loss beyond another one in sigma, without lessons of a kind, and as it was."""
    acted = pl.col("lessons").list.eval(pl.element().str.starts_with(kind)).list.any().fill_null(False)
    without = pl.when(acted).then(LOSS).otherwise("pinball")
    return (without - other) / pl.col("sigma"), (pl.col("pinball") - other) / pl.col("sigma")


WIDTH = SliceQuestion(
    "width",
    ("sector", "ticker", "trait", "pair"),
    _distance(pl.coalesce("needed_without", "needed_scale")),
    _distance(pl.col("needed_scale")),
    True,
    False,
    2,
)
"""Are its intervals too narrow or too wide, beyond what those of all are? Mean distance of outcomes, in half-widths."""
EXCLUSION = SliceQuestion(
    "exclusion", ("all", "sector", "trait"), *_beyond(pl.col("naive_pinball"), "exclusion:"), False, True, 1
)
"""Is it worse than the naive forecast?"""


def ask_about(member: str) -> SliceQuestion:
    """Is a member alone better than the ensemble?"""
    named = pl.element().struct.field("member") == member
    found = pl.col("member_pinball").list.eval(pl.element().filter(named)).list.first().struct.field("pinball")
    return SliceQuestion(WEIGHT + member, EXCLUSION.scopes, *_beyond(found, WEIGHT + member), False, True, 1)


def list_questions(accuracy: pl.DataFrame, params: LearningParams) -> Iterator[SliceQuestion]:
    """Yield all that are asked: on bias always, the others as configured, on weights of each member there is."""
    yield BIAS
    yield from (one for one in (WIDTH, EXCLUSION) if one.kind in params.remedies)
    if "weight" in params.remedies:
        told = accuracy["member_pinball"].explode().struct.field("member").drop_nulls()
        yield from (ask_about(str(name)) for name in told.unique().sort())


def find_question(kind: str) -> SliceQuestion:
    """The question of a kind."""
    known = {one.kind: one for one in (BIAS, WIDTH, EXCLUSION)}
    return known[kind] if kind in known else ask_about(kind.removeprefix(WEIGHT))


def state(kind: str, horizon: str, where: str) -> str:
    """The belief in words.

    Args:
        kind: the question's.
        horizon: as `5 sessions`.
        where: the slice in words.
    """
    forecasts = f"forecasts over {horizon} of {where}"
    if kind == "bias":
        return f"{forecasts} err to one side"
    if kind == "width":
        return f"intervals of {forecasts} are too narrow or too wide"
    if kind == "exclusion":
        return f"{forecasts} are worse than the naive ones"
    return f"{forecasts} are worse than those of {kind.removeprefix(WEIGHT)} alone"


def act(kind: str, size: float) -> str:
    """The remedy in words."""
    if kind == "bias":
        return f"forecasts are adjusted by {change(size, 3)}"
    if kind == "width":
        return f"intervals are made {size:.2f} times as wide"
    if kind == "exclusion":
        return "the naive forecast stands in their place"
    return f"{percent(size, 0)} of them becomes the forecast of {kind.removeprefix(WEIGHT)}"


def tell_mean(kind: str, mean: float, error: float) -> str:
    """The measured mean in its unit."""
    if kind == "bias":
        return f"mean unadjusted error {change(mean, 3)} +- {percent(error, 3)}"
    if kind == "width":
        return f"outcomes lie {mean:+.3f} +- {error:.3f} half-widths of the 90 % interval further out than usual"
    than = "the naive forecast's" if kind == "exclusion" else f"that of {kind.removeprefix(WEIGHT)}"
    return f"loss {mean:+.4f} +- {error:.4f} sigma above {than}"
