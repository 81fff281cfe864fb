"""What a report says of a track record: pure statistics of session returns, each with its definition."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, e, sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]
EULER = 0.5772156649015329
"""The Euler-Mascheroni constant."""


@dataclass(frozen=True, kw_only=True)
class Performance:
    """A track record in figures; None where a figure is not defined."""

    sessions: int
    total_return: float
    """Compounded, as a fraction."""
    cagr: float | None
    """Compound annual growth rate; None below a quarter of a year, where it says nothing."""
    volatility: float | None
    """Standard deviation of session returns x sqrt(sessions per year)."""
    sharpe: float | None
    """Mean over standard deviation of session returns, annualised; None where they do not vary."""
    sortino: float | None
    """Mean over downside deviation (below 0), annualised; None without a loss."""
    max_drawdown: float
    """Deepest fall from a peak, as a positive fraction."""
    calmar: float | None
    """CAGR over the deepest drawdown."""
    best: float
    worst: float
    hit_rate: float | None
    """Share of sessions with a gain among those that moved."""


def measure(returns: Sequence[float], sessions_per_year: float) -> Performance:
    """Return the figures of a series of session returns (fractions, oldest first).

    Args:
        returns: simple returns, one per session; cash-only sessions are zeros, not gaps.
        sessions_per_year: from the exchange's calendar.

    Raises:
        ValueError: if a return is not a number or below -1.
    """
    r = _check_returns(returns)
    if r.size == 0:
        return Performance(
            sessions=0, total_return=0.0, cagr=None, volatility=None, sharpe=None, sortino=None, max_drawdown=0.0,
            calmar=None, best=0.0, worst=0.0, hit_rate=None,
        )  # fmt: skip
    total = float(np.prod(1 + r)) - 1
    years = r.size / sessions_per_year
    cagr = (1 + total) ** (1 / years) - 1 if years >= 0.25 else None
    deepest = max_drawdown(returns)
    moved = r[r != 0]
    return Performance(
        sessions=int(r.size),
        total_return=total,
        cagr=cagr,
        volatility=float(r.std(ddof=1)) * sqrt(sessions_per_year) if r.size > 1 else None,
        sharpe=sharpe(returns, sessions_per_year),
        sortino=sortino(returns, sessions_per_year),
        max_drawdown=deepest,
        calmar=cagr / deepest if cagr is not None and deepest > 0 else None,
        best=float(r.max()),
        worst=float(r.min()),
        hit_rate=float((moved > 0).mean()) if moved.size else None,
    )


def sharpe(returns: Sequence[float], sessions_per_year: float) -> float | None:
    """Return the annualised Sharpe ratio over a riskless rate of 0; None if undefined (no variation)."""
    r = _check_returns(returns)
    if r.size < 2 or _flat(r):
        return None
    return float(r.mean() / r.std(ddof=1)) * sqrt(sessions_per_year)


def sortino(returns: Sequence[float], sessions_per_year: float) -> float | None:
    """Return mean over downside deviation, the root mean square of the losses over all sessions, annualised."""
    r = _check_returns(returns)
    downside = sqrt(float((np.minimum(r, 0.0) ** 2).mean())) if r.size else 0.0
    return float(r.mean()) / downside * sqrt(sessions_per_year) if downside > 0 else None


def max_drawdown(returns: Sequence[float]) -> float:
    """Return the deepest fall of the compounded value from its highest point so far, the start included."""
    level = np.concatenate([[1.0], np.cumprod(1 + _check_returns(returns))])
    return float((1 - level / np.maximum.accumulate(level)).max())


@dataclass(frozen=True, kw_only=True)
class RecordComparison:
    """A track record beside another's over the same sessions."""

    excess_return: float
    """Total return less the other's."""
    tracking_error: float | None
    """Annualised standard deviation of the difference in session returns."""
    information_ratio: float | None
    """Mean difference over its standard deviation, annualised."""
    beta: float | None
    """Slope of its session returns on the other's."""
    alpha: float | None
    """Jensen's alpha over a riskless rate of 0: mean return less beta times the other's, times sessions per year."""
    correlation: float | None
    sharpe_difference: float | None
    low: float | None
    """Lower end of the difference's bootstrap interval."""
    high: float | None


