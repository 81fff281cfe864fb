"""What a branch trained and tried that its lake does not have, and which of it becomes champion by a merge."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import polars as pl

from lake.branches.branch import Branch
from lake.runs import Run, last_session
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY, TRIALS
from pipeline.config.settings import Settings
from pipeline.control.operator.decisions import find_next_champion
from pipeline.models.registry import find_champion
from pipeline.models.serialization import digest
from pipeline.research import ResearchError
from pipeline.text_format import counted

TEST_FROM = "test_from"
"""Where a run that learns records the first session that it was not shown."""


@dataclass(frozen=True, kw_only=True)
class WantedModels:
    """What the operator wants of the models of a branch."""

    named: str = ""
    """The one to become champion; the branch's own champion where empty."""
    keeps_champion: bool = False
    """Whether the lake's champion stays, and all of them come along as challengers."""
    left_there: bool = False
    """Whether they stay on the branch."""


@dataclass(frozen=True, kw_only=True)
class BranchModels:
    """What a merge brings of models."""

    registry: pl.DataFrame
    """Rows of `model_registry` that the lake lacks, each with the run that wrote it there."""
    trials: pl.DataFrame
    """Rows of `trials` that it lacks: a look counts whatever came of it."""
    runs: tuple[Run, ...]
    """The branch's runs that trained them."""
    champion: str | None
    """The model that becomes champion; None where the lake's stays."""
    replaces: str | None
    """The lake's champion as decided so far."""

    @cached_property
    def names(self) -> list[str]:
        """The models."""
        return self.registry["model_id"].unique().sort().to_list()

    @property
    def comes_along(self) -> bool:
        """Whether there are rows to bring over."""
        return not (self.registry.is_empty() and self.trials.is_empty())


NOTHING = BranchModels(
    registry=MODEL_REGISTRY.empty_as_stored(), trials=TRIALS.empty_as_stored(), runs=(), champion=None, replaces=None
)


def find_branch_models(
    lake: Lake, there: Lake, branch: Branch, wanted: WantedModels, begun: str | None
) -> BranchModels:
    """Return what a merge would bring of a branch's models.

    All that was trained and tried there comes along, whichever becomes champion: the best of many that nobody counts
    would look better than it is.

    Args:
        lake: the branch's lake.
        there: the branch.
        branch: its record.
        wanted: what the operator wants of them.
        begun: the model that a merge which was cut off was to make champion; None where there is none.

    Raises:
        ResearchError: if none of them is champion there and none is named, the named one was not trained there, or the
            lake's champion is no longer the one that they were compared with.
    """
    if wanted.left_there:
        return NOTHING
    registry = _read_lacking(lake, there)
    current = find_next_champion(lake, date.max)
    chosen = None if wanted.keeps_champion else _choose(lake, there, branch, registry, wanted.named or begun or "")
    if chosen is not None and chosen != current:
        _refuse_moved(there, branch, chosen, current)
    return BranchModels(
        registry=registry,
        trials=there.read(TRIALS).join(lake.read(TRIALS, columns=TRIALS.key), on=TRIALS.key, how="anti"),
        runs=_read_runs(there, registry["run_id"].unique().to_list()),
        champion=None if chosen == current else chosen,
        replaces=current,
    )


def refuse_unfit(lake: Lake, models: BranchModels, settings: Settings) -> None:
    """Refuse models that saw what this lake may not see, or that are not what was registered.

    Raises:
        ResearchError: naming the first of them, and the way out.
    """
    last = last_session(lake) or date.min
    for row in models.registry.iter_rows(named=True):
        if digest(row["weights"]) != row["weights_sha256"]:
            raise ResearchError(
                f"the weights of {row['model_id']}, member {row['member']}, are not those that were registered;"
                " restore the branch, or make it anew"
            )
        if row["session"] > last:
            raise ResearchError(
                f"{row['model_id']} was trained at the close of {row['session']}, and the last session of the lake is"
                f" {last}: it knows what has not happened there yet; merge once the lake has come so far"
            )
    for day, model in _find_unsealed(models, settings.section("models").test_from):
        raise ResearchError(
            f"{model} was trained where sessions from {day} on could be seen, which the lake puts aside"
            " (research.holdout or models.test_from); make a branch anew, put the same aside there, and train again"
        )


