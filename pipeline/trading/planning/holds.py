"""Which names are on hold: their price moved as a split would move it, or waits, and nobody explains it yet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from fractions import Fraction
from math import exp, log
from typing import NamedTuple

import polars as pl

from lake.tables.market import MARKET_PRICES, QUARANTINED_ROWS
from pipeline.engine.stage import Read
from pipeline.ingestion.prices.jumps import SUSPENDED
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.text_format import change, counted
from pipeline.trading.params import TradingParams

LOOKBACK = 5
"""Sessions of set aside bars that are read: the longest hold."""
WAITING = Read(
    QUARANTINED_ROWS,
    lookback=LOOKBACK,
    columns=(*QUARANTINED_ROWS.key, "session", "ticker"),
    where=(pl.col("rule") == SUSPENDED) & (pl.col("target") == MARKET_PRICES.name),
)
"""The bars that were set aside for a jump."""
SPLITS = tuple(
    Fraction(*pair)
    for new, old in (
        (3, 2),
        (5, 3),
        (5, 2),
        *((new, 1) for new in (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40)),
    )
    for pair in ((new, old), (old, new))
)
"""The ratios that companies choose, both ways. Below three for two a fall is news more often than a split."""
SMALLEST_RATIO = float(min(max(one, 1 / one) for one in SPLITS))
"""The one nearest to none at all."""
FAR = 3.0
"""A factor beyond which a move is doubted whatever ratio it is near."""
QUIET = 0.01
"""Volatility per session below which nobody is taken to be: a price that hardly moved says little of its moves."""
NEAR = 2.0
"""Volatilities around a split's ratio within which the session's own move lies."""


class Doubt(NamedTuple):
    """Why a name is on hold."""

    since: date
    left: int
    """Sessions until it is confirmed, if nothing comes between."""
    reason: str


class _Move(NamedTuple):
    session: date
    factor: float
    """Close over the last one, known actions undone."""


def find_doubts(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    session: date,
    calendar: Sessions,
    params: TradingParams,
) -> dict[str, Doubt]:
    """Return the names whose last move, known actions undone, is that of a split or beyond a factor of three.

    It has to be large against the name's own volatility; where that is not known nothing is doubted. A doubt ends with
    the action that explains the move, with a move that takes it back, and with `hold_sessions` further sessions: the
    new level is then taken for true. No move leads from one company into another one with its ticker.

    Args:
        market_prices: daily bars (ticker, session, close) of 25 sessions, none after `session`.
        corporate_actions: what is known of them.
        session: the session whose decisions are at stake.
        calendar: the sessions.
        params: how long, and how large.
    """
    sessions = params.rules.hold_sessions
    if not sessions or market_prices.is_empty():
        return {}
    if params.securities == 2:
        companies = Securities.trace(corporate_actions, market_prices)
        market_prices = companies.follow_to(market_prices, "session", session)
        corporate_actions = restate_in_gaps(companies.follow_actions_to(corporate_actions, session), market_prices)
    returns = daily_total_returns(market_prices, corporate_actions.filter(pl.col("ex_date") <= session))
    recent = pl.col("session") > calendar.offset(session, -2 * sessions)
    before = pl.col("total_return").filter(~recent).drop_nulls()
    usual = returns.group_by("ticker").agg(volatility=before.std().clip(QUIET), bars=before.len())
    usual = usual.filter(pl.col("bars") >= max(params.sizing.window // 2, 2))
    steps = returns.filter(recent, pl.col("total_return") > -1).join(usual, on="ticker")
    large = (1 + pl.col("total_return")).log().abs() > params.rules.hold_sigmas * pl.col("volatility")
    moved = steps.join(steps.filter(large).select("ticker").unique(), on="ticker", how="semi").sort("ticker", "session")
    found = {}
    for (ticker,), series in moved.group_by("ticker", maintain_order=True):
        rows = series.select("session", 1 + pl.col("total_return")).iter_rows()
        step = _last_doubted([_Move(*row) for row in rows], series["volatility"][0], params.rules.hold_sigmas)
        age = calendar.distance(step.session, session) if step else sessions
        if step and age < sessions:
            found[str(ticker)] = Doubt(step.session, sessions - age, _explain(step, sessions))
    return found


def find_waiting(
    quarantined_rows: pl.DataFrame,
    market_prices: pl.DataFrame,
    session: date,
    calendar: Sessions,
    params: TradingParams,
) -> dict[str, Doubt]:
    """Return the names of which a bar was set aside for its jump, and none has been accepted since.

    Args:
        quarantined_rows: bars that were set aside for a jump, with the session they came in.
        market_prices: daily bars, none after `session`.
        session: the session whose decisions are at stake.
        calendar: the sessions.
        params: how long.
    """
    sessions = params.rules.hold_sessions
    if not sessions or quarantined_rows.is_empty():
        return {}
    last = market_prices.group_by("ticker").agg(accepted=pl.col("session").max())
    left = quarantined_rows.group_by("ticker").agg(since=pl.col("session").max())
    waiting = left.join(last, on="ticker", how="left").filter(pl.col("since") > pl.col("accepted").fill_null(date.min))
    found = {}
    for ticker, since in waiting.select("ticker", "since").sort("ticker").iter_rows():
        if (age := calendar.distance(since, session)) < sessions:
            reason = f"on hold since {since}: its bar is too far from the last one and waits for an explanation"
            found[ticker] = Doubt(since, sessions - age, reason)
    return found


def _last_doubted(steps: Iterable[_Move], volatility: float, sigmas: float) -> _Move | None:
    """The last move that nobody explains and no later one takes back."""
    doubted, level = None, 0.0
    for step in steps:
        level += log(step.factor)
        if doubted is not None and abs(level) <= sigmas * volatility:
            doubted = None  # back where it was: what was between was the error
        elif abs(log(step.factor)) > sigmas * volatility and any(_resembles(step.factor, volatility)):
            level = log(step.factor) if doubted is None else level
            doubted = step
    return doubted


def _resembles(factor: float, volatility: float) -> Iterator[bool]:
    yield not 1 / FAR <= factor <= FAR
    yield from (abs(log(factor * split)) <= NEAR * volatility for split in SPLITS)


def _explain(step: _Move, sessions: int) -> str:
    nearest = min(SPLITS, key=lambda split: abs(log(step.factor * split)))
    near = f", near a split of {nearest.numerator}:{nearest.denominator}," if _is_near(step.factor, nearest) else ""
    return (
        f"on hold since {step.session}: a move of {change(step.factor - 1, 1)}{near} that no known action explains;"
        f" the action or {counted(sessions, 'further session')} at the new level will settle it"
    )


def _is_near(factor: float, split: Fraction) -> bool:
    return 1 / exp(0.1) < factor * split < exp(0.1)
