"""Random construction problems, each with a feasible point: what is held and may be kept."""

from __future__ import annotations

import numpy as np

from pipeline.trading.construction.problem import BookProblem, Risk, WeightGroup


def draw_problem(seed: int, names: int = 12, sectors: int = 3, *, max_risk: float = np.inf) -> BookProblem:
    """A problem with costs, caps, trade limits, sector limits and a turnover limit, some of which bind."""
    rng = np.random.default_rng(seed)
    inside = np.eye(sectors)[rng.integers(0, sectors, names)]
    risk = Risk(
        exposures=np.concatenate([rng.normal(1, 0.3, (names, 1)), inside], axis=1),
        factors=np.array([5e-4, *rng.uniform(5e-5, 2e-4, sectors)]),
        specific=rng.uniform(2e-4, 4e-3, names),
    )
    held = rng.dirichlet(np.ones(names)) * 0.9 * (seed % 4 > 0)
    cost = rng.uniform(3e-4, 3e-3, names)
    groups = tuple(
        WeightGroup(
            name=f"sector {at}",
            members=inside[:, at] > 0,
            upper=max(0.4, float(held[inside[:, at] > 0].sum())),
        )
        for at in range(sectors)
    )
    return BookProblem(
        names=[f"N{at}" for at in range(names)],
        held=held,
        benchmark=np.full(names, 0.97 / names),
        alpha=rng.normal(0, 0.01, names),
        cost=1.5 * cost,
        cost_home=rng.uniform(0.1, 1.5) * cost,
        expense=cost,
        risk=risk,
        risk_aversion=10.0,
        lower=np.zeros(names),
        upper=np.maximum(0.2, held),
        max_buy=rng.uniform(0.005, 0.2, names) * (rng.random(names) < 0.9),
        max_sell=np.full(names, np.inf),
        cash=1 - float(held.sum()) - 0.005,
        max_exposure=0.99,
        max_turnover=float(rng.uniform(0.1, 1.2)),
        max_risk=max_risk,
        groups=groups,
    )
