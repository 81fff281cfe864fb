"""Which bars of an answer to a snapshot are no bars yet: a live quote, and those the vendor had seen in part."""

from __future__ import annotations

from bisect import bisect_left

from pipeline.ingestion.prices.yahoo_chart.answer import ChartAnswer
from pipeline.ingestion.sources.source import MINUTES

LIVE = "the bar is no live quote"
ENDED = "the vendor had seen the bar's end"
LONGEST_DELAY = 30 * 60
"""Seconds, at most, by which Yahoo shows an exchange's trades late. A bar that ended so long before the answer is
whole, also where nothing was traded since and the vendor's clock, that of the last trade, stands within it."""


def began_by(answer: ChartAnswer, count: int) -> int:
    """How many of an answer's first `count` bars had begun by the moment that was asked for.

    The others are passed over: a chart reaches until now, for the splits in it, also where the moment is long past.
    """
    if answer.snapshot is None:
        return count
    return min(count, bisect_left(answer.chart.stamps, answer.snapshot.as_of))


def unfinished_rule(answer: ChartAnswer, bar: int) -> str | None:
    """The rule that a snapshot's bar breaks by what the vendor had seen of it; None for the bars of cycles.

    Args:
        answer: with the time of the vendor's last trade, and when the session ends.
        bar: its number.
    """
    asked, chart = answer.snapshot, answer.chart
    if asked is None or chart.quoted_at is None:
        return None
    stamp = chart.stamps[bar]
    if bar == len(chart.stamps) - 1 and (stamp == chart.quoted_at or stamp % 60):
        return LIVE
    end = stamp + 60 * MINUTES.get(answer.interval, 0)
    if chart.closes_at is not None and stamp < chart.closes_at:
        end = min(end, chart.closes_at)  # the last bar of a session is cut short by its close
    return ENDED if end > chart.quoted_at and asked.answered_at < end + LONGEST_DELAY else None
