"""What a merge of a branch would bring: settings, a mandate, models, what was tried, and the code that rests on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import polars as pl

from lake.branches.branch import MAIN, Branch, find_branch, read_config
from lake.publication import find_unpublished
from lake.store import Lake
from lake.tables.control import MODEL_CHOICES
from lake.tables.models import MODEL_REGISTRY, TRIALS
from lake.tables.research import BRANCH_MERGES, MERGED_MODELS, MERGED_TRIALS
from lake.tables.trading import MANDATES
from pipeline.config.loading import load
from pipeline.config.resolving import values_of
from pipeline.config.settings import Settings
from pipeline.control.operator.decisions import DecisionError, refuse_unusable
from pipeline.control.operator.mandates import standing_mandate
from pipeline.control.operator.unfinished_merges import find_unfinished
from pipeline.market.sessions import exchange_sessions
from pipeline.reading.mandate_fields import write_value
from pipeline.research import ResearchError
from pipeline.research.merging.branch_models import BranchModels, WantedModels, find_branch_models, refuse_unfit
from pipeline.research.merging.code_versions import (
    CodeVersion,
    list_plugin_versions,
    list_stage_versions,
    refuse_lacking,
)
from pipeline.trading.mandates.mandate import Mandate


@dataclass(frozen=True, kw_only=True)
class Merge:
    """What a merge brings over."""

    branch: Branch
    settings: list[tuple[str, Any, Any]]
    """Dotted key, value now and value then."""
    mandate: dict[str, str]
    """Field of the mandate -> its new value."""
    models: BranchModels
    plugins: tuple[CodeVersion, ...]
    """Those that the branch ran with."""
    stages: tuple[CodeVersion, ...]
    """Those of the program that trained its models."""
    begun: Mapping[str, Any]
    """The decision on record that was cut off and is brought to its end; empty where this is a new one."""

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to bring."""
        return not (self.settings or self.mandate or self.models.names or self.models.champion)

    @property
    def writes(self) -> dict[str, int]:
        """Table -> the rows it would get."""
        models, trials = self.models.registry.height, self.models.trials.height
        rows = (
            (BRANCH_MERGES, 0 if self.begun else 1),
            (MERGED_MODELS, models),
            (MERGED_TRIALS, trials),
            (MODEL_REGISTRY, models),
            (TRIALS, trials),
            (MANDATES, int(bool(self.mandate))),
            (MODEL_CHOICES, int(bool(self.models.champion))),
        )
        return {table.name: count for table, count in rows if count}


def plan_merge(lake: Lake, name: str, wanted: WantedModels | None = None) -> Merge:
    """Return what a branch decided, trained and tried that its lake does not have.

    Its forecasts and trades stay where they are: what the lake has done does not change.

    Args:
        lake: the branch's lake.
        name: the branch.
        wanted: what is wanted of its models; its own champion where None.

    Raises:
        NoSuchError: if there is no such branch.
        ResearchError: if work on it is unfinished, the lake has changed since in what it would bring, models cannot be
            brought over or could not forecast, or something rests on code that the lake does not have.
    """
    branch = find_branch(lake.path, name)
    there = Lake.open(branch.path)
    if left := find_unpublished(there):
        raise ResearchError(
            f"the branch {name} holds half of a piece of work ({left[0].recipe.cycle_id}); finish it first with"
            f" `nextgen --branch {name} recover`"
        )
    here, theirs = load(lake.path, os.environ).settings, load(branch.path, {}).settings
    settings = _changed_settings(lake, here, theirs, branch)
    begun = find_unfinished(lake, name)
    models = find_branch_models(lake, there, branch, wanted or WantedModels(), begun.get("champion"))
    refuse_unfit(lake, models, here)
    plugins = _list_plugins(lake, there, branch, theirs, models, needs_all=bool(settings))
    return Merge(
        branch=branch,
        settings=settings,
        mandate=_changed_mandate(lake, there, branch),
        models=models,
        plugins=plugins,
        stages=list_stage_versions(models.runs),
        begun=begun,
    )


# ---- inner workings


def _changed_settings(lake: Lake, here: Settings, theirs: Settings, branch: Branch) -> list[tuple[str, Any, Any]]:
    values = dict(values_of(theirs))
    settings = [(key, value, values[key]) for key, value in values_of(here) if values[key] != value]
    if settings and branch.config_at_fork != read_config(lake.path):
        raise ResearchError(
            f"the settings of the lake have changed since {branch.name} left it, so what it was tried against is gone;"
            " make a branch anew, and try there"
        )
    return settings


def _list_plugins(
    lake: Lake, there: Lake, branch: Branch, theirs: Settings, models: BranchModels, *, needs_all: bool
) -> tuple[CodeVersion, ...]:
    """The plugins that a branch ran with; refused if the lake lacks what is needed, or the model could not forecast."""
    own = models.registry.filter(pl.col("model_id") == (models.champion or ""))["run_id"].to_list()
    trained = next((run.recipe.plugins for run in models.runs if run.run_id in own), {})
    plugins = list_plugin_versions(lake, there, branch, theirs, trained)
    named = {path.name for path in theirs.plugins.paths(lake.path)} if needs_all else set()
    refuse_lacking(plugins, named | trained.keys(), lake, branch)
    if models.champion is not None:
        _refuse_unusable(lake, there, theirs, models.champion)
    return plugins


def _refuse_unusable(lake: Lake, there: Lake, theirs: Settings, model_id: str) -> None:
    """The model has to be able to forecast under the settings that the lake has then, and with its plugins."""
    from pipeline.plugins.plugins import PluginError, Plugins  # who merges settings alone loads no feature

    settings = theirs.plugins
    try:
        calendar = exchange_sessions(theirs.market.exchange)
        refuse_unusable(there, Plugins.load(settings.paths(lake.path), calendar, settings.feature_sets), model_id)
    except (DecisionError, PluginError) as error:
        raise ResearchError(f"it could not forecast in the lake: {error}") from error


def _changed_mandate(lake: Lake, there: Lake, branch: Branch) -> dict[str, str]:
    """The fields of the mandate that were set on the branch."""
    # By their ids, not by versions: what a crash left of a commit is a version without a row.
    ours, own = (set(one.read(MANDATES, columns=("mandate_id",))["mandate_id"]) for one in (lake, there))
    if not own - ours:
        return {}
    default = load(lake.path, os.environ).settings.trading.mandate
    before, wanted = (standing_mandate(one, default).mandate for one in (lake, there))
    if before == wanted:
        return {}
    if ours - own:
        raise ResearchError(
            f"a mandate was set on {MAIN} and another one on {branch.name} since it left; they cannot both stand: set"
            " the one you want with `nextgen mandate set`"
        )
    return {
        field.name: write_value(getattr(wanted, field.name))
        for field in fields(Mandate)
        if asdict(wanted)[field.name] != asdict(before)[field.name]
    }
