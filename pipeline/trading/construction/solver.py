"""Solves a construction problem with Clarabel, an interior-point solver, and checks the answer's optimality itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pipeline.trading.construction.problem import BookProblem, Flags, Floats
from pipeline.trading.construction.sparse import Entries, Places, SparseMatrix

TOLERANCE = 1e-11
"""Gap and feasibility that the solver works towards."""
MAX_RESIDUAL = 1e-8
"""Largest violation of the optimality conditions that an answer may have."""
NO_TRADE = 1e-7
"""Fraction of NAV below which a trade is the solver's rounding."""
UNLIMITED = 1e6
"""Bounds beyond this many times NAV are left out."""
EXPOSURE, MIN_EXPOSURE, CASH, TURNOVER, RISK = "exposure", "least exposure", "cash", "turnover", "risk"
SHORT, GROSS = "short positions", "gross exposure"


class InfeasibleError(ValueError):
    """No weights meet all limits of a problem."""


@dataclass(frozen=True, kw_only=True)
class Solution:
    """The best weights, and what the limits cost."""

    weights: Floats
    """[N]"""
    shadow_prices: Mapping[str, float]
    """Limit on the whole book or a group -> what one unit more of it would add to the utility; those that bind."""
    buy_gap: Floats
    """[N] how much alpha lacks before one more unit is bought; 0 where some is, negative where a limit stops it."""
    sell_gap: Floats
    """[N] how much alpha has to fall before one more unit is sold; negative where a limit stops it."""
    residual: float
    """The largest violation of the optimality conditions (Karush, Kuhn and Tucker)."""
    objective: float


class _Row(NamedTuple):
    """A limit on the book: coefficients x (bought, sold, bought back of a short position, sold short) <= bound."""

    name: str
    bought: Floats
    sold: Floats
    bound: float
    covered: Floats
    shorted: Floats


def _row(
    name: str, bought: Floats, sold: Floats, bound: float, covered: Floats | None = None, shorted: Floats | None = None
) -> _Row:
    """A limit that takes covers for buys and short sales for sales, unless it says otherwise."""
    return _Row(name, bought, sold, bound, bought if covered is None else covered, sold if shorted is None else shorted)


class _Trades(NamedTuple):
    """The variables: units of trade, each of one name in one direction at one cost; then the factors' exposures."""

    name: Places
    """[V]"""
    sign: Floats
    """[V] 1 where it is bought, -1 where it is sold."""
    least: Floats
    """[V] fraction of NAV."""
    most: Floats
    """[V] fraction of NAV."""
    cost: Floats
    """[V]"""
    below: Flags
    """[V] whether it moves a weight that is negative."""
    factors: int

    @property
    def number(self) -> int:
        """V."""
        return len(self.name)

    @property
    def size(self) -> int:
        """V and the factors."""
        return len(self.name) + self.factors


def solve(problem: BookProblem) -> Solution:
    """Return the weights of highest utility.

    Variables are what is bought, what is sold, and the active exposure to each factor, so that matrices stay sparse.

    Raises:
        InfeasibleError: if no weights meet the limits, or none could be found to `MAX_RESIDUAL`.
    """
    import clarabel  # where it is used: few processes solve

    trades, rows = _split_trades(problem), list(_rows(problem))
    quadratic, linear = _objective(problem, trades)
    matrix, bounds, cones = _constraints(problem, trades, rows)
    found = clarabel.DefaultSolver(quadratic, linear, matrix, bounds, cones, _settings()).solve()
    values, duals = np.array(found.x), np.array(found.z)
    residual = _residual(quadratic, linear, matrix, bounds, values, duals, np.array(found.s))
    if not residual <= MAX_RESIDUAL:
        raise InfeasibleError(f"no weights meet the limits ({found.status}, residual {residual:.1e})")
    return _read(problem, trades, rows, values, duals, residual)


# ---- inner workings


def _settings() -> Any:
    import clarabel

    settings = clarabel.DefaultSettings()
    settings.verbose = False
    settings.max_threads = 1
    settings.tol_gap_abs = settings.tol_gap_rel = settings.tol_feas = TOLERANCE
    return settings


