"""The book's track record in figures: by itself, beside each baseline, and how much of it chance explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import polars as pl

from pipeline.reading.report.tracks import Track
from pipeline.trading.review.performance import (
    Performance,
    RecordComparison,
    compare,
    deflated_sharpe,
    measure,
    probabilistic_sharpe,
)

SEED = 1
"""Of the bootstrap of Sharpe differences: the same sessions give the same interval in every report."""


@dataclass(frozen=True)
class SharpeEvidence:
    """How sure one can be that the book's Sharpe ratio is not luck."""

    trials: int
    """Configurations tried, the one reported included."""
    looks: int
    """Times that somebody looked at what was put aside."""
    above_zero: float | None
    """Probability that the true ratio is above 0, had nothing else been tried."""
    deflated: float | None
    """The same beyond what the best of as many worthless configurations would show."""


@dataclass(frozen=True)
class PerformanceFigures:
    """All that is measured of session returns."""

    sessions_per_year: int
    """Of the lake's own calendar; what is annual is annualised by it."""
    tracks: dict[str, Performance]
    """Name of a track -> its figures."""
    against: dict[str, RecordComparison]
    """Name of a baseline -> the book beside it."""
    evidence: SharpeEvidence


def measure_tracks(tracks: Sequence[Track], sessions_per_year: int, trials: int, looks: int = 0) -> PerformanceFigures:
    """The figures of the first track, which is the book's, and of the baselines after it."""
    book, *baselines = tracks
    return PerformanceFigures(
        sessions_per_year=sessions_per_year,
        tracks={track.name: _measure(track, sessions_per_year) for track in tracks},
        against={other.name: _compare(book, other, sessions_per_year) for other in baselines},
        evidence=SharpeEvidence(
            trials, looks, probabilistic_sharpe(book.returns, 0.0), deflated_sharpe(book.returns, trials)
        ),
    )


def _measure(track: Track, sessions_per_year: int) -> Performance:
    """Return and what follows from it are those of the value, in which is what was learned of earlier sessions; what
    is measured session by session leaves that out."""
    found = measure(track.returns, sessions_per_year)
    if found.cagr is None:
        return replace(found, total_return=track.total)
    cagr = (1 + track.total) ** (sessions_per_year / found.sessions) - 1
    calmar = cagr / found.max_drawdown if found.max_drawdown > 0 else None
    return replace(found, total_return=track.total, cagr=cagr, calmar=calmar)


def _compare(book: Track, other: Track, sessions_per_year: int) -> RecordComparison:
    found = compare(book.returns, other.returns, sessions_per_year, seed=SEED)
    return replace(found, excess_return=book.total - other.total)


def count_configurations(model_promotions: pl.DataFrame, settings_used: Sequence[str]) -> int:
    """How many configurations the lake itself knows were tried, at least the one it ran.

    Args:
        model_promotions: the models that were judged: the best of them made the forecasts.
        settings_used: the recorded parameters of each plan: further ones are further configurations.
    """
    models = model_promotions["model_id"].n_unique() if model_promotions.height else 0
    return max(models, 1) + max(len(set(settings_used)), 1) - 1