# ---- inner workings


def _read_lacking(lake: Lake, there: Lake) -> pl.DataFrame:
    """The branch's rows of the registry that the lake lacks; weights are read of those alone."""
    keys = there.read(MODEL_REGISTRY, columns=MODEL_REGISTRY.key)
    lacking = keys.join(lake.read(MODEL_REGISTRY, columns=MODEL_REGISTRY.key), on=MODEL_REGISTRY.key, how="anti")
    return there.read(MODEL_REGISTRY, where=pl.col("model_id").is_in(lacking["model_id"].unique().to_list()))


def _read_runs(there: Lake, run_ids: Sequence[str]) -> tuple[Run, ...]:
    rows = there.read(RUNS, where=pl.col("run_id").is_in(run_ids)).sort("started_at", "run_id")
    return tuple(Run.from_row(row) for row in rows.iter_rows(named=True))


def _choose(lake: Lake, there: Lake, branch: Branch, registry: pl.DataFrame, named: str) -> str | None:
    """The model that becomes champion; None where the branch has trained none that the lake lacks."""
    new = registry["model_id"].unique().sort().to_list()
    if named:
        _refuse_strange(lake, there, branch, named)
        return named
    theirs = find_next_champion(there, date.max)
    if theirs in new or not new:
        return theirs if theirs in new else None
    raise ResearchError(
        f"the branch {branch.name} trained {counted(len(new), 'model')} ({', '.join(new[-5:])}), and none of them is"
        " champion there; name the one that is to become champion with --model, or bring them as challengers with"
        " --keep-champion"
    )


def _refuse_strange(lake: Lake, there: Lake, branch: Branch, named: str) -> None:
    """A model that is named has to have been trained on the branch."""
    fork = there.read(MODEL_REGISTRY, version=branch.versions.get(MODEL_REGISTRY.name, 0), columns=MODEL_REGISTRY.key)
    trained = there.read(MODEL_REGISTRY, columns=MODEL_REGISTRY.key).join(fork, on=MODEL_REGISTRY.key, how="anti")
    names = trained["model_id"].unique().sort().to_list()
    if named not in names:
        own = named in lake.read(MODEL_REGISTRY, columns=MODEL_REGISTRY.key)["model_id"]
        way_out = f"it is the lake's own: use `nextgen promote {named}`" if own else "choose from "
        told = way_out if own else way_out + (", ".join(names[-5:]) or "none, for nothing was trained there")
        raise ResearchError(f"{named} was not trained on the branch {branch.name}; {told}")


def _refuse_moved(there: Lake, branch: Branch, chosen: str, current: str | None) -> None:
    """The champion of the lake has to be the one that was there when the branch left."""
    before = find_champion(there.read(MODEL_PROMOTIONS, version=branch.versions.get(MODEL_PROMOTIONS.name, 0)))
    if current != before:
        raise ResearchError(
            f"the champion of the lake is {current or 'nobody'} by now, and was {before or 'nobody'} when"
            f" {branch.name} left it: {chosen} was not compared with it. Bring the models as challengers with"
            f" --keep-champion, and decide with `nextgen promote {chosen}`; or make a branch anew"
        )


def _find_unsealed(models: BranchModels, window: str) -> Iterator[tuple[str, str]]:
    """The lake's test window and each model whose training was not held to it."""
    by_run = {run.run_id: run for run in models.runs}
    rows = models.registry.select("model_id", "session", "run_id").unique(maintain_order=True)
    for model, session, run_id in rows.iter_rows():
        held_to = by_run[run_id].recipe.params.get(TEST_FROM) or "9999-12-31"
        if window and session.isoformat() >= window and held_to > window:
            yield window, model
