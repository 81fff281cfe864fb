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
from pipeline.config.resolving import DEFAULT, values_of
from pipeline.config.toml_document import toml_document, write_document
from pipeline.engine.work import Progress, silent
from pipeline.research import ResearchError
from pipeline.research.variants.variant_replay import Replayed, VariantReplay


def find_eve(lake: Lake, first: date, last: date) -> date:
    """Return the session after whose cycle a variant forks to run from `first` to `last`.

    Raises:
        ResearchError: if the lake has no cycle before the first day, or none up to the last, naming those it has.
    """
    done = cycle_sessions(lake.read(RUNS, columns=("run_id", "session", "work", "status")))
    before = [day for day in done if day < first]
    if not before or not done or done[-1] < last:
        there = f"it has cycles from {done[0]} to {done[-1]}" if done else "it has none"
        raise ResearchError(
            f"a variant from {first} to {last} needs the cycle of a session before it, and all up to its end; {there}"
        )
    return before[-1]


def make_variant(
    lake: Lake, name: str, first: date, last: date, chosen: Mapping[str, Given], reason: str, *, resumes: bool = False
) -> Branch:
    """Fork a branch before a session with settings of its own; one that is there is taken up where that `resumes` it.

    Raises:
        ResearchError: if the lake has not run the sessions.
        ConfigError: if the settings contradict each other.
        BranchError, StorageError: if the branch cannot be made.
    """
    path = lake.path / BRANCHES / name
    if resumes and path.exists():
        return read_branch(path)
    loaded = load(lake.path, os.environ, chosen)
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
