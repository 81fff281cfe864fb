"""A sheet as a file: never over an existing one, and never with text that a spreadsheet would run."""

from __future__ import annotations

import os
import re
from pathlib import Path

import polars as pl

from nextgen_tui.console.sheet.sheet import Sheet

FORMULA = re.compile(r"^\s*[=+\-@\t\r|]")
"""How a text begins that a spreadsheet takes for a formula."""


class ExportError(ValueError):
    """The sheet cannot be written; the text says why."""


def file_name(page: str, sheet: str, session: object) -> str:
    """A name to suggest: screen, sheet and session."""
    words = re.sub(r"[^a-z0-9]+", "-", f"{page} {sheet} {session or ''}".lower()).strip("-")
    return f"{words}.csv"


def export(sheet: Sheet, path: Path) -> int:
    """Write the rows the sheet shows; return how many.

    A .csv has text that begins like a formula quoted with an apostrophe, and lists as text; a .parquet holds the
    values as they are.

    Raises:
        ExportError: if the name ends otherwise or is taken, or the file cannot be written.
    """
    frame = sheet.visible.select(*dict.fromkeys([*sheet.key, *sheet.sources]))
    if path.suffix not in (".csv", ".parquet"):
        raise ExportError(f"{path.name} has to end in .csv or .parquet")
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ExportError(f"{path} exists already; choose another name") from None
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from error
    try:
        with os.fdopen(descriptor, "wb") as file:
            if path.suffix == ".csv":
                safe_for_spreadsheets(frame).write_csv(file)
            else:
                frame.write_parquet(file)
    except (OSError, pl.exceptions.PolarsError) as error:
        path.unlink()  # half a sheet would pass for a whole one
        raise ExportError(f"{path} could not be written: {error}") from error
    return frame.height


def write_new(path: Path, text: str) -> None:
    """Write a text to a file that is not there yet, for its owner alone.

    Raises:
        ExportError: if the name is taken, or the file cannot be written.
    """
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise ExportError(f"{path} exists already; choose another name") from None
    except OSError as error:
        raise ExportError(f"{path}: {error.strerror}") from error


def safe_for_spreadsheets(frame: pl.DataFrame) -> pl.DataFrame:
    """Nested values as text, and text that begins like a formula with an apostrophe before it."""
    columns = []
    for name, dtype in frame.schema.items():
        if dtype.is_nested():
            values = [None if value is None else str(value) for value in frame[name].to_list()]
            columns.append(pl.Series(name, values, pl.String))
        elif dtype == pl.Binary:
            columns.append(pl.Series(name, [None] * frame.height, pl.String))
        else:
            columns.append(frame[name])
    made = pl.DataFrame(columns)
    texts = [pl.col(name) for name, dtype in made.schema.items() if dtype == pl.String]
    return made.with_columns(
        pl.when(text.str.contains(FORMULA.pattern)).then(pl.concat_str(pl.lit("'"), text)).otherwise(text).alias(name)
        for text, name in zip(texts, (text.meta.output_name() for text in texts), strict=True)
    )
