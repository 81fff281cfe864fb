"""What a report rests on: versions, settings, models, and the commands that make it again and prove its runs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any

import polars as pl

from lake.migrations import FORMAT
from lake.runs import DONE
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from pipeline.config.resolving import DEFAULT, Loaded, values_of
from pipeline.config.settings import Settings


@dataclass(frozen=True)
class SettingInForce:
    """A setting that differs from its default today."""

    key: str
    value: Any
    origin: str


@dataclass(frozen=True)
class Provenance:
    """Where the figures come from."""

    lake: str
    """The folder."""
    lake_format: int
    versions: dict[str, int]
    """Table -> the published version that was read."""
    runs: int
    """Runs of the span that are published."""
    failed_runs: int
    codes: int
    """Distinct fingerprints of the planning stage's code: more than one where the program changed within the span."""
    libraries: dict[str, str]
    """Of the last run."""
    settings: tuple[SettingInForce, ...]
    command: tuple[str, ...]
    """The words after `nextgen` that give this report again."""
    proof: tuple[str, ...]
    """Those that recompute every run, bit for bit."""


def read_provenance(
    lake: Lake, loaded: Loaded[Settings], runs: pl.DataFrame, span: tuple[date, date], trials: int
) -> Provenance:
    """Read it.

    Args:
        lake: as published.
        loaded: its configuration, with the origin of each value.
        runs: rows of `runs` of the span.
        span: its first and last session.
        trials: how many configurations were taken to have been tried.
    """
    done = runs.filter(DONE).sort("session", "started_at")
    versions = lake.published_versions()
    first, last = (day.isoformat() for day in span)
    return Provenance(
        lake=str(lake.path),
        lake_format=FORMAT,
        versions={name: versions[name] for name in TABLES if name in versions},
        runs=done.height,
        failed_runs=runs.height - done.height,
        codes=done.filter(pl.col("stage") == PLANNING)["code"].n_unique(),
        libraries=json.loads(done["libraries"][-1]) if done.height else {},
        settings=tuple(
            SettingInForce(key, value, loaded.origins[key])
            for key, value in values_of(loaded.settings)
            if loaded.origins[key] != DEFAULT
        ),
        command=("report", "--from", first, "--to", last, "--trials", str(trials)),
        proof=("reproduce", "--all"),
    )


PLANNING = "plan"
"""The stage whose recorded parameters are the configuration that was traded."""
RUN_COLUMNS = ("run_id", "session", "stage", "status", "params", "code", "libraries", "started_at")


def read_runs(lake: Lake, first: date, last: date) -> pl.DataFrame:
    """The runs of a span, with what they record of their making."""
    return lake.read(RUNS, since=first, until=last, columns=RUN_COLUMNS)
