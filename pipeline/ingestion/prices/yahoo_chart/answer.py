"""A chart together with the question it answers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, lru_cache
from typing import Any

from pipeline.ingestion.prices.yahoo_chart.consistency import check_consistency
from pipeline.ingestion.prices.yahoo_chart.findings import Findings
from pipeline.ingestion.prices.yahoo_chart.first_judgement import check_as_before
from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, read_chart
from pipeline.ingestion.sources.payloads import BY_LINE

REPAIRED = 1_000_000
"""Added to the line of a bar or event that was repaired: the line as delivered is set aside under its own number."""
JUDGEMENT = 2
"""The way of judging charts that new requests name."""
CURRENCY = "said_currency"
"""Column with the currency that the payload itself states; it goes before what the request says."""


@dataclass(frozen=True)
class SnapshotAsked:
    """When a snapshot was asked for and answered, in epoch seconds."""

    as_of: float
    answered_at: float


@dataclass(frozen=True)
class ChartAnswer:
    """A chart with what was asked."""

    chart: Chart
    ticker: str
    until: date
    """Last day asked for."""
    interval: str
    judgement: int = 1
    """Which way of judging charts the request names; landings from before there were two name none."""
    converts: bool = False
    """Whether a dividend in another currency than the prices is passed on, to be converted; else it is a fault."""
    snapshot: SnapshotAsked | None = None
    """Of the answer to a snapshot."""

    @cached_property
    def findings(self) -> Findings:
        """Where the chart contradicts itself."""
        return check_consistency(self.chart) if self.judgement >= JUDGEMENT else check_as_before(self.chart)


@lru_cache(maxsize=8)
def read_question(request: str) -> dict[str, Any]:
    """The request's members; none if it cannot be read."""
    try:
        asked = json.loads(request)
    except ValueError:
        return {}
    return asked if isinstance(asked, dict) else {}


def read_answer(payload: str, symbol: str, request: str) -> ChartAnswer:
    """Read a landed answer.

    Raises:
        UnreadableChartError: naming the rule that the whole answer breaks.
    """
    asked = read_question(request)
    chart = read_chart(payload, symbol)
    try:
        until = date.fromisoformat(str(asked.get("until")))
    except ValueError:
        until = date.max
    judgement = asked.get("judgement")
    way = judgement if isinstance(judgement, int) else 1
    converts = asked.get("amounts") == BY_LINE
    snapshot = _read_snapshot(asked)
    return ChartAnswer(
        chart, str(asked.get("ticker") or symbol), until, str(asked.get("interval")), way, converts, snapshot
    )


def _read_snapshot(asked: dict[str, Any]) -> SnapshotAsked | None:
    """What a snapshot's request says of it; cycles' requests say nothing of the kind."""
    try:
        as_of, answered_at = (datetime.fromisoformat(str(asked[name])) for name in ("as_of", "answered_at"))
    except (KeyError, ValueError):
        return None
    return SnapshotAsked(as_of.timestamp(), answered_at.timestamp())
