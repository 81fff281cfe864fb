"""Turns tables with a column for each ticker into rows: two header rows as yfinance's, names such as `AAPL_Close`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence

import polars as pl

from pipeline.ingestion.sources.files.columns import DAILY_BARS, DAY, UNNAMED, plain

PRICES = ("open", "high", "low", "close", "volume")
FURTHER = {
    "adj_close": "adj_close",
    **dict.fromkeys(("adjusted", "adj", "adjusted_close", "adjclose"), "adj_close"),
    **dict.fromkeys(("dividends", "dividend", "stock_splits", "splits", "capital_gains"), ""),
}
FIELDS = {
    **{name: field for field in PRICES for name in DAILY_BARS[field] if len(name) > 1},
    **{name: field or name for name, field in FURTHER.items()},
}
"""How a part of a column's name says which field it is: plain name -> what the column becomes."""
TUPLE = re.compile(r"^\(\s*['\"].*\)$")
INDEX = "date"
EMPTY = ("", "nan", "NaN", "null", "None", "NULL", "N/A")
TICKER = re.compile(r"^[A-Za-z0-9^][A-Za-z0-9.\-=^]{0,19}$")


def level_names(rows: Sequence[Sequence[str]]) -> tuple[str, ...] | None:
    """Return one name for each column under several header rows, written as pandas writes them: ('Close', 'AAPL').

    The rows are those of `yfinance.download().to_csv()`: fields and tickers in either order, and perhaps a third with
    the index's name alone. None where they are anything else.
    """
    if len(rows) < 2:
        return None
    first, second = rows[0], rows[1]
    if len(rows) == 3 and any(cell.strip() for cell in rows[2][1:]):
        return None
    if not _is_level_of_fields(first) and not _is_level_of_fields(second):
        return None
    named = rows[2][0].strip() if len(rows) == 3 else ""
    index = named or INDEX
    return index, *(repr((upper.strip(), lower.strip())) for upper, lower in zip(first[1:], second[1:], strict=True))


def _is_level_of_fields(row: Sequence[str]) -> bool:
    return len(row) > 1 and all(plain(cell) in FIELDS for cell in row[1:])


def unstack(lines: pl.DataFrame) -> pl.DataFrame | None:
    """Return the rows of a table whose columns name field and ticker; None if they do not.

    Args:
        lines: all columns String, one of them the day.

    Returns:
        The day under its own name, ticker, each field under the name that the columns have for it, and `row` (UInt32),
        the row of `lines` it comes from. What a ticker has no price of on a day is no row.
    """
    parts = _parse_all(lines.columns)
    days = [column for column, part in parts.items() if part is None and _is_day(column)]
    spread = {column: part for column, part in parts.items() if part is not None}
    if len(days) != 1 or not spread:
        return None
    if any(part is None and column not in days and plain(column) not in UNNAMED for column, part in parts.items()):
        return None
    by_ticker: dict[str, dict[str, str]] = {}
    for column, (field, ticker) in spread.items():
        held = by_ticker.setdefault(ticker, {})
        held[field] = min(held.get(field, column), column, key=lambda name: _rank(field, name))
    fields = list(dict.fromkeys(field for field, _ in spread.values()))
    if not {"open", "high", "low", "close", "volume"} <= set(fields):
        return None
    numbered = lines.with_row_index("row")
    rows = [_rows_of(numbered, days[0], ticker, fields, columns) for ticker, columns in by_ticker.items()]
    return pl.concat(rows)


def find_odd_columns(names: Sequence[str]) -> list[str]:
    """Return the columns for which a table with a column for each ticker and value is none; empty if it is other."""
    parts = _parse_all(names)
    fields = {part[0] for part in parts.values() if part is not None}
    odd = [name for name, part in parts.items() if part is None and not _is_day(name) and plain(name) not in UNNAMED]
    return odd if fields >= {*PRICES} and 2 * len(odd) < len(names) else []


_OF_BARS = {name for usual in DAILY_BARS.values() for name in usual if len(name) > 1}
_ALSO_TICKERS = frozenset({"low", "open", "max", "min"})
"""Names of the values of a bar that are tickers as well."""


def _rows_of(
    lines: pl.DataFrame, day: str, ticker: str, fields: Sequence[str], columns: Mapping[str, str]
) -> pl.DataFrame:
    cells = [
        pl.col(columns[field]).alias(field) if field in columns else pl.lit(None, pl.String).alias(field)
        for field in fields
    ]
    there = [pl.col(columns[field]) for field in ("open", "high", "low", "close") if field in columns]
    filled = pl.any_horizontal(~cell.str.strip_chars().is_in(EMPTY) & cell.is_not_null() for cell in there)
    return lines.filter(filled).select("row", day, pl.lit(ticker).alias("ticker"), *cells)


def _parse(column: str) -> tuple[str, str] | None:
    """Field and ticker of a column's name; None where it names no field of a ticker."""
    for first, second in _split(column):
        for field, ticker in ((first, second), (second, first)):
            if plain(field) in FIELDS and plain(ticker) not in FIELDS and TICKER.match(ticker):
                return FIELDS[plain(field)], ticker
    return None


