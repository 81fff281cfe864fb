"""Factors found where three are planted, and where none is: `python -m benchmarks.proposer [--seeds N]`.

Each market has 60 names; in some of them three factors rank the next session's returns, each by a tenth of a deviation.
A search of so many proposals runs on each. Its last line is one of figures.
"""

from __future__ import annotations

import argparse
from time import process_time

from pipeline.research.proposing.search import TriedFactor, search
from tests.frames.factor_market import PLANTED, make_market

RATE = 0.05


def main() -> None:
    """Search in each market, and count what was found and what was kept in vain."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="markets with planted factors")
    parser.add_argument("--nulls", type=int, default=20, help="markets without any")
    parser.add_argument("--first-seed", type=int, default=1_000)
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--names", type=int, default=60)
    parser.add_argument("--strength", type=float, default=0.1)
    asked = parser.parse_args()
    begun, found, in_vain = process_time(), 0, 0
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        judged = try_market(asked, seed, asked.strength)
        hits = sum(is_found(judged, one.text) for one in PLANTED)
        kept = [one.proposal.text for one in judged if one.verdict == "kept"]
        found += hits
        print(f"seed {seed}: {hits} of 3 found, {len(kept)} kept: {', '.join(kept)}", flush=True)
    for seed in range(asked.first_seed, asked.first_seed + asked.nulls):
        kept = [one.proposal.text for one in try_market(asked, seed, 0.0) if one.verdict == "kept"]
        in_vain += bool(kept)
        print(f"seed {seed}: nothing planted, {len(kept)} kept", flush=True)
    spent = (process_time() - begun) / max(asked.seeds + asked.nulls, 1)
    print(
        f"proposer: budget={asked.budget} found={found}/{3 * asked.seeds}"
        f" null_markets_with_keeps={in_vain}/{asked.nulls} rate={RATE} cpu_s={spent:.1f}"
    )


def try_market(asked: argparse.Namespace, seed: int, strength: float) -> list[TriedFactor]:
    """All that a search proposes in one market."""
    history = make_market(asked.sessions, asked.names, seed, strength)
    return list(search(history.compute, history.outcomes, asked.budget, seed, RATE))


def is_found(judged: list[TriedFactor], text: str) -> bool:
    """Whether a planted factor was kept, or tested as good and said by what is kept."""
    return any(one.proposal.text == text and one.verdict in ("kept", "repeats") for one in judged)


if __name__ == "__main__":
    main()
