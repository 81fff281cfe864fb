"""Decides which dividends are one stated twice, which stand on a wrong date and which are missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.ingestion.prices.yahoo_chart.evidence.dividend_units import SMALLEST_STEP, Draft
from pipeline.ingestion.prices.yahoo_chart.evidence.payment_history import (
    CLOSE_DAYS,
    are_close,
    is_round,
    odds_by_amounts,
    odds_by_dates,
    usual_amount,
)
from pipeline.ingestion.prices.yahoo_chart.evidence.payments import STEP_GRAIN, Payment
from pipeline.ingestion.prices.yahoo_chart.findings import (
    DIVIDEND_ADJUSTED,
    DIVIDEND_DATED,
    DIVIDEND_ONCE,
    DIVIDEND_STATED,
)

ALIKE, SAME = 0.15, 1e-3
"""Two amounts within 15 % of each other may be one payment, converted twice; within a thousandth they are the same."""
BOTH_FELT, FELT_TWICE, FELT_ONCE, WHICH = -8.0, -2.0, 3.0, 8.0
"""Log-odds of the prices that leave no doubt that both of two payments were paid, and that leave some; that only one
was; and that it was the other one."""
ERRONEOUS = 4.0
"""Log-odds against a payment that stands in another unit besides."""
LEFT_OUT = 0.003
"""Share of a dividend below which the adjusted close does not hold it."""
UNLIKE = 4.0
"""How many times another amount an amount is that has nothing to do with the ticker's others."""
DISPLACED_DAYS = 45
"""Days by which a date may be wrong."""
MOVED, KEPT, SHOWN = 1.0, -4.0, 1.5
"""Log-odds of prices and dates: that a dividend belongs to where the adjusted close has it; that it stands rightly
where it is; that one was paid that nothing states."""


def drop_repeats(drafts: Sequence[Draft]) -> list[Draft]:
    """Mark of each pair that is one payment the one that was none; with both readings where that cannot be decided."""
    found = list(drafts)
    days = [draft.payment.day for draft in drafts]
    for number in range(len(found) - 1):
        one, other = found[number], found[number + 1]
        if DIVIDEND_ONCE in (one.rule, other.rule) or not are_close(days, number):
            continue
        odds = _odds_of_one(one, other)
        if odds is None:
            continue
        which = _odds_of_first(one, other)
        at = number + (which < 0)
        readings = () if odds > 0 and abs(which) >= WHICH else (found[at].stated, 0.0)
        found[at] = replace(found[at], amount=None, rule=DIVIDEND_ONCE, readings=readings)
    return found


def _odds_of_one(one: Draft, other: Draft) -> float | None:
    """Above 0 if the two are one payment, below it if that cannot be decided; None if they are two."""
    first, second = one.amount, other.amount
    if not first or not second or abs(first - second) > ALIKE * max(first, second):
        return None
    by_prices = max(one.payment.odds(first, 0.0), other.payment.odds(second, 0.0))
    together = _odds_together(one.payment, other.payment, first, second)
    if _left_out(one.payment, first) != _left_out(other.payment, second):
        return by_prices - FELT_TWICE if by_prices > BOTH_FELT else None
    near = other.payment.day - one.payment.day <= CLOSE_DAYS or one.rule is not None or other.rule is not None
    if not near:
        return 1.0 if by_prices >= FELT_ONCE else None
    if abs(first - second) <= SAME * max(first, second):
        return by_prices - FELT_TWICE if by_prices > BOTH_FELT else None
    if is_round(first) or is_round(second):  # amounts that were declared: two payments, if the prices allow it
        return 1.0 if together >= FELT_ONCE else None
    return 1.0 if together > 0 else -1.0 if together > FELT_TWICE else None


def _odds_together(one: Payment, other: Payment, first: float, second: float) -> float:
    """By how much the two moves together speak for one payment."""
    if not np.isfinite(one.move + other.move):
        return 0.0
    scale = float(np.hypot(one.scale, other.scale))
    both = replace(one, move=one.move + other.move, scale=scale)
    return both.odds(first + second, max(first, second))


