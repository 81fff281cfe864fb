"""`nextgen mandate`: what the book is for, against what it is measured, and how much risk it may take."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli.arguments import REASON
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.trading.mandates.mandate import Mandated


@click.group("mandate", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Show, set or look back on what you want of the book."""
    if context.invoked_subcommand is None:
        context.invoke(show_command)


@command.command("show", cls=ReadingCommand)
@pass_invocation
def show_command(invocation: Invocation) -> None:
    """Show the mandate that counts now, each field with what it means."""
    from pipeline.control.operator.mandates import standing_mandate

    _show(invocation, standing_mandate(invocation.lake, invocation.settings.trading.mandate))


@command.command("set", cls=ReadingCommand)
@click.argument("changes", nargs=-1, required=True, metavar="FIELD=VALUE...")
@click.option("--reason", type=REASON, required=True, help="Why; it is recorded.")
@pass_invocation
def set_command(invocation: Invocation, changes: tuple[str, ...], reason: str) -> None:
    """Set fields of the mandate, from the next plan on.

    Other fields stay as they are. Orders that are planned already stand. For example:

    \b
      nextgen mandate set active_risk=0.04 --reason "half the risk over the summer"
      nextgen mandate set exclusions=Energy,MO tilts=Health=0.02 --reason "policy of May"
    """
    from nextgen_tui.cli.decision_output import record_decision
    from pipeline.control.operator.mandates import parse_assignments, set_mandate

    def record() -> Mandated:
        return set_mandate(invocation.runner, parse_assignments(changes), reason, "cli")

    _show(invocation, record_decision(record))


@command.command("history", cls=ReadingCommand)
@pass_invocation
def history_command(invocation: Invocation) -> None:
    """List every mandate that was set, the newest first, with what it changed and why."""
    from pipeline.control.operator.mandates import list_mandates

    listed = list_mandates(invocation.lake)
    invocation.output.show(_history(listed) if listed else "No mandate was ever set; the one of nextgen.toml counts.")
    invocation.output.record(listed)


def _show(invocation: Invocation, mandated: Mandated) -> None:
    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid
    from pipeline.config.fields import settings_of
    from pipeline.reading.mandate_fields import write_value
    from pipeline.trading.mandates.mandate import Mandate

    since = "the one of nextgen.toml; none was ever set"
    if mandated.decided_at is not None:
        since = f"set at {formats.instant(mandated.decided_at)}: {mandated.reason}"
    view = grid("Mandate")
    for heading in ("field", "value", "meaning"):
        view.add_column(heading)
    for name, setting in settings_of(Mandate).items():
        view.add_row(name, safe_text(write_value(getattr(mandated.mandate, name)), 200), setting.doc)
    invocation.output.show(safe_text(f"{mandated.mandate.describe()} ({since})", 1_200))
    invocation.output.show(view)
    invocation.output.record(asdict(mandated))


def _history(listed: list[dict[str, Any]]) -> Table:
    from rich.text import Text

    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid
    from pipeline.reading.mandate_fields import write_value

    view = grid("Mandates")
    for heading in ("decided", "changed", "why", "by"):
        view.add_column(heading)
    for one in listed:
        changed = ", ".join(
            f"{name} {write_value(old)} -> {write_value(new)}" for name, (old, new) in one["changed"].items()
        )
        cells = (changed or "nothing", one["reason"], one["decided_by"])
        view.add_row(formats.instant(one["decided_at"]), *(Text(safe_text(cell, 300)) for cell in cells))
    return view
