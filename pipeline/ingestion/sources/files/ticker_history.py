"""Tells renames from identifiers: which company, by a number that it keeps, had which ticker when."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import polars as pl

from pipeline.ingestion.actions.action_rules import PASSED_ON
from pipeline.ingestion.actions.rename_rules import SWAP
from pipeline.ingestion.parse_values import day
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.columns import Usual, recognise
from pipeline.ingestion.sources.files.file_text import read_text
from pipeline.market.securities.order_of_day import find_ring

KEPT_FOR_LIFE = ("figi", "composite_figi", "share_class_figi", "permno", "security_id", "sid", "identifier", "file")
"""Identifiers of which a company has one all its life: another one is another company."""
REISSUED = ("isin", "cusip")
"""Identifiers that a company may change, as at a reverse split or when it moves: only an equal one tells anything."""
SPELLS: Usual = {
    "identifier": (*KEPT_FOR_LIFE, *REISSUED),
    "ticker": ("mapped_ticker", "ticker", "symbol"),
    "start": ("start", "start_date", "from", "listed_on", "ipo_date", "first_date"),
    "end": ("end", "end_date", "until", "to"),
    "last": ("last", "last_date", "date"),
}
SCHEMA = {"identifier": pl.String, "ticker": pl.String, "start": pl.Date, "end": pl.Date}


def read_ticker_history(name: str) -> tuple[pl.DataFrame, bool]:
    """Read a file of spells: identifier, ticker (String), start and end (Date; the end no longer in it, null: open).

    A file with a last day and no first one is read as LEAN's map files are: the first line of each identifier is its
    first day, the others say until which day, included, it had the ticker.

    Returns:
        The spells, and whether a company keeps its identifier for life.

    Raises:
        SourceError: if it is missing, lacks a column, or states no day that can be read.
    """
    path = Path(name).expanduser()
    lines = read_text(path)
    fields = recognise(lines.columns, SPELLS, {}, required=("identifier", "ticker"), file=str(path), strict=True)
    if "start" not in fields and "last" not in fields:
        raise SourceError(f"{path} has no column for the first day of a ticker, such as 'start'; add it")
    dated = {"start", "end"} if "start" in fields else {"last"}
    rows = lines.select(
        identifier=fields["identifier"],
        ticker=pl.col(fields["ticker"]).str.to_uppercase(),
        **{one: day(fields[one]) for one in sorted(dated) if one in fields},
    ).drop_nulls(["identifier", "ticker"])
    unread = rows.filter(pl.col("start" if "start" in fields else "last").is_null())
    if not unread.is_empty():
        raise SourceError(f"{path}: {unread.height} spells have no day like 2018-01-02, the first is {unread.row(0)}")
    spells = rows if "start" in fields else _read_last_days(rows)
    if "end" not in spells.columns:
        spells = spells.with_columns(end=pl.lit(None, dtype=pl.Date))
    return spells.select(*SCHEMA), _is_for_life(fields["identifier"])


def spells_of_lines(identifier: str, lines: pl.DataFrame, ticker: pl.Series, days: pl.Series) -> pl.DataFrame:
    """Return the spells that lines with an identifier tell: each begins with the first day of identifier and ticker.

    Args:
        identifier: the column of the identifier.
        lines: all columns String.
        ticker: of each line.
        days: the day of each line.
    """
    rows = pl.DataFrame({"identifier": lines[identifier], "ticker": ticker, "start": days}).drop_nulls()
    rows = rows.filter(pl.col("identifier").str.strip_chars() != "").sort("identifier", "start", "ticker")
    begins = (pl.col("ticker") != pl.col("ticker").shift(1)).over("identifier").fill_null(True)
    return rows.filter(begins).with_columns(end=pl.lit(None, dtype=pl.Date)).select(*SCHEMA)


def find_identifier(header: list[str]) -> tuple[str, bool] | None:
    """Return the column with the best identifier there is, and whether it is kept for life; None without one."""
    names = tuple(name for name in SPELLS["identifier"] if name not in ("file", "identifier"))
    found = recognise(header, {"identifier": names}, {}, required=(), file="", strict=False)
    return (found["identifier"], _is_for_life(found["identifier"])) if found else None


def tell_renames(spells: pl.DataFrame, *, for_life: bool) -> pl.DataFrame:
    """Return the lines of actions that the spells tell: ticker, ex_date, kind, successor; all String.

    The next spell of an identifier under another ticker is a rename on its first day. Where a ticker is another
    identifier's next and its company is not known to have gone elsewhere, it was passed on, if identifiers tell that.
    """
    ordered = spells.unique().sort("identifier", "start", "ticker")
    moves = ordered.with_columns(
        before=pl.col("ticker").shift(1).over("identifier"), since=pl.col("start").shift(1).over("identifier")
    ).filter(pl.col("before") != pl.col("ticker"))
    swapped = _find_swapped(moves)
    told = [
        (old, str(at), SWAP if (old, at) in swapped else "rename", new)
        for old, at, new in moves.select("before", "start", "ticker").iter_rows()
    ]
    if for_life:
        gone = {(identifier, old): at for identifier, old, at in moves.select("identifier", "before", "start").rows()}
        told += [(ticker, str(at), PASSED_ON, None) for ticker, at in _find_passed_on(ordered, gone)]
    schema = ["ticker", "ex_date", "kind", "successor"]
    return pl.DataFrame(told, schema=dict.fromkeys(schema, pl.String), orient="row").sort("ex_date", "ticker")


def _find_swapped(moves: pl.DataFrame) -> set[tuple[str, date]]:
    """Ticker and day of each move in a ring of one day: of these, identifiers tell that they are several companies."""
    to: dict[date, dict[str, str]] = {}
    for old, at, new in moves.select("before", "start", "ticker").iter_rows():
        to.setdefault(at, {})[old] = new
    return {(ticker, at) for at, of_day in to.items() for ticker in find_ring(of_day)}


def _find_passed_on(spells: pl.DataFrame, gone: dict[tuple[str, str], date]) -> list[tuple[str, date]]:
    """Ticker and first day of each later company on it, unless the one before had been renamed by then."""
    found: list[tuple[str, date]] = []
    for (ticker,), rows in spells.sort("start", "identifier").group_by("ticker", maintain_order=True):
        before = None
        for identifier, at in rows.select("identifier", "start").iter_rows():
            if before is not None and before != identifier and gone.get((before, str(ticker)), date.max) > at:
                found.append((str(ticker), at))
            before = identifier
    return found


def _read_last_days(rows: pl.DataFrame) -> pl.DataFrame:
    """LEAN's form: of each identifier a line for the first day, then one for the last day of each ticker."""
    ordered = rows.sort("identifier", "last", maintain_order=True).with_columns(
        number=pl.int_range(pl.len()).over("identifier"), previous=pl.col("last").shift(1).over("identifier")
    )
    ended = ordered.filter(pl.col("number") > 0)
    first = pl.when(pl.col("number") == 1).then("previous").otherwise(pl.col("previous") + timedelta(days=1))
    return ended.with_columns(start=first, end=pl.col("last") + timedelta(days=1))


def _is_for_life(column: str) -> bool:
    return not any(column.lower().startswith(name) for name in REISSUED)
