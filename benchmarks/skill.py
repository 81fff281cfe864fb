"""How much of what can be known is forecast: `python -m benchmarks.skill [--seeds 10] [--markets planted]`.

Loads simulated markets through the real stages, trains some sessions before their end, and asks the stored models about
the sessions after: nothing they are asked about was there when they were fitted. Beside each rank correlation (IC)
stands that of the oracle, which reads the drift the market was made with. Seeds are drawn afresh and printed, unless
`--first-seed` names one. Three kinds of market: planted (momentum, reversal and news, which a line can see), nonlinear
(last week's return counts for or against by what else is so: a line sees little of it) and null (nothing to find). The
last line holds the figures.
"""

from __future__ import annotations

import argparse
import secrets
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import Any, get_args

import numpy as np
import numpy.typing as npt
import polars as pl

from lake.store import Lake
from lake.tables.features import FEATURE_ROWS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.models import MODEL_REGISTRY
from lake.tables.predictions import QUANTILES
from pipeline.config.settings import FeatureSetName, PluginParams, RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.engine.stages import INGEST
from pipeline.features import features
from pipeline.features.catalogue import choose
from pipeline.features.feature_set import extend, feature_set
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams, Strengths
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.models import train
from pipeline.models.dataset import Examples, Index, cut_blocks, label_examples
from pipeline.models.ensemble import combine
from pipeline.models.evaluation import compute_figures, mean_rank_correlation
from pipeline.models.inference import forecast_standardised
from pipeline.models.params import ModelParams
from pipeline.models.registry import Ensemble, load_members

Floats = npt.NDArray[np.float64]
MIDDLE = QUANTILES.index(0.5)


BLIND = Strengths(momentum=0, reversal=0, news=0, regime=0, interaction=0.3, threshold=0.4, switching=0.1)
"""What is planted where a line is to see little."""
MARKETS = {
    "planted": SimulatedParams(),
    "nonlinear": SimulatedParams(strengths=BLIND),
    "null": SimulatedParams(signal=0),
}
ENSEMBLE = "ensemble"


@dataclass(frozen=True)
class Skill:
    """What a model knew out of sample at one horizon. Errors are Newey-West standard errors over sessions."""

    horizon: int
    ic: float
    """Mean rank correlation of forecast and realised total return within a session; 0 where it ranks nothing."""
    ic_error: float
    oracle: float
    """The same of the best forecast possible, on the same sessions and tickers."""
    oracle_error: float
    likeness: float
    """Mean rank correlation of the forecast with the best one: what the ratio of the two tends to, with less noise."""
    figures: dict[str, Any]
    """Pinball loss and skill, coverage, rows and sessions, over all members of the universe."""

    @property
    def ratio(self) -> float | None:
        """Share of the possible rank correlation; None where nothing can be known."""
        return self.ic / self.oracle if self.oracle > 2 * self.oracle_error else None


@dataclass(frozen=True)
class Measured:
    """A simulated market, a model trained some sessions before its end, and what it knew about the rest."""

    model: Ensemble
    trained_at: date
    seconds: float
    """Wall time of the train stage."""
    skills: tuple[Skill, ...]
    """The ensemble's, by horizon."""
    members: Mapping[str, tuple[Skill, ...]]
    """Each member's own."""


def measure(
    path: Path,
    market: SimulatedParams,
    sessions: int,
    models: ModelParams,
    feature_sets: Sequence[FeatureSetName] = PluginParams().feature_sets,
) -> Measured:
    """Load a market into a new lake, train `sessions` before the last one with a known outcome, and judge the model.

    Args:
        path: where the lake is made.
        market: the simulated market.
        sessions: test sessions; the last of them has its longest horizon within the history.
        models: how to train.
        feature_sets: named sets of features beside the built-in ones; those that are on by default, if not given.
    """
    settings = replace(
        Settings(),
        runtime=RuntimeParams(durable=False),
        source=SourceParams(simulated=market),
        models=models,
        plugins=PluginParams(feature_sets=tuple(feature_sets)),
    )
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    history = {run.recipe.stage for run in runner.backfill(first, last).runs}
    for stage in (*(one for one in INGEST if one.name not in history), features.STAGE):
        runner.run_stage(stage, last, first)
    trained_at = runner.calendar.offset(last, -sessions - max(models.horizons) + 1)
    start = perf_counter()
    runner.run_stage(train.STAGE, trained_at)
    seconds = perf_counter() - start
    registry = runner.lake.read(MODEL_REGISTRY)
    if registry.is_empty():
        raise ValueError(f"nothing was trained at {trained_at}: {market.history_sessions} sessions are too few")
    model = load_members(registry, registry["model_id"][0], feature_set=registry["feature_set"][0])
    examples = _examples(runner, replace(models, features=model.features))
    after = examples.between(runner.calendar.position(trained_at), runner.calendar.position(last))
    source = runner.source
    assert isinstance(source, SimulatedSource)
    best = _best(source, examples, after)
    forecasts = _forecast(model, examples, after)
    found = {name: _skills(one, forecasts["naive"], examples, after, best) for name, one in forecasts.items()}
    return Measured(model, trained_at, seconds, found.pop(ENSEMBLE), found)


