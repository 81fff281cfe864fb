"""The construction's solver beside cvxpy: `python -m benchmarks.solver [--problems 1000] [--processes 20]`.

Random problems with costs, caps, trade limits, sector limits and a turnover limit are solved here and, in a throw-away
environment, by cvxpy with OSQP. Utilities are compared, our own optimality residual is told, the bits of all weights
are compared over fresh processes, and a problem of 500 names is timed. The last line holds the figures.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from benchmarks.peers.environment import Peers, make_environment, run
from pipeline.trading.construction.problem import BookProblem
from pipeline.trading.construction.solver import InfeasibleError, Solution, solve
from tests.pipeline.trading.construction.problems import draw_problem

PINS = {"cvxpy": "cvxpy==1.9.3"}
ARRAYS = ("held", "benchmark", "alpha", "cost", "cost_home", "expense", "upper", "lower", "max_buy", "max_sell")
NUMBERS = ("risk_aversion", "cash", "max_exposure", "max_turnover")


def draw_problems(count: int, first_seed: int = 0) -> Iterator[tuple[BookProblem, Solution]]:
    """Problems of 8 to 47 names in 1 to 6 sectors that can be met, with our answers."""
    seed, found = first_seed, 0
    while found < count:
        problem = draw_problem(seed, names=8 + seed % 40, sectors=1 + seed % 6)
        seed += 1
        try:
            solution = solve(problem)
        except InfeasibleError:
            continue
        found += 1
        yield problem, solution


def write_problems(path: Path, problems: Sequence[BookProblem]) -> None:
    """Everything the peer needs, as arrays."""
    stored = {"count": np.array(len(problems))}
    for at, problem in enumerate(problems):
        values = {name: getattr(problem, name) for name in (*ARRAYS, *NUMBERS)}
        values |= {name: getattr(problem.risk, name) for name in ("exposures", "factors", "specific")}
        values["groups"] = np.array([one.members for one in problem.groups])
        values["group_upper"] = np.array([one.upper for one in problem.groups])
        stored |= {f"{at}/{name}": np.asarray(value) for name, value in values.items()}
    np.savez(path, **stored)


def hash_weights(count: int) -> str:
    """The bits of the weights of some problems."""
    digest = sha256()
    for _, solution in draw_problems(count):
        digest.update(solution.weights.tobytes())
    return digest.hexdigest()


def time_one(names: int, repeats: int = 20) -> float:
    """Processor milliseconds of a problem, the median."""
    problem = draw_problem(1, names=names, sectors=11)
    spent = []
    for _ in range(repeats):
        start = time.process_time()
        solve(problem)
        spent.append(1_000 * (time.process_time() - start))
    return float(np.median(spent))


def compare_with_cvxpy(folder: Path, peers: Peers, found: Sequence[tuple[BookProblem, Solution]]) -> float:
    """The largest difference of the utilities; NaN where the peer is not there."""
    if peers.refused:
        sys.stdout.write(f"{peers.refused['cvxpy']}\n")
        return float("nan")
    write_problems(folder / "problems.npz", [problem for problem, _ in found])
    outcome = run(peers.python, "cvxpy_model", [folder / "problems.npz", folder / "utilities.json"], folder)
    if outcome.error:
        sys.stdout.write(f"cvxpy {outcome.error}\n")
        return float("nan")
    theirs = json.loads((folder / "utilities.json").read_text(encoding="utf-8"))
    ours = [problem.objective(solution.weights) for problem, solution in found]
    return float(np.abs(np.array(theirs) - np.array(ours)).max())


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--problems", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=20)
    parser.add_argument("--peers", type=Path, help="an environment that has cvxpy, to be used instead of a new one")
    asked = parser.parse_args(arguments)
    found = list(draw_problems(asked.problems))
    residual = max(solution.residual for _, solution in found)
    sys.stdout.write(f"{len(found)} problems, largest residual {residual:.1e}\n")
    with tempfile.TemporaryDirectory(prefix="solver-") as place:
        folder = Path(place)
        peers = Peers(asked.peers / "bin" / "python", {}) if asked.peers else make_environment(folder / "peers", PINS)
        difference = compare_with_cvxpy(folder, peers, found)
    sys.stdout.write(f"largest difference of the utility to cvxpy with OSQP {difference:.1e}\n")
    with ProcessPoolExecutor(2, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        bits = set(pool.map(hash_weights, [50] * asked.processes))
    sys.stdout.write(f"{len(bits)} different answers of {asked.processes} processes\n")
    spent = time_one(500)
    sys.stdout.write(
        f"solver: problems={len(found)} difference={difference:.1e} residual={residual:.1e}"
        f" answers={len(bits)} cpu_ms_500={spent:.1f}\n"
    )


if __name__ == "__main__":
    main()