def compare(
    returns: Sequence[float],
    other: Sequence[float],
    sessions_per_year: float,
    *,
    seed: int,
    resamples: int = 2_000,
    level: float = 0.95,
) -> RecordComparison:
    """Return how a record stands beside another, with a stationary-bootstrap interval of the Sharpe difference.

    Raises:
        ValueError: if the two do not cover the same sessions.
    """
    r, o = _check_returns(returns), _check_returns(other)
    if r.size != o.size:
        raise ValueError(f"the records cover {r.size} and {o.size} sessions; compare them over the same ones")
    difference = r - o
    steady = r.size < 2 or _flat(difference)
    varied = r.size > 1 and not _flat(o)
    pair = sharpe(returns, sessions_per_year), sharpe(other, sessions_per_year)
    low, high = sharpe_difference_interval(
        returns, other, sessions_per_year, seed=seed, resamples=resamples, level=level
    )
    annual = sqrt(sessions_per_year)
    beta = float(np.cov(r, o)[0, 1] / o.var(ddof=1)) if varied else None
    return RecordComparison(
        excess_return=float(np.prod(1 + r) - np.prod(1 + o)),
        tracking_error=None if r.size < 2 else float(difference.std(ddof=1)) * annual,
        information_ratio=None if steady else float(difference.mean() / difference.std(ddof=1)) * annual,
        beta=beta,
        alpha=None if beta is None else float(r.mean() - beta * o.mean()) * sessions_per_year,
        correlation=float(np.corrcoef(r, o)[0, 1]) if varied and not _flat(r) else None,
        sharpe_difference=None if pair[0] is None or pair[1] is None else pair[0] - pair[1],
        low=low,
        high=high,
    )