def _rows(problem: BookProblem) -> Iterator[_Row]:
    """The limits on the whole book and on groups."""
    one, held = np.ones(len(problem.names)), problem.held.sum()
    yield _row(EXPOSURE, one, -one, problem.max_exposure - held)
    if problem.min_exposure > (-UNLIMITED if problem.shorting else 0):
        yield _row(MIN_EXPOSURE, -one, one, held - problem.min_exposure)
    spent, received = 1 + problem.expense, problem.expense - problem.proceeds_pay
    # A short sale brings its collateral but for what is asked beyond; buying back sets it free.
    yield _row(
        CASH, spent, received, problem.cash, spent - problem.collateral, problem.expense + (problem.collateral - 1)
    )
    if problem.max_turnover < UNLIMITED:
        yield _row(TURNOVER, one, one, problem.max_turnover)
    if problem.shorting and problem.max_short < UNLIMITED:
        short = np.clip(-problem.held, 0.0, None).sum()
        yield _row(SHORT, 0 * one, 0 * one, problem.max_short - short, -one, one)
    if problem.shorting and problem.max_gross < UNLIMITED:
        yield _row(GROSS, one, -one, problem.max_gross - np.abs(problem.held).sum(), -one, one)
    for group in problem.groups:
        part = group.members.astype(np.float64)
        inside = problem.held[group.members].sum()
        yield _row(group.name, part, -part, group.upper - inside)
        if group.lower > (-UNLIMITED if problem.shorting else 0):
            yield _row(f"least {group.name}", -part, part, inside - group.lower)


def _split_trades(problem: BookProblem) -> _Trades:
    """Each name's trades: up to its benchmark weight at the cost of trading home, beyond it at the whole cost.

    Below a weight of 0 buying saves what borrowing costs, and selling pays it. Kinds are told apart by their cost and
    by what they take of limits, and those that are used first take less, so that the problem stays convex and the
    best answer uses them in their order.
    """
    gap = problem.benchmark - problem.held
    parts = []
    for sign, most, least in (
        (1.0, problem.buyable, problem.must_buy),
        (-1.0, problem.sellable, problem.must_sell),
    ):
        most = np.minimum(np.maximum(most, least), UNLIMITED)
        home = np.minimum(np.clip(sign * gap, 0.0, None), most)
        to_zero = np.clip(-sign * problem.held, 0.0, None)
        for start, end, cost in ((np.zeros_like(home), home, problem.cost_home), (home, most, problem.cost)):
            kinds = [(start, end, False)]
            if problem.shorting:
                turn = np.clip(to_zero, start, end)
                kinds = [(start, turn, sign > 0), (turn, end, sign < 0)]
            for first, last, owing in kinds:
                at = np.flatnonzero(last - first > 0)
                room = (last - first)[at]
                owed = np.clip(least - first, 0.0, last - first)[at]
                fee = sign * -problem.fees[at] if owing else 0.0
                parts.append((at, np.full(len(at), sign), owed, room, cost[at] + fee, np.full(len(at), owing)))
    name, signs, owed, room, cost, below = (np.concatenate(column) for column in zip(*parts, strict=True))
    return _Trades(name, signs, owed, room, cost, below, len(problem.risk.factors))


def _objective(problem: BookProblem, trades: _Trades) -> tuple[SparseMatrix, Floats]:
    """The quadratic form's upper triangle and the linear part of what is minimised."""
    curve = problem.risk_aversion * problem.risk.specific
    slope = curve * (problem.held - problem.benchmark) - problem.alpha
    order, every = np.argsort(trades.name, kind="stable"), np.arange(trades.size)
    diagonal = np.concatenate([curve[trades.name], np.full(trades.factors, problem.risk_aversion)])
    blocks = [Entries(every, every, diagonal)]
    for apart in (1, 2, 3):  # a name has at most four kinds of trades, which lie side by side in this order
        one, other = order[:-apart], order[apart:]
        same = trades.name[one] == trades.name[other]
        one, other = one[same], other[same]
        values = curve[trades.name[one]] * trades.sign[one] * trades.sign[other]
        blocks.append(Entries(np.minimum(one, other), np.maximum(one, other), values))
    linear = np.zeros(trades.size)
    linear[: trades.number] = trades.sign * slope[trades.name] + trades.cost
    return SparseMatrix.compress(blocks, (trades.size, trades.size)), linear


def _constraints(problem: BookProblem, trades: _Trades, rows: list[_Row]) -> tuple[SparseMatrix, Floats, list[Any]]:
    """Factor exposures (equal), bounds of each trade, limits of the book, and the ball of the risk, in that order."""
    import clarabel

    count, factors = trades.number, trades.factors
    loadings, active = problem.risk.loadings, problem.held - problem.benchmark
    equal = np.concatenate([loadings[:, trades.name] * trades.sign, -np.eye(factors)], axis=1)
    limits = np.zeros((len(rows), count))
    for at, row in enumerate(rows):
        buys = np.where(trades.below, row.covered[trades.name], row.bought[trades.name])
        sales = np.where(trades.below, row.shorted[trades.name], row.sold[trades.name])
        limits[at] = np.where(trades.sign > 0, buys, sales)
    box, one = np.arange(count), np.ones(count)
    bound = factors + 2 * count
    blocks = [Entries.of(equal), Entries(factors + box, box, -one), Entries(factors + count + box, box, one)]
    blocks.append(Entries.of(limits).below(bound))
    bounds = [-(loadings * active).sum(axis=1), -trades.least, trades.most, np.array([row.bound for row in rows])]
    cones: list[Any] = [clarabel.ZeroConeT(factors), clarabel.NonnegativeConeT(2 * count + len(rows))]
    if np.isfinite(problem.max_risk):
        ball, centre = _risk_ball(problem, trades)
        blocks.append(ball.below(bound + len(rows)))
        bounds.append(centre)
        cones.append(clarabel.SecondOrderConeT(len(centre)))
    stated = np.concatenate(bounds)
    return SparseMatrix.compress(blocks, (len(stated), trades.size)), stated, cones


