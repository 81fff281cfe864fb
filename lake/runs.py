"""What a run is, how it is recorded with its rows, and how a commit of run rows publishes a whole cycle."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import Table
from lake.errors import LakeError, NoSuchError
from lake.fingerprint import fingerprint
from lake.migrations import FORMAT, FORMATS, Formats
from lake.migrations.steps import names_then, steps_of
from lake.storage.atomic import commit_files, file_hash, fsync_files
from lake.storage.commit_pointer import Head, write_head
from lake.storage.delta_log import commit_entry, publication_hash
from lake.storage.disk import in_words
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides a run's result, known before it computes."""

    cycle_id: str
    attempt: int
    stage: str
    kind: str
    session: date
    since: date
    as_of: datetime
    inputs: dict[str, int]
    params: dict[str, Any]
    seed: int
    code: str
    threads: int
    libraries: dict[str, str]
    output_table: str

    @cached_property
    def run_id(self) -> str:
        """Stage, session and a hash of the recipe: the same recipe is the same run."""
        text = json.dumps(_fields(self), sort_keys=True, default=str)
        return f"{self.stage}-{self.session:%Y%m%d}-{sha256(text.encode()).hexdigest()[:10]}"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A recipe and what came of it: one row of `runs`."""

    recipe: Recipe
    status: str = "done"
    error: str = ""
    output_version: int | None = None
    rows: int = 0
    written: int = 0
    fingerprint: str = ""
    files: dict[str, str]
    started_at: datetime
    seconds: float = 0.0
    contract: int = FORMAT
    """The lake's format when it ran: the columns that its fingerprint covers are those of then."""

    @property
    def run_id(self) -> str:
        """The recipe's id."""
        return self.recipe.run_id

    def row(self) -> dict[str, Any]:
        """The run as a row of the `runs` table."""
        flat = _fields(self.recipe) | _fields(self)
        del flat["recipe"]
        for name in ("inputs", "params", "libraries", "files"):
            flat[name] = json.dumps(flat[name], sort_keys=True, default=str)
        return {"run_id": self.run_id, **flat}

    @staticmethod
    def from_row(row: dict[str, Any]) -> Run:
        """Read a run back from a row of `runs`."""
        values = {k: v for k, v in row.items() if k != "run_id"}
        for name in ("inputs", "params", "libraries", "files"):
            values[name] = json.loads(values[name])
        values["contract"] = values.get("contract") or 1  # nobody wrote it down in the first one
        of_recipe = {name: values.pop(name) for name in Recipe.__dataclass_fields__}
        return Run(recipe=Recipe(**of_recipe), **values)


def _fields(record: Recipe | Run) -> dict[str, Any]:
    """The dataclass's own fields; `asdict` would copy every nested value."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def run_frame(runs: Sequence[Run]) -> pl.DataFrame:
    """The runs as rows of the `runs` table."""
    return RUNS.check(pl.DataFrame([run.row() for run in runs], schema=RUNS.schema))


def upkeep_recipe(lake: Lake, stage: str, table: Table, version: int) -> Recipe:
    """The recipe of work on a table's files, which computes no rows: it stands with the last session there is."""
    session = lake.read(RUNS, columns=("session",))["session"].max()
    now = datetime.now(UTC)
    on = session if isinstance(session, date) else now.date()
    return Recipe(
        cycle_id=f"single-{stage}-{table.name}-{version}",
        attempt=0,
        stage=stage,
        kind="pure",
        session=on,
        since=on,
        as_of=now,
        inputs={table.name: version},
        params={},
        seed=0,
        code="",
        threads=1,
        libraries={},
        output_table=table.name,
    )


def fingerprint_then(
    run: Run, table: Table, rows: pl.DataFrame, columns: Sequence[str], formats: Formats = FORMATS
) -> str:
    """The fingerprint of rows over those of the columns that the table had when the run ran, as they were called."""
    steps = steps_of(formats[run.contract :], table.name)
    then = names_then(steps, columns)
    rows = rows.select(pl.col(today).alias(name) for today, name in then.items())
    return fingerprint(rows, [then[name] for name in table.key], list(then.values()))


