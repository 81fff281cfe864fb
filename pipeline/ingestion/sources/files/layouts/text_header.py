"""Finds out of the first lines of a text table its separator, and which lines are titles, headers and data."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

SEPARATORS = ",;\t|"
MAX_TITLES = 30
"""Lines that may stand above the header: a name, a licence, an empty one."""
DATA = re.compile(
    r"^[^\w]*[$€£¥₹]?\s*-?[\d.,'\s]*\d[\d.,'\s]*(?:[kKmMbB%]|e[+-]?\d+)?[^\w]*$"
    r"|^\d{1,4}[-/. ](?:\d{1,2}|[A-Za-z]{3,9})[-/. ]\d{1,4}(?:[T ].*)?$"
    r"|^[A-Za-z]{3,9} \d{1,2},? \d{4}$|^(?:nan|null|none|n/a|-)$",
    re.IGNORECASE,
)
"""What a cell of data looks like: a number, a date, or nothing in words."""


@dataclass(frozen=True)
class TextHeader:
    """How a text table begins."""

    separator: str
    titles: int
    """Lines above the header."""
    rows: tuple[tuple[str, ...], ...]
    """The header's rows, each a tuple of cells as wide as the data; none if the table begins with data."""
    short: bool = False
    """Whether the file's own header has a cell less than its data: no name for the cell at their end or beginning."""

    @property
    def lines(self) -> int:
        """Lines above the first one of data."""
        return self.titles + len(self.rows)

    @property
    def plain(self) -> bool:
        """Whether the first line is the header, and the only one."""
        return self.titles == 0 and len(self.rows) == 1 and not self.short


def find_header(lines: Sequence[str]) -> TextHeader:
    """Return how a table begins whose first lines these are; it is plain where nothing speaks against that."""
    separator = _find_separator(lines)
    rows = [tuple(row) for row in csv.reader(lines, delimiter=separator)]
    width = _usual_width(rows)
    titles = _count_titles(rows, width)
    header = []
    for row in rows[titles:]:
        if len(row) != width or _is_data(row):
            break
        header.append(row)
    if not header and titles and (whole := _complete_header(rows[titles - 1], rows[titles:], width)):
        return TextHeader(separator, titles - 1, (whole,), short=True)
    if len(header) > 3 or (not header and titles):
        return TextHeader(separator, 0, (rows[0],))  # nothing but words: the first line is what it always was
    return TextHeader(separator, titles, tuple(header))


def _find_separator(lines: Sequence[str]) -> str:
    """The sign that cuts most lines into equally many cells; of equals the one that the first line has most of."""
    scores = dict.fromkeys(SEPARATORS, (0, 0, 1))
    for sign in {*SEPARATORS} & {*"".join(lines)}:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=sign) if row)
        width, count = max(widths.items(), key=lambda item: (item[1], item[0])) if widths else (1, 0)
        scores[sign] = (count if width > 1 else 0, lines[0].count(sign), width)
    return max(SEPARATORS, key=lambda sign: scores[sign])


def _usual_width(rows: Sequence[tuple[str, ...]]) -> int:
    widths = Counter(len(row) for row in rows if row)
    return max(widths, key=lambda width: (widths[width], width)) if widths else 0


def _count_titles(rows: Sequence[tuple[str, ...]], width: int) -> int:
    """Lines before the first one that is as wide as the data."""
    if len(rows) < 3:
        return 0
    for number, row in enumerate(rows[:MAX_TITLES]):
        if len(row) == width and not (row and row[0].startswith("#") and number + 1 < len(rows) and width == 1):
            return number
    return 0


def _complete_header(header: tuple[str, ...], data: Sequence[tuple[str, ...]], width: int) -> tuple[str, ...] | None:
    """The header with a name for the cell that the data have more: a separator at their end, or numbers of rows as R
    writes them; None where it is anything else."""
    wide = [row for row in data if len(row) == width]
    if len(header) != width - 1 or _is_data(header):
        return None
    if not any(row[-1].strip() for row in wide):
        return (*header, "")
    return ("", *header) if all(row[0].strip().isdigit() for row in wide) else None


def _is_data(row: tuple[str, ...]) -> bool:
    filled = [cell.strip() for cell in row if cell.strip()]
    return bool(filled) and 2 * sum(bool(DATA.match(cell)) for cell in filled) >= len(filled)
