"""Makes the branch of a variant, with its settings in its own configuration file, and runs it to its last session."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from lake.branches.branch import BRANCHES, Branch, create_branch, read_branch
from lake.runs import cycle_sessions
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.check_values import Given
from pipeline.config.loading import load
from pipeline.config.resolving import DEFAULT, Loaded, values_of
from pipeline.config.settings import Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.control.operator.mandates import name_strangers, standing_mandate, tell_emptiness
from pipeline.engine.session_order import CYCLE, load_stages
from pipeline.engine.work import Progress, silent
from pipeline.research import ResearchError
from pipeline.research.variants.variant_replay import Replayed, VariantReplay


def find_eve(lake: Lake, first: date, last: date) -> date:
    """Return the session after whose cycle a variant forks to run from `first` to `last`.

    Raises:
        ResearchError: if the span ends before it begins, the lake has no cycle before the first day, none up to the
            last, or none within, naming those it has.
    """
    if last < first:
        raise ResearchError(f"a variant cannot run from {first} to {last}; a span ends after it begins")
    done = cycle_sessions(lake.read(RUNS, columns=("run_id", "session", "work", "status")))
    before = [day for day in done if day < first]
    if not before or not done or done[-1] < last:
        there = f"it has cycles from {done[0]} to {done[-1]}" if done else "it has none"
        raise ResearchError(
            f"a variant from {first} to {last} needs the cycle of a session before it, and all up to its end; {there}"
        )
    if not any(first <= day <= last for day in done):
        after = next(day for day in done if day > last)
        raise ResearchError(
            f"the lake has no cycle from {first} to {last}, so that nothing would run; the nearest are of"
            f" {before[-1]} and {after}"
        )
    return before[-1]


def require_varied(key: str) -> None:
    """Make sure that a setting can be varied: what lands comes from outside, and is what it was.

    Raises:
        ResearchError: if nothing that is computed reads it, so that the same would come of any value.
    """
    sections = sorted({stage.section for stage in load_stages(CYCLE) if stage.kind == "pure"})
    if key.split(".")[0] not in sections:
        raise ResearchError(
            f"{key} cannot be varied: what landed is taken as it is; choose settings of {', '.join(sections)}"
        )


def resolve_variant(lake: Lake, chosen: Mapping[str, Given]) -> Loaded[Settings]:
    """Return the settings of a variant, before anything is recorded or made of it.

    Raises:
        ResearchError: if one cannot be varied, or they name a ticker or sector that the lake has never heard of,
            or leave none to hold.
        ConfigError: if they contradict each other.
    """
    for key in chosen:
        require_varied(key)
    loaded = load(lake.path, os.environ, chosen)
    if any(key.startswith("trading.mandate.") for key in chosen):
        before = standing_mandate(lake, load(lake.path, os.environ).settings.trading.mandate).mandate
        wanted = loaded.settings.trading.mandate
        if wrong := [*name_strangers(lake, wanted, before), *tell_emptiness(lake, wanted)]:
            raise ResearchError(f"trading.mandate: {'; '.join(wrong)}")
    return loaded


def make_variant(
    lake: Lake, name: str, first: date, last: date, chosen: Mapping[str, Given], reason: str, *, resumes: bool = False
) -> Branch:
    """Fork a branch before a session with settings of its own; one that is there is taken up where that `resumes` it.

    Raises:
        ResearchError: if the lake has not run the sessions, or has never heard of a name that the mandate speaks of.
        ConfigError: if the settings contradict each other.
        BranchError, StorageError: if the branch cannot be made.
    """
    path = lake.path / BRANCHES / name
    if resumes and path.exists():
        return read_branch(path)
    loaded = resolve_variant(lake, chosen)
    branch = create_branch(lake, name, session=find_eve(lake, first, last), reason=reason, migrates=False, named=chosen)
    values = [(key, value) for key, value in values_of(loaded.settings) if loaded.origins[key] != DEFAULT]
    write_document(branch.path, toml_document(values))
    return branch


def run_variant(
    parent: Path, branch: Path, last: date, progress: Progress = silent, *, tries_code: bool = False
) -> list[Replayed]:
    """Bring a variant to its last session under its own settings, from wherever it stopped.

    Args:
        parent: the lake that it forked from.
        branch: its folder.
        last: the session.
        progress: told of each session.
        tries_code: whether stages are computed whose code alone has changed since they ran.

    Raises:
        BusyError: if somebody else writes to it.
        StageFailedError: if a stage raises.
    """
    replay = VariantReplay(Lake.open(branch), Lake.open(parent), load(branch, {}).settings, tries_code=tries_code)
    return list(replay.run(last, progress))
