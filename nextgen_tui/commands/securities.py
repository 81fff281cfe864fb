"""`nextgen securities`: which company a ticker was, and when."""

from __future__ import annotations

from datetime import datetime

import click

from nextgen_tui.cli.arguments import INSTANT
from nextgen_tui.cli.completion import complete_ticker
from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation


@click.command("securities", cls=ReadingCommand)
@click.argument("ticker", required=False, shell_complete=complete_ticker)
@click.option("--as-of", type=INSTANT, help="Show what was public then: a date, or a time with its zone.")
@pass_invocation
def command(invocation: Invocation, ticker: str | None, as_of: datetime | None) -> None:
    """Tell which company a ticker was, from renames, listings and gaps.

    Every company that ever had the ticker is shown under all its tickers, with what is in doubt and why; without a
    ticker, all companies that changed or shared one. Example: nextgen securities META --as-of 2022-06-08
    """
    from lake.queries import refuse_ahead
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text.formats import counted
    from nextgen_tui.text.table_view import frame_grid
    from pipeline.market.sessions import exchange_sessions
    from pipeline.reading.results.companies import read_companies

    if as_of is not None:
        refuse_ahead(invocation.lake, as_of)
    settings, output = invocation.settings, invocation.output
    calendar = exchange_sessions(settings.market.exchange)
    gap = settings.ingestion.universe.max_gap
    asked = ticker.upper() if ticker else None
    spells = read_companies(invocation.lake, calendar, gap, asked, as_of)
    output.record(to_records(spells))
    if spells.is_empty():
        output.show(f"No bar of {asked} is known." if asked else "No ticker changed hands, and no company its ticker.")
        return
    output.show(frame_grid(spells.drop("doubt")))
    for company, told, doubt in spells.drop_nulls("doubt").select("company", "ticker", "doubt").iter_rows():
        output.show(f"in doubt, {company} as {told}: {doubt}")
    output.say(f"{counted(spells['company'].n_unique(), 'company', 'companies')}, {counted(spells.height, 'spell')}")
