"""`nextgen snapshot`: the bars within sessions, as they stood at a moment."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import DAY, INSTANT
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation
from nextgen_tui.research.rehearsal_view import dry_run_option, show_rehearsal

if TYPE_CHECKING:
    from lake.runs import Run
    from pipeline.market.sessions import Sessions


@click.command("snapshot", cls=ReadingCommand)
@click.option(
    "--at", "as_of", type=INSTANT, help="The moment (default: now; of a simulated market, its session to come)."
)
@click.option("--from", "first", type=DAY, help="First session of several snapshots.")
@click.option("--to", "last", type=DAY, help="Last session of several snapshots (default: the first).")
@click.option(
    "--every", default="15m", show_default=True, help="Time between several snapshots while a session is open."
)
@dry_run_option()
@pass_invocation
def command(
    invocation: Invocation, as_of: datetime | None, first: date | None, last: date | None, every: str, dry_run: bool
) -> None:
    """Take the bars within sessions that had ended by a moment.

    They are those of the lengths in `source.<name>.intervals` below a day. Each snapshot asks for what is new since the
    one before, and for the last hour again; a bar that changed becomes a revision, one that has not ended is set aside.
    With --from, snapshots are taken through past sessions, and one at each close, as they would have been taken then.
    """
    from nextgen_tui.cli.error_messages import suggest_request
    from nextgen_tui.cli.runs_view import show_runs
    from nextgen_tui.text import formats
    from pipeline.control.workers.market_moment import find_market_moment
    from pipeline.engine import work

    if first is None and last is not None:
        raise click.UsageError("--to needs --from, the first session")
    if first is not None and as_of is not None:
        raise click.UsageError("give --at for one snapshot, or --from for several")
    runner, now = invocation.runner, datetime.now(UTC).replace(microsecond=0)
    moments = (
        [as_of or find_market_moment(runner, now)]
        if first is None
        else list_moments(runner.calendar, first, last or first, every)
    )
    if not moments or max(moments) > now:
        raise click.UsageError(
            f"{max(moments):%Y-%m-%d %H:%M} UTC has not come yet; end at a session that has closed"
            if moments
            else f"there is no session from {first} to {last or first}"
        )
    runner.calendar.last_opened(min(moments))  # of an early one it says so
    if dry_run:
        wanted = work.snapshot(runner.calendar.last_opened(max(moments)), max(moments))
        show_rehearsal(invocation, wanted, len(moments))
        return
    runs: list[Run] = []
    with suggest_request(invocation, "snapshot"), invocation.output.progress("snapshots") as progress:
        for number, moment in enumerate(moments):
            progress(f"snapshot at {moment:%Y-%m-%d %H:%M}", number, len(moments))
            runs += runner.snapshot(moment).runs
    if not runs:
        invocation.output.show("What was asked for was already done; nothing was changed.")
        invocation.output.record([])
        return
    show_runs(invocation.output, runs[-3:])
    bars = sum(run.written for run in runs if run.recipe.output_table == "intraday_prices")
    invocation.output.show(
        f"{formats.counted(len(moments), 'snapshot')}, the last at {moments[-1]:%Y-%m-%d %H:%M} UTC: "
        f"{formats.counted(bars, 'bar')} new or changed."
    )


def list_moments(calendar: Sessions, first: date, last: date, every: str) -> list[datetime]:
    """The moments of snapshots through some sessions: at an interval from each open, and at each close."""
    from nextgen_tui.cli.session_choice import within_calendar
    from pipeline.control.schedule.trigger import TriggerError, parse_trigger

    try:
        trigger = parse_trigger(f"every {every} while open", calendar, calendar.zone)
    except TriggerError as error:
        raise click.UsageError(str(error)) from None
    with within_calendar():
        sessions = calendar.between(calendar.at_or_after(first), last)
    if not sessions:
        return []
    opened, closed = calendar.open_at(sessions[0]), calendar.close_at(sessions[-1])
    due = {slot.due_at for slot in trigger.slots(opened, closed)}
    return sorted(due | {calendar.close_at(session) for session in sessions})
