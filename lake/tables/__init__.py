"""Every table there is: look here for the meaning of a column."""

from graphlib import CycleError, TopologicalSorter
from types import ModuleType

import polars as pl

from lake.contract import Table
from lake.tables import (
    alerts,
    attribution,
    books,
    control,
    explanations,
    features,
    feedback,
    imports,
    intraday,
    learning,
    market,
    models,
    news,
    predictions,
    research,
    trading,
)

MODULES: tuple[ModuleType, ...] = (
    market,
    intraday,
    news,
    imports,
    features,
    models,
    predictions,
    explanations,
    feedback,
    learning,
    trading,
    books,
    attribution,
    control,
    alerts,
    research,
)
"""In the order data flows. Every `Table` in one of these modules is a table of the lake; a new module is added here."""


def collect_tables(modules: tuple[ModuleType, ...]) -> dict[str, Table]:
    """The tables of the modules by name, in the order in which they are declared, their references checked.

    Raises:
        TypeError: if two tables have one name, a table refers to what is not there, or references lead in a circle.
    """
    found = [value for module in modules for value in vars(module).values() if isinstance(value, Table)]
    tables = {table.name: table for table in found}
    for table in found:
        if tables[table.name] is not table:
            raise TypeError(f"two tables are named {table.name!r}; rename one of them")
        _check_references(table, tables)
    _check_circles(tables)
    return tables


def _check_circles(tables: dict[str, Table]) -> None:
    """Whoever follows references ends somewhere; a loop that learns from itself recalls instead."""
    try:
        TopologicalSorter({name: {one.table for one in t.references} - {name} for name, t in tables.items()}).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        raise TypeError(
            f"tables refer to each other in a circle, {circle}; let one of them `recall` the other"
        ) from None


def _check_references(table: Table, tables: dict[str, Table]) -> None:
    """Every reference leads to a column of the same type, and a table without any says why."""
    for name, column in table.columns.items():
        for target in (*column.refers, *filter(None, [column.recalls])):
            other, _, there = target.partition(".")
            if other not in tables or there not in tables[other].columns:
                raise TypeError(f"{table.name}.{name} refers to {target!r}, which does not exist; correct its `refers`")
            if _item_type(tables[other].schema[there]) != _item_type(table.schema[name]):
                raise TypeError(f"{table.name}.{name} refers to {target}, which has another type")
        if column.refers_until is not None and column.refers_until not in table.columns:
            raise TypeError(f"{table.name}.{name} refers until {column.refers_until!r}, which is not a column of it")
    if bool(table.references) == bool(table.root):
        raise TypeError(
            f"table {table.name!r} has to say what its rows are derived from (`refers` of its columns), "
            "or else what they are (`root`), and not both"
        )


def _item_type(dtype: pl.DataType) -> object:
    return dtype.inner if isinstance(dtype, pl.List) else dtype


TABLES: dict[str, Table] = collect_tables(MODULES)
"""By name, in the order data flows."""
DOMAINS: tuple[str, ...] = tuple(dict.fromkeys(table.domain for table in TABLES.values()))


def table(name: str) -> Table:
    """The table of that name.

    Raises:
        KeyError: naming the nearest table there is.
    """
    if name in TABLES:
        return TABLES[name]
    from difflib import get_close_matches

    near = get_close_matches(name, TABLES, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else "; `nextgen tables` lists them"
    raise KeyError(f"there is no table {name!r}{hint}")
