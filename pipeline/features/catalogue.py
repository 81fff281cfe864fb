"""The built-in features, in the order of their columns."""

from __future__ import annotations

from pipeline.features.families import context, events, risk, trend
from pipeline.features.feature import Feature, refuse_duplicates

BUILT_IN: tuple[Feature, ...] = (*trend.FEATURES, *risk.FEATURES, *context.FEATURES, *events.FEATURES)
"""Every feature that comes with the program; another one is declared in the module of its family."""

refuse_duplicates(BUILT_IN)
