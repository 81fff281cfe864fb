"""What the construction of a book decides on: expected returns, risk, costs and limits, as arrays over the names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Risk:
    """A factor model of returns: covariance = exposures x diag(factors) x exposures' + diag(specific).

    Variances are fractions squared over the holding period.
    """

    exposures: Floats
    """[N, K]"""
    factors: Floats
    """[K] variances of the factors, which are uncorrelated."""
    specific: Floats
    """[N] variances of what is left of each name."""

    @cached_property
    def loadings(self) -> Floats:
        """[K, N] exposures in standard deviations of each factor."""
        found: Floats = np.ascontiguousarray((self.exposures * np.sqrt(self.factors)).T)
        return found

    def times(self, weights: Floats) -> Floats:
        """The covariance matrix times weights: [N]. Sums run in one order, whatever the machine's threads."""
        loadings = self.loadings
        shared: Floats = (loadings * (loadings * weights).sum(axis=1)[:, None]).sum(axis=0)
        return shared + self.specific * weights

    def deviation(self, weights: Floats) -> float:
        """The standard deviation of the return of weights over the holding period."""
        return float(np.sqrt(max((weights * self.times(weights)).sum(), 0.0)))


@dataclass(frozen=True, kw_only=True)
class WeightGroup:
    """Names whose weights together lie between two bounds."""

    name: str
    members: Flags
    """[N]"""
    upper: float
    """Fraction of NAV."""
    lower: float = -np.inf
    """Fraction of NAV."""


