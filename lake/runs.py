"""What a run is: its recipe, the run id derived from that, how it is recorded, and the questions about past runs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from typing import Any

import polars as pl

from lake.contract import Table
from lake.errors import NoSuchError
from lake.fingerprint import fingerprint
from lake.migrations import FORMAT, FORMATS, Formats
from lake.migrations.steps import names_before, select_steps
from lake.store import Lake
from lake.tables.control import RUNS, WorkKind
from lake.tables.models import TRAINING_ATTEMPTS

_JSON = ("inputs", "params", "libraries", "plugins", "files")
"""Columns whose values are kept as JSON."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """All that decides a run's result, known before it computes."""

    work: WorkKind
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
    plugins: dict[str, str] = field(default_factory=dict)
    """File -> SHA-256 of the operator's plugins that it uses."""

    @cached_property
    def run_id(self) -> str:
        """Stage, session and a hash of the recipe: the same recipe is the same run.

        The kind of work is left out, for `cycle_id` tells pieces of work apart, and so are plugins where there are
        none: a run recorded before there were such fields keeps its id.
        """
        fields = {name: value for name, value in _fields(self).items() if name != "work"}
        if not self.plugins:
            del fields["plugins"]
        text = json.dumps(fields, sort_keys=True, default=str)
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
        for name in _JSON:
            flat[name] = json.dumps(flat[name], sort_keys=True, default=str)
        return {"run_id": self.run_id, **flat}

    @staticmethod
    def from_row(row: dict[str, Any]) -> Run:
        """Read a run back from a row of `runs`."""
        values = {k: v for k, v in row.items() if k != "run_id"}
        for name in _JSON:
            values[name] = json.loads(values[name])
        values["contract"] = values.get("contract") or 1  # nobody wrote it down in the first one
        values["work"] = WorkKind(values["work"])
        of_recipe = {name: values.pop(name) for name in Recipe.__dataclass_fields__}
        return Run(recipe=Recipe(**of_recipe), **values)


def _fields(record: Recipe | Run) -> dict[str, Any]:
    """The dataclass's own fields; `asdict` would copy every nested value."""
    return {name: getattr(record, name) for name in record.__dataclass_fields__}


def runs_to_frame(runs: Sequence[Run]) -> pl.DataFrame:
    """The runs as rows of the `runs` table."""
    return RUNS.check(pl.DataFrame([run.row() for run in runs], schema=RUNS.schema))


