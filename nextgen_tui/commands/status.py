"""`nextgen status`: the verdict on health, and what it rests on."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from pipeline.reading.health_verdict import Health


@click.command("status", cls=ReadingCommand)
@click.option("--all", "everything", is_flag=True, help="Show the checks that passed as well.")
@pass_invocation
def command(invocation: Invocation, everything: bool) -> int:
    """Show whether the operation is healthy, and what ran last.

    The verdict takes the last health report, the last cycle, the daemon, schedule, configuration, tables and disk
    together. Exit code 0 if it is healthy or has warnings only, 1 if something failed or no session has run yet. With
    --json, `answers` holds the console's answers to the ten daily questions, and `training` how far one is.
    """
    from pipeline.reading.health_verdict import judge_health

    health = judge_health(invocation.lake)
    _show(invocation, health, everything)
    if invocation.as_json:
        record = {"lake": str(invocation.lake_path), "healthy": health.healthy, **_record(health)}
        invocation.output.record({**record, "answers": _answers(invocation), "training": _training(invocation)})
    return exit_codes.DONE if health.healthy else exit_codes.DEGRADED


def _record(health: Health) -> dict[str, Any]:
    return {**asdict(health), "checks": [check._asdict() for check in health.checks]}


def _answers(invocation: Invocation) -> list[dict[str, Any]]:
    """The ten daily questions as the console answers them."""
    from nextgen_tui.console.daily_questions import answer_daily_questions
    from nextgen_tui.console.lake_view import LakeView, read_runs

    return [asdict(one) for one in answer_daily_questions(LakeView(invocation.lake, read_runs(invocation.lake)))]


def _show(invocation: Invocation, health: Health, everything: bool) -> None:
    from rich.text import Text

    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import cell

    output = invocation.output
    output.show(Text.assemble(cell(health.status), "  ", safe_text(health.sentence, 500)))
    size = next(part.facts["lake_bytes"] for part in health.parts if part.service == "disk")
    output.show(f"Lake: {safe_text(invocation.lake_name)} ({size / 1e6:,.0f} MB)")
    _show_problems(invocation, health)
    if everything:
        _show_passed(invocation, health)
    elif passed := sum(one.status == "ok" for one in health.checks):
        output.show(f"{formats.counted(passed, 'check')} passed.")
    _show_cycles(invocation, health)
    if (training := _training(invocation)) is not None:
        output.show(safe_text(training, 300))


def _training(invocation: Invocation) -> str | None:
    """How far a training is that runs, or was cut off and will go on; None where there is none."""
    from pipeline.reading.learning.trainings import read_trainings

    newest = read_trainings(invocation.lake, 1)
    return newest[0].sentence if newest and newest[0].unfinished else None


def _show_problems(invocation: Invocation, health: Health) -> None:
    """Each problem with the figure behind it, since when it is so, and what to do about it."""
    from rich.table import Table as Grid
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import cell

    view = Grid.grid(padding=(0, 2))
    for one in health.problems:
        why = f" ({one.why})" if one.why else ""
        view.add_row(cell(one.status), Text(safe_text(f"{one.what}{why}", 600)))
        since = f"since {_moment(one.since)}" if one.since else ""
        if about := ": ".join(filter(None, (since, one.fix))):
            view.add_row("", Text(safe_text(about, 300), "dim"))
    if health.problems:
        invocation.output.show(view)


def _moment(since: datetime | date) -> str:
    from nextgen_tui.text import formats

    return formats.instant(since) if isinstance(since, datetime) else formats.day(since)


def _show_passed(invocation: Invocation, health: Health) -> None:
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import cell, grid

    view = grid("Passed")
    for heading in ("", "about", "what was found"):
        view.add_column(heading)
    found = [(one.service, one.status, one.reason) for one in health.parts]
    found += [(f"{one.service}, {one.check}", one.status, one.message) for one in health.checks]
    for about, status, words in found:
        if status == "ok":
            view.add_row(cell(status), about, Text(safe_text(words, 300)))
    invocation.output.show(view)


def _show_cycles(invocation: Invocation, health: Health) -> None:
    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    if not health.cycles:
        return
    view = grid("Last cycles")
    for heading in ("session", "cycle", "runs", "failed", "rows written", "time", "started"):
        numeric = heading in ("runs", "failed", "rows written", "time")
        view.add_column(heading, justify="right" if numeric else "left")
    for cycle in health.cycles:
        view.add_row(
            formats.day(cycle.session),
            safe_text(cycle.cycle_id, 40),
            formats.whole(cycle.runs),
            formats.whole(cycle.failed),
            formats.whole(cycle.rows_written),
            formats.duration(cycle.seconds),
            formats.instant(cycle.started_at),
        )
    invocation.output.show(view)