def publish(lake: Lake, runs: Sequence[Run], publication: str, *, durable: bool = True) -> list[Run]:
    """Make the runs' versions visible to readers, all in one commit, after forcing their files onto the disk.

    Args:
        lake: held under the lease.
        runs: the runs of one cycle, in order.
        publication: the id of this publication; publishing it twice publishes it once.
        durable: False skips the barrier (for lakes that may be lost, such as a test's).

    Returns:
        The runs as published, with the hash of every file they added.

    Raises:
        StorageError: if the disk refuses. What was not forced onto it is put aside, to be written anew: asking a
            disk a second time can be answered with success for content that is lost.
    """
    hashed = [replace(run, files=_file_hashes(lake, run)) for run in runs]
    if durable:
        try:
            fsync_files(path for run in runs for path in _paths(lake, run))
        except OSError as error:
            lake.abandon()
            raise in_words(error, "the runs could not be forced onto the disk") from error
    written = lake.commit(RUNS, run_frame(hashed), publication, {"publishes": publication})
    if durable:
        added = lake.history(RUNS, limit=1)[0]["files"]
        fsync_files(commit_files(lake.uri(RUNS), written.version, added))
    write_head(lake.path, Head(written.version, publication_hash(lake.uri(RUNS), written.version)), durable=durable)
    return hashed


def unpublished(lake: Lake) -> list[Run]:
    """The runs whose commits lie above the published versions: what an interrupted cycle left behind, oldest first."""
    published = lake.published()
    found = [
        _interrupted(commit, name)
        for name, table in TABLES.items()
        if table.story and name != RUNS.name
        for commit in lake.commits_after(table, published[name])
    ]
    return sorted(found, key=lambda run: run.started_at)


def find_run(lake: Lake, run_id: str) -> Run:
    """The published run of that id, or the only one that begins with it.

    Raises:
        NoSuchError: if there is none, or more than one.
    """
    found = lake.read(RUNS, where=pl.col("run_id").str.starts_with(run_id))
    exact = found.filter(pl.col("run_id") == run_id)
    chosen = exact if exact.height == 1 else found
    if chosen.height != 1:
        some = ", ".join(chosen["run_id"].head(3))
        raise NoSuchError(
            f"no run is called {run_id!r}; `nextgen runs` lists them"
            if chosen.is_empty()
            else f"{chosen.height} runs begin with {run_id!r} ({some}, ...); give more of the id"
        )
    return Run.from_row(chosen.row(0, named=True))


def _interrupted(commit: dict[str, Any], table: str) -> Run:
    try:
        record = commit["recipe"]["run"]
    except KeyError:
        raise LakeError(
            f"{table} has a version {commit['version']} above the published one that no run of ours wrote; "
            "restore the table from a backup, or move the lake aside"
        ) from None
    record["session"], record["since"] = (date.fromisoformat(record[name]) for name in ("session", "since"))
    record["as_of"], record["started_at"] = (datetime.fromisoformat(record[name]) for name in ("as_of", "started_at"))
    written = commit["recipe"].get("written", record["rows"])
    return replace(Run.from_row(record), output_version=commit["version"], written=written)


def _paths(lake: Lake, run: Run) -> list[Path]:
    if not run.written or run.output_version is None:
        return []
    uri = lake.uri(TABLES[run.recipe.output_table])
    return commit_files(uri, run.output_version, _added(lake, run))


def _added(lake: Lake, run: Run) -> list[str]:
    assert run.output_version is not None
    return list(commit_entry(lake.uri(TABLES[run.recipe.output_table]), run.output_version)["files"])


def _file_hashes(lake: Lake, run: Run) -> dict[str, str]:
    return {path.name: file_hash(path) for path in _paths(lake, run)}
