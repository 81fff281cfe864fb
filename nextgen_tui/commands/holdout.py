"""`nextgen holdout`: the sessions that were put aside, and every look at them."""

from __future__ import annotations

import click

from nextgen_tui.cli.arguments import REASON
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation


@click.group("holdout", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Show or open the sessions that nobody may look at."""
    if context.invoked_subcommand is None:
        context.invoke(show_command)


@command.command("show", cls=ReadingCommand)
@pass_invocation
def show_command(invocation: Invocation) -> None:
    """Show what is put aside, and every time that it was opened."""
    from lake.contract import RUN_ID
    from lake.tables.research import HOLDOUT_OPENINGS
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.table_view import frame_grid
    from pipeline.reading.tried import count_trials
    from pipeline.research.holdout import holdout_of

    holdout, trials = holdout_of(invocation.settings), count_trials(invocation.lake)
    opened = invocation.lake.read(HOLDOUT_OPENINGS).drop(RUN_ID)
    aside = f"Sessions from {holdout} on are put aside" if holdout else "Nothing is put aside (research.holdout)"
    looks = f"it was opened {opened.height} times, and {trials} variants were tried in this lake"
    invocation.output.show(f"{aside}; {looks}.")
    if opened.height:
        invocation.output.show(frame_grid(opened, HOLDOUT_OPENINGS))
    invocation.output.record({"holdout": holdout, "trials": trials, "openings": to_records(opened)})


@command.command("open", cls=ReadingCommand)
@click.option("--reason", type=REASON, required=True, help="Why; it is recorded.")
@pass_invocation
def open_command(invocation: Invocation, reason: str) -> None:
    """Open what is put aside to comparisons. It is counted; experiments and trainings still may not use it."""
    from pipeline.research.holdout import open_holdout

    times = open_holdout(invocation.lake, invocation.settings, reason)
    invocation.output.show(f"The holdout is open to comparisons; it was opened {times} times so far.")
    invocation.output.record({"openings": times})
