"""What positions made in a session, by the decisions that led to them: benchmark, forecasts, rules, and the rest."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipeline.trading.attribution.exposures import Amounts
from pipeline.trading.books.money import to_cents

SMALL = 1e-12
"""Weight below which there is no bet."""


@dataclass(frozen=True)
class PlannedWeight:
    """How a name came to its planned weight; fractions of NAV at the close."""

    benchmark: float
    free: float
    """Without any rule."""
    steps: Sequence[tuple[str, float]]
    """Rule -> weight after it, in their order."""
    horizons: Mapping[str, float]
    """Horizon -> what its forecast adds to the expected return."""
    members: Mapping[str, float]
    """Member -> what it adds to the ensemble's forecast beyond the names' mean."""

    @property
    def target(self) -> float:
        """The weight after all rules."""
        return self.steps[-1][1] if self.steps else self.free

    def argue(self, part: str) -> Mapping[str, float]:
        """What forecasts say for or against the name, by horizon or by member."""
        return self.horizons if part == "horizon" else self.members

    def moves(self) -> Iterator[tuple[str, float]]:
        """Rule -> weight that it moved."""
        before = self.free
        for rule, after in self.steps:
            yield rule, after - before
            before = after


def split_decisions(
    made: Mapping[str, int], returns: Mapping[str, float], plans: Mapping[str, PlannedWeight], nav: float
) -> tuple[Amounts, Amounts]:
    """Return what positions made by horizon and rule, and by member; each adds up to it.

    A decision is credited with the weight that it moved x what the name made beyond the benchmark; what the book holds
    more or less of cash than the benchmark stands apart. The bet belongs to the forecasts that argue for it, by how
    much they do. Where none does it is balancing: it pays for other bets, hedges them, or was kept since leaving costs
    more. What partial fills, whole shares and prices since made of the plan is the rest.

    Args:
        made: ticker -> cents that the position made.
        returns: ticker -> total return of the session, fraction.
        plans: ticker -> planned weight; empty where books were not built at once.
        nav: of the close before.
    """
    usual = _benchmark_return(returns, plans)
    shared: dict[tuple[str, str], float] = defaultdict(float)
    rules: dict[tuple[str, str], float] = defaultdict(float)
    bets: dict[str, dict[tuple[str, str], float]] = {"horizon": defaultdict(float), "member": defaultdict(float)}
    for name, plan in sorted(plans.items()):
        beyond = nav * (returns.get(name, 0.0) - usual)
        shared["benchmark", ""] += nav * plan.benchmark * returns.get(name, 0.0)
        shared["cash", ""] += nav * (plan.target - plan.benchmark) * usual
        for part, amounts in bets.items():
            for item, weight in _share_out(plan.free - plan.benchmark, plan.argue(part)).items():
                amounts[(part, item) if item else ("balancing", "")] += weight * beyond
        for rule, moved in plan.moves():
            rules["rule", rule] += moved * beyond
    whole = {("rule", ""): sum(rules.values())}
    return _round({**shared, **bets["horizon"], **rules}, made), _round({**shared, **bets["member"], **whole}, made)


def _benchmark_return(returns: Mapping[str, float], plans: Mapping[str, PlannedWeight]) -> float:
    """What the benchmark's names made on average, by weight; 0 where risk is counted against cash."""
    weight = sum(plan.benchmark for plan in plans.values())
    earned = sum(plan.benchmark * returns.get(name, 0.0) for name, plan in sorted(plans.items()))
    return earned / weight if weight > 0 else 0.0


def _share_out(bet: float, arguments: Mapping[str, float]) -> dict[str, float]:
    """The bet by argument: those of its sign have it in proportion to their size, "" where there is none."""
    if abs(bet) < SMALL:
        return {}
    agreeing = {item: size for item, size in arguments.items() if size * bet > 0}
    total = sum(agreeing.values())
    return {item: bet * (size / total) for item, size in agreeing.items()} if agreeing else {"": bet}


def _round(exact: Mapping[tuple[str, str], float], made: Mapping[str, int]) -> Amounts:
    amounts = {key: to_cents(value) for key, value in exact.items()}
    return {**amounts, ("rest", ""): sum(made.values()) - sum(amounts.values())}
