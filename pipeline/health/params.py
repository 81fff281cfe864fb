"""When a figure on the health screen turns from ok to warn or fail."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class HealthParams:
    """Limits of the health report."""

    slow_stage_seconds: float = 60.0
    """Seconds a stage may take before it is remarked on; training takes longest."""
    least_arrived: float = 0.95
    """Share of universe members that should have a bar for the session."""
    most_quarantined: float = 0.02
    """Share of the session's rows that may be set aside before it is remarked on."""
    least_scored: float = 0.80
    """Share of the articles that a language model was asked about which should have its opinion."""
    least_forecast: float = 0.90
    """Share of selected tickers that should get a forecast."""
    coverage_tolerance: float = 0.05
    """How far realised coverage may lie from the stated one."""
    most_drawdown: float = 0.25
    """Fall of the book from its peak that counts as failure."""
