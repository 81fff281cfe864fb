"""The references, rung by rung: what doing nothing and what a textbook would have made of the same money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pipeline.reading.report.tracks import BENCHMARK, BOOK, CASH, EQUAL_WEIGHT, TOP_K, Track
from pipeline.trading.mandates.mandate import EQUAL_WEIGHT as EQUAL_WEIGHT_MANDATE
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.review.performance import measure

RUNGS = (CASH, BENCHMARK, EQUAL_WEIGHT, TOP_K, BOOK)
"""From the bottom up: each takes more doing than the one below it."""


@dataclass(frozen=True)
class Rung:
    """One reference, or the book itself, over a span of sessions; money as if all had begun with what the book had."""

    name: str
    value: float
    """What the book's start value would have become, in currency."""
    total_return: float
    """As a fraction."""
    against: str
    """The rung that the mandate measures the book against."""
    active: float | None
    """Return less that rung's; None where that is not known."""
    volatility: float | None
    """Standard deviation of session returns, annualised; None below two sessions."""
    max_drawdown: float
    """Deepest fall from a peak, as a positive fraction."""
    costs: float | None
    """Half-spreads, impact and commission paid, in currency; None where none were charged."""


def build_ladder(
    tracks: Sequence[Track],
    cash: Track,
    start_value: Decimal | float,
    sessions_per_year: int,
    against: str = EQUAL_WEIGHT,
) -> tuple[Rung, ...]:
    """Set the book beside each reference there is, from cash up.

    Args:
        tracks: the book's and those of the references, over the same sessions.
        cash: the same money left in cash.
        start_value: what the book was worth before the first session, in currency.
        sessions_per_year: from the exchange's calendar.
        against: the rung that the book is measured against; equal weight where there is no such.
    """
    known = {track.name: track for track in (*tracks, cash)}
    reference = against if against in known else EQUAL_WEIGHT
    start = float(start_value)
    made = (_rung(known[name], reference, start, sessions_per_year) for name in RUNGS if name in known)
    return tuple(_measure_active(rung, known.get(reference)) for rung in made)


def name_reference(mandate: Mandate) -> str:
    """Return the rung that a mandate measures the book against: cash for an absolute one, else its benchmark."""
    if not mandate.relative:
        return CASH
    return EQUAL_WEIGHT if mandate.benchmark == EQUAL_WEIGHT_MANDATE else BENCHMARK


def _measure_active(rung: Rung, reference: Track | None) -> Rung:
    return rung if reference is None else replace(rung, active=rung.total_return - reference.total)


def _rung(track: Track, against: str, start: float, sessions_per_year: int) -> Rung:
    scale = start / track.levels[0] if track.levels[0] else 0.0
    return Rung(
        name=track.name,
        value=start * (1 + track.total),
        total_return=track.total,
        against=against,
        active=None,
        volatility=measure(track.returns, sessions_per_year).volatility,
        max_drawdown=track.max_drawdown,
        costs=None if track.costs is None else track.costs * scale,
    )
