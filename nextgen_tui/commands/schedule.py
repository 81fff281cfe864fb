"""`nextgen schedule`: what will run when, and whether the schedule can be used."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.invocation import (
    Invocation,
    ReadingCommand,
    common_options,
    json_option,
    pass_invocation,
)

if TYPE_CHECKING:
    from pipeline.control.schedule.task import Schedule


@click.group("schedule", params=[*common_options(), json_option()])
def command() -> None:
    """Show what will run when, or check the schedule."""


FILE = click.option("--file", type=click.Path(dir_okay=False, path_type=Path), help="Use another schedules.toml.")


@command.command("preview", cls=ReadingCommand)
@click.option("--days", type=click.IntRange(1, 366), default=10, show_default=True, help="Days to look ahead.")
@FILE
@pass_invocation
def preview_command(invocation: Invocation, days: int, file: Path | None) -> None:
    """List what will run in the coming days."""
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid
    from pipeline.control.schedule.preview import preview
    from pipeline.control.schedule.schedule_file import load_lake_schedule
    from pipeline.reading.market_time import calendars_from, read_changes

    now = datetime.now(UTC)
    calendars = calendars_from(now.date(), read_changes(invocation.lake_path))
    schedule = load_lake_schedule(invocation.lake_path, now, calendars, file)
    planned = preview(schedule, now, days)
    view = grid(f"Due in {days} days")
    for heading in ("UTC", "local time", "task", "slot", "session", "after"):
        view.add_column(heading)
    for one in planned:
        local = one.due_at.astimezone(ZoneInfo(one.zone))
        view.add_row(
            f"{one.due_at:%a %Y-%m-%d %H:%M}",
            f"{local:%a %H:%M %Z}",
            safe_text(one.task),
            one.slot,
            str(one.session or ""),
            safe_text(", ".join(one.after)),
        )
    invocation.output.show(view)
    _show_switched(invocation, schedule)
    invocation.output.record([asdict(one) for one in planned])


@command.command("check", cls=ReadingCommand)
@FILE
@pass_invocation
def check_command(invocation: Invocation, file: Path | None) -> None:
    """Report every line of the schedule that is wrong.

    The schedule is read as the daemon would read it.
    """
    from datetime import UTC, datetime

    from pipeline.control.schedule.schedule_file import load_lake_schedule
    from pipeline.reading.market_time import calendars_from, read_changes

    now = datetime.now(UTC)
    calendars = calendars_from(now.date(), read_changes(invocation.lake_path))
    schedule = load_lake_schedule(invocation.lake_path, now, calendars, file)
    invocation.output.show(f"{schedule.origin} is valid: {', '.join(task.name for task in schedule.tasks)}.")
    _show_switched(invocation, schedule)
    invocation.output.record(
        {"file": schedule.origin, "tasks": [task.name for task in schedule.tasks], "switched": _switched(schedule)}
    )


def _show_switched(invocation: Invocation, schedule: Schedule) -> None:
    """Tell which tasks are off, and which of them and of the others a setting turned so."""
    from nextgen_tui.text.safe_text import safe_text

    for one in _switched(schedule):
        state = "on" if one["enabled"] else "off"
        invocation.output.show(f"{safe_text(str(one['task']))} is {state}: {safe_text(str(one['reason']))}")


def _switched(schedule: Schedule) -> list[dict[str, object]]:
    return [
        {"task": task.name, "enabled": task.enabled, "reason": task.need or "enabled = false"}
        for task in schedule.tasks
        if task.need or not task.enabled
    ]
