"""Puts together the files whose columns mean the same and whose days and numbers are written alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pipeline.ingestion.sources.files.blocks.spool import Place
from pipeline.ingestion.sources.files.blocks.survey import Survey
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

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of all members; one that a file lacks is null in its rows."""
        return tuple(dict.fromkeys(column for member in self.members for column in member.columns))

    @property
    def portions(self) -> Iterator[tuple[int, Place, int, Survey | None]]:
        """Every portion of the files, one file after the other: the number of its file, where it lies, how many rows it
        has, and what was seen of it."""
        for number, member in enumerate(self.members):
            for portion in zip(member.places, member.rows, member.surveys, strict=True):
                yield number, *portion


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