def _examples(runner: Runner, models: ModelParams) -> Examples:
    """All windows with known outcomes, as the train stage would see them at the end of history."""
    prices, actions, universe, rows = (
        runner.lake.read(table) for table in (MARKET_PRICES, CORPORATE_ACTIONS, TICKER_UNIVERSE, FEATURE_ROWS)
    )
    chosen = feature_set(extend(choose(runner.settings.plugins.feature_sets)))
    return label_examples(rows, prices, actions, universe, runner.calendar, models, chosen)


def _best(source: SimulatedSource, examples: Examples, rows: Index) -> Floats:
    """The oracle's expected return of each of these examples, NaN where it has none: [rows, H]."""
    days = [examples.calendar.days[at] for at in examples.session[rows].tolist()]
    source.best_forecast(days[-1])  # simulates as far as needed at once
    told = pl.concat([source.best_forecast(day, examples.horizons) for day in dict.fromkeys(days)])
    wide = told.pivot(on="horizon", index=["session", "ticker"], values="expected_return")
    asked = pl.DataFrame({"session": days, "ticker": examples.ticker[rows]})
    joined = asked.join(wide, on=["session", "ticker"], how="left", maintain_order="left")
    return joined.select(str(horizon) for horizon in examples.horizons).to_numpy().astype(np.float64)


def _forecast(model: Ensemble, examples: Examples, rows: Index) -> dict[str, Floats]:
    """Each member's quantiles, and the ensemble's: [rows, H, Q] in units of sigma x sqrt(h)."""
    parts = [forecast_standardised(model, examples.windows(block)) for block in cut_blocks(rows)]
    members = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return members | {ENSEMBLE: combine(members, model.weights, model.locations)}


def _skills(forecast: Floats, naive: Floats, examples: Examples, rows: Index, best: Floats) -> tuple[Skill, ...]:
    outcome, session, sigma = examples.outcome[rows], examples.session[rows], examples.sigma[rows]
    found = compute_figures(outcome, forecast, naive, session, examples.horizons, QUANTILES)
    skills = []
    for number, horizon in enumerate(examples.horizons):
        known = np.isfinite(best[:, number])
        at, ideal = session[known], best[known, number]
        point, earned = (values[known] * sigma[known] for values in (forecast[:, number, MIDDLE], outcome[:, number]))
        ic = mean_rank_correlation(point, earned, at, horizon)
        oracle = mean_rank_correlation(ideal, earned, at, horizon)
        likeness = mean_rank_correlation(point, ideal, at, horizon)[0]
        skills.append(Skill(horizon, *ic, *oracle, likeness, found[str(horizon)]))
    return tuple(skills)


def report(measured: Measured) -> None:
    """Print the figures of one market."""
    write = sys.stdout.write
    model = measured.model
    write(f"  model {model.model_id}, trained at {measured.trained_at} in {measured.seconds:.0f} s; shares:\n")
    for member, weights in sorted(model.weights.items()):
        located = weights if model.locations is None else model.locations[member]
        shares = "  ".join(" ".join(f"{share:.2f}" for share in row) for row in (located, weights))
        write(f"    {member:8} location, width: {shares}\n")
    write("    forecast  horizon  IC              best possible   ratio  likeness  pinball skill  coverage 50 80 90\n")
    for name, skills in ((ENSEMBLE, measured.skills), *sorted(measured.members.items())):
        for skill in skills if name != "naive" else ():
            write(f"    {name:8}  {_describe(skill)}\n")
    sys.stdout.flush()


