"""The whole report on a span of sessions: the summary, and every figure, series and source behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from lake.store import Lake
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.trading import EXECUTED_TRADES, TRADE_REFLECTIONS
from pipeline.config.resolving import Loaded
from pipeline.config.settings import Settings
from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import Sessions
from pipeline.reading.report.closed_trades import count_verdicts
from pipeline.reading.report.data_quality import DataQuality, read_data_quality
from pipeline.reading.report.model_cards import ModelCard, read_model_cards
from pipeline.reading.report.performance_figures import PerformanceFigures, count_configurations, measure_tracks
from pipeline.reading.report.provenance import PLANNING, Provenance, read_provenance, read_runs
from pipeline.reading.report.span import Span, read_span
from pipeline.reading.report.span_summary import SpanSummary, summarize_span
from pipeline.reading.report.tracks import PeriodReturns, by_month
from pipeline.reading.tried import count_openings, count_trials
from pipeline.trading.review.performance import TradingActivity, activity

SOURCES = {
    "realised": "Gains of what was sold",
    "unrealised": "Gains of what is held",
    "exchange": "Exchange rates, of what was sold",
    "dividends": "Dividends",
    "commission": "Commission",
}
"""Column of `portfolio_value` -> what the change in it is called. Spread and impact are inside the gains."""
TRADES_TOLD = 5
"""Of the best sales, and of the worst."""


@dataclass(frozen=True)
class SessionSeries:
    """The book session by session, n values each."""

    sessions: tuple[date, ...]
    exposure: tuple[float, ...]
    """Positions over NAV."""
    turnover: tuple[float, ...]
    """Value traded over NAV."""
    positions: tuple[int, ...]
    costs: tuple[float, ...]
    """Paid since the span began, in currency."""


@dataclass(frozen=True)
class Report:
    """All that is told of a span of sessions."""

    summary: SpanSummary
    figures: PerformanceFigures
    trading: TradingActivity
    months: tuple[PeriodReturns, ...]
    series: SessionSeries
    sources: tuple[tuple[str, Decimal], ...]
    """What the profit is made of, in currency; the parts sum to it."""
    verdicts: tuple[tuple[str, int, Decimal], ...]
    """What explains the sales: verdict, sales, and what they earned."""
    quality: DataQuality
    provenance: Provenance
    models: tuple[ModelCard, ...]
    """A card of each champion, the newest first."""

    def as_dict(self) -> dict[str, Any]:
        """The same for a script."""
        parts = ("figures", "trading", "series", "quality", "provenance")
        return {
            "summary": self.summary.as_dict(),
            **{name: asdict(getattr(self, name)) for name in parts},
            "tracks": {track.name: asdict(track) for track in self.summary.tracks},
            "models": [card.as_dict() for card in self.models],
            "months": [asdict(month) for month in self.months],
            "sources": dict(self.sources),
            "verdicts": [
                {"verdict": verdict, "sales": sales, "profit": profit} for verdict, sales, profit in self.verdicts
            ],
        }


def build_report(
    lake: Lake,
    loaded: Loaded[Settings],
    calendar: Sessions,
    first: date | None = None,
    last: date | None = None,
    trials: int | None = None,
) -> Report:
    """Build the report on the book's sessions from one day to another, both included.

    Args:
        lake: as published.
        loaded: its configuration, with the origin of each value.
        calendar: the sessions of its exchange; what is annual is annualised by them.
        first: the first day; the book's first session where None.
        last: the last day; the book's last session where None.
        trials: how many configurations were tried; what the lake itself knows of where None.

    Raises:
        NoSuchError: if the book has no session there.
    """
    span = read_span(lake, first, last)
    summary = summarize_span(lake, loaded.settings, calendar, span.first, span.last, TRADES_TOLD)
    runs = read_runs(lake, span.first, span.last)
    tried = _count_known_trials(lake, runs, span) if trials is None else trials
    per_year = sessions_per_year(calendar, span.last)
    reflections = lake.read(TRADE_REFLECTIONS, since=span.first, until=span.last)
    return Report(
        summary=summary,
        figures=measure_tracks(summary.tracks, per_year, tried, count_openings(lake)),
        trading=activity(
            lake.read(EXECUTED_TRADES, since=span.first, until=span.last), reflections, span.value, per_year
        ),
        months=by_month(span.sessions, summary.tracks),
        series=_series(span),
        sources=tuple(_sources(span, summary.book.profit)),
        verdicts=count_verdicts(reflections),
        quality=read_data_quality(lake, span.first, span.last),
        provenance=read_provenance(lake, loaded, runs, (span.first, span.last), tried),
        models=read_model_cards(lake, span.first, span.last),
    )


def _count_known_trials(lake: Lake, runs: pl.DataFrame, span: Span) -> int:
    planned = runs.filter(pl.col("stage") == PLANNING)["params"].to_list()
    ran = count_configurations(lake.read(MODEL_PROMOTIONS, until=span.last), planned)
    return ran + count_trials(lake)


def _sources(span: Span, profit: Decimal) -> Iterator[tuple[str, Decimal]]:
    """What each account of the book gained over the span; what is left is rounding, and is told where there is any."""
    gained = {title: span.paid(column) for column, title in SOURCES.items()}
    gained["Commission"] = -gained["Commission"]
    yield from gained.items()
    if rest := profit - sum(gained.values(), Decimal(0)):
        yield "Rounding", rest


def _series(span: Span) -> SessionSeries:
    rows, before = span.value, span.before or {}
    paid = [0.0] * rows.height
    for name in ("commission", "spread_cost", "impact_cost"):
        start = before.get(name, Decimal(0))
        paid = [total + float(value - start) for total, value in zip(paid, rows[name].to_list(), strict=True)]
    return SessionSeries(
        sessions=span.sessions,
        exposure=tuple(rows["exposure"].to_list()),
        turnover=tuple(rows["turnover"].to_list()),
        positions=tuple(rows["positions"].to_list()),
        costs=tuple(paid),
    )
