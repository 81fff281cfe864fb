"""`nextgen sql`: a question in SQL over the tables, as published or as of a past moment."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.arguments import INSTANT
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from lake.contract import Column


@click.command("sql", cls=ReadingCommand)
@click.argument("question", required=False)
@click.option("--as-of", type=INSTANT, help="Ask of what was public then: a date, or a time with its zone.")
@click.option("--limit", type=click.IntRange(1, 1_000_000), default=100, show_default=True, help="Show at most N rows.")
@click.option(
    "--seconds", type=click.FloatRange(1, 3_600), default=30, show_default=True, help="Give up after so long."
)
@click.option("--history", is_flag=True, help="List what was asked before, the last question last.")
@pass_invocation
def command(
    invocation: Invocation, question: str | None, as_of: datetime | None, limit: int, seconds: float, history: bool
) -> None:
    """Answer a question in SQL over any table.

    One SELECT or WITH in the dialect of polars; - reads it from standard input. It reads what is published, each fact
    in its last revision, and no file. Example:
    nextgen sql "SELECT ticker, avg(point) AS mean FROM predictions GROUP BY ticker ORDER BY mean DESC"
    """
    from lake.sql.answer import find_columns
    from lake.sql.statement import SqlError
    from nextgen_tui.remembered.typed_history import SQL, own_history
    from pipeline.reading.sql.child import SqlQuestion, ask

    asked_before = own_history(invocation.environ)
    if history:
        _list([text.removeprefix(SQL) for text in asked_before.texts() if text.startswith(SQL)], invocation)
        return
    text = sys.stdin.read() if question == "-" else question or ""
    _ = invocation.lake  # a folder that is no lake is told as everywhere
    wanted = SqlQuestion(text=text, limit=limit, as_of=as_of.isoformat() if as_of else None)
    try:
        rows = ask(invocation.lake_path, wanted, seconds)
    except SqlError as error:
        raise click.UsageError(str(error)) from None
    asked_before.add(f"{SQL}{text}")
    _show(invocation, rows, limit, find_columns(text))


def _list(questions: list[str], invocation: Invocation) -> None:
    from nextgen_tui.text.safe_text import safe_text

    for one in questions:
        invocation.output.show(safe_text(one, 2_000))
    invocation.output.record(questions)
    if not questions:
        invocation.output.say("nothing was asked yet")


def _show(invocation: Invocation, rows: pl.DataFrame, limit: int, units: Mapping[str, Column]) -> None:
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.table_view import choose_columns, frame_grid

    output, shown = invocation.output, rows.head(limit)
    output.record(to_records(shown))
    if shown.is_empty():
        output.show("No row.")
        return
    names = (
        choose_columns(shown, shown.columns, output.data.width, units=units) if not output.as_json else shown.columns
    )
    output.show(frame_grid(shown.select(names), units=units))
    if rows.height > limit:
        output.say(f"the first {counted(limit, 'row')}; there are more, --limit shows them")
    if left := [name for name in shown.columns if name not in names]:
        output.say(f"{counted(len(left), 'column')} do not fit: {', '.join(left)}; name fewer, or use --json")
