"""Writes rows as lines of JSON and joins those of a symbol to one text."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import polars as pl

MANY = 200
"""Rows of a symbol, on average, from which its lines are written at once: few enough to stay where they are quick to
reach, many enough to be worth the asking."""
QUOTE, BACKSLASH, FIRST_PRINTED = ord('"'), ord("\\"), ord(" ")


def json_lines(frame: pl.DataFrame) -> pl.Series:
    """Return each row as one JSON object whose values are strings or null; every column has to be String."""
    if not frame.width:
        raise ValueError("a payload needs at least one field")
    return frame.select(line=pl.struct(pl.all()).struct.json_encode()).to_series()


def join_lines(symbol: pl.Series, frame: pl.DataFrame) -> Iterator[tuple[str, pl.Series]]:
    """Yield each symbol with its lines as one text, a Series of its own, in the order symbols first appear.

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
    joined = grouped.agg(pl.col("line").str.join("\n"))
    for row, value in enumerate(joined["symbol"]):
        yield value, joined["line"].slice(row, 1)


def as_bytes(text: pl.Series) -> memoryview:
    """Return the UTF-8 of the one text in a Series where it lies: a long one is not copied."""
    return memoryview(text.to_arrow(compat_level=pl.CompatLevel.newest())[0].as_buffer())


def _write_lines(frame: pl.DataFrame, text: pl.Expr) -> pl.Series:
    """All rows of a frame as newline-delimited JSON, by an expression that gives it where nothing has to be escaped.

    They are put together as if no cell held anything that JSON escapes. That shows in what comes out, where each sign
    that would be escaped is counted: if there is any, they are written anew.
    """
    # Where a filter left nothing of a piece of the frame, polars stumbles over the empty one.
    plain = frame.rechunk().select(line=text).to_series()
    quotes = 4 * frame.width * frame.height - 2 * sum(frame.null_count().row(0))
    return (
        plain if _has_nothing_to_escape(as_bytes(plain), quotes, frame.height - 1) else json_lines(frame).str.join("\n")
    )


def _has_nothing_to_escape(text: memoryview, quotes: int, ends: int) -> bool:
    """Whether a text has no more quotes and line ends than are meant, and nothing else that JSON escapes."""
    signs = np.frombuffer(text, np.uint8)
    if np.count_nonzero(signs == BACKSLASH):
        return False
    if np.count_nonzero(signs <= QUOTE) == quotes + ends:  # as most have neither a space nor an exclamation mark
        return True
    return bool(np.count_nonzero(signs == QUOTE) == quotes and np.count_nonzero(signs < FIRST_PRINTED) == ends)


def _plain_line(frame: pl.DataFrame) -> pl.Expr:
    """What `json_lines` gives of rows of the frame where nothing has to be escaped."""
    cells = [
        ('"' + pl.col(name) + '"').fill_null("null") if frame[name].null_count() else pl.col(name)
        for name in frame.columns
    ]
    quoted = ["{}" if frame[name].null_count() else '"{}"' for name in frame.columns]
    names = [name.replace("{", "{{").replace("}", "}}") for name in frame.columns]
    members = ",".join(f'"{name}":{cell}' for name, cell in zip(names, quoted, strict=True))
    return pl.format("{{" + members + "}}", *cells)
