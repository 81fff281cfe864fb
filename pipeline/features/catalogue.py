"""The built-in features, in the order of their columns.

What each one is and how it is computed stands in the module of its family.
"""

from __future__ import annotations

from pipeline.features.families import context, events, risk, trend
from pipeline.features.feature import Feature, refuse_duplicates

BUILT_IN: tuple[Feature, ...] = (*trend.FEATURES, *risk.FEATURES, *context.FEATURES, *events.FEATURES)
"""Every feature that comes with the program.

The order is that of the columns of `feature_rows`. Features of the operator's plugins follow behind them.
"""

refuse_duplicates(BUILT_IN)
