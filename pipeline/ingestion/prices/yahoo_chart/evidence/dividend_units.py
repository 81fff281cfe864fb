"""Decides which amount a dividend was, where the one stated may be in another unit than the prices.

The adjusted close is computed by the vendor from its own dividends: where it agrees with a stated amount it repeats it,
and only the price, the ticker's other dividends and the way amounts are declared can speak against both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.evidence.payment_history import (
    has_decimals,
    odds_by_amounts,
    odds_by_yield,
    usual_amount,
)
from pipeline.ingestion.prices.yahoo_chart.evidence.payments import Payment
from pipeline.ingestion.prices.yahoo_chart.evidence.price_levels import splits_in_doubt, unit_factors
from pipeline.ingestion.prices.yahoo_chart.findings import DIVIDEND_UNIT
from pipeline.ingestion.prices.yahoo_chart.parse_chart import MINOR_UNITS, SUBDIVIDED, Chart

CERTAIN = 4.0
"""Log-odds of one payment's price that need no other payment's."""
DECIDED, AGAINST = 3.0, -2.0
"""Log-odds for one of two disputed amounts; log-odds of the prices that speak against a reading."""
OVERRULED, UNFELT, FITS = 5.0, 0.1, 4.0
"""Against an amount that the adjusted close repeats: log-odds of the price, the most it may have fallen as a share of
the amount, and in usual moves what the other reading may leave unexplained, unless the stated one is more than the
price."""
FEWEST = 2
"""Other payments that make a usual amount, at least, and at least as many as look like the suspected one."""
NOT_LIKE = 4.0
"""How many times the largest amount no reading is worth a thought."""
ALONE, LIKE_USUAL = 7.0, 0.9
"""Log-odds of the price without other dividends to ask; logarithm within which an amount is like the usual one."""
SEEN_YIELD, SMALLEST_YIELD = 0.02, 0.0005
"""Of the price: an amount above the first is seen in it, one below the second is suspected where the currency has
hundredths."""
DECLARED, NEVER_DECLARED = 5, 7
"""Decimals, in the whole currency, with which companies declare (a thousandth of a penny), and with which none does."""
TOLERANCE, GRAIN, SMALLEST_STEP = 0.03, 5e-6, 2e-5
"""Share of an amount, and of the price, by which the adjusted close may miss a factor; the least that it can show."""


@dataclass(frozen=True)
class Draft:
    """A payment and what has been found about it so far."""

    payment: Payment
    amount: float | None
    rule: str | None = None
    readings: tuple[float, ...] = ()

    @property
    def stated(self) -> float:
        """The amount as stated."""
        return self.payment.dividend.amount


def judge_units(chart: Chart, payments: Sequence[Payment]) -> list[Draft]:
    """A draft per payment, its amount in the unit of the prices."""
    drafts = [Draft(payment, payment.dividend.amount) for payment in payments]
    disputed = {at: other for at, one in enumerate(payments) if (other := _disputed(chart, one)) is not None}
    doubted = max((split.stamp for split in splits_in_doubt(chart)), default=0) if disputed else 0
    for at, draft in _settle(payments, disputed).items():
        drafts[at] = draft
        if draft.rule and draft.readings == () and draft.payment.dividend.stamp < doubted:
            drafts[at] = replace(draft, amount=None, readings=(draft.stated, disputed[at]))
    agreed = [at for at in range(len(drafts)) if at not in disputed]
    for at, draft in _too_large(chart, drafts, agreed).items():
        drafts[at] = draft
    small = [at for at in agreed if drafts[at].rule is None]
    for at, amount in _undeclared(chart, drafts, small).items():
        drafts[at] = replace(drafts[at], amount=amount, rule=DIVIDEND_UNIT)
    for at, draft in _out_of_line(chart, drafts, small).items():
        drafts[at] = draft
    return drafts


# ---- the adjusted close says another unit


def _disputed(chart: Chart, one: Payment) -> float | None:
    """The amount that the adjusted close implies, if it is the stated one in another unit or of other shares."""
    stated, implied, before = one.dividend.amount, one.implied, one.before
    if not (stated > 0 and implied > SMALLEST_STEP * before):
        return None
    later = [float(split.ratio) for split in chart.splits if split.stamp > one.dividend.stamp]
    factors = [*unit_factors(chart.unit), *later, *([float(np.prod(later))] if len(later) > 1 else [])]
    for factor in (value for one_way in factors for value in (one_way, 1 / one_way)):
        other = stated * factor
        clear = abs(factor - 1) > 2 * TOLERANCE
        if clear and abs(implied - other) <= TOLERANCE * other + GRAIN * before:
            return other
    return None


def _settle(payments: Sequence[Payment], disputed: dict[int, float]) -> dict[int, Draft]:
    """Each disputed payment by its own price where that is certain, the others by all of theirs together."""
    amounts = [one.dividend.amount for one in payments]
    apart = frozenset(disputed)
    settled: dict[int, Draft] = {}
    odds = {at: payments[at].odds(amounts[at], other) for at, other in disputed.items()}
    open_still = {at: other for at, other in disputed.items() if abs(odds[at]) < CERTAIN}
    for at, other in disputed.items():
        by_prices = odds[at]
        if at in open_still:
            alike = [
                one for one in open_still if abs(disputed[one] / amounts[one] / (other / amounts[at]) - 1) < TOLERANCE
            ]
            by_prices = sum(odds[one] for one in alike)
        usual = usual_amount(amounts, at, apart)
        others = odds_by_amounts(usual, amounts[at], other) + odds_by_yield(payments[at].before, amounts[at], other)
        settled[at] = _choose(payments[at], other, by_prices, others)
    return settled


def _choose(one: Payment, other: float, by_prices: float, by_history: float) -> Draft:
    stated, total = one.dividend.amount, by_prices + by_history
    if total >= DECIDED and by_prices > AGAINST:
        return Draft(one, other, DIVIDEND_UNIT)
    if total <= -DECIDED and by_prices < -AGAINST:
        return Draft(one, stated)  # the adjusted close is what is wrong
    return Draft(one, None, DIVIDEND_UNIT, (stated, other))


# ---- the adjusted close repeats the amount, or is missing


def _too_large(chart: Chart, drafts: Sequence[Draft], agreed: Sequence[int]) -> dict[int, Draft]:
    """Large amounts that neither close nor open felt, and of which a hundredth explains the move.

    The ticker's other dividends are the second witness; where there are none, the yields of all. A special dividend
    that a rally hid is no error: where the hundredth is nothing like the others both readings are told.
    """
    found: dict[int, Draft] = {}
    amounts = [draft.amount or draft.stated for draft in drafts]
    for factor in unit_factors(chart.unit):
        suspects = {at: odds for at in agreed if (odds := _odds_too_large(drafts[at].payment, factor)) >= OVERRULED}
        for at, odds in suspects.items():
            other = drafts[at].stated / factor
            usual = usual_amount(amounts, at, frozenset(suspects))
            if abs(log(other / usual)) < LIKE_USUAL if usual > 0 else odds >= ALONE:
                found[at] = replace(drafts[at], amount=other, rule=DIVIDEND_UNIT)
            elif odds >= ALONE and not _is_usual(amounts, at):
                readings = (drafts[at].stated, other)
                found[at] = replace(drafts[at], amount=None, rule=DIVIDEND_UNIT, readings=readings)
    return found


def _is_usual(amounts: Sequence[float], at: int) -> bool:
    usual = usual_amount(amounts, at, frozenset([at]))
    return usual > 0 and abs(log(amounts[at] / usual)) < LIKE_USUAL


def _odds_too_large(one: Payment, factor: float) -> float:
    """Log-odds of the price for a part of the amount; 0 where the yield is usual or the price felt it."""
    stated = one.dividend.amount
    if not (stated > SEEN_YIELD * one.before and np.isfinite(one.move)):
        return 0.0
    believable = odds_by_yield(one.before, stated, stated / factor) > 0
    return one.odds(stated, stated / factor) if believable and _is_unfelt(one, stated, stated / factor) else 0.0


def _is_unfelt(one: Payment, stated: float, other: float) -> bool:
    """Whether neither open nor close fell by a part of the stated amount, and the other explains the close."""
    most = UNFELT * stated / one.before
    felt = 1 - np.exp(min(one.move, one.opened) if np.isfinite(one.opened) else one.move) >= most
    fits = abs(one.unexplained(other)) <= FITS * one.scale or stated >= one.before
    return bool(fits and not felt)


def _out_of_line(chart: Chart, drafts: Sequence[Draft], small: Sequence[int]) -> dict[int, Draft]:
    """Amounts a unit below all the others around them: the larger reading, if the price does not contradict it."""
    found = {}
    amounts = [draft.amount or 0.0 for draft in drafts]
    largest = max(amounts, default=0.0)
    for at in small:
        stated, one = amounts[at], drafts[at].payment
        if stated * min(unit_factors(chart.unit)) > NOT_LIKE * largest:
            continue
        alike = frozenset(other for other, amount in enumerate(amounts) if 0.1 * stated < amount < 10 * stated)
        if len(amounts) - len(alike) < max(FEWEST, len(alike)):
            continue
        usual = usual_amount(amounts, at, alike)
        for factor in unit_factors(chart.unit):
            other = stated * factor
            if not (other < one.before and odds_by_amounts(usual, stated, other) >= CERTAIN):
                continue
            expected = chart.unit in SUBDIVIDED and len(alike) == 1
            odds = one.odds(stated, other)
            if odds >= (AGAINST / 2 if expected else -AGAINST):
                found[at] = replace(drafts[at], amount=other, rule=DIVIDEND_UNIT)
            elif expected and odds > -OVERRULED:
                found[at] = replace(drafts[at], amount=None, rule=DIVIDEND_UNIT, readings=(stated, other))
    return found


def _undeclared(chart: Chart, drafts: Sequence[Draft], small: Sequence[int]) -> dict[int, float]:
    """Amounts too small for a dividend that no company declares so, a hundredfold of which it may have.

    Only for currencies with hundredths, and only where the prices of all of them together do not contradict.
    """
    if chart.unit not in SUBDIVIDED:
        return {}
    found = {
        at: drafts[at].stated * 100.0
        for at in small
        if 0 < drafts[at].stated < SMALLEST_YIELD * drafts[at].payment.before
        and not has_decimals(paid := _as_paid(chart, drafts[at]), NEVER_DECLARED - 1)
        and has_decimals(paid * 100.0, DECLARED)
    }
    odds = sum(drafts[at].payment.odds(drafts[at].stated, other) for at, other in found.items())
    return found if odds > AGAINST / 2 else {}


def _as_paid(chart: Chart, draft: Draft) -> float:
    """The stated amount per share of its day, in the whole currency."""
    ratio = float(np.prod([float(split.ratio) for split in chart.splits if split.stamp > draft.payment.dividend.stamp]))
    return draft.stated * ratio / (100.0 if (draft.payment.dividend.currency or chart.unit) in MINOR_UNITS else 1.0)
