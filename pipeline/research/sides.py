"""Opens what is to be compared by its name: the lake itself, or one of its branches."""

from __future__ import annotations

import os

from lake.branches.branch import MAIN, find_branch
from lake.store import Lake
from pipeline.config.loading import load
from pipeline.research.compare_runs import Side


def open_side(lake: Lake, name: str) -> Side:
    """Return the lake (`main`) or a branch of it, with the settings of its own file.

    Raises:
        NoSuchError: if there is no such branch, naming those there are.
        ConfigError: if its settings cannot be read.
    """
    if name == MAIN:
        return Side(MAIN, lake, load(lake.path, os.environ).settings)
    path = find_branch(lake.path, name).path
    return Side(name, Lake.open(path), load(path, {}).settings)
