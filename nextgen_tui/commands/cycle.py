"""`nextgen cycle`: one session, all stages."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option, show_cycles


@click.command("cycle", cls=ReadingCommand)
@click.option("--session", type=DAY, help="The session (default: the one after the last).")
@click.option("--to", "last", type=DAY, help="Run every session up to this one, then show what came of them.")
@dry_run_option()
@pass_invocation
def command(invocation: Invocation, session: date | None, last: date | None, dry_run: bool) -> None:
    """Run every stage for one session.

    It settles what was planned, scores forecasts that fell due, makes new ones, and plans trades for the next open. A
    session that is already done is skipped. With --to, the sessions up to that day follow, as in a replay.
    """
    from nextgen_tui.cli.error_messages import suggest_request
    from nextgen_tui.cli.runs_view import show_cycle
    from nextgen_tui.cli.session_choice import next_session, refuse_open, within_calendar
    from nextgen_tui.report.span_output import replay_and_show

    calendar = invocation.runner.calendar
    if session is None:
        session = next_session(invocation.lake, calendar)
    refuse_open(session, calendar)
    if last is not None:
        if last < session:
            raise click.UsageError(f"sessions from {session} on cannot end earlier, at {last}")
        with within_calendar():
            last = calendar.at_or_before(last)
        refuse_open(last, calendar)
    if dry_run:
        show_cycles(invocation, session, last or session)
        return
    if last is not None:
        replay_and_show(invocation, session, last)
        return
    asked = f"cycle --session {session}"
    with suggest_request(invocation, asked), invocation.output.progress(f"cycle {session}") as progress:
        cycle = invocation.runner.cycle(session, progress)
    show_cycle(invocation.output, cycle)
