"""The settings of the health report: when a check turns from ok to warn or fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import Field

from pipeline.config.setting_types import Earlier, Formerly, Share


@dataclass(frozen=True, kw_only=True)
class HealthParams:
    """Limits of the health report."""

    slow_stage_seconds: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Seconds a stage may take before the report warns; training takes longest."""
    min_arrived: Annotated[Share, Formerly("least_arrived")] = 0.95
    """Share of universe members that should have a bar for the session."""
    max_quarantined: Annotated[Share, Formerly("most_quarantined")] = 0.02
    """Share of the session's rows that may be quarantined before the report warns."""
    min_scored: Annotated[Share, Formerly("least_scored")] = 0.80
    """Share of the articles sent to a language model that should come back scored."""
    min_forecast: Annotated[Share, Formerly("least_forecast")] = 0.90
    """Share of selected tickers that should get a forecast."""
    max_strange: Annotated[Share, Earlier(1.0)] = 0.10
    """Share of the forecasts that may rest on inputs as far from the training rows as one in a hundred of these; 1
    tells of none."""
    max_drifted: Share = 0.10
    """Share of the champion's inputs that may have drifted away from its training rows."""
    coverage_tolerance: Share = 0.05
    """How far realised coverage may lie from the stated one."""
    max_drawdown: Annotated[float, Field(gt=0, le=1), Formerly("most_drawdown")] = 0.25
    """Fall of the book from its peak that counts as failure."""
    compared_sessions: Annotated[int, Field(ge=0, le=250), Earlier(0)] = 60
    """Sessions over which the book is compared with top-k dropout on the same forecasts: a quarter; 0 tells of none."""
    doubt_sessions: Annotated[int, Field(ge=0, le=20), Earlier(0)] = 20
    """Sessions for which it is told that it was decided, and not known, which company a ticker is; 0 tells of none."""
    max_rate_age_days: Annotated[int, Field(ge=0, le=366)] = 7
    """Days that the exchange rate of a held name may be old before it is told of; 0 tells of none."""
    max_silent: Annotated[int, Field(ge=0, le=250), Earlier(0)] = 3
    """Sessions without a bar after which a held name is told of: beyond a short halt; 0 tells of none."""
    max_snapshot_age_minutes: Annotated[int, Field(ge=0, le=1_440)] = 30
    """Minutes that the newest bar within a session may have ended before its close, where snapshots are taken."""
    daily_tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.005
    """Fraction by which a daily bar may differ from its own shorter ones: half a per cent is more than an auction's
    last price usually adds, and less than any split or wrong unit."""
