"""`nextgen reproduce`: the same rows again, or the first that differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nextgen_tui import exit_codes
from nextgen_tui.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from lake.runs import Run
    from pipeline.reproduction import Verdict


@click.command("reproduce", cls=ReadingCommand)
@click.argument("runs", metavar="RUN...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every run that is done.")
@pass_invocation
def command(invocation: Invocation, runs: tuple[str, ...], everything: bool) -> int:
    """Compute runs again and compare every bit.

    Each run is computed from the table versions it pinned. Exit code 1 if any is not identical.
    """
    if bool(runs) == everything:
        raise click.UsageError("name the runs to reproduce, or give --all; `nextgen runs` lists them")
    from pipeline.reproduction import reproduce

    chosen = _chosen(invocation, runs)
    verdicts: list[Verdict] = []
    with invocation.output.progress("reproducing") as progress:
        for number, run in enumerate(chosen):
            progress(f"{run.recipe.stage} of {run.recipe.session}", number, len(chosen))
            verdicts.append(reproduce(invocation.runner, run))
        progress("compared", len(chosen), len(chosen))
    _show(invocation, verdicts)
    same = all(verdict.identical for verdict in verdicts)
    return exit_codes.DONE if same else exit_codes.DEGRADED


def _chosen(invocation: Invocation, names: tuple[str, ...]) -> list[Run]:
    import polars as pl

    from lake.runs import Run, find_run
    from lake.tables.control import RUNS

    if names:
        return [find_run(invocation.lake, name) for name in names]
    done = invocation.lake.read(RUNS, where=pl.col("status") == "done").sort("started_at", "run_id")
    return [Run.from_row(row) for row in done.drop("run_id").iter_rows(named=True)]


def _show(invocation: Invocation, verdicts: list[Verdict]) -> None:
    from rich.text import Text

    from nextgen_tui.formats import counted
    from nextgen_tui.safe_text import safe_text
    from nextgen_tui.table_view import grid

    view = grid()
    for heading in ("run", "verdict", "first difference", "changed since"):
        view.add_column(heading)
    for one in verdicts:
        verdict = Text("IDENTICAL", "green") if one.identical else Text("DIFFERS", "bold red")
        changed = ", ".join(one.changed_since)
        view.add_row(one.run_id, verdict, Text(safe_text(one.difference, 300)), Text(safe_text(changed, 120), "dim"))
    invocation.output.show(view)
    different = sum(not one.identical for one in verdicts)
    invocation.output.say(f"{counted(len(verdicts), 'run')} computed again, {different} not identical")
    invocation.output.record([asdict(one) for one in verdicts])
