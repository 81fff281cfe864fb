"""Judges a chart by its witnesses: prices, adjusted closes, volumes, events and the ticker's own moves.

A value is rewritten only where two of them say so and none contradicts; where they agree with what was stated it
stands; what cannot be decided is told with both readings.
"""

from __future__ import annotations

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.evidence.dividend_dates import (
    add_missing,
    check_adjusted,
    drop_repeats,
    move_dates,
)
from pipeline.ingestion.prices.yahoo_chart.evidence.dividend_units import Draft, judge_units
from pipeline.ingestion.prices.yahoo_chart.evidence.own_moves import is_price
from pipeline.ingestion.prices.yahoo_chart.evidence.payments import find_payments
from pipeline.ingestion.prices.yahoo_chart.evidence.price_levels import judge_levels
from pipeline.ingestion.prices.yahoo_chart.findings import (
    DIVIDEND_ADJUSTED,
    DIVIDEND_CURRENCY,
    DIVIDEND_DATED,
    DIVIDEND_FELT,
    DIVIDEND_ONCE,
    DIVIDEND_STATED,
    DIVIDEND_UNIT,
    ONE_UNIT,
    SPLIT_APPLIED,
    DividendFinding,
    Findings,
)
from pipeline.ingestion.prices.yahoo_chart.parse_chart import MINOR_UNITS, Chart, Dividend

__all__ = [
    "DIVIDEND_ADJUSTED",
    "DIVIDEND_CURRENCY",
    "DIVIDEND_DATED",
    "DIVIDEND_FELT",
    "DIVIDEND_ONCE",
    "DIVIDEND_STATED",
    "DIVIDEND_UNIT",
    "ONE_UNIT",
    "SPLIT_APPLIED",
    "DividendFinding",
    "Findings",
    "check_consistency",
]


def check_consistency(chart: Chart) -> Findings:
    """Find the bars that are a split or a unit off, and the dividends that the witnesses contradict."""
    levels = judge_levels(chart)
    return Findings(levels.rules, levels.possible, _judge_dividends(levels.sure, levels.undecided), levels.undecided)


def _judge_dividends(chart: Chart, undecided: frozenset[int]) -> tuple[DividendFinding, ...]:
    """Each dividend beside the prices; those beside prices that nobody can decide on stand as stated."""
    payments = find_payments(chart)
    doubtful = undecided | {bar + 1 for bar in undecided}
    own = [one for one in payments.stated if _is_judged(one.dividend, chart) and one.bar not in doubtful]
    unstated = [one for one in payments.unstated if one.bar not in doubtful]
    drafts, moved, left = move_dates(drop_repeats(judge_units(chart, own)), unstated)
    drafts = [check_adjusted(draft) for draft in drafts]
    found = [_finding(draft) for draft in drafts]
    found += [_added(draft) for draft in (*moved, *add_missing(drafts, left))]
    for one in payments.stated:
        if not _is_own_currency(one.dividend, chart):
            found.append(DividendFinding(one.dividend, DIVIDEND_CURRENCY, None))
        elif one.bar in doubtful or not _is_judged(one.dividend, chart):
            found.append(DividendFinding(one.dividend, None, one.dividend.amount))
    return tuple(sorted(found, key=lambda one: one.stated.stamp))


def _is_judged(dividend: Dividend, chart: Chart) -> bool:
    return _is_own_currency(dividend, chart) and bool(is_price(np.array(dividend.amount)))


def _is_own_currency(dividend: Dividend, chart: Chart) -> bool:
    said = dividend.currency
    return said is None or MINOR_UNITS.get(said, said) == chart.currency


def _finding(draft: Draft) -> DividendFinding:
    return DividendFinding(draft.payment.dividend, draft.rule, draft.amount, draft.readings)


def _added(draft: Draft) -> DividendFinding:
    nothing = Dividend(draft.payment.dividend.stamp, 0.0, None)
    return DividendFinding(nothing, draft.rule, draft.amount, draft.readings)
