"""What every command that runs sessions ends with, and what the report begins with: the summary of a span."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from nextgen_tui.cli.invocation import Invocation

if TYPE_CHECKING:
    from pipeline.engine.runner import Cycle


def show_span(invocation: Invocation, first: date, last: date) -> dict[str, Any]:
    """Show what came of the sessions from one day to another, and return the same for a script."""
    from nextgen_tui.report.summary_view import show_summary
    from pipeline.reading.report.span_summary import summarize_span

    summary = summarize_span(invocation.lake, invocation.settings, invocation.runner.calendar, first, last)
    invocation.output.show(show_summary(summary, invocation.shown_lake))
    return summary.as_dict()


def replay_sessions(
    invocation: Invocation, first: date, last: date, snapshots: Sequence[datetime] = ()
) -> tuple[int, int]:
    """Run the cycles of the sessions; the number done, and the number that were done before."""
    done: list[Cycle] = []
    with invocation.output.progress("replay") as progress:
        done.extend(invocation.runner.replay(first, last, progress, snapshots))
    before = sum(cycle.already_done for cycle in done)
    return len(done) - before, before


def replay_and_show(invocation: Invocation, first: date, last: date, snapshots: Sequence[datetime] = ()) -> None:
    """Run the cycles of the sessions, then show what came of them: `replay`, and `cycle --to`."""
    from time import perf_counter

    from nextgen_tui.text.formats import counted, duration

    started = perf_counter()
    done, before = replay_sessions(invocation, first, last, snapshots)
    seconds = perf_counter() - started
    left = f", {before} already done" if before else ""
    taken = f" with {counted(len(snapshots), 'snapshot')}" if snapshots else ""
    invocation.output.show(
        f"Replayed {counted(done, 'session')}{taken} from {first} to {last} in {duration(seconds)}{left}."
    )
    summary = show_span(invocation, first, last)
    invocation.output.record(
        {"first": first, "last": last, "done": done, "already_done": before, "seconds": seconds, "summary": summary}
    )
