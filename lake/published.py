"""A lake as a notebook reads it: one publication, the tables by their names, polars frames, and no way to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from lake.contract import Table
from lake.errors import LakeError, NoSuchError
from lake.moment import parse_moment
from lake.queries import Query
from lake.store import Lake
from lake.tables import TABLES, table


class PublishedLake:
    """A lake at one publication; `lake.open` gives it.

    Every read is of the versions that were published when it was opened, so that tables fit one another whatever a
    writer does meanwhile: nobody sees holdings that lag the trades. `refresh` moves on to the newest publication.
    """

    def __init__(self, lake: Lake) -> None:
        self._lake = lake
        self._versions = lake.published_versions()

    @property
    def path(self) -> Path:
        """The lake's folder."""
        return self._lake.path

    @property
    def versions(self) -> Mapping[str, int]:
        """Table -> the version that is read."""
        return MappingProxyType(self._versions)

    def refresh(self) -> PublishedLake:
        """Move on to what is published now, and return the lake."""
        self._versions = self._lake.published_versions()
        return self

    def tables(self) -> pl.DataFrame:
        """Every table: `table`, `domain`, `version`, `rows`, and `meaning`."""
        return pl.DataFrame(
            [
                {
                    "table": name,
                    "domain": one.domain,
                    "version": self._versions[name],
                    "rows": self._lake.rows(one, self._versions[name]),
                    "meaning": one.doc,
                }
                for name, one in TABLES.items()
                if name in self._versions
            ]
        )

    def columns(self, name: str) -> pl.DataFrame:
        """A table's columns: `column`, `type`, `unit`, `may_be_missing`, and `meaning`.

        Raises:
            NoSuchError: naming the nearest table, if there is none of that name.
        """
        contract = self._contract(name)
        return pl.DataFrame(
            [
                {
                    "column": one,
                    "type": str(column.dtype),
                    "unit": column.unit,
                    "may_be_missing": column.nullable,
                    "meaning": column.doc,
                }
                for one, column in contract.columns.items()
            ]
        )

    def files(self, name: str) -> list[Path]:
        """The Parquet files that make up a table, for other readers; those beside them belong to other versions.

        Raises:
            NoSuchError: naming the nearest table, if there is none of that name.
        """
        contract = self._contract(name)
        spans = self._lake.files(contract, self._versions[name])
        return [Path(self._lake.uri(contract)) / span.path for span in spans]

    def read(
        self,
        name: str,
        *,
        as_of: datetime | date | str | None = None,
        since: date | str | None = None,
        until: date | str | None = None,
        tickers: str | Sequence[str] | None = None,
        where: Mapping[str, Any] | None = None,
        columns: str | Sequence[str] | None = None,
        every_revision: bool = False,
    ) -> pl.DataFrame:
        """Rows of a table, sorted by its key, with the `run_id` that wrote each unless columns are chosen.

        Args:
            name: of the table.
            as_of: only what was public then, each fact in its last revision by then: a time with its zone, a day (all
                of it in UTC), or ISO text of either. Forecasts and plans are known from when they were made; where
                another table does not say when rows became public, those of later days are left out.
            since: the first session, or day of the table's clock; a date, or ISO text of one.
            until: the last one, included.
            tickers: only rows of these; of articles, those about any of them.
            where: column -> the value it has to have; None for a missing one.
            columns: only these, in this order.
            every_revision: True gives superseded and withdrawn statements of a fact too, unless `as_of` is given.

        Raises:
            NoSuchError: naming the nearest table, if there is none of that name.
            LakeError: if a column, a type or a moment is wrong, in words.
            DamageError: if a file of the version is missing or damaged.
        """
        first, last = _day(since), _day(until)
        if first and last and first > last:
            raise LakeError(f"since is {first} and until is {last}, which is before it; exchange them")
        asked = Query(self._lake, self._contract(name)).at(self._versions[name]).between(first, last)
        if tickers is not None:
            asked = asked.of(*([tickers] if isinstance(tickers, str) else tickers))
        for column, value in _conditions(where).items():
            asked = asked.having(column, "=", value)
        if as_of is not None:
            asked = asked.as_of(_moment(as_of))
        elif not every_revision:
            asked = asked.in_last_revision()
        chosen = [columns] if isinstance(columns, str) else columns
        return (asked.only(*chosen) if chosen is not None else asked).read()

    def sql(self, question: str, *, as_of: datetime | date | str | None = None) -> pl.DataFrame:
        """The answer to a question in SQL over the tables, such as `SELECT ticker, point FROM predictions`.

        Each fact is there once, in its last revision, or in that of the moment.

        Args:
            question: one SELECT or WITH, in the dialect of polars.
            as_of: only what was public then, as for `read`.

        Raises:
            SqlError: if it is no question, names what is not there (with the nearest that is), or could read a file.
            LakeError: if the moment is wrong, in words.
            DamageError: if a file of a version is missing or damaged.
        """
        from lake.sql.answer import answer

        def rows(table: Table, columns: tuple[str, ...]) -> pl.DataFrame:
            return self.read(table.name, as_of=as_of, columns=columns)

        return answer(question, rows, {name: self._contract(name) for name in TABLES if name in self._versions})

    def _contract(self, name: str) -> Table:
        try:
            found = table(str(name))
        except KeyError as error:
            raise NoSuchError(str(error.args[0])) from None
        return self._lake.contract(found, self._versions[name])

    def __repr__(self) -> str:
        return f"lake.open({str(self.path)!r})"


def _moment(as_of: datetime | date | str) -> datetime:
    if isinstance(as_of, datetime):
        return as_of
    try:
        return parse_moment(as_of.isoformat() if isinstance(as_of, date) else as_of)
    except (ValueError, TypeError) as error:
        raise LakeError(str(error) if isinstance(as_of, str) else f"as_of is {as_of!r}, which is no moment") from None


def _day(told: date | str | None) -> date | None:
    if told is None or (isinstance(told, date) and not isinstance(told, datetime)):
        return told
    try:
        return date.fromisoformat(told)  # type: ignore[arg-type]  # of what is no text it says so
    except (ValueError, TypeError):
        raise LakeError(f"{told!r} is no day; give a date, or write it as 2026-01-05") from None


def _conditions(where: Mapping[str, Any] | None) -> Mapping[str, Any]:
    if where is not None and not isinstance(where, Mapping):
        raise LakeError(f"where is {where!r}; give columns and values, as in {{'horizon': 5}}, or ask in SQL")
    return where or {}
