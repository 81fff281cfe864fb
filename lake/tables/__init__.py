"""Every table there is: look here for the meaning of a column."""

from lake.contract import Table
from lake.tables import control, features, feedback, imports, market, models, news, predictions, trading

TABLES: dict[str, Table] = {
    table.name: table
    for module in (market, news, imports, features, models, predictions, feedback, trading, control)
    for table in module.TABLES
}
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
    hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(TABLES)}"
    raise KeyError(f"there is no table {name!r}{hint}")
