"""Reads numbers as people write them: $49.55, 1,234.50, 1.234,50 and 12.3M; found out once for a whole file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import polars as pl

from pipeline.ingestion.sources.errors import SourceError

Mark = Literal["", ".", ","]
"""The decimal mark of a file; empty where its numbers are plain."""
SIGNS = r"[$€£¥₹₩]|\b(?:USD|EUR|GBP|GBX|GBp|JPY|INR|HKD|AUD|CHF|CAD)\b|[\s\u00a0\u202f\u2009'’]"
POINT = r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d*)?[kKmMbB]?$"
COMMA = r"^[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?[kKmMbB]?$"
ONLY_POINT = (
    r"^[-+]?(?:\d*\.(?:\d{1,2}|\d{4,})[kKmMbB]?|\d{1,3}(?:,\d{3})+\.\d*[kKmMbB]?|\d{1,3}(?:,\d{3}){2,}|0\.\d*)$"
)
"""Numbers that mean something else, or nothing, with a decimal comma."""
ONLY_COMMA = r"^[-+]?(?:\d*,(?:\d{1,2}|\d{4,})[kKmMbB]?|\d{1,3}(?:\.\d{3})+,\d*[kKmMbB]?|\d{1,3}(?:\.\d{3}){2,}|0,\d*)$"
TIMES = {"k": 3, "m": 6, "b": 9}


def find_mark(lines: pl.DataFrame, columns: Sequence[str], chosen: Mark, file: str) -> Mark:
    """Return the decimal mark of a file whose numbers are not written plainly; empty where they are.

    Numbers are plain where no other way of reading them reads more of them.

    Args:
        lines: all columns String.
        columns: those that hold numbers.
        chosen: what the operator says; empty to find out.
        file: for errors.

    Raises:
        SourceError: if the file's numbers could be meant in two ways, or are written in both.
    """
    odd = [column for column in columns if not _is_plain(lines[column])]
    if chosen != "," and not odd:
        return ""
    cells = pl.concat([_bare(lines[column]) for column in columns]).drop_nulls()
    cells = cells.filter(cells != "")
    plain = cells.cast(pl.Float64, strict=False).is_not_null().sum()
    point, comma = (int(cells.str.contains(form).sum()) for form in (POINT, COMMA))
    if chosen:
        return chosen
    if max(point, comma) <= plain and not _hides_signs(lines, odd):
        return ""
    only_point, only_comma = (cells.filter(cells.str.contains(form)) for form in (ONLY_POINT, ONLY_COMMA))
    if len(only_point) and len(only_comma):
        fewer, more = sorted((only_point, only_comma), key=len)
        if len(fewer) > len(more) / 20:
            raise SourceError(
                f"{file} writes numbers in two ways, as {only_point[0]!r} and as {only_comma[0]!r}; write them in one"
            )
        return "." if more is only_point else ","
    if len(only_comma):
        return ","
    if len(only_point) or not cells.str.contains(r"[.,]").any():
        return "."
    shown = cells.filter(cells.str.contains(",", literal=True))
    raise SourceError(
        f"{file}: it cannot be told whether {(shown[0] if len(shown) else cells[0])!r} has a decimal comma or one "
        "between thousands; set source.files.decimal to ',' or '.'"
    )


def read_numbers(text: pl.Series, mark: Mark) -> pl.Series:
    """Return the cells as plain numbers (String); what is no number in this form stays as it is written."""
    frame = pl.DataFrame({"written": text, "bare": _bare(text)})
    between, decimal = (",", ".") if mark == "." else (".", ",")
    fits = pl.col("bare").str.contains(POINT if mark == "." else COMMA)
    joined = pl.col("bare").str.replace_all(between, "", literal=True).str.replace(decimal, ".", literal=True)
    suffix = joined.str.extract(r"([kKmMbB])$").str.to_lowercase()
    digits = joined.str.strip_chars_end("kKmMbB")
    whole, part = digits.str.extract(r"^([-+]?\d*)"), digits.str.extract(r"\.(\d*)$").fill_null("")
    times = suffix.replace_strict(TIMES, default=0, return_dtype=pl.Int64)
    moved = whole + part.str.pad_end(9, "0").str.slice(0, times) + "." + part.str.slice(times) + "0"
    plain = pl.when(suffix.is_null()).then(digits).otherwise(moved)
    return frame.select(pl.when(fits).then(plain).otherwise("written").alias(text.name)).to_series()


def _bare(text: pl.Series) -> pl.Series:
    return text.str.replace_all(SIGNS, "")


def _is_plain(text: pl.Series) -> bool:
    return text.cast(pl.Float64, strict=False).null_count() == text.null_count()


def _hides_signs(lines: pl.DataFrame, columns: Sequence[str]) -> bool:
    """Whether it is signs of a currency alone that keep numbers from being plain."""
    return any(
        _bare(lines[column]).cast(pl.Float64, strict=False).null_count()
        < lines[column].cast(pl.Float64, strict=False).null_count()
        for column in columns
    )
