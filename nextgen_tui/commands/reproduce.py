"""`nextgen reproduce`: the same rows again, or the first that differs."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.arguments import count_from
from nextgen_tui.cli.completion import complete_cycle, complete_run
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from pipeline.engine.reproduction import Reproduction


@click.command("reproduce", cls=ReadingCommand)
@click.argument("runs", metavar="RUN...", nargs=-1, shell_complete=complete_run)
@click.option("--all", "everything", is_flag=True, help="Recompute every completed run.")
@click.option(
    "--cycle",
    "cycle",
    metavar="ID",
    shell_complete=complete_cycle,
    help="Recompute the runs of a cycle, such as cycle-20260105.",
)
@click.option("--sample", type=count_from(1), metavar="N", help="Recompute N runs chosen at random.")
@click.option("--workers", type=click.IntRange(1, 64), help="Number of processes (default: by [execution], or one).")
@pass_invocation
def command(
    invocation: Invocation,
    runs: tuple[str, ...],
    everything: bool,
    cycle: str | None,
    sample: int | None,
    workers: int | None,
) -> int:
    """Recompute runs and compare every bit.

    Each run is recomputed in a fresh process, from the table versions, parameters and seed that it recorded. Exit code
    1 if any is not identical.
    """
    if sum((bool(runs), everything, cycle is not None, sample is not None)) != 1:
        raise click.UsageError("name the runs to reproduce, or give --all, --cycle or --sample")
    from pipeline.engine.reproduction import reproduce_apart

    chosen = _chosen(invocation, runs, cycle, sample)
    verdicts: list[Reproduction] = []
    with invocation.output.progress("reproducing") as progress:
        progress("starting", 0, len(chosen))
        for verdict in reproduce_apart(invocation.lake_path, invocation.settings, chosen, workers):
            verdicts.append(verdict)
            progress(verdict.run_id, len(verdicts), len(chosen))
    _show(invocation, verdicts)
    same = all(verdict.identical for verdict in verdicts)
    return exit_codes.DONE if same else exit_codes.DEGRADED


def _chosen(invocation: Invocation, names: tuple[str, ...], cycle: str | None, sample: int | None) -> list[str]:
    """The ids of the runs asked for, in the order they ran."""
    import random

    from lake.runs import find_done_runs, find_run

    if names:
        return [find_run(invocation.lake, name).run_id for name in names]
    ids = [run.run_id for run in find_done_runs(invocation.lake, cycle)]
    if not ids:
        raise click.UsageError(f"no completed run belongs to {cycle!r}; `nextgen runs` lists them")
    return ids if sample is None else random.sample(ids, min(sample, len(ids)))


def _show(invocation: Invocation, verdicts: list[Reproduction]) -> None:
    from rich.text import Text

    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid()
    for heading in ("run", "verdict", "first difference", "changed since"):
        view.add_column(heading)
    for one in verdicts:
        verdict = Text("IDENTICAL", "green") if one.identical else Text("DIFFERS", "bold red")
        changed = ", ".join(one.changed_since)
        view.add_row(one.run_id, verdict, Text(safe_text(one.difference, 300)), Text(safe_text(changed, 120), "dim"))
    invocation.output.show(view)
    different = sum(not one.identical for one in verdicts)
    invocation.output.say(f"{counted(len(verdicts), 'run')} recomputed, {different} not identical")
    invocation.output.record([asdict(one) for one in verdicts])
