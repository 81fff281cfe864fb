"""Of which days a chart answer speaks: those between its first bar and its last, as far as they were asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date

from pipeline.ingestion.actions.action_coverage import COVERS
from pipeline.ingestion.prices.yahoo_chart.parse_chart import UnreadableChartError, read_chart
from pipeline.ingestion.sources.yahoo.resume_cache import CachedAnswer


def state_coverage(kept: CachedAnswer, low: date, session: date) -> CachedAnswer | None:
    """The answer with the ex-dates that it speaks of in its request; None where it speaks of none.

    What an answer leaves out of its own days is no longer stated. One that begins late, ends early, holds no bar or
    cannot be read says nothing about the days that it lacks.

    Args:
        kept: a chart answer.
        low: first day asked for.
        session: last day asked for.
    """
    try:
        days = read_chart(kept.payload, kept.symbol).days
    except UnreadableChartError:
        return None
    asked = [day for day in days if low <= day <= session]
    if not asked:
        return None
    covers = {COVERS: {"since": min(asked).isoformat(), "until": max(asked).isoformat()}}
    return replace(kept, request=json.dumps(json.loads(kept.request) | covers, ensure_ascii=False))