def _risk_ball(problem: BookProblem, trades: _Trades) -> tuple[Entries, Floats]:
    """Rows that say: the length of (factor exposures, specific deviations) is at most the largest risk."""
    factors, count = trades.factors, trades.number
    deviation = np.sqrt(problem.risk.specific)
    rows = np.concatenate([1 + np.arange(factors), 1 + factors + trades.name])
    columns = np.concatenate([count + np.arange(factors), np.arange(count)])
    values = np.concatenate([-np.ones(factors), -deviation[trades.name] * trades.sign])
    centre = np.concatenate([[problem.max_risk], np.zeros(factors), deviation * (problem.held - problem.benchmark)])
    return Entries(rows, columns, values), centre


def _residual(
    quadratic: SparseMatrix,
    linear: Floats,
    matrix: SparseMatrix,
    bounds: Floats,
    values: Floats,
    duals: Floats,
    slack: Floats,
) -> float:
    """The largest violation of stationarity, of the limits, and of complementarity; NaN where there is no answer."""
    curve = quadratic.times(values) + quadratic.transposed_times(values) - quadratic.diagonal() * values
    stationarity = np.abs(curve + linear + matrix.transposed_times(duals)).max(initial=0.0)
    feasibility = np.abs(matrix.times(values) + slack - bounds).max(initial=0.0)
    return float(max(stationarity, feasibility, abs((slack * duals).sum())))


def _read(
    problem: BookProblem, trades: _Trades, rows: list[_Row], values: Floats, duals: Floats, residual: float
) -> Solution:
    moved = np.zeros(len(problem.names))
    np.add.at(moved, trades.name, trades.sign * values[: trades.number])
    moved[np.abs(moved) < NO_TRADE] = 0.0
    weights = np.maximum(problem.held + moved, np.minimum(np.minimum(problem.lower, problem.held), 0.0))
    weights[np.abs(weights) < NO_TRADE * problem.shorting] = 0.0
    first = trades.factors + 2 * trades.number
    prices = {row.name: float(price) for row, price in zip(rows, duals[first:], strict=False)}
    aversion = problem.risk_aversion
    if np.isfinite(problem.max_risk):
        prices[RISK] = float(duals[first + len(rows)])
        aversion += prices[RISK] / problem.max_risk
    buy_gap, sell_gap = _gaps(problem, rows, prices, weights, aversion)
    return Solution(
        weights=weights,
        shadow_prices={name: price for name, price in prices.items() if price > MAX_RESIDUAL},
        buy_gap=buy_gap,
        sell_gap=sell_gap,
        residual=residual,
        objective=problem.objective(weights),
    )


def _gaps(
    problem: BookProblem, rows: list[_Row], prices: Mapping[str, float], weights: Floats, aversion: float
) -> tuple[Floats, Floats]:
    """What alpha lacks for one more unit bought, and for one more sold: the reduced costs of the two."""
    worth = problem.alpha - aversion * problem.risk.times(weights - problem.benchmark)
    bought = sum((prices[row.name] * row.bought for row in rows), np.zeros(len(worth)))
    sold = sum((prices[row.name] * row.sold for row in rows), np.zeros(len(worth)))
    up, down = np.maximum(weights, problem.held), np.minimum(weights, problem.held)
    if problem.shorting:
        covered = sum((prices[row.name] * row.covered for row in rows), -problem.fees)
        shorted = sum((prices[row.name] * row.shorted for row in rows), problem.fees.copy())
        bought, sold = np.where(up < -NO_TRADE, covered, bought), np.where(down <= NO_TRADE, shorted, sold)
    buying = np.where(up < problem.benchmark - NO_TRADE, problem.cost_home, problem.cost)
    selling = np.where(down > problem.benchmark + NO_TRADE, problem.cost_home, problem.cost)
    return buying + bought - worth, selling + sold + worth