def _parse_all(columns: Sequence[str]) -> dict[str, tuple[str, str] | None]:
    """Field and ticker of each column's name.

    LOW and OPEN are tickers as well: where both parts name a value, the field stands where it stands in the others; of
    such names alone it is the part that names all values of a bar.
    """
    parts = {column: _parse(column) for column in columns}
    doubtful = {column: pair for column in columns if parts[column] is None and (pair := _two_fields(column))}
    if not doubtful:
        return parts
    clear = [pair for column, part in parts.items() if part for pair in _split(column) if part[1] in pair]
    if clear:
        at = int(sum(plain(pair[1]) in FIELDS for pair in clear) * 2 > len(clear))
    else:
        at = int({FIELDS[plain(pair[1])] for pair in doubtful.values()} >= {*PRICES})
    return parts | {column: (FIELDS[plain(pair[at])], pair[1 - at]) for column, pair in doubtful.items()}


def _two_fields(column: str) -> tuple[str, str] | None:
    """The parts of a name that could both be the field, one of them a ticker in capitals."""
    pairs = (pair for pair in _split(column) if all(plain(part) in FIELDS for part in pair))
    return next((pair for pair in pairs if any(plain(part) in _ALSO_TICKERS for part in pair if part.isupper())), None)


def _split(column: str) -> list[tuple[str, str]]:
    text = column.strip()
    if TUPLE.match(text):
        try:
            levels = ast.literal_eval(text)
        except (ValueError, SyntaxError):
            return []
        pair = tuple(str(level).strip() for level in levels if str(level).strip())
        return [(pair[0], pair[1])] if len(pair) == 2 else []
    cuts = [match.span() for match in re.finditer(r"[_ .|:/-]+", text)]
    pairs = [(text[:start], text[end:]) for start, end in cuts if start and end < len(text)]
    return [pair for pair in pairs if pair[0] and pair[1]]


def _rank(field: str, column: str) -> int:
    """How late the column's name of a field comes among the usual ones: a close counts before a last price."""
    usual = DAILY_BARS.get(field, ())
    parts = {plain(part) for pair in _split(column) for part in pair}
    return next((number for number, name in enumerate(usual) if name in parts), len(usual))


def _is_day(column: str) -> bool:
    name = plain(_only_level(column))
    return name in DAY


def _only_level(column: str) -> str:
    """The name of an index under two header rows: ('Date', '')."""
    if TUPLE.match(column.strip()):
        try:
            return next((str(level) for level in ast.literal_eval(column) if str(level).strip()), "")
        except (ValueError, SyntaxError):
            return column
    return column


def find_table_of_one_field(lines: pl.DataFrame) -> tuple[str, list[str]] | None:
    """Return the day's column and the tickers' of a table with one value a day for each ticker; None if it is other."""
    names = {column: plain(column) for column in lines.columns}
    days = [column for column, name in names.items() if name in DAY]
    tickers = [column for column in lines.columns if column not in days and names[column] not in UNNAMED]
    values = [names[column] for column in tickers if names[column] in _OF_BARS]
    if len(days) != 1 or len(tickers) < 1 or not _ALSO_TICKERS.issuperset(values) or 2 * len(values) > len(tickers):
        return None
    if not all(TICKER.match(column) and column.upper() == column for column in tickers):
        return None
    numbers = lines.select(tickers).head(200).cast(pl.Float64, strict=False).null_count().row(0)
    empty = lines.select(tickers).head(200).null_count().row(0)
    return (days[0], tickers) if tuple(numbers) == tuple(empty) else None


def melt(lines: pl.DataFrame, day: str, tickers: Sequence[str], field: str) -> pl.DataFrame:
    """Return day, ticker, the field and row (UInt32) of a table of one field."""
    long = lines.with_row_index("row").unpivot(tickers, index=["row", day], variable_name="ticker", value_name=field)
    return long.filter(pl.col(field).is_not_null() & ~pl.col(field).str.strip_chars().is_in(EMPTY))


def pivot_tidy(lines: pl.DataFrame) -> pl.DataFrame | None:
    """Return the rows of a table with one value a row (day, ticker, field, value); None if it is none."""
    names = {plain(column): column for column in lines.columns}
    field = next((names[name] for name in ("field", "variable", "attribute", "metric", "item") if name in names), "")
    value = names.get("value", "")
    if not field or not value or any(plain(str(cell)) not in FIELDS for cell in lines[field].unique()):
        return None
    renamed = lines.with_columns(pl.col(field).replace_strict({c: FIELDS[plain(c)] for c in lines[field].unique()}))
    index = [column for column in lines.columns if column not in (field, value)]
    if renamed.select(*index, field).is_duplicated().any():
        return None
    numbered = renamed.with_row_index("row")
    first = numbered.group_by(index, maintain_order=True).agg(pl.col("row").min())
    spread = renamed.pivot(field, index=index, values=value, aggregate_function="first", maintain_order=True)
    return spread.join(first, on=index, how="left", nulls_equal=True, maintain_order="left")
