"""Reads numbers as people write them: $49.55, 1,234.50, 1.234,50 and 12.3M; found out once for a whole file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import polars as pl

from pipeline.ingestion.sources.errors import SourceError

Mark = Literal["", ".", ","]
"""The decimal mark of a file; empty where its numbers are plain."""
SIGNS = (
    r"(?:US|CA?|AU?|HK|S|NZ|NT|R|MX)?\$|[€£¥₹₩₽₺₪₫฿₱]|\b(?:zł|Kč|Ft)|\b(?:kr|Rs)\b\.?"
    r"|\b(?:USD|EUR|GBP|GBX|GBp|JPY|INR|HKD|AUD|CHF|CAD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|ZAC|ILS|ILA)\b"
    r"|\b(?:CNY|SGD|KRW|TWD|NZD|THB|IDR|MYR|PHP|TRY|RUB|SAR|AED)\b|[\s\u00a0\u202f\u2009'’]"
)
POINT = r"^[-+]?(?:\d{1,3}(?:,\d{3})+|\d{1,2}(?:,\d{2})+,\d{3}|\d+)(?:\.\d*)?[kKmMbB]?$"
"""Thousands in threes, or as in India, where 12,34,567 is 1.2 million."""
COMMA = r"^[-+]?(?:\d{1,3}(?:\.\d{3})+|\d+)(?:,\d*)?[kKmMbB]?$"
ONLY_POINT = (
    r"^[-+]?(?:\d*\.(?:\d{1,2}|\d{4,})[kKmMbB]?|\d{1,3}(?:,\d{3})+\.\d*[kKmMbB]?|\d{1,3}(?:,\d{3}){2,}|0\.\d*"
    r"|\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d*)?)$"
)
"""Numbers that mean something else, or nothing, with a decimal comma."""
ONLY_COMMA = r"^[-+]?(?:\d*,(?:\d{1,2}|\d{4,})[kKmMbB]?|\d{1,3}(?:\.\d{3})+,\d*[kKmMbB]?|\d{1,3}(?:\.\d{3}){2,}|0,\d*)$"
TIMES = {"k": 3, "m": 6, "b": 9}


@dataclass
class NumberForms:
    """How the numbers of a file are written, counted portion by portion."""

    plain: int = 0
    point: int = 0
    comma: int = 0
    """Cells that are numbers: plainly, and with a decimal point or comma."""
    only_point: int = 0
    only_comma: int = 0
    """Those that the other mark leaves no number, or another one."""
    marked: int = 0
    """Those with a point or comma in them."""
    hidden: bool = False
    """Whether it is signs of a currency alone that keep numbers from being plain."""
    shown: dict[str, str] = field(default_factory=dict)
    """The first cell of some kinds."""

    def count(self, lines: pl.DataFrame, columns: Sequence[str]) -> None:
        """Take in rows, all columns String."""
        odd = [column for column in columns if not is_plain(lines[column])]
        cells = pl.concat([_bare(lines[column]) for column in columns]).drop_nulls()
        cells = cells.filter(cells != "")
        self.plain += int(cells.cast(pl.Float64, strict=False).is_not_null().sum())
        self.point += int(cells.str.contains(POINT).sum())
        self.comma += int(cells.str.contains(COMMA).sum())
        only_point, only_comma = (cells.filter(cells.str.contains(form)) for form in (ONLY_POINT, ONLY_COMMA))
        self.only_point += len(only_point)
        self.only_comma += len(only_comma)
        self.marked += int(cells.str.contains(r"[.,]").sum())
        self.hidden = self.hidden or _hides_signs(lines, odd)
        between = cells.filter(cells.str.contains(",", literal=True))
        for name, found in (("", cells), (".", only_point), (",", only_comma), ("between", between)):
            if len(found):
                self.shown.setdefault(name, found[0])


def find_mark(portions: Iterable[pl.DataFrame], columns: Sequence[str], chosen: Mark, file: str) -> Mark:
    """Return the decimal mark of a file of whose numbers not all are written plainly; empty where most are.

    Numbers are plain where no other way of reading them reads more of them.

    Args:
        portions: the file's rows.
        columns: those that hold numbers.
        chosen: what the operator says; empty to find out.
        file: for errors.

    Raises:
        SourceError: if the file's numbers could be meant in two ways, or are written in both.
    """
    if chosen:
        return chosen
    forms = NumberForms()
    for lines in portions:
        forms.count(lines, columns)
    return _choose_mark(forms, file)


def _choose_mark(forms: NumberForms, file: str) -> Mark:
    if max(forms.point, forms.comma) <= forms.plain and not forms.hidden:
        return ""
    if forms.only_point and forms.only_comma:
        if min(forms.only_point, forms.only_comma) > max(forms.only_point, forms.only_comma) / 20:
            raise SourceError(
                f"{file} writes numbers in two ways, as {forms.shown['.']!r} and as {forms.shown[',']!r}; "
                "write them in one"
            )
        return "." if forms.only_point > forms.only_comma else ","
    if forms.only_comma:
        return ","
    if forms.only_point or not forms.marked:
        return "."
    raise SourceError(
        f"{file}: it cannot be told whether {forms.shown.get('between', forms.shown[''])!r} has a decimal comma or one "
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


def is_plain(text: pl.Series) -> bool:
    """Whether all cells are plain numbers."""
    return text.cast(pl.Float64, strict=False).null_count() == text.null_count()


def _hides_signs(lines: pl.DataFrame, columns: Sequence[str]) -> bool:
    """Whether it is signs of a currency alone that keep numbers from being plain."""
    return any(
        _bare(lines[column]).cast(pl.Float64, strict=False).null_count()
        < lines[column].cast(pl.Float64, strict=False).null_count()
        for column in columns
    )
