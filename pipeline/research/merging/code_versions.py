"""Which code a branch ran with beside the program, and whether its lake has the same."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import polars as pl

from lake.branches.branch import Branch
from lake.runs import Run
from lake.store import Lake
from lake.tables.control import RUNS
from pipeline.config.settings import Settings
from pipeline.engine.code_fingerprint import code_fingerprint
from pipeline.engine.session_order import find_stage
from pipeline.research import ResearchError

SHOWN = 12
"""Digits of a hash that people are told."""


@dataclass(frozen=True)
class CodeVersion:
    """A piece of code that a branch ran with."""

    name: str
    """The file of a plugin, or the stage of the program."""
    there: str
    """Hash of what the branch ran with last."""
    here: str
    """Hash of what the lake would run with; empty where it has none."""

    @property
    def is_same(self) -> bool:
        """Whether both are."""
        return self.there == self.here


def list_plugin_versions(
    lake: Lake, there: Lake, branch: Branch, settings: Settings, trained: Mapping[str, str]
) -> tuple[CodeVersion, ...]:
    """Return the plugins that a branch ran with since it left, or would run with where it ran nothing.

    Args:
        lake: the branch's lake.
        there: the branch.
        branch: its record.
        settings: of the branch, which name the files.
        trained: file -> hash of those that the model was trained with that is to become champion.
    """
    ran = {**_hash_files(settings, branch.path), **_find_recorded(lake, there), **trained}
    have = _hash_files(settings, lake.path)
    return tuple(CodeVersion(name, digest, have.get(name, "")) for name, digest in sorted(ran.items()))


def list_stage_versions(runs: Sequence[Run]) -> tuple[CodeVersion, ...]:
    """Return the versions of the program's stages that trained models, each stage's last."""
    last = {run.recipe.stage: run.recipe.code for run in runs}
    return tuple(
        CodeVersion(f"stage {name}", code, code_fingerprint(find_stage(name))) for name, code in sorted(last.items())
    )


def refuse_lacking(versions: Sequence[CodeVersion], needed: Collection[str], lake: Lake, branch: Branch) -> None:
    """Refuse to bring what rests on code that the lake does not have.

    Args:
        versions: those of plugins.
        needed: names of the files that what is brought over needs.
        lake: the branch's lake.
        branch: the branch.

    Raises:
        ResearchError: naming the first file, what the lake has instead, and the way out.
    """
    for one in versions:
        if one.name in needed and not one.is_same:
            instead = f"another one ({one.here[:SHOWN]})" if one.here else "none of that name"
            raise ResearchError(
                f"the branch {branch.name} ran with the plugin {one.name} (SHA-256 {one.there[:SHOWN]}), and the lake"
                f" has {instead}; what was tried rests on that file: read it, put it into {lake.path} (the branch has"
                f" its own in {branch.path}), and merge again"
            )


# ---- inner workings


def _find_recorded(lake: Lake, there: Lake) -> dict[str, str]:
    """File -> the hash that the branch's own runs recorded last."""
    runs = there.read(RUNS, where=pl.col("plugins") != "{}", columns=("run_id", "started_at", "plugins"))
    own = runs.join(lake.read(RUNS, columns=("run_id",)), on="run_id", how="anti").sort("started_at", "run_id")
    recorded: dict[str, str] = {}
    for text in own["plugins"]:
        recorded |= json.loads(text)
    return recorded


def _hash_files(settings: Settings, folder: Path) -> dict[str, str]:
    """Name -> the hash of each file of plugins that the settings name, as far as it is there."""
    found = (path for path in settings.plugins.paths(folder) if path.is_file())
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in found}