@dataclass(frozen=True, kw_only=True)
class BookProblem:
    """Maximise alpha x active - risk_aversion / 2 x active' covariance active - costs of the trades.

    `active` is weight less benchmark; every weight is a fraction of NAV, and negative only where a lower bound allows
    short positions. What a trade counts depends on where it leads: away from the benchmark it is undone before long,
    towards it the risk it saves lasts.
    """

    names: Sequence[str]
    """N tickers."""
    held: Floats
    """[N] weights before."""
    benchmark: Floats
    """[N] weights of the benchmark; all 0 where risk is counted against cash."""
    alpha: Floats
    """[N] expected return over the holding period beyond what the benchmark's exposure earns."""
    cost: Floats
    """[N] what trading one unit of weight away from the benchmark counts against alpha."""
    cost_home: Floats
    """[N] the same of trading towards it; at most `cost`."""
    expense: Floats
    """[N] what trading one unit of weight takes from cash."""
    risk: Risk
    risk_aversion: float
    """Utility lost per unit of variance over the holding period, twice."""
    lower: Floats
    """[N]"""
    upper: Floats
    """[N]"""
    max_buy: Floats
    """[N] weight that can be bought; infinite where nothing limits it."""
    max_sell: Floats
    """[N] weight that can be sold; infinite likewise."""
    cash: float
    """Fraction of NAV that is there before sales, less what is to stay."""
    proceeds_pay: bool = True
    """Whether what is sold pays for what is bought in the same session."""
    min_exposure: float = 0.0
    """Least sum of the weights."""
    max_exposure: float = 1.0
    """Largest sum of the weights."""
    max_turnover: float = np.inf
    """Largest sum of what is bought and sold."""
    max_risk: float = np.inf
    """Largest standard deviation of `active` over the holding period."""
    groups: tuple[WeightGroup, ...] = field(default=())
    borrow: Floats | None = None
    """[N] what borrowing one unit of weight costs over the holding period; None for nothing."""
    collateral: float = 1.0
    """What stays in cash for one unit of short weight, of which its own sale brings 1; `cash` is beyond it."""
    max_short: float = np.inf
    """Largest sum of the weights of short positions, without their sign."""
    max_gross: float = np.inf
    """Largest sum of all weights without their signs."""

    @cached_property
    def shorting(self) -> bool:
        """Whether any weight is or may become negative."""
        return bool((self.lower < 0).any() or (self.held < 0).any())

    @property
    def fees(self) -> Floats:
        """[N] `borrow`, with zeros where there are none."""
        return np.zeros(len(self.names)) if self.borrow is None else self.borrow

    @cached_property
    def buyable(self) -> Floats:
        """[N] what can be bought within the bounds; never negative."""
        return np.clip(np.minimum(self.max_buy, self.upper - self.held), 0.0, None)

    @cached_property
    def sellable(self) -> Floats:
        """[N] what can be sold within the bounds: no more than is held, unless the lower bound is negative."""
        return np.clip(np.minimum(self.max_sell, self.held - self.lower), 0.0, None)

    @cached_property
    def must_buy(self) -> Floats:
        """[N] what has to be bought to reach the lower bound, as far as it can be."""
        return np.clip(np.minimum(self.lower - self.held, self.max_buy), 0.0, None)

    @cached_property
    def must_sell(self) -> Floats:
        """[N] what has to be sold to come under the upper bound, as far as it can be."""
        return np.clip(np.minimum(self.held - self.upper, self.max_sell), 0.0, None)

    def objective(self, weights: Floats) -> float:
        """The utility of weights, a fraction over the holding period."""
        active, before = weights - self.benchmark, self.held - self.benchmark
        traded = np.abs(weights - self.held)
        same_side = np.sign(active) == np.sign(before)
        home = np.where(same_side, np.clip(np.abs(before) - np.abs(active), 0.0, None), np.abs(before))
        home = np.minimum(home, traded)
        earned = (self.alpha * active).sum() - (self.cost_home * home).sum() - (self.cost * (traded - home)).sum()
        if self.shorting:
            earned -= (self.fees * np.clip(-weights, 0.0, None)).sum()
        return float(earned - self.risk_aversion / 2 * (active * self.risk.times(active)).sum())

    def cap(self, upper: Floats) -> Self:
        """The problem with lower upper bounds; where a lower bound contradicts, it gives way."""
        lowered = np.minimum(self.upper, np.maximum(upper, 0.0))
        return replace(self, upper=lowered, lower=np.minimum(self.lower, lowered))

    def floor(self, lower: Floats) -> Self:
        """The problem with higher lower bounds, none beyond its upper bound."""
        return replace(self, lower=np.minimum(np.maximum(self.lower, lower), self.upper))

    def limit_trades(self, buy: Floats, sell: Floats) -> Self:
        """The problem with less that can be bought and sold."""
        return replace(self, max_buy=np.minimum(self.max_buy, buy), max_sell=np.minimum(self.max_sell, sell))

    def limit_opening(self, names: Flags) -> Self:
        """The problem in which positions of some names are not opened or added to, on either side."""
        if not self.shorting:
            return self.limit_trades(np.where(names, 0.0, np.inf), np.full(len(names), np.inf))
        cover, sell = np.clip(-self.held, 0.0, None), np.clip(self.held, 0.0, None)
        return self.limit_trades(np.where(names, cover, np.inf), np.where(names, sell, np.inf))

    def _violation_of_shorts(self, weights: Floats, bought: Floats, sold: Floats) -> list[float]:
        """What short positions use beyond: cash, and their limits."""
        covered = np.minimum(bought, np.clip(-self.held, 0.0, None))
        opened = sold - np.minimum(sold, np.clip(self.held, 0.0, None))
        more = (self.collateral * (opened - covered)).sum() - ((1.0 - self.proceeds_pay) * opened).sum()
        short = np.clip(-weights, 0.0, None).sum()
        return [float(more), float(short - self.max_short), float(np.abs(weights).sum() - self.max_gross)]

    def violation(self, weights: Floats) -> float:
        """How far weights are from meeting every limit: the largest excess, a fraction of NAV; 0 where all hold."""
        bought, sold = np.clip(weights - self.held, 0, None), np.clip(self.held - weights, 0, None)
        total = weights.sum()
        spent = (bought * (1 + self.expense)).sum() - (sold * (self.proceeds_pay - self.expense)).sum() - self.cash
        beyond = [0.0, 0.0, 0.0]
        if self.shorting:
            beyond = self._violation_of_shorts(weights, bought, sold)
            spent += beyond[0]
        inside = [float(weights[one.members].sum()) for one in self.groups]
        excess = [
            *beyond[1:],
            (bought - np.maximum(self.buyable, self.must_buy)).max(initial=0.0),
            (sold - np.maximum(self.sellable, self.must_sell)).max(initial=0.0),
            (self.must_buy - bought).max(initial=0.0),
            (self.must_sell - sold).max(initial=0.0),
            self.min_exposure - total,
            total - self.max_exposure,
            spent,
            bought.sum() + sold.sum() - self.max_turnover,
            *(weight - one.upper for one, weight in zip(self.groups, inside, strict=True)),
            *(one.lower - weight for one, weight in zip(self.groups, inside, strict=True)),
        ]
        if np.isfinite(self.max_risk):
            excess.append(self.risk.deviation(weights - self.benchmark) - self.max_risk)
        return max(0.0, *(float(one) for one in excess))