def upkeep_recipe(lake: Lake, stage: str, table: Table, version: int) -> Recipe:
    """The recipe of work on a table's files, which computes no rows: it stands with the last session there is."""
    session = lake.read(RUNS, columns=("session",))["session"].max()
    now = datetime.now(UTC)
    on = session if isinstance(session, date) else now.date()
    return Recipe(
        work=WorkKind.UPKEEP,
        cycle_id=f"{WorkKind.UPKEEP}-{stage}-{table.name}-{version}",
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


def recompute_fingerprint(
    run: Run, table: Table, rows: pl.DataFrame, columns: Sequence[str], formats: Formats = FORMATS
) -> str:
    """The fingerprint of rows over those of the columns that the table had when the run ran, as they were called."""
    steps = select_steps(formats[run.contract :], table.name)
    then = names_before(steps, columns)
    rows = rows.select(pl.col(today).alias(name) for today, name in then.items())
    return fingerprint(rows, [then[name] for name in table.key], list(then.values()))


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


# ---- questions about past runs

DONE = pl.col("status") == "done"
"""Runs that are published with what they wrote; the others failed."""


def of_work(*kinds: WorkKind) -> pl.Expr:
    """Whether a run is part of such work."""
    return pl.col("work").is_in([str(kind) for kind in kinds])


COVERING = of_work(WorkKind.CYCLE, WorkKind.BACKFILL) & DONE
"""Runs of a published cycle, or of the history the lake began with."""


def last_cycle(lake: Lake) -> date | None:
    """The last session whose cycle is published; None in a lake without one."""
    return _last_session(lake, of_work(WorkKind.CYCLE) & DONE)


def was_trained(lake: Lake, session: date) -> bool:
    """Whether a training for all names at a session's close is published, whatever came of it."""
    attempt = DONE & (pl.col("stage") == TRAINING_ATTEMPTS.owner) & (pl.col("session") == session)
    return lake.read(RUNS, columns=("run_id",), where=attempt).height > 0


def last_session(lake: Lake) -> date | None:
    """The last session that a published cycle or backfill covers; None on a new lake."""
    return _last_session(lake, COVERING)


def last_decision(lake: Lake) -> datetime | None:
    """The moment, in UTC, up to which the last published cycle or backfill knows; None on a new lake."""
    last = _read_last(lake, COVERING, ("as_of",))["as_of"].max()
    return last.astimezone(UTC) if isinstance(last, datetime) else None


def last_snapshot(lake: Lake) -> datetime | None:
    """The moment, in UTC, of the last published snapshot of bars within a session; None if there is none."""
    last = lake.read(RUNS, where=of_work(WorkKind.SNAPSHOT) & DONE, columns=("as_of",))["as_of"].max()
    return last.astimezone(UTC) if isinstance(last, datetime) else None


def decision_lag(lake: Lake) -> timedelta | None:
    """How long after its decision the last published cycle or backfill was run; None on a new lake.

    Minutes where a market is followed, years where its history is replayed.
    """
    last = _read_last(lake, COVERING, ("as_of", "started_at"))
    last = last.filter(pl.col("as_of") == pl.col("as_of").max())
    lag = last.select(pl.col("started_at").max() - pl.col("as_of").max()).item()
    return lag if isinstance(lag, timedelta) else None


def backfill_span(lake: Lake) -> tuple[date, date] | None:
    """The first and last session of all published backfills; None if there is none."""
    loads = lake.read(RUNS, where=of_work(WorkKind.BACKFILL) & DONE, columns=("since", "session"))
    first, last = loads["since"].min(), loads["session"].max()
    return (first, last) if isinstance(first, date) and isinstance(last, date) else None


def has_imported(lake: Lake, tables: Sequence[Table]) -> bool:
    """Whether an import has landed rows in one of these tables."""
    into = pl.col("output_table").is_in([table.name for table in tables])
    return lake.read(RUNS, where=of_work(WorkKind.IMPORT) & DONE & into, columns=("run_id",)).height > 0


def is_published(lake: Lake, cycle_id: str) -> bool:
    """Whether a publication of that piece of work is there."""
    return lake.read(RUNS, where=(pl.col("cycle_id") == cycle_id) & DONE, columns=("run_id",)).height > 0


def failed_attempts(lake: Lake, cycle_id: str) -> int:
    """How many times a piece of work failed."""
    return lake.read(RUNS, where=(pl.col("cycle_id") == cycle_id) & ~DONE, columns=("run_id",)).height


def find_done_runs(lake: Lake, cycle_id: str | None = None) -> list[Run]:
    """The published runs of a piece of work, or of all of them, in the order they ran."""
    where = DONE if cycle_id is None else DONE & (pl.col("cycle_id") == cycle_id)
    rows = lake.read(RUNS, where=where).sort("started_at", "run_id")
    return [Run.from_row(row) for row in rows.iter_rows(named=True)]


def cycle_sessions(runs: pl.DataFrame) -> list[date]:
    """The sessions, rising, that a cycle was published for, from rows of `runs`."""
    return list(runs.filter(of_work(WorkKind.CYCLE), DONE)["session"].unique().sort())


def highest_versions(runs: pl.DataFrame) -> dict[str, int]:
    """Table -> the highest version that the runs published."""
    done = runs.filter(DONE & pl.col("output_version").is_not_null())
    return dict(done.group_by("output_table").agg(pl.col("output_version").max()).iter_rows())


def summarize_work(runs: pl.DataFrame) -> pl.DataFrame:
    """How each piece of work ended, the one that started last first.

    A stage that failed and was done by a later attempt of the same work does not count as failed.

    Args:
        runs: any rows of `runs`, with run_id, work, cycle_id, stage, session, status, error, written, seconds and
            started_at.

    Returns:
        cycle_id, work, session, stages, failed (stages that did so for good), written (rows), milliseconds,
        started_at, error (of the first stage that failed; empty if none did) and status (done or failed).
    """
    final = runs.sort("started_at", "run_id").unique(subset=["cycle_id", "stage"], keep="last", maintain_order=True)
    return (
        final.group_by("cycle_id", maintain_order=True)
        .agg(
            pl.col("work").first(),
            pl.col("session").max(),
            pl.len().cast(pl.Int64).alias("stages"),
            (~DONE).sum().cast(pl.Int64).alias("failed"),
            pl.col("written").sum(),
            (pl.col("seconds") * 1_000).round().cast(pl.Int64).sum().alias("milliseconds"),
            pl.col("started_at").min(),
            pl.col("error").filter(~DONE).first().fill_null(""),
        )
        .with_columns(status=pl.when(pl.col("failed") > 0).then(pl.lit("failed")).otherwise(pl.lit("done")))
        .sort("started_at", "cycle_id", descending=True)
    )


# ---- inner workings


def _read_last(lake: Lake, where: pl.Expr, columns: tuple[str, ...]) -> pl.DataFrame:
    """Columns of such runs of the last session that has one; all runs are more every year."""
    span = lake.clock_span(RUNS, until=date.max, where=where)
    return lake.read(RUNS, since=span[1] if span else date.max, where=where, columns=columns)


def _last_session(lake: Lake, where: pl.Expr) -> date | None:
    last = lake.read(RUNS, where=where, columns=("session",))["session"].max()
    return last if isinstance(last, date) else None
