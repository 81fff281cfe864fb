"""How often a model is promoted where there is nothing: `python -m benchmarks.false_promotions [--histories 100]`.

Made-up short histories whose returns nobody can tell beforehand: inputs are noise, and so are outcomes. Each is trained
on with the default settings, entered into the ledger and brought before the court, as the first model of a lake. Told
are how many models claim a location (medians that lie apart from the naive forecast's by more than 0.01 sigma on
average, at any horizon), how many were promoted, and how many of these claim one. A rate of 16 % is what
`models.naive_z` = 1 allows. Seeds are drawn afresh and printed, unless `--first-seed` names one. The last line holds
the figures.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from benchmarks.skill import draw_seeds
from lake.tables.control import MODEL_CHOICES
from lake.tables.models import MODEL_PROMOTIONS, SPECIALISTS
from lake.tables.predictions import QUANTILES
from pipeline.features.feature_set import feature_set
from pipeline.models.dataset import label_examples
from pipeline.models.ensemble import combine
from pipeline.models.inference import forecast_standardised
from pipeline.models.params import ModelParams
from pipeline.models.promote import promote
from pipeline.models.registry import load_members
from pipeline.models.trials.ledger import trials
from tests.frames import models

MIDDLE = QUANTILES.index(0.5)
MOVED = 0.01
"""Mean size of medians in sigma from which a location is claimed."""
ALLOWED = 0.16
"""One-sided probability of a gain of one standard error where there is none."""
Z95 = 1.96


@dataclass(frozen=True)
class Hearing:
    """What became of one history's model."""

    promoted: bool
    moved: float
    """Mean size of its medians less the naive ones, in sigma, at the horizon where it is largest."""
    reason: str


def hear_history(sessions: int, names: int, params: ModelParams, seed: int) -> Hearing:
    """Train on a history without anything in it, and let the court decide."""
    market = models.market(tickers=names, sessions=sessions, seed=seed)
    moment = models.moment(market, seed=seed)
    registry = models.trained(market, params, seed=seed)
    if registry.is_empty():
        raise ValueError(f"{sessions} sessions of {names} names are too few to train; give more of either")
    entered = trials(registry, SPECIALISTS.empty(), moment, params)
    decided = promote(registry, MODEL_PROMOTIONS.empty(), MODEL_CHOICES.empty(), entered, moment, params)
    row = decided.row(0, named=True)
    return Hearing(row["promoted"], _location(market, registry, params), row["reason"])


def _location(market: models.Market, registry: pl.DataFrame, params: ModelParams) -> float:
    """How far the ensemble's medians lie from the naive ones over all of the history's windows."""
    facts = market.feature_rows, market.market_prices, market.corporate_actions, market.ticker_universe
    chosen = feature_set(models.moment(market).extensions)
    examples = label_examples(*facts, market.calendar, params, chosen)
    model = load_members(registry, registry["model_id"][0], available=params.features, feature_set=chosen.name)
    members = forecast_standardised(model, examples.windows(np.arange(len(examples.session))))
    apart = combine(members, model.weights, model.locations)[..., MIDDLE] - members["naive"][..., MIDDLE]
    return float(np.abs(apart).mean(axis=0).max())


def describe(found: Sequence[Hearing]) -> str:
    """The figures of the last line: each share with its 95 % interval (Wilson, 1927)."""
    counts = {
        "promoted": sum(one.promoted for one in found),
        "promoted_with_location": sum(one.promoted and one.moved > MOVED for one in found),
        "with_location": sum(one.moved > MOVED for one in found),
    }
    told = " ".join(f"{name}={_share(count, len(found))}" for name, count in counts.items())
    return f"{told} allowed={ALLOWED:.2f} histories={len(found)}"


def _share(count: int, n: int) -> str:
    centre, spread = count + Z95**2 / 2, Z95 * np.sqrt(count * (n - count) / n + Z95**2 / 4)
    low, high = ((centre + sign * spread) / (n + Z95**2) for sign in (-1, 1))
    return f"{count / n:.2f}({low:.2f}-{high:.2f})"


def main(arguments: Sequence[str] | None = None) -> None:
    """Hear histories and print what was decided."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--first-seed", type=int, help="the first seed; drawn by chance if it is not given")
    parser.add_argument("--sessions", type=int, default=330, help="sessions of each; 250 have to have a known outcome")
    parser.add_argument("--names", type=int, default=16)
    parser.add_argument("--workers", type=int, default=1, help="histories at a time")
    asked = parser.parse_args(arguments)
    seeds = draw_seeds(asked.histories, asked.first_seed)
    sys.stdout.write(f"seeds {seeds[0]} to {seeds[-1]}\n")
    params = ModelParams(features=models.SMALL.features)
    hear, found = partial(hear_history, asked.sessions, asked.names, params), []
    with ProcessPoolExecutor(asked.workers) as pool:
        for seed, one in zip(seeds, pool.map(hear, seeds) if asked.workers > 1 else map(hear, seeds), strict=True):
            sys.stdout.write(f"{seed}: location {one.moved:.4f} sigma; {one.reason}\n")
            sys.stdout.flush()
            found.append(one)
    sys.stdout.write(f"false_promotions: {describe(found)}\n")


if __name__ == "__main__":
    main()
