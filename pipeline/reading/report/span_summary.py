"""The answer at the end of a replay: what became of the money, whether skill explains it, and what to look at next."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date
from decimal import Decimal
from typing import Any

import polars as pl

from lake.store import Lake
from lake.tables.books import LEDGER_ENTRIES
from lake.tables.feedback import SESSION_SCORES
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.trading import EXECUTED_TRADES, MANDATES, TRADE_REFLECTIONS
from pipeline.config.settings import Settings
from pipeline.engine.executor import derive_seed
from pipeline.feedback.metrics import STAGE as METRICS
from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import Sessions
from pipeline.models.registry import find_champion
from pipeline.reading.report.closed_trades import ClosedTrade, best_and_worst
from pipeline.reading.report.data_quality import find_silence, find_unforecast
from pipeline.reading.report.forecast_quality import ForecastQuality, measure_forecasts
from pipeline.reading.report.ladder import Rung, build_ladder, name_reference
from pipeline.reading.report.next_steps import NextStep, suggest_steps
from pipeline.reading.report.profit_origins import ProfitView, read_origins
from pipeline.reading.report.refusals import PlanFacts, read_plans
from pipeline.reading.report.span import Span, read_span
from pipeline.reading.report.tracks import Track, read_cash, read_tracks
from pipeline.reading.results.summary import LedgerFacts, ledger_facts
from pipeline.trading.mandates.mandate import read_mandate
from pipeline.trading.review.performance import sharpe


@dataclass(frozen=True)
class BookFacts:
    """What became of the book's value; money in the book's currency, returns as fractions."""

    currency: str
    start_value: Decimal
    """Before the first session."""
    value: Decimal
    """After the last one."""
    profit: Decimal
    total_return: float
    """Value over start value, less 1."""
    max_drawdown: float
    """The deepest fall from a peak within the span, as a positive fraction."""
    sharpe: float | None
    """Annualised by the lake's calendar; None where session returns do not vary, and below a quarter of a year."""
    positions: int
    mean_exposure: float
    mean_turnover: float
    """Of a session, as a fraction of NAV."""
    commission: Decimal
    spread_cost: Decimal
    impact_cost: Decimal
    costs: Decimal
    """All three."""
    restated: Decimal
    """What was learned in the span of value before: in the value, and in no session's return."""


@dataclass(frozen=True)
class SpanSummary:
    """All that the end of a replay tells."""

    first: date
    last: date
    sessions: int
    book: BookFacts
    baselines: dict[str, float]
    """What the book is compared with, where there is it -> its total return over the same sessions."""
    ladder: tuple[Rung, ...]
    """The same and cash below it, the book above, each with its risk and costs."""
    quality: ForecastQuality
    plans: PlanFacts
    origins: tuple[ProfitView, ...]
    """Where the profit came from, in views that each add up to it; none where no session was attributed."""
    best: tuple[ClosedTrade, ...]
    worst: tuple[ClosedTrade, ...]
    ledger: LedgerFacts
    next_steps: tuple[NextStep, ...]
    tracks: tuple[Track, ...]
    """For drawing."""

    def as_dict(self) -> dict[str, Any]:
        """The same for a script, with what is said in words and without what is only drawn."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "tracks"}
        told |= {name: asdict(told[name]) for name in ("book", "plans", "ledger")}
        told |= {
            name: [asdict(one) for one in told[name]] for name in ("ladder", "best", "worst", "next_steps", "origins")
        }
        told["quality"] = self.quality.as_dict()
        told["ledger"] |= {"balances": self.ledger.balances, "sentence": self.ledger.sentence}
        return told


def summarize_span(
    lake: Lake,
    settings: Settings,
    calendar: Sessions,
    first: date | None = None,
    last: date | None = None,
    trades: int = 2,
) -> SpanSummary:
    """Summarise the book's sessions from one day to another, both included.

    Args:
        lake: as published.
        settings: those of the lake.
        calendar: that of its exchange; figures of a session are annualised by it.
        first: the first day; the book's first session where None.
        last: the last day; the book's last session where None.
        trades: how many of the best and of the worst sales are told.

    Raises:
        NoSuchError: if the book has no session there.
    """
    span = read_span(lake, first, last)
    tracks, per_year = read_tracks(span), sessions_per_year(calendar, span.last)
    fills = lake.read(EXECUTED_TRADES, since=span.first, until=span.last, columns=("shares",))
    best, worst = best_and_worst(lake.read(TRADE_REFLECTIONS, since=span.first, until=span.last), trades)
    quality = read_quality(lake, settings, span)
    plans = read_plans(lake, span.first, span.last, fills.filter(pl.col("shares") > 0).height)
    ledger = ledger_facts(lake.read(LEDGER_ENTRIES, until=span.last), span.history)
    return SpanSummary(
        first=span.first,
        last=span.last,
        sessions=len(span.sessions),
        book=_book(span, tracks[0], settings.currency, per_year),
        baselines={track.name: track.total for track in tracks[1:]},
        ladder=build_ladder(tracks, read_cash(span), span.start_value, per_year, _reference(lake, settings, span)),
        quality=quality,
        plans=plans,
        origins=read_origins(lake, span.first, span.last),
        best=best,
        worst=worst,
        ledger=ledger,
        next_steps=suggest_steps(
            (span.first, span.last),
            ledger,
            quality,
            plans,
            worst,
            find_silence(lake, span.sessions),
            find_unforecast(lake, span.first, span.last),
        ),
        tracks=tracks,
    )


def _reference(lake: Lake, settings: Settings, span: Span) -> str:
    """What the mandate that counted at the end of the span measures the book against."""
    return name_reference(read_mandate(lake.read(MANDATES, until=span.last), settings.trading.mandate).mandate)


def read_quality(lake: Lake, settings: Settings, span: Span) -> ForecastQuality:
    """How good the forecasts were that fell due in the span."""
    scores = lake.read(SESSION_SCORES, since=span.first, until=span.last, where=pl.col("target_session") >= span.first)
    champion = find_champion(lake.read(MODEL_PROMOTIONS, until=span.last))
    seed = derive_seed(settings.runtime.seed, METRICS.name, span.last)
    return measure_forecasts(scores, span.last, settings.trading.horizon, champion, seed, settings.feedback.metrics)


def _book(span: Span, track: Track, currency: str, per_year: int) -> BookFacts:
    rows, closing = span.value, span.closing
    paid = {name: span.paid(name) for name in ("commission", "spread_cost", "impact_cost")}
    return BookFacts(
        currency=currency,
        start_value=span.start_value,
        value=closing["nav"],
        profit=closing["nav"] - span.start_value,
        total_return=track.total,
        max_drawdown=track.max_drawdown,
        sharpe=sharpe(track.returns, per_year) if rows.height * 4 >= per_year else None,
        positions=closing["positions"],
        mean_exposure=sum(rows["exposure"].to_list()) / rows.height,
        mean_turnover=sum(rows["turnover"].to_list()) / rows.height,
        costs=sum(paid.values(), Decimal(0)),
        restated=sum(rows["restated"].drop_nulls().to_list(), Decimal(0)),
        **paid,
    )
