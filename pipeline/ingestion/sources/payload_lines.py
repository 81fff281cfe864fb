"""Writes rows as lines of JSON and joins those of a symbol to one text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

MANY = 200
"""Rows of a symbol, on average, from which its lines are written at once: few enough to stay where they are quick to
reach, many enough to be worth the asking."""
QUOTE, FIRST_PRINTED = ord('"'), ord(" ")


def json_lines(frame: pl.DataFrame) -> pl.Series:
    """Return each row as one JSON object whose values are strings or null; every column has to be String."""
    if not frame.width:
        raise ValueError("a payload needs at least one field")
    return frame.select(line=pl.struct(pl.all()).struct.json_encode()).to_series()


def join_lines(symbol: pl.Series, frame: pl.DataFrame) -> Iterator[tuple[str, str]]:
    """Yield each symbol with its lines as one text, in the order symbols first appear.

    Args:
        symbol: of each row; none is null.
        frame: the rows, every column String.
    """
    runs = symbol.rle().struct.unnest() if len(symbol) else pl.DataFrame({"len": [], "value": []})
    if runs["value"].n_unique() == runs.height and len(symbol) >= MANY * runs.height:
        start, text = 0, _plain_line(frame).str.join("\n")
        for rows, value in runs.iter_rows():
            yield value, _write_lines(frame.slice(start, rows), text)
            start += rows
        return
    grouped = pl.DataFrame({"symbol": symbol, "line": json_lines(frame)}).group_by("symbol", maintain_order=True)
    yield from grouped.agg(pl.col("line").str.join("\n")).iter_rows()


def _write_lines(frame: pl.DataFrame, text: pl.Expr) -> str:
    """All rows of a frame as newline-delimited JSON, by an expression that gives it where nothing has to be escaped.

    They are put together as if no cell held anything that JSON escapes. That shows in what comes out, where each sign
    that would be escaped is counted: if there is any, they are written anew.
    """
    plain: str = frame.select(text).item()
    signs = np.frombuffer(plain.encode(), np.uint8)
    quotes = 4 * frame.width * frame.height - 2 * sum(frame.null_count().row(0))
    is_plain = (
        "\\" not in plain
        and np.count_nonzero(signs == QUOTE) == quotes
        and np.count_nonzero(signs < FIRST_PRINTED) == frame.height - 1
    )
    return plain if is_plain else str(json_lines(frame).str.join("\n").item())


def _plain_line(frame: pl.DataFrame) -> pl.Expr:
    """What `json_lines` gives of rows of the frame where nothing has to be escaped."""
    parts: list[pl.Expr] = []
    before = "{"
    for name in frame.columns:
        if frame[name].null_count():
            parts += [pl.lit(f'{before}"{name}":'), ('"' + pl.col(name) + '"').fill_null("null")]
            before = ","
        else:
            parts += [pl.lit(f'{before}"{name}":"'), pl.col(name)]
            before = '",'
    return pl.concat_str(*parts, pl.lit(before.rstrip(",") + "}"))