def _describe(skill: Skill) -> str:
    found = skill.figures
    ratio = "none" if skill.ratio is None else f"{100 * skill.ratio:.0f} %"
    covered = " ".join(f"{100 * found[f'coverage_{percent}']:.0f}" for percent in (50, 80, 90))
    return (
        f"{skill.horizon:7}  {skill.ic:.3f} +- {skill.ic_error:.3f}  {skill.oracle:.3f} +- {skill.oracle_error:.3f}"
        f"  {ratio:>6}  {skill.likeness:8.2f}"
        f"  {100 * found['skill']:.2f} +- {100 * (found['skill_error'] or 0):.2f} %  {covered:>14}"
        f"  ({found['sessions']} sessions, {found['rows']} rows)"
    )


def summarise(kind: str, found: Sequence[Measured]) -> str:
    """Print what all markets of a kind say together, and return it for the last line.

    Errors are standard errors of the mean over markets; a share of the oracle's is the ratio of the two means.
    """
    horizons = [skill.horizon for skill in found[0].skills]
    ic, line, oracle = (
        np.array([[value(one, at) for at in range(len(horizons))] for one in found])
        for value in (
            lambda one, at: one.skills[at].ic,
            lambda one, at: one.members["ridge"][at].ic,
            lambda one, at: one.skills[at].oracle,
        )
    )
    located = np.array([_moved_by_networks(one.model) for one in found])
    for at, horizon in enumerate(horizons):
        gain = ic[:, at] - line[:, at]
        share = f"{100 * ic[:, at].mean() / oracle[:, at].mean():.0f} %" if kind != "null" else "none"
        sys.stdout.write(
            f"{kind} h={horizon}: IC {_mean(ic[:, at])} of {_mean(oracle[:, at])} = {share};"
            f" ensemble less line {_mean(gain)}; networks move the location by {100 * located[:, at].mean():.0f} %\n"
        )
    if kind == "null":
        return f"{kind}=" + "/".join(f"{mean:+.3f}" for mean in ic.mean(axis=0))
    return f"{kind}=" + "/".join(f"{share:.2f}" for share in ic.mean(axis=0) / oracle.mean(axis=0))


def _moved_by_networks(model: Ensemble) -> Floats:
    """What the medians of members that are not simple count, by horizon."""
    located = model.weights if model.locations is None else model.locations
    bold = [located[name] for name, kind in model.kinds.items() if not kind.simple]
    return np.sum(bold, axis=0) if bold else np.zeros(len(model.horizons))


def _mean(values: Floats) -> str:
    error = values.std(ddof=1) / np.sqrt(len(values)) if len(values) > 1 else float("nan")
    return f"{values.mean():+.3f} +- {error:.3f}"


def draw_seeds(count: int, first: int | None) -> list[int]:
    """Seeds that nobody has seen, or those from `first` on."""
    start = secrets.randbelow(1_000_000_000) if first is None else first
    return list(range(start, start + count))


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure markets and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=1, help="markets of each kind")
    parser.add_argument("--first-seed", type=int, help="the first seed; drawn by chance if it is not given")
    parser.add_argument("--markets", nargs="*", default=list(MARKETS), choices=tuple(MARKETS), help="all by default")
    parser.add_argument("--names", type=int, default=64)
    parser.add_argument("--history", type=int, default=1_040, help="sessions of history")
    parser.add_argument("--sessions", type=int, default=180, help="test sessions after training")
    parser.add_argument(
        "--feature-sets", nargs="*", default=list(PluginParams().feature_sets), choices=get_args(FeatureSetName)
    )
    asked = parser.parse_args(arguments)
    seeds = draw_seeds(asked.seeds, asked.first_seed)
    sys.stdout.write(f"seeds {' '.join(map(str, seeds))}\n")
    figures = []
    for kind in asked.markets:
        found = []
        for seed in seeds:
            sys.stdout.write(f"{kind} market, seed {seed}\n")
            market = replace(MARKETS[kind], seed=seed, names=asked.names, history_sessions=asked.history)
            with tempfile.TemporaryDirectory() as folder:
                one = measure(Path(folder) / "lake", market, asked.sessions, ModelParams(), asked.feature_sets)
            report(one)
            found.append(one)
        figures.append(summarise(kind, found))
    sys.stdout.write(f"skill: {' '.join(figures)}\n")


if __name__ == "__main__":
    main()
