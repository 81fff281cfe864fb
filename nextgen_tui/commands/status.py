"""`nextgen status`: one verdict, and what it rests on."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

ORDER = {"fail": 0, "warn": 1, "ok": 2}

if TYPE_CHECKING:
    from nextgen_tui.health import Health
    from pipeline.control.monitoring.health import Condition


@click.command("status", cls=ReadingCommand)
@click.option("--all", "everything", is_flag=True, help="Show the checks that passed as well.")
@pass_invocation
def command(invocation: Invocation, everything: bool) -> int:
    """Say whether all is well, and what ran last.

    Exit code 0 if all is well or merely remarked on, 1 if a check, the last cycle, or something the daemon is to see to
    failed, or nothing has run yet. With --json, `answers` holds the console's answers to the ten daily questions.
    """
    from lake.tables.control import RUNS, SYSTEM_HEALTH
    from nextgen_tui.health import health
    from pipeline.control.daemon.simulated_pace import make_operation_clock
    from pipeline.control.monitoring.health import condition
    from pipeline.control.schedule.active_schedule import read_active_schedule
    from pipeline.market.calendar_cache import ChildCalendars

    lake = invocation.lake
    now = make_operation_clock(lake).now()
    calendars = ChildCalendars(now.date())
    services = condition(lake, read_active_schedule(lake.path, now, calendars), now, calendars)
    columns = ("run_id", "work", "cycle_id", "stage", "session", "status", "error", "written", "seconds", "started_at")
    report = health(lake.read(SYSTEM_HEALTH), lake.read(RUNS, columns=columns))
    verdict = _over_all(report, services)
    healthy = verdict.status != "fail" and verdict.session is not None
    _show(invocation, verdict, everything)
    _show_services(invocation, services, everything)
    if invocation.as_json:
        record = {"lake": str(invocation.lake_path), "healthy": healthy, **asdict(verdict)}
        invocation.output.record({**record, "operation": asdict(services), "answers": _answers(invocation)})
    return exit_codes.DONE if healthy else exit_codes.DEGRADED


def _over_all(report: Health, services: Condition) -> Health:
    """The report's verdict, or the operation's where that is worse."""
    if ORDER[services.status] >= ORDER[report.status]:
        return report
    return replace(report, status=services.status, sentence=services.reason)


def _answers(invocation: Invocation) -> list[dict[str, Any]]:
    """The ten daily questions as the console answers them."""
    from nextgen_tui.console.lake_view import LakeView, read_runs
    from nextgen_tui.daily_questions import answers

    return [asdict(one) for one in answers(LakeView(invocation.lake, read_runs(invocation.lake)))]


def _show_services(invocation: Invocation, services: Condition, everything: bool) -> None:
    from rich.text import Text

    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import cell, grid

    shown = [one for one in services.services if everything or one.status != "ok"]
    if not shown:
        return
    view = grid("Services")
    for heading in ("", "service", "what was found"):
        view.add_column(heading)
    for one in shown:
        view.add_row(cell(one.status), one.service, Text(safe_text(one.reason, 300)))
    invocation.output.show(view)


def _show(invocation: Invocation, verdict: Health, everything: bool) -> None:
    from rich.text import Text

    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import cell, grid

    output = invocation.output
    output.show(Text.assemble(cell(verdict.status), "  ", safe_text(verdict.sentence, 500)))
    output.show(f"Lake: {safe_text(invocation.lake_path)}")
    shown = [check for check in verdict.checks if everything or check.status != "ok"]
    if shown:
        view = grid()
        for heading in ("", "service", "check", "what was found"):
            view.add_column(heading)
        for check in shown:
            view.add_row(cell(check.status), check.service, check.check, Text(safe_text(check.message, 300)))
        output.show(view)
    if hidden := len(verdict.checks) - len(shown):
        output.show(f"{formats.counted(hidden, 'check')} passed.")
    if verdict.cycles:
        view = grid("Last cycles")
        for heading in ("session", "cycle", "runs", "failed", "rows written", "time", "started"):
            numeric = heading in ("runs", "failed", "rows written", "time")
            view.add_column(heading, justify="right" if numeric else "left")
        for cycle in verdict.cycles[:5]:
            view.add_row(
                formats.day(cycle.session),
                safe_text(cycle.cycle_id, 40),
                formats.whole(cycle.runs),
                formats.whole(cycle.failed),
                formats.whole(cycle.rows_written),
                formats.duration(cycle.seconds),
                formats.instant(cycle.started_at),
            )
        output.show(view)
