"""Puts together the files whose columns mean the same and whose days and numbers are written alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from pipeline.ingestion.sources.files.layouts.number_forms import Mark
from pipeline.ingestion.sources.files.layouts.price_file import PricesOfFile


@dataclass
class PriceGroup:
    """Files that are read as one table."""

    members: list[PricesOfFile]
    fields: dict[str, str]
    """Canonical field -> column, of all members."""
    day_form: str
    mark: Mark = field(default="")

    @property
    def lines(self) -> pl.DataFrame:
        """The rows of all files, one file after the other; a column that a file lacks is null in its rows."""
        frames = [member.lines for member in self.members]
        return frames[0] if len(frames) == 1 else pl.concat(frames, how="diagonal")

    @property
    def places(self) -> pl.DataFrame:
        """Where each row stands: file (String, of few values) and line (UInt32)."""
        parts = [
            member.numbers.to_frame("line").select(file=pl.lit(member.file).cast(pl.Categorical), line="line")
            for member in self.members
        ]
        return pl.concat(parts)


def group_files(files: Sequence[PricesOfFile]) -> list[PriceGroup]:
    """Return the files in groups, in order; columns that only some files have do not part them.

    A file whose day and month cannot be told apart goes by what the others say.
    """
    forms = {file.day_form for file in files}
    groups: list[PriceGroup] = []
    for file in files:
        form = _settle(file.day_form, forms)
        fitting = next((group for group in groups if _fits(group, file, form)), None)
        if fitting is None:
            groups.append(PriceGroup([file], dict(file.fields), form, file.mark))
        else:
            fitting.members.append(file)
            fitting.fields.update(file.fields)
            fitting.mark = fitting.mark or file.mark
    return groups


def _settle(form: str, forms: set[str]) -> str:
    """The one of two forms that another file shows to be meant; both where none or both are."""
    if "|" not in form:
        return form
    shown = [one for one in form.split("|") if one in forms]
    return shown[0] if len(shown) == 1 else form


def _fits(group: PriceGroup, file: PricesOfFile, form: str) -> bool:
    same = all(group.fields.get(name, column) == column for name, column in file.fields.items())
    columns = set(group.fields.values()) & set(file.fields.values())
    apart = any(
        group.fields.get(name) != file.fields.get(name) and {group.fields.get(name), file.fields.get(name)} & columns
        for name in group.fields.keys() | file.fields.keys()
    )
    return same and not apart and group.day_form == form and (group.mark == file.mark)
