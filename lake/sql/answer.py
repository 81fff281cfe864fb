"""Answers a question in SQL from tables at versions, as they were known at a moment."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

import polars as pl

from lake.contract import Column, Table
from lake.sql.statement import SqlError, check_statement, choose_columns, find_names, name_nearest
from lake.tables import TABLES

Rows = Callable[[Table, tuple[str, ...]], pl.DataFrame]
"""Table and columns -> its rows, of that moment and version that the question is about."""
NO_TABLE = re.compile(r"relation '(.+?)' was not found")
NO_COLUMN = (re.compile(r'unable to find column "(.+?)"'), re.compile(r"no column named '(.+?)' found"))
A_SCAN = re.compile(r"(?m)^\s*\w+ SCAN \[")
"""How a plan begins a line that opens files; what the lake gives is in memory."""


def answer(text: str, rows: Rows, contracts: Mapping[str, Table], limit: int | None = None) -> pl.DataFrame:
    """The rows that answer a question.

    Args:
        text: one statement, SELECT or WITH.
        rows: gives the rows of a table.
        contracts: table -> its contract at the version that is read.
        limit: rows at most; None for all.

    Raises:
        SqlError: if it is refused, cannot be understood, or names what is not there.
    """
    text = check_statement(text)
    named = {name: contracts[name] for name in find_names(text, contracts)}
    frames = {
        name: rows(table, choose_columns(text, table.stored_schema, table.key)).lazy() for name, table in named.items()
    }
    try:
        asked = pl.SQLContext(frames=frames, eager=False).execute(text)
        asked = asked if limit is None else asked.head(limit)
        if A_SCAN.search(asked.explain(optimized=False)):
            raise SqlError("the question would open a file, and SQL here reads tables of the lake only")
        return asked.collect()
    except pl.exceptions.PolarsError as error:
        raise SqlError(_explain(error, named)) from None


def find_columns(text: str) -> dict[str, Column]:
    """Name -> the column of the tables in a question that is called so, with its unit and meaning.

    A name that columns of different units have is left out: nobody can tell which of them an answer shows.
    """
    found: dict[str, Column] = {}
    for table in (TABLES[name] for name in find_names(text, TABLES)):
        for name, column in table.columns.items():
            same = found.setdefault(name, column)
            if same.unit != column.unit:
                found[name] = replace(column, unit="")
    return {name: column for name, column in found.items() if column.unit}


def _explain(error: Exception, tables: Mapping[str, Table]) -> str:
    """What is wrong, in a sentence: polars says it in the first line, and its plan in the others."""
    words = str(error).split("\n")[0].strip()
    if found := NO_TABLE.search(words):
        return name_nearest("table", found[1], TABLES, "`nextgen tables` lists them")
    for pattern in NO_COLUMN:
        if found := pattern.search(words):
            names = [column for table in tables.values() for column in table.stored_schema]
            known = "; ".join(f"{name} has {', '.join(table.stored_schema)}" for name, table in tables.items())
            return name_nearest("column", found[1].rpartition(".")[2], names, known)
    if "only one) statement" in words:
        return "SQL here answers one question at a time; drop what follows the first semicolon"
    return words.removeprefix("sql parser error: ")
