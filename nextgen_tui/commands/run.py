"""`nextgen run`: one stage by itself."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY, find_stage
from nextgen_tui.cli.completion import complete_stage
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("run", cls=ReadingCommand)
@click.argument("stage", shell_complete=complete_stage)
@click.option("--session", type=DAY, help="The session (default: the last one).")
@pass_invocation
def command(invocation: Invocation, stage: str, session: date | None) -> None:
    """Run a single stage.

    Its result is published at once, outside any cycle. `nextgen stages` lists the stages.
    """
    from nextgen_tui.cli.error_messages import suggest_request
    from nextgen_tui.cli.runs_view import show_runs
    from nextgen_tui.cli.session_choice import refuse_open, require_last_session

    chosen = find_stage(stage)
    session = session or require_last_session(invocation.lake)
    refuse_open(session, invocation.runner.calendar)
    asked = f"run {chosen.name} --session {session}"
    with suggest_request(invocation, asked), invocation.output.progress(f"{chosen.name} of {session}") as progress:
        progress(chosen.doc, 0, 1)
        run = invocation.runner.run_stage(chosen, session)
        progress(chosen.doc, 1, 1)
    show_runs(invocation.output, [run])
