"""Experiments: registered before they run, run on branches, judged beside their base, every variant counted."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from lake.branches.branch import MAIN, discard_branch
from lake.contract import RUN_ID
from lake.errors import NoSuchError
from lake.store import Lake
from lake.tables.research import EXPERIMENT_RESULTS, EXPERIMENTS
from pipeline.config import ConfigError
from pipeline.config.check_values import Given, nearest
from pipeline.config.loading import load
from pipeline.config.settings import Settings
from pipeline.control.operator.trading_switches import who_decides
from pipeline.engine.work import cycle
from pipeline.market.sessions import Sessions
from pipeline.reading.foresight.rehearsal import rehearse
from pipeline.reading.tried import count_openings, count_trials
from pipeline.research import ResearchError
from pipeline.research.compare_runs import RunComparison, better_of, compare_runs
from pipeline.research.holdout import refuse_holdout
from pipeline.research.merging.branch_models import WantedModels
from pipeline.research.merging.merge_branch import merge_branch
from pipeline.research.merging.plan_merge import Merge
from pipeline.research.recording import record
from pipeline.research.sides import open_side
from pipeline.research.spec import Spec, Variant, read_spec
from pipeline.research.variants.variant_branch import find_eve, make_variant, resolve_variant
from pipeline.research.variants.variant_processes import Finished, Told, run_variants
from pipeline.trading.review.performance import deflated_sharpe

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner


def register(lake: Lake, spec: Spec) -> dict[str, Any]:
    """Record an experiment before any of it runs; one that is recorded already is taken up again.

    Raises:
        ResearchError: if another experiment has its name, its sessions are put aside, the lake has not run them, its
            metric judges nothing or is of a horizon that is not forecast, or a variant cannot run or is doubled.
        NoSuchError: if there is no such base.
    """
    if known := find_registered(lake, spec):
        return known
    row = {
        "experiment_id": spec.name,
        "registered_at": datetime.now(UTC),
        "registered_by": who_decides(),
        **{name: getattr(spec, name) for name in ("question", "kill", "keep_above", "base", "first", "last", "metric")},
        "variants": len(spec.variants),
        "looks": count_openings(lake),
        "spec": spec.text,
    }
    record(lake, EXPERIMENTS, spec.name, [row])
    return row


def find_registered(lake: Lake, spec: Spec) -> dict[str, Any]:
    """Return an experiment as it is recorded; empty where it would be now.

    Raises:
        ResearchError: if another experiment has its name, its sessions are put aside, the lake has not run them, its
            metric judges nothing or is of a horizon that is not forecast, or a variant cannot run or is doubled.
        NoSuchError: if there is no such base.
    """
    settings = load(lake.path, os.environ).settings
    refuse_holdout(settings, spec.last, f"the experiment {spec.name}")
    _require_scored(settings, spec)
    base = open_side(lake, spec.base).lake
    find_eve(base, spec.first, spec.last)
    known = _find(lake, spec.name)
    if not known and not better_of(spec.metric):
        raise ResearchError(
            f"the experiment's metric is {spec.metric}, of which neither more nor less is better, so that no"
            " variant could ever be kept; choose return, costs, ic_HORIZON or pinball_HORIZON"
        )
    if known and known["spec"] != spec.text:
        raise ResearchError(
            f"an experiment {spec.name} was registered on {known['registered_at']:%Y-%m-%d} with another file; what"
            " is registered does not change, so give this one another name"
        )
    if not known:
        _require_variants(base, spec.variants)
    return known


@dataclass(frozen=True, kw_only=True)
class ExperimentPlan:
    """What running an experiment would do."""

    variants: tuple[Variant, ...]
    """Those that have no result yet."""
    registered: bool
    sessions: int
    at_once: int
    """Variants that run at a time."""
    seconds: float | None
    """If every stage of every session ran, at what cycles took lately; None where none was run."""


def plan_experiment(lake: Lake, spec: Spec, calendar: Sessions, workers: int | None = None) -> ExperimentPlan:
    """Tell what `run_experiment` would do, of the same arguments; nothing is registered or run.

    Raises:
        ResearchError: if it could not be registered.
    """
    known = find_registered(lake, spec)
    done = set(list_results(lake, spec.name)["variant"])
    left = tuple(one for one in spec.variants if one.name not in done)
    sessions = len(calendar.between(spec.first, spec.last))
    at_once = min(workers or os.cpu_count() or 1, max(len(left), 1))
    whole = rehearse(lake, cycle(spec.last), sessions * len(left)).seconds
    seconds = None if whole is None else whole / at_once
    return ExperimentPlan(variants=left, registered=bool(known), sessions=sessions, at_once=at_once, seconds=seconds)


def run_experiment(
    lake: Lake,
    spec: Spec,
    calendar: Sessions,
    workers: int | None = None,
    told: Told = lambda *_: None,
    *,
    keeps_all: bool = False,
) -> Iterator[dict[str, Any]]:
    """Register an experiment, run the variants that have no result yet, and yield the result of each as it ends.

    Cut off anywhere, the same call goes on: what is recorded stays, and branches go on from their last session.

    Args:
        lake: the one that the experiment is recorded in.
        spec: what is asked.
        calendar: the sessions, by whose number a year is counted.
        workers: variants that run at a time; as many as there are processors where None.
        told: of progress.
        keeps_all: whether the branches of variants that are not kept stay as well; they can be made again to the bit.

    Raises:
        ResearchError: if it cannot be registered, or a variant failed, after all others have ended.
    """
    register(lake, spec)
    base = open_side(lake, spec.base).lake
    done = set(list_results(lake, spec.name)["variant"])
    left = {name_branch(spec, one): one for one in spec.variants if one.name not in done}
    paths: dict[Path, bool] = {}
    for name, one in left.items():
        made = make_variant(base, name, spec.first, spec.last, one.settings, spec.question, resumes=True)
        paths[made.path] = not one.settings  # a variant without settings tries the code of today
    failed = []
    for finished in run_variants(base.path, paths, spec.last, workers, told):
        if finished.error:
            failed.append(f"{finished.branch} failed: {finished.error}")
        else:
            result = _record(lake, base, spec, left[finished.branch], finished, calendar)
            if not (result["kept"] or keeps_all):
                discard_branch(base.path, finished.branch)
            yield result
    if failed:
        raise ResearchError("; ".join(sorted(failed)) + "; mend what it names and run the experiment again")


def name_branch(spec: Spec, variant: Variant) -> str:
    """The branch that a variant runs on."""
    return f"{spec.name}.{variant.name}"


def list_experiments(lake: Lake) -> pl.DataFrame:
    """Every experiment, the last one first, with how many of its variants have ended, and how many were kept."""
    return count_ended(lake.read(EXPERIMENTS).drop(RUN_ID), list_results(lake))


def count_ended(experiments: pl.DataFrame, results: pl.DataFrame) -> pl.DataFrame:
    """Return experiments, the last one first, with how many of their variants have ended, and how many were kept."""
    counted = results.group_by("experiment_id").agg(ended=pl.len(), kept=pl.col("kept").sum())
    rows = experiments.join(counted, on="experiment_id", how="left")
    return rows.with_columns(pl.col("ended", "kept").fill_null(0)).sort("registered_at", descending=True)


def list_results(lake: Lake, name: str | None = None) -> pl.DataFrame:
    """The results of an experiment, or of all of them, by variant."""
    where = None if name is None else pl.col("experiment_id") == name
    return lake.read(EXPERIMENT_RESULTS, where=where).drop(RUN_ID).sort("experiment_id", "variant")


def find_experiment(lake: Lake, name: str) -> Spec:
    """What was registered under a name.

    Raises:
        NoSuchError: if nothing was, naming the nearest.
    """
    if known := _find(lake, name):
        return read_spec(known["spec"])
    names = lake.read(EXPERIMENTS)["experiment_id"].to_list()
    raise NoSuchError(f"there is no experiment {name}{nearest(name, names)}; `nextgen experiment list` has them")


def promote_variant(runner: Runner, name: str, variant: str, reason: str) -> Merge:
    """Make the settings of a variant the lake's own, as a decision with its reason.

    What it trained stays there: it is of sessions long past, and the lake's next training has the same settings.

    Raises:
        NoSuchError: if the experiment has no such variant, or its branch was discarded.
        ResearchError: if the variant has no result yet, or cannot be merged.
    """
    spec = find_experiment(runner.lake, name)
    if not reason.strip():
        raise ResearchError("say why it is promoted; it is recorded with what it changes")
    names = [one.name for one in spec.variants]
    if variant not in names:
        raise NoSuchError(f"the experiment {name} has no variant {variant}{nearest(variant, names)}")
    if variant not in list_results(runner.lake, name)["variant"].to_list():
        raise ResearchError(f"the variant {variant} of {name} has no result yet; run the experiment to its end first")
    if spec.base != MAIN:
        raise ResearchError(f"{name} was run beside the branch {spec.base}; merge there, then merge that branch")
    said = f"experiment {name}, variant {variant}: {reason}"
    return merge_branch(runner, f"{name}.{variant}", said, wanted=WantedModels(left_there=True))


# ---- inner workings


def _require_scored(settings: Settings, spec: Spec) -> None:
    """Refuse a metric of a horizon that nothing is forecast at: it would be missed when all variants have run."""
    horizon = spec.metric.partition("_")[2]
    if horizon and int(horizon) not in settings.prediction.horizons:
        known = ", ".join(map(str, settings.prediction.horizons))
        raise ResearchError(f"the experiment's metric is {spec.metric}, and forecasts are made at horizons {known}")


def _require_variants(base: Lake, variants: Sequence[Variant]) -> None:
    """Refuse a variant that cannot run, or tries what another does: it would count as a trial, and its name be taken.

    Only before an experiment is registered: one that is can still be shown, whatever it says.
    """
    tried: dict[str, str] = {}
    for one in variants:
        try:
            resolve_variant(base, one.settings)
        except (ConfigError, ResearchError) as error:
            raise ResearchError(f"the variant {one.name} cannot run: {error}") from error
        settings = json.dumps(_plain(one.settings), sort_keys=True, default=str)
        if (other := tried.setdefault(settings, one.name)) != one.name:
            raise ResearchError(
                f"the variants {other} and {one.name} have the same settings, and each would count; take one out"
            )


def _find(lake: Lake, name: str) -> dict[str, Any]:
    rows = lake.read(EXPERIMENTS, where=pl.col("experiment_id") == name).drop(RUN_ID)
    return rows.row(0, named=True) if rows.height else {}


def _record(
    lake: Lake, base: Lake, spec: Spec, variant: Variant, finished: Finished, calendar: Sessions
) -> dict[str, Any]:
    """Compare a variant that has ended with its base, and record what came of it."""
    sides = open_side(lake, spec.base), open_side(base, finished.branch)
    compared = compare_runs(*sides, calendar, spec.first, spec.last, spec.metric)
    figure, trials = compared.figure(spec.metric), count_trials(lake)
    gain = figure.certain_gain
    row = {
        "experiment_id": spec.name,
        "variant": variant.name,
        "finished_at": datetime.now(UTC),
        "branch": finished.branch,
        "settings": json.dumps(_plain(variant.settings), sort_keys=True, default=str),
        "sessions": compared.sessions,
        "base_value": figure.one,
        "value": figure.other,
        "difference": figure.difference,
        "low": figure.low,
        "high": figure.high,
        "verdict": compared.verdict,
        "kept": gain is not None and gain > spec.keep_above,
        "trials": trials,
        "deflated": _deflate(compared, trials),
        "computed": finished.computed,
        "taken": finished.taken,
        "seconds": finished.seconds,
    }
    record(lake, EXPERIMENT_RESULTS, f"{spec.name}/{variant.name}", [row])
    return row


def _plain(settings: Mapping[str, Given]) -> dict[str, Any]:
    return {key: given.value for key, given in settings.items()}


def _deflate(compared: RunComparison, trials: int) -> float | None:
    """The deflated Sharpe ratio of the difference in session returns, for as many trials as the lake has seen."""
    differences = (compared.equity["return_other"] - compared.equity["return_one"]).to_list()
    return deflated_sharpe(differences, max(trials, 1)) if len(set(differences)) > 1 else None
