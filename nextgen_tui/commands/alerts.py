"""`nextgen alerts`: what the operator was told by which channel, and a message to try them."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import click

from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table


@click.group("alerts", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List the alerts that were sent, or send a test by each channel."""
    if context.invoked_subcommand is None:
        context.invoke(list_command, limit=20)


@command.command("list", cls=ReadingCommand)
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The last so many.")
@pass_invocation
def list_command(invocation: Invocation, limit: int) -> None:
    """List what changed and what came of telling it, the newest first."""
    from pipeline.reading.alerting.told import list_told

    records = list_told(invocation.lake, limit)
    invocation.output.show(_grid(records) if records else "Nothing was told yet.")
    invocation.output.record(records)


@command.command("test", cls=ReadingCommand)
@pass_invocation
def test_command(invocation: Invocation) -> int:
    """Send a test message by each channel, and say what came of it.

    Channels are set under [alerts] in nextgen.toml; secrets come from ALERTS_WEBHOOK_URL, ALERTS_WEBHOOK_TOKEN and
    ALERTS_SMTP_PASSWORD, as variables or as credential files. Exit code 1 if a channel did not take it.
    """
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.alerts.configured import list_channels
    from pipeline.reading.alerting.told import send_test

    channels = list_channels(invocation.settings.alerts, os.environ)
    if not channels:
        raise click.UsageError(
            "no channel is configured; set alerts.webhook.url, alerts.email.host or alerts.command in nextgen.toml"
        )
    results = send_test(invocation.lake, channels, invocation.settings.alerts)
    for one in results:
        why = f": {one['error']}" if one["error"] else ""
        invocation.output.show(safe_text(f"{one['channel']}: {one['state']}{why}", 600))
    invocation.output.record(results)
    return exit_codes.DONE if all(one["state"] == "sent" for one in results) else exit_codes.DEGRADED


def _grid(records: Sequence[dict[str, Any]]) -> Table:
    from rich.text import Text

    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid("Alerts")
    for heading in ("noticed", "kind", "what changed", "told"):
        view.add_column(heading)
    for one in records:
        told = ", ".join(f"{name} {state}" for name, state in one["told"].items()) or "not yet"
        words = Text(safe_text(one["words"], 300))
        view.add_row(formats.instant(one["noticed_at"]), one["kind"], words, Text(safe_text(told, 200)))
    return view
