"""`nextgen lots`: which shares were sold, by the method of the tax return."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from nextgen_tui.cli.invocation import Invocation, ReadingCommand, pass_invocation

if TYPE_CHECKING:
    from pipeline.reading.results.tax_lots import TaxLots
    from pipeline.trading.lots.lot import Method

METHODS = ("fifo", "lifo", "highest-cost", "lowest-cost")


@click.command("lots", cls=ReadingCommand)
@click.option(
    "--method", type=click.Choice(METHODS), default="fifo", show_default=True, help="Which lots a sale takes."
)
@click.option("--year", type=click.IntRange(1900, 9999), help="Show what was sold in this calendar year alone.")
@click.option(
    "--named",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A CSV file with sale, buy and shares: lots that were designated for a sale.",
)
@pass_invocation
def command(invocation: Invocation, method: str, year: int | None, named: Path | None) -> None:
    """Show the tax lots: what is open, and what was sold within a year and after it.

    The ledger keeps average costs; lots follow each buy through splits, renames, mergers and spin-offs, and say which
    shares a sale sold. Cost and gains together are the ledger's, to the cent. Example: nextgen lots --method
    highest-cost --year 2025
    """
    from pipeline.reading.results.tax_lots import DesignationError, read_designations, read_tax_lots

    chosen: Method = method.replace("-", "_")  # type: ignore[assignment]
    try:
        told = read_tax_lots(invocation.lake, chosen, year, read_designations(named) if named else None)
    except DesignationError as error:
        raise click.UsageError(str(error)) from None
    _show(invocation, told)


def _show(invocation: Invocation, told: TaxLots) -> None:
    from nextgen_tui.cli.output import to_records
    from nextgen_tui.text import formats
    from nextgen_tui.text.table_view import frame_grid

    output = invocation.output
    for title, frame in (("Sold lots", told.sold), ("Open lots", told.open)):
        if not frame.is_empty():
            output.show(frame_grid(frame, title=title))
    short, long = (formats.money(gain, signed=True) for gain in (told.short_term, told.long_term))
    output.show(f"Realised: {short} within a year of the buy, {long} after it; commission and dividends apart.")
    output.record(
        {
            "open": to_records(told.open),
            "sold": to_records(told.sold),
            "short_term": told.short_term,
            "long_term": told.long_term,
        }
    )
