"""Factors found where three are planted, and where none is: `python -m benchmarks.proposer [--seeds N]`.

Each market has 60 names; in half of them three factors rank the next session's returns, each by a tenth of a deviation.
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
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=1_000)
    parser.add_argument("--budget", type=int, default=200)
    parser.add_argument("--sessions", type=int, default=1_000)
    parser.add_argument("--names", type=int, default=60)
    parser.add_argument("--strength", type=float, default=0.1)
    asked = parser.parse_args()
    found, null_kept, spent = 0, 0, 0.0
    for seed in range(asked.first_seed, asked.first_seed + asked.seeds):
        for strength in (asked.strength, 0.0):
            history, begun = make_market(asked.sessions, asked.names, seed, strength), process_time()
            judged = list(search(history.compute, history.outcomes, asked.budget, seed, RATE))
            spent += process_time() - begun
            kept = [one for one in judged if one.verdict == "kept"]
            if strength:
                hits = sum(is_found(judged, one.text) for one in PLANTED)
                found += hits
                told = ", ".join(one.proposal.text for one in kept)
                print(f"seed {seed}: planted {hits} of 3 found, {len(kept)} kept: {told}", flush=True)
            else:
                null_kept += bool(kept)
                print(f"seed {seed}: nothing planted, {len(kept)} kept", flush=True)
    markets = asked.seeds
    print(
        f"proposer: budget={asked.budget} found={found}/{3 * markets} null_markets_with_keeps={null_kept}/{markets}"
        f" rate={RATE} cpu_s={spent / (2 * markets):.1f}"
    )


def is_found(judged: list[TriedFactor], text: str) -> bool:
    """Whether a planted factor was kept, or tested as good and said by what is kept."""
    return any(one.proposal.text == text and one.verdict in ("kept", "repeats") for one in judged)


if __name__ == "__main__":
    main()
