"""`nextgen run`: one stage by itself."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY, find_stage
from nextgen_tui.cli.completion import complete_stage
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option, show_rehearsal


@click.command("run", cls=ReadingCommand)
@click.argument("stage", shell_complete=complete_stage)
@click.option("--session", type=DAY, help="The session (default: the last one).")
@click.option("--from", "since", type=DAY, help="Compute every session from this one on.")
@dry_run_option()
@pass_invocation
def command(invocation: Invocation, stage: str, session: date | None, since: date | None, dry_run: bool) -> None:
    """Run a single stage.

    Its result is published at once, outside any cycle. `nextgen stages` lists the stages. Features, the universe and
    what else derives history can be computed for a range: each session from what was known then. Rows that are there
    have to come out the same. Example: nextgen run features --from 2020-01-02 --session 2020-12-31
    """
    from nextgen_tui.cli.error_messages import suggest_request
    from nextgen_tui.cli.runs_view import show_runs
    from nextgen_tui.cli.session_choice import refuse_open, refuse_unknown, require_last_session
    from pipeline.engine import work

    chosen = find_stage(stage)
    last, calendar = require_last_session(invocation.lake), invocation.runner.calendar
    session = session or last
    refuse_open(session, calendar)
    if session != calendar.next(last):  # of the next one, stages may run before its cycle does
        refuse_unknown(invocation.lake, session, calendar)
    if since is not None and not chosen.catches_up:
        raise click.UsageError(f"{chosen.name} runs for one session; leave out --from")
    if since is not None and since > session:
        raise click.UsageError(f"--from {since} is after the session, {session}")
    if dry_run:
        show_rehearsal(invocation, work.single_stage(chosen, session))
        return
    asked = f"run {chosen.name} --session {session}"
    with suggest_request(invocation, asked), invocation.output.progress(f"{chosen.name} of {session}") as progress:
        progress(chosen.doc, 0, 1)
        first = invocation.runner.calendar.at_or_after(since) if since else None
        run = invocation.runner.run_stage(chosen, session, first)
        progress(chosen.doc, 1, 1)
    show_runs(invocation.output, [run])