def sharpe_difference_interval(
    returns: Sequence[float],
    other: Sequence[float],
    sessions_per_year: float,
    *,
    seed: int,
    resamples: int = 2_000,
    level: float = 0.95,
) -> tuple[float | None, float | None]:
    """Return a percentile interval of the difference of two annualised Sharpe ratios, resampling both together.

    Stationary bootstrap (Politis and Romano 1994): blocks of geometric length keep the serial dependence, and the
    same sessions are drawn for both, which keeps their correlation. Mean block length is n^(1/3). (None, None) where
    either ratio is undefined or there are fewer than 20 sessions.
    """
    r, o = _check_returns(returns), _check_returns(other)
    if r.size < 20 or r.size != o.size or _flat(r) or _flat(o):
        return None, None
    draws = stationary_indices(r.size, resamples, ceil(r.size ** (1 / 3)), seed)
    difference = _ratios(r[draws]) - _ratios(o[draws])
    finite = np.sort(difference[np.isfinite(difference)]) * sqrt(sessions_per_year)
    low, high = np.quantile(finite, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def stationary_indices(size: int, resamples: int, block: int, seed: int) -> npt.NDArray[np.int64]:
    """Return resamples x size positions: each continues the block before, or starts anew with probability 1/block."""
    generator = np.random.Generator(np.random.PCG64(seed))
    starts = generator.integers(0, size, (resamples, size))
    fresh = generator.random((resamples, size)) < 1 / block
    fresh[:, 0] = True
    position = np.broadcast_to(np.arange(size), (resamples, size))
    since = np.maximum.accumulate(np.where(fresh, position, 0), axis=1)
    origin = np.take_along_axis(starts, since, axis=1)
    return (origin + position - since) % size


def probabilistic_sharpe(returns: Sequence[float], threshold: float) -> float | None:
    """Return the probability that the true per-session Sharpe ratio exceeds a threshold (per session, not annual).

    Bailey and Lopez de Prado (2012), "The Sharpe ratio efficient frontier": allows for skew and fat tails.
    """
    r = _check_returns(returns)
    if r.size < 3 or _flat(r):
        return None
    ratio = float(r.mean() / r.std(ddof=1))
    z = (r - r.mean()) / r.std(ddof=0)
    skew, kurtosis = float((z**3).mean()), float((z**4).mean())
    variance = 1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2
    if variance <= 0:
        return None
    return NormalDist().cdf((ratio - threshold) * sqrt(r.size - 1) / sqrt(variance))


def deflated_sharpe(returns: Sequence[float], trials: int, trial_variance: float | None = None) -> float | None:
    """Return the probability that a record is better than the best of `trials` worthless ones would look.

    Bailey and Lopez de Prado (2014), "The deflated Sharpe ratio".

    Args:
        returns: session returns of the record chosen.
        trials: independent configurations tried, this one included.
        trial_variance: variance of the trials' per-session Sharpe ratios; the sampling variance of a ratio of 0 over as
            many sessions, 1 / (n - 1), where it is not known.
    """
    if trials < 1:
        raise ValueError(f"trials is {trials}; the record itself is one")
    n = len(returns)
    if n < 3:
        return None
    spread = sqrt(trial_variance if trial_variance is not None else 1 / (n - 1))
    if trials == 1:
        return probabilistic_sharpe(returns, 0.0)
    normal = NormalDist()
    best = (1 - EULER) * normal.inv_cdf(1 - 1 / trials) + EULER * normal.inv_cdf(1 - 1 / (trials * e))
    return probabilistic_sharpe(returns, spread * best)


@dataclass(frozen=True, kw_only=True)
class TradingActivity:
    """What trading the book did and what it paid for it; money in currency."""

    trades: int
    unfilled: int
    turnover: float | None
    """Value traded over mean NAV, per year, both sides counted."""
    commission: float
    spread: float
    impact: float
    cost_of_nav: float | None
    """All three costs over mean NAV, per year, as a fraction."""
    closed: int
    hit_rate: float | None
    """Share of closed positions with a profit after costs."""
    profit_factor: float | None
    """Profits over losses of closed positions; None without a loss."""


def activity(
    executed_trades: pl.DataFrame,
    trade_reflections: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    sessions_per_year: float,
) -> TradingActivity:
    """Return the trading figures of a span; the three frames cover the same sessions. Sums are of exact decimals."""
    filled = executed_trades.filter(pl.col("shares") > 0)
    money = {name: float(filled[name].sum() or 0) for name in ("gross", "commission", "spread_cost", "impact_cost")}
    years = portfolio_value.height / sessions_per_year
    nav = float(portfolio_value["nav"].sum() or 0) / portfolio_value.height if portfolio_value.height else 0.0
    base = nav * years
    profits = trade_reflections.filter(pl.col("profit") > 0)["profit"]
    losses = trade_reflections.filter(pl.col("profit") < 0)["profit"]
    closed = trade_reflections.height
    costs = money["commission"] + money["spread_cost"] + money["impact_cost"]
    return TradingActivity(
        trades=filled.height,
        unfilled=executed_trades.height - filled.height,
        turnover=money["gross"] / base if base else None,
        commission=money["commission"],
        spread=money["spread_cost"],
        impact=money["impact_cost"],
        cost_of_nav=costs / base if base else None,
        closed=closed,
        hit_rate=len(profits) / closed if closed else None,
        profit_factor=float(profits.sum() or 0) / -float(losses.sum()) if len(losses) else None,
    )


def _ratios(samples: Floats) -> Floats:
    """Per-session Sharpe ratio of each row; NaN where a row does not vary."""
    deviation = samples.std(axis=1, ddof=1)
    mean = samples.mean(axis=1)
    ratios: Floats = np.divide(mean, deviation, out=np.full(mean.shape, np.nan), where=deviation > 0)
    return ratios


def _flat(r: Floats) -> bool:
    """Whether a series does not vary; compared by value, since the float deviation of equal numbers may not be 0."""
    return bool(r.max() == r.min())


def _check_returns(returns: Sequence[float]) -> Floats:
    r = np.asarray(returns, dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(r) | (r < -1))
    if wrong.size:
        raise ValueError(
            f"{wrong.size} of {r.size} returns are no returns, the first is {r[wrong[0]]} at {wrong[0]}; "
            "leave out what is missing and state returns as fractions"
        )
    return r
