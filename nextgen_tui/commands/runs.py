"""`nextgen runs`: what ran, how it ended, and the recipe of a single run."""

from __future__ import annotations

import json
from datetime import datetime

import click

from nextgen_tui.cli.arguments import DAY, count_from, find_stage
from nextgen_tui.cli.completion import complete_run, complete_stage
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

_SHOWN = ("run_id", "work", "stage", "session", "status", "rows", "written", "seconds", "started_at")
_AS_JSON = ("inputs", "params", "libraries", "plugins", "files")


@click.command("runs", cls=ReadingCommand)
@click.argument("run", required=False, shell_complete=complete_run)
@click.option("--session", type=DAY, help="Show only runs of this session.")
@click.option("--stage", shell_complete=complete_stage, help="Show only runs of this stage.")
@click.option("--failed", is_flag=True, help="Show only failed runs.")
@click.option(
    "--limit",
    metavar="N",
    type=count_from(1),
    default=20,
    show_default=True,
    help="Show at most N runs (the last ones).",
)
@pass_invocation
def command(
    invocation: Invocation,
    run: str | None,
    session: datetime | None,
    stage: str | None,
    failed: bool,
    limit: int,
) -> None:
    """List past runs, or show the recipe of one.

    With RUN, a run's id or the beginning of one, show its whole recipe: inputs, parameters, seed, code and libraries.
    """
    import polars as pl

    from lake.tables.control import RUNS
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.table_view import frame_grid

    if run is not None:
        _recipe(invocation, run)
        return
    conditions = [
        *([pl.col("session") == session] if session else []),
        *([pl.col("stage") == stage] if stage else []),
        *([pl.col("status") != "done"] if failed else []),
    ]
    where = pl.all_horizontal(conditions) if conditions else None
    rows = invocation.lake.read(RUNS, where=where).sort("started_at", "run_id")
    if stage and rows.is_empty():
        find_stage(stage)  # what has run under a name that the program no longer has is listed all the same
    shown = rows.tail(limit)
    output = invocation.output
    output.record(to_records(shown.drop(*_AS_JSON)))
    output.show(frame_grid(shown.select(_SHOWN), RUNS) if shown.height else "No such run.")
    if shown.height < rows.height:
        output.say(f"the last {shown.height} of {rows.height:,} runs; --limit shows more")
    for run_id, error in shown.filter(pl.col("error") != "").select("run_id", "error").iter_rows():
        output.say(f"{run_id}: {error}")


def _recipe(invocation: Invocation, run: str) -> None:
    from lake.runs import find_run
    from nextgen_tui.text.table_view import cell, grid
    from pipeline.reading.foresight.rehearsal import expect

    found = find_run(invocation.lake, run)
    row, expected = found.row(), expect(invocation.lake, found)
    parsed = {name: json.loads(value) if name in _AS_JSON else value for name, value in row.items()}
    view = grid()
    view.add_column("")
    view.add_column("", overflow="fold")
    for name, value in parsed.items():
        if isinstance(value, dict):
            for inner, content in sorted(value.items()):
                view.add_row(f"{name}.{inner}", str(content))
        else:
            view.add_row(name, cell(value))
    if expected is not None:
        told = {"expected.written": round(expected[0], 1), "expected.seconds": round(expected[1], 3)}
        for name, figure in told.items():
            view.add_row(name, str(figure))
        parsed["expected"] = {name.partition(".")[2]: figure for name, figure in told.items()}
    invocation.output.show(view)
    invocation.output.record(parsed)