def _left_out(one: Payment, amount: float) -> bool:
    """Whether the adjusted close knows nothing of it; a hundredth of it would be the amount in another unit."""
    return bool(abs(one.implied) <= LEFT_OUT * amount + SMALLEST_STEP * one.before)


def _odds_of_first(one: Draft, other: Draft) -> float:
    """Above 0 if the first was none: the one that the adjusted close lacks, else the one that the price felt less."""
    first, second = one.amount or 0.0, other.amount or 0.0
    missing = _left_out(one.payment, first), _left_out(other.payment, second)
    if missing[0] != missing[1]:
        return WHICH if missing[0] else -WHICH
    closes = one.payment.odds(first, 0.0) - other.payment.odds(second, 0.0)
    opens = one.payment.opening_odds(first, 0.0) - other.payment.opening_odds(second, 0.0)
    errors = (one.rule is not None) - (other.rule is not None)
    return closes + opens + ERRONEOUS * errors


def move_dates(drafts: Sequence[Draft], unstated: Sequence[Payment]) -> tuple[list[Draft], list[Draft], list[Payment]]:
    """Match dividends that the adjusted close lacks with steps of it that have none.

    Returns:
        The drafts, those to be added on other dates, and the steps that are left.
    """
    found, added, left = list(drafts), list[Draft](), list(unstated)
    days = [draft.payment.day for draft in drafts]
    for at, draft in enumerate(drafts):
        amount = draft.amount
        if draft.rule is not None or not amount or not _left_out(draft.payment, amount):
            continue
        step = next((one for one in left if _is_moved(draft.payment, amount, one)), None)
        if step is None:
            continue
        left.remove(step)
        odds = draft.payment.odds(amount, 0.0) + step.odds(0.0, amount) + odds_by_dates(days, at, step.day)
        if odds <= KEPT:
            found[at] = replace(draft, rule=DIVIDEND_ADJUSTED)
            continue
        sure = odds >= MOVED
        found[at] = replace(draft, amount=None, rule=DIVIDEND_DATED, readings=() if sure else (amount, 0.0))
        added.append(Draft(step, amount if sure else None, DIVIDEND_DATED, () if sure else (0.0, amount)))
    return found, added, left


def _is_moved(stated: Payment, amount: float, step: Payment) -> bool:
    return step.reflects(amount) and abs(step.day - stated.day) <= DISPLACED_DAYS


def add_missing(drafts: Sequence[Draft], unstated: Sequence[Payment]) -> list[Draft]:
    """What only the adjusted close holds: paid where price or history say so too, else told as possible."""
    added = []
    sound = [draft for draft in drafts if draft.amount]
    for step in unstated:
        amount = step.dividend.amount
        odds = step.odds(0.0, amount)
        if len(sound) > 1 and min(abs(draft.payment.day - step.day) for draft in sound) > CLOSE_DAYS:
            place = sum(draft.payment.day < step.day for draft in sound)
            amounts = [draft.amount or 0.0 for draft in sound]
            usual = usual_amount([*amounts[:place], amount, *amounts[place:]], place, frozenset())
            odds += odds_by_amounts(usual, UNLIKE * amount, amount)
        sure = odds >= SHOWN
        added.append(Draft(step, amount if sure else None, DIVIDEND_STATED, () if sure else (0.0, amount)))
    return added


def check_adjusted(draft: Draft) -> Draft:
    """Tell where the adjusted close is at odds with a dividend; the dividend stands.

    More than was stated is no contradiction where the price fell by more as well: something else was distributed.
    """
    payment, amount = draft.payment, draft.amount
    if draft.rule is not None or not amount:
        return draft
    if payment.nonsense:
        return replace(draft, rule=DIVIDEND_ADJUSTED)
    if not np.isfinite(payment.implied) or payment.reflects(amount):
        return draft
    more = payment.implied > amount + STEP_GRAIN * payment.before
    if more and payment.odds(amount, payment.implied) > 1:
        return draft
    return replace(draft, rule=DIVIDEND_ADJUSTED)
