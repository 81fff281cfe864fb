"""The construction problem as a reader of its docstring would write it in cvxpy, solved by OSQP with polishing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import cvxpy as cp
import numpy as np


def main() -> None:
    """Solve every problem of a file of arrays; print the utilities as JSON, in their order."""
    with np.load(sys.argv[1], allow_pickle=False) as store:
        found = [
            solve({name: store[f"{at}/{name}"] for name in _names(store, at)}) for at in range(int(store["count"]))
        ]
    Path(sys.argv[2]).write_text(json.dumps(found), encoding="utf-8")
    sys.stdout.write(json.dumps({"solved": len(found)}) + "\n")


def _names(store: Any, at: int) -> list[str]:
    return [name.split("/")[1] for name in store.files if name.startswith(f"{at}/")]


def solve(given: dict[str, Any]) -> float:
    """The utility of the best weights: trades home and trades away from the benchmark have a price of their own."""
    held, benchmark = given["held"], given["benchmark"]
    home_buy, buy, home_sell, sell = (cp.Variable(len(held), nonneg=True) for _ in range(4))
    bought, sold = home_buy + buy, home_sell + sell
    weights = held + bought - sold
    active = weights - benchmark
    must_sell = np.clip(np.minimum(held - given["upper"], given["max_sell"]), 0, None)
    limits = [
        home_buy <= np.clip(benchmark - held, 0, None),
        home_sell <= np.clip(held - benchmark, 0, None),
        bought <= np.clip(np.minimum(given["max_buy"], given["upper"] - held), 0, None),
        sold <= np.maximum(np.clip(np.minimum(given["max_sell"], held - given["lower"]), 0, None), must_sell),
        sold >= must_sell,
        cp.sum(weights) <= float(given["max_exposure"]),
        (1 + given["expense"]) @ bought - (1 - given["expense"]) @ sold <= float(given["cash"]),
        cp.sum(bought + sold) <= float(given["max_turnover"]),
        *(cp.sum(weights[np.flatnonzero(inside)]) <= upper
          for inside, upper in zip(given["groups"], given["group_upper"], strict=True) if inside.any()),
    ]  # fmt: skip
    factors = (given["exposures"] * np.sqrt(given["factors"])).T @ active
    variance = cp.sum_squares(factors) + cp.sum_squares(cp.multiply(np.sqrt(given["specific"]), active))
    paid = given["cost_home"] @ (home_buy + home_sell) + given["cost"] @ (buy + sell)
    utility = given["alpha"] @ active - float(given["risk_aversion"]) / 2 * variance - paid
    problem = cp.Problem(cp.Maximize(utility), limits)
    problem.solve(solver=cp.OSQP, eps_abs=1e-10, eps_rel=1e-10, max_iter=200_000, polishing=True)
    return float(problem.value)


if __name__ == "__main__":
    main()
