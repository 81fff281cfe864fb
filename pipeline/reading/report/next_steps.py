"""What to look at next after a span of sessions: a sentence on what stands out, and the command that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice

from pipeline.reading.report.closed_trades import ClosedTrade
from pipeline.reading.report.data_quality import Silence, Unforecast
from pipeline.reading.report.forecast_quality import ForecastQuality
from pipeline.reading.report.refusals import PlanFacts
from pipeline.reading.results.summary import LedgerFacts
from pipeline.text_format import counted, percent

MAX_STEPS = 4
"""Beside the report, which is always offered: more would be a manual."""


@dataclass(frozen=True)
class NextStep:
    """Something that stands out, and the words after `nextgen` that show more of it."""

    sentence: str
    command: tuple[str, ...]


def suggest_steps(
    span: tuple[date, date],
    ledger: LedgerFacts,
    quality: ForecastQuality,
    plans: PlanFacts,
    worst: tuple[ClosedTrade, ...],
    silence: Silence | None = None,
    unforecast: Unforecast | None = None,
) -> tuple[NextStep, ...]:
    """What stands out, the gravest first, and the whole report at the end."""
    found = islice(_findings(ledger, quality, plans, worst, silence, unforecast), MAX_STEPS)
    first, last = (day.isoformat() for day in span)
    page = ("report", "--from", first, "--to", last, "--html", "report.html")
    return (*found, NextStep("All figures, charts and trades on one page", page))


def _findings(
    ledger: LedgerFacts,
    quality: ForecastQuality,
    plans: PlanFacts,
    worst: tuple[ClosedTrade, ...],
    silence: Silence | None,
    unforecast: Unforecast | None,
) -> Iterator[NextStep]:
    if not ledger.balances:
        yield NextStep("The books do not balance; nothing else counts until they do", ("status",))
    if silence is not None:
        yield NextStep(silence.sentence, ("status",))
    elif unforecast is not None:
        yield NextStep(unforecast.sentence, ("show", "inference_log", "--limit", "10"))
    elif not quality.coverages:
        yield NextStep("No forecast has fallen due; run on until some have", ("replay", "--sessions", "20"))
    if quality.champion is None and unforecast is None:
        yield NextStep(
            "No model has earned to forecast; each was judged, with the reason",
            ("show", "model_promotions", "--columns", "session,model_id,promoted,reason"),
        )
    if plans.refusals:
        first = plans.refusals[0]
        yield NextStep(
            f"{first.rule} refused {percent(first.share, 0)} of {counted(plans.refused, 'refused plan')} first",
            ("show", "trade_plans", "--where", f"blocked_by={first.rule}", "--limit", "10"),
        )
    for one in quality.coverages:
        if one.verdict in ("too narrow", "too wide"):
            yield NextStep(
                f"Intervals over {counted(one.horizon, 'session')} are {one.verdict}: "
                f"{percent(one.stated, 0)} stated, {percent(one.measured, 1)} measured",
                ("show", "feedback_metrics", "--where", f"horizon={one.horizon}", "--where", "scope=all"),
            )
            break
    if worst:
        yield NextStep(
            f"What the worst sale, {worst[0].ticker}, rested on",
            ("lineage", "trade_reflections", f"trade_id={worst[0].trade_id}", "--depth", "3"),
        )
