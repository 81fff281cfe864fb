"""The features that come with the program, in the order of their columns.

What each one is and how it is computed stands in the module of its family.
"""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.features.families import (
    alpha158,
    context,
    day_parts,
    earnings_days,
    events,
    intraday_bars,
    market_state,
    news_residuals,
    pure_momentum,
    residual_moves,
    risk,
    sector_leads,
    trend,
    volume_surprise,
)
from pipeline.features.feature import Feature, refuse_duplicates

BUILT_IN: tuple[Feature, ...] = (*trend.FEATURES, *risk.FEATURES, *context.FEATURES, *events.FEATURES)
"""The features that every lake computes.

The order is that of the columns of `feature_rows`. Those of named sets and of the operator's plugins follow.
"""

NAMED_SETS: dict[str, tuple[Feature, ...]] = {
    "residual_moves": residual_moves.FEATURES,
    "alpha158": alpha158.FEATURES,
    "news_residuals": news_residuals.FEATURES,
    "pure_momentum": pure_momentum.FEATURES,
    "market_state": market_state.FEATURES,
    "volume_surprise": volume_surprise.FEATURES,
    "day_parts": day_parts.FEATURES,
    "intraday_bars": intraday_bars.FEATURES,
    "earnings_days": earnings_days.FEATURES,
    "sector_leads": sector_leads.FEATURES,
}
"""Features that come with the program and are computed where the setting plugins.feature_sets names their set."""


def choose(sets: Sequence[str]) -> tuple[Feature, ...]:
    """The features of some named sets, in the order of the catalogue, by which a run's record is read too."""
    return tuple(feature for name, features in NAMED_SETS.items() if name in set(sets) for feature in features)


ALL: tuple[Feature, ...] = (*BUILT_IN, *choose(tuple(NAMED_SETS)))
"""Every feature that comes with the program."""

refuse_duplicates(ALL)
