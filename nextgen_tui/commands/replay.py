"""`nextgen replay`: history, session by session, through the same code as live."""

from __future__ import annotations

from datetime import date

import click

from nextgen_tui.cli.arguments import DAY, count_from
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option, show_cycles


@click.command("replay", cls=ReadingCommand)
@click.option("--from", "first", type=DAY, help="First session (default: the one after the last).")
@click.option("--to", "last", type=DAY, help="Last session.")
@click.option("--sessions", type=count_from(1), help="Number of sessions, instead of --to.")
@click.option("--snapshots", "every", metavar="LENGTH", help="Also take snapshots this often within sessions, as 15m.")
@dry_run_option()
@pass_invocation
def command(
    invocation: Invocation,
    first: date | None,
    last: date | None,
    sessions: int | None,
    every: str | None,
    dry_run: bool,
) -> None:
    """Run the cycles of past sessions, one after the other.

    Each session sees only what was public then. Sessions already done are skipped, so that an interrupted replay
    continues where it stopped. It ends with what became of the money, what the forecasts were worth, and what stood in
    the way of trades. With --snapshots, the bars within each session are taken before its cycle, as the daemon would
    have taken them.
    """
    from nextgen_tui.cli.session_choice import next_session, refuse_open, within_calendar
    from nextgen_tui.commands.snapshot import list_moments
    from nextgen_tui.report.span_output import replay_and_show

    if (last is None) == (sessions is None):
        raise click.UsageError("give an end: --to YYYY-MM-DD, or --sessions N")
    calendar = invocation.runner.calendar
    with within_calendar():
        first = calendar.at_or_after(first) if first else next_session(invocation.lake, calendar)
        last = calendar.offset(first, sessions - 1) if sessions else calendar.at_or_before(last or first)
    if last < first:
        raise click.UsageError(f"a replay from {first} cannot end earlier, at {last}")
    refuse_open(last, calendar)
    if dry_run:
        show_cycles(invocation, first, last)
        return
    replay_and_show(invocation, first, last, list_moments(calendar, first, last, every) if every else ())
