"""Whether learning from errors pays: `python -m benchmarks.closed_loop [--seeds 10] [--markets planted width ...]`.

Made-up markets in which a forecaster knows the usual volatility and nothing else run through the real feedback, once
with lessons and once without, on the same prices. Planted: forecasts are 1 % too high for all tickers, and then no
more. Sector: for one sector of four. Width: that sector's intervals are half as wide as they should be. Exclusion: its
forecasts are off by a standard deviation at random. Null: forecasts are wrong at random by a tenth of one, and biased
nowhere. Told are the pinball loss with lessons less that without, as a share of the latter (below 0 is better; mean
over seeds and its 95 % interval), after how many scored sessions what is planted was found, what was confirmed where
there is nothing, and how insights ended. Seeds are drawn afresh and printed, unless `--first-seed` names one. The last
line holds the figures.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.skill import draw_seeds
from pipeline.feedback import bias, insights
from pipeline.feedback.learning import register, remedies
from pipeline.student import quantile
from tests.pipeline.feedback.world import STAGES, World

Floats = npt.NDArray[np.float64]
MARKETS = ("planted", "sector", "width", "exclusion", "null")
HORIZONS = (1, 5, 20)
LESSONS = (register.STAGE, bias.STAGE, remedies.STAGE, insights.STAGE)
SIZE = 0.01
"""What is planted, as a return."""
NARROW = 0.5
"""How wide intervals are that are planted too narrow, as a share of what they should be."""
TRUE_OF = {
    "planted": [("bias", "all")],
    "sector": [("bias", "all"), ("bias", "sector")],
    "width": [("width", "sector")],
    "exclusion": [("exclusion", "sector"), ("exclusion", "all")],
    "null": [],
}
"""Market -> kinds and scopes of hypotheses that are true in it, the one that is planted last."""
BIASED, AFTER = 130, 50
"""Sessions with the bias, and without it."""


@dataclass(frozen=True)
class Outcome:
    """One market, with and without lessons."""

    market: str
    seed: int
    change: dict[int, float]
    """Horizon -> pinball loss with lessons less that without, over the latter."""
    flagged: dict[int, int | None]
    """Horizon -> scored sessions until the planted bias was flagged."""
    confirmed: int
    """Hypotheses confirmed that are not planted, nor about a slice around or beside what is. Where one thing is off all
    other questions find a trace of it, so that these count on null and planted markets alone."""
    registered: int
    effects: dict[str, int]
    """Effect at the end of its life -> insights."""
    pending: int
    """Insights that ended without a verdict."""
    kept: int
    """Adjustments that acted still at the end, when nothing was biased any more."""


def measure(market: str, volatility: float, tickers: int, seed: int) -> Outcome:
    """Run a market with and without lessons."""
    learned, alone = (_play(market, volatility, tickers, seed, lessons) for lessons in (True, False))
    loss = {name: _losses(world) for name, world in (("with", learned), ("without", alone))}
    found = learned.tables["hypotheses"]
    true = [pl.lit(False), *((pl.col("kind") == kind) & (pl.col("scope") == scope) for kind, scope in TRUE_OF[market])]
    # A biased forecast is also worse than the naive one, which is no false discovery.
    following = (pl.col("kind") != "bias") if market in ("planted", "sector") else pl.lit(False)
    own = true[-1] & ((pl.col("slice") == "tech") | (pl.col("scope") == "all"))
    last = learned.tables["learning_insights"].sort("session").unique("insight_id", keep="last", maintain_order=True)
    ended = last.filter(pl.col("status") == "retired")
    return Outcome(
        market,
        seed,
        {h: loss["with"][h] / loss["without"][h] - 1 for h in HORIZONS},
        {h: _scored_until(found.filter(own & (pl.col("horizon") == h)), learned, h) for h in HORIZONS},
        found.filter(~pl.any_horizontal(*true, following) & (pl.col("status") == "confirmed")).height,
        found.filter(pl.col("status") == "registered").height,
        dict(Counter(ended["effect"].to_list())),
        ended.filter(pl.col("effect").is_in(["pending", "on trial"])).height,
        sum(int(learned.latest(name)["active"].sum()) for name in ("bias_flags", "slice_lessons")),
    )


def _play(market: str, volatility: float, tickers: int, seed: int, lessons: bool) -> World:
    stages = STAGES if lessons else tuple(one for one in STAGES if one not in LESSONS)
    world = World(tickers=tickers, horizons=HORIZONS, market=volatility, seed=seed, stages=stages)
    random = np.random.default_rng([seed, 1])
    mine = np.array([sector == "tech" for sector in world.sectors])
    for session in range(BIASED + AFTER):
        on, chance = session < BIASED, random.normal(0, 0.1 * world.own, world.tickers)
        tilt = SIZE * on * {"planted": np.ones(tickers), "sector": mine * 1.0}.get(market, np.zeros(tickers))
        world.step(
            bias=chance + tilt,
            width=np.where(mine & on & (market == "width"), NARROW, 1.0),
            noise=np.where(mine & on & (market == "exclusion"), 1.0, 0.0),
        )
    return world


def _losses(world: World) -> dict[int, float]:
    scores = world.tables["prediction_accuracy"].sort("prediction_id")
    return {h: float(scores.filter(pl.col("horizon") == h)["pinball"].sum()) for h in HORIZONS}


def _scored_until(mine: pl.DataFrame, world: World, horizon: int) -> int | None:
    """Scored sessions of the horizon up to the first confirmation; None where there was none while it was biased."""
    confirmed = mine.filter(pl.col("status") == "confirmed").sort("session")
    if confirmed.is_empty():
        return None
    scored = world.tables["prediction_accuracy"].filter(pl.col("horizon") == horizon)["session"].unique()
    return int((scored <= confirmed["session"][0]).sum())


def report(market: str, outcomes: Sequence[Outcome]) -> str:
    """Print what the markets of a kind say together, and return it for the last line."""
    write, parts = sys.stdout.write, []
    for horizon in HORIZONS:
        mean, margin = _interval(np.array([one.change[horizon] for one in outcomes]))
        told = [one.flagged[horizon] for one in outcomes]
        known = [one for one in told if one is not None]
        write(f"{market:8} h={horizon:2}  loss {100 * mean:+.2f} % ({_span(mean, margin)})")
        write("\n" if market == "null" else f"  found {len(known)} of {len(told)}, latest at {max(known, default=0)}\n")
        parts.append(f"{100 * mean:+.2f}({_span(mean, margin)})")
    ended = sum((Counter(one.effects) for one in outcomes), Counter())
    write(
        f"{market:8} other slices confirmed: {sum(one.confirmed for one in outcomes)} of"
        f" {sum(one.registered for one in outcomes)} registered; ended: "
        + (", ".join(f"{count} {effect}" for effect, count in sorted(ended.items())) or "none")
        + f"; pending {sum(one.pending for one in outcomes)}; still acting {sum(one.kept for one in outcomes)}\n"
    )
    return f"{market}={'/'.join(parts)}"


def _span(mean: float, margin: float) -> str:
    return f"{100 * (mean - margin):+.2f} to {100 * (mean + margin):+.2f}"


def _interval(values: Floats) -> tuple[float, float]:
    """Mean and half the width of its 95 % interval over seeds."""
    if len(values) < 2:
        return float(values.mean()), float("nan")
    error = float(values.std(ddof=1)) / np.sqrt(len(values))
    return float(values.mean()), quantile(0.975, len(values) - 1) * float(error)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure markets and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="markets of each kind")
    parser.add_argument("--first-seed", type=int, help="the first seed; drawn by chance if it is not given")
    parser.add_argument("--markets", nargs="*", default=list(MARKETS), choices=MARKETS, help="all by default")
    parser.add_argument("--market-volatility", type=float, default=0.003, help="of the move that all tickers share")
    parser.add_argument("--tickers", type=int, default=24)
    parser.add_argument("--workers", type=int, default=1, help="markets at a time")
    asked = parser.parse_args(arguments)
    seeds = draw_seeds(asked.seeds, asked.first_seed)
    sys.stdout.write(f"seeds {' '.join(map(str, seeds))}; market volatility {asked.market_volatility:g} a session\n")
    figures, pending = [], 0
    with ProcessPoolExecutor(asked.workers) as pool:
        for market in asked.markets:
            play = partial(measure, market, asked.market_volatility, asked.tickers)
            found = list(pool.map(play, seeds)) if asked.workers > 1 else list(map(play, seeds))
            figures.append(report(market, found))
            sys.stdout.flush()
            pending += sum(one.pending for one in found)
    sys.stdout.write(f"closed_loop: {' '.join(figures)} pending={pending}\n")


if __name__ == "__main__":
    main()
