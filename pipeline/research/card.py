"""A research card: what was asked, on what, what came of it, and how much of that may be concluded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake.store import Lake
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.research import EXPERIMENTS
from pipeline.config.settings import Settings
from pipeline.reading.report.span import read_span
from pipeline.reading.report.tracks import BENCHMARK, read_cash, read_tracks
from pipeline.reading.tried import count_openings, count_trials
from pipeline.research.compare_runs import best_first
from pipeline.research.experiments import list_results
from pipeline.research.holdout import holdout_of
from pipeline.research.sides import open_side
from pipeline.research.spec import Spec
from pipeline.text_format import counted

CERTAIN = 0.95
"""Deflated probability from which a difference is more than the luck of many trials."""
FEW_SESSIONS = 60


@dataclass(frozen=True)
class CardReference:
    """What the base's book and its references made of the sessions."""

    name: str
    total_return: float
    """Fraction."""
    max_drawdown: float
    """Positive fraction."""
    costs: float | None
    """Currency; None where none were charged."""


@dataclass(frozen=True, kw_only=True)
class ResearchCard:
    """Everything that a reader needs to judge an experiment."""

    spec: Spec
    registered_at: datetime
    source: str
    names: int
    """Members of the universe at the last session."""
    first: date
    last: date
    sessions: int
    """Of the base's book in that span."""
    results: pl.DataFrame
    """Rows of `experiment_results`, the best difference first."""
    references: tuple[CardReference, ...]
    costs: str
    trials: int
    looks: int
    caps: tuple[str, ...]
    """What is missing, each of which forbids calling anything here a finding."""

    @property
    def kept(self) -> pl.DataFrame:
        """The variants that met what was asked for at the registration."""
        return self.results.filter(pl.col("kept"))

    @property
    def conclusion(self) -> str:
        """What may be said: a finding, a hint, or nothing."""
        if self.results.is_empty():
            return "Nothing may be concluded: no variant has a result yet."
        if self.kept.is_empty():
            return f"No variant is kept, of {counted(self.results.height, 'variant')} that ended."
        names = ", ".join(self.kept["variant"].to_list()[:5])
        sure = self.kept.filter(pl.col("deflated") >= CERTAIN)
        if sure.is_empty():
            return f"A hint at most: {names}. None stands out from the best of {self.trials} worthless trials."
        if self.caps:
            return f"A hint at most: {names}, because {self.caps[0]}."
        return f"A finding on these sessions: {', '.join(sure['variant'].to_list()[:5])}."


def write_card(lake: Lake, settings: Settings, spec: Spec) -> ResearchCard:
    """Return the card of an experiment.

    Args:
        lake: that it is recorded in.
        settings: its own.
        spec: as it was registered.

    Raises:
        NoSuchError: if its base is gone, or has no book in those sessions.
    """
    base = open_side(lake, spec.base).lake
    span = read_span(base, spec.first, spec.last)
    tracks = (*read_tracks(span), read_cash(span))
    results = best_first(list_results(lake, spec.name), spec.metric)
    members = base.read(TICKER_UNIVERSE, since=span.last, until=span.last).filter(pl.col("member")).height
    registered = lake.read(EXPERIMENTS, where=pl.col("experiment_id") == spec.name)["registered_at"][0]
    known = {one.name for one in tracks}
    return ResearchCard(
        spec=spec,
        registered_at=registered,
        source=settings.source.name,
        names=members,
        first=span.first,
        last=span.last,
        sessions=len(span.sessions),
        results=results,
        references=tuple(CardReference(one.name, one.total, one.max_drawdown, one.costs) for one in tracks),
        costs=_describe_costs(settings),
        trials=count_trials(lake),
        looks=count_openings(lake),
        caps=(
            *_find_settings_caps(settings, count_openings(lake)),
            *_find_data_caps(spec, results, len(span.sessions), known),
        ),
    )


def _describe_costs(settings: Settings) -> str:
    costs = settings.trading.costs
    if costs.multiple == 0:
        return "no costs are charged"
    return (
        f"half-spread {1e4 * costs.half_spread:g} bp, impact {costs.impact:g} x volatility x root of participation,"
        f" commission {costs.commission_per_share:g} a share, all times {costs.multiple:g}"
    )


def _find_settings_caps(settings: Settings, looks: int) -> Iterator[str]:
    """What the lake's settings lack for a finding, the weightiest first."""
    if holdout_of(settings) is None:
        yield "no session was put aside, so nothing was tried on what had not been seen"
    if looks:
        yield "the holdout has been opened"
    if settings.trading.costs.multiple == 0:
        yield "no costs were charged"
    if settings.source.name == "simulated":
        yield "the market is simulated"


def _find_data_caps(spec: Spec, results: pl.DataFrame, sessions: int, known: set[str]) -> Iterator[str]:
    """What the sessions and results lack for a finding."""
    if sessions < FEW_SESSIONS:
        yield f"{counted(sessions, 'session')} are few"
    if lacking := len(spec.variants) - results.height:
        yield f"{counted(lacking, 'variant')} have no result"
    if BENCHMARK not in known:
        yield "there is no benchmark beside it"
