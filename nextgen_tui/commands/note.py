"""`nextgen note`: what you think of a ticker, a trade or a run, and what came of what you foretold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.completion import complete_ticker
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, common_options, json_option, pass_invocation

if TYPE_CHECKING:
    import polars as pl
    from rich.table import Table


@click.group("note", params=[*common_options(), json_option()], invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Write down what you think of a ticker, trade or run, and see what came of it."""
    if context.invoked_subcommand is None:
        context.invoke(list_command, ticker=None, limit=20)


@command.command("add", cls=ReadingCommand)
@click.argument("target", shell_complete=complete_ticker)
@click.argument("text")
@click.option("--up", type=click.IntRange(1, 2_520), metavar="N", help="It will stand higher after N sessions.")
@click.option("--down", type=click.IntRange(1, 2_520), metavar="N", help="It will stand lower after N sessions.")
@click.option("--origin", type=click.Choice(["cli", "console"]), default="cli", hidden=True)
@pass_invocation
def add_command(invocation: Invocation, target: str, text: str, up: int | None, down: int | None, origin: str) -> None:
    """Write a note on TARGET: a ticker, the id of a trade or plan, or that of a run.

    With --up or --down it foretells where the total return will lie, from the last session's close on. That is judged
    when it is due, beside how many names went the same way. Example:
    nextgen note add ACME "the recall is priced in" --up 5
    """
    from nextgen_tui.cli.decision_output import record_decision
    from nextgen_tui.text.safe_text import safe_text
    from pipeline.control.operator.notes import Expectation, add_note

    if up is not None and down is not None:
        raise click.UsageError("--up and --down contradict each other; give one of them")
    expected = Expectation(direction="up", horizon=up) if up is not None else None
    expected = Expectation(direction="down", horizon=down) if down is not None else expected
    made = "console" if origin == "console" else "cli"

    row = record_decision(lambda: add_note(invocation.runner, target, text, made, expected=expected))  # type: ignore[arg-type]
    foretells = f"; {row['direction']} within {row['horizon']} sessions is judged then" if row["direction"] else ""
    invocation.output.show(safe_text(f"Noted on {row['target']} as of {row['session']}{foretells}.", 300))
    invocation.output.record(row)


@command.command("list", cls=ReadingCommand)
@click.option("--ticker", shell_complete=complete_ticker, help="Only notes about this ticker.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="The last so many.")
@pass_invocation
def list_command(invocation: Invocation, ticker: str | None, limit: int) -> None:
    """List notes, the newest first, with what came of what they foretold."""
    from nextgen_tui.cli.output import to_records
    from pipeline.reading.notes.scored_notes import score_notes, sum_up

    scored = score_notes(invocation.lake)
    if ticker is not None:
        scored = scored.filter(ticker=ticker)
    shown = scored.head(limit)
    if shown.is_empty():
        invocation.output.show('No note yet; `nextgen note add TICKER "..."` writes one.')
    else:
        invocation.output.show(_grid(shown))
        invocation.output.say(sum_up(scored).sentence)
    invocation.output.record(to_records(shown))


def _grid(scored: pl.DataFrame) -> Table:
    from rich.text import Text

    from nextgen_tui.text import formats
    from nextgen_tui.text.safe_text import safe_text
    from nextgen_tui.text.table_view import grid

    view = grid("Notes")
    for heading in ("session", "about", "note", "foretells", "due", "came", "base", "verdict"):
        view.add_column(heading, justify="right" if heading in ("came", "base") else "left")
    for row in scored.iter_rows(named=True):
        foretells = f"{row['direction']} {row['horizon']}" if row["direction"] else formats.MISSING
        view.add_row(
            formats.day(row["session"]),
            safe_text(row["target"], 60),
            Text(safe_text(row["text"], 400)),
            foretells,
            formats.day(row["due"]),
            formats.percent(row["realised"], 1, signed=True),
            formats.percent(row["base"], 0),
            row["state"],
        )
    return view
