"""Lineage trees as text, and as diagrams that Markdown pages draw (Mermaid flowcharts)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

from lake.contract import RUN_ID
from nextgen_tui.text import table_view
from nextgen_tui.text.formats import counted
from nextgen_tui.text.safe_text import safe_text
from pipeline.reading.provenance.lineage_tree import ColumnFact, LineageNode, list_columns

MAX_VALUE = 60
"""Characters of a value."""
LAST, MORE, DOWN, GAP = "└── ", "├── ", "│   ", "    "
BEHIND, AHEAD = "rests on", "led to"
ENTITIES = {'"': "#quot;", "<": "#lt;", ">": "#gt;", "#": "#35;", "`": "#96;", "&": "#amp;"}
"""Signs that would end a label of a diagram, or be taken for more than text."""


def name_rows(node: LineageNode) -> str:
    """What a node's rows are called: what they share of their key, and from where to where the rest goes."""
    key = node.rows.select(node.table.key)
    first, last = key.row(0, named=True), key.row(-1, named=True)
    shared = [f"{name}={_value(last[name])}" for name in key.columns if key[name].n_unique() == 1]
    spans = [
        f"{name} {_value(first[name])} to {_value(last[name])}" for name in key.columns if key[name].n_unique() > 1
    ]
    return ", ".join([*shared, *spans])


def _value(value: object) -> str:
    return safe_text(value if isinstance(value, str) else table_view.cell(value).plain, 40)


def describe_node(node: LineageNode) -> str:
    """A node in one line: which rows of which table, what is used of them, and the run that wrote the last."""
    many = f" ({counted(node.rows.height, 'row')}, the last followed)" if node.rows.height > 1 else ""
    used = f": {', '.join(node.used)}" if node.used else ""
    again = "  (above)" if node.again else f"  {safe_text(node.row.get(RUN_ID, ''), 60)}"
    return f"{node.table.name}  {name_rows(node)}{many}{used}{again}"


def describe_column(fact: ColumnFact) -> str:
    """A column in one line: value, unit, and the columns of other tables that it was taken from."""
    value = table_view.cell(fact.value).plain if not isinstance(fact.value, str) else safe_text(fact.value, MAX_VALUE)
    taken = f"  ← {', '.join(fact.origins)}" if fact.origins else ""
    return f"{fact.name} = {safe_text(value, MAX_VALUE)}  ({fact.unit}){taken}"


def as_text(root: LineageNode, *, columns: bool = False) -> str:
    """The tree in lines, both ways from the row at the top.

    Args:
        root: the row.
        columns: whether every row's columns are unfolded, not only the first one's.
    """
    lines = [describe_node(root), *(f"    {describe_column(one)}" for one in list_columns(root.table, root.row))]
    for heading, nodes in ((BEHIND, root.behind), (AHEAD, root.ahead)):
        lines += [heading, *_branches(nodes, heading == AHEAD, "", columns)] if nodes else []
    return "\n".join(lines) + "\n"


def _branches(nodes: tuple[LineageNode, ...], ahead: bool, before: str, columns: bool) -> Iterator[str]:
    for number, node in enumerate(nodes):
        last = number == len(nodes) - 1
        yield f"{before}{LAST if last else MORE}{describe_node(node)}"
        below = before + (GAP if last else DOWN)
        if columns and not node.again:
            yield from (f"{below}    {describe_column(one)}" for one in list_columns(node.table, node.row))
        yield from _branches(node.ahead if ahead else node.behind, ahead, below, columns)


def as_mermaid(root: LineageNode, *, columns: bool = False) -> str:
    """The tree as a flowchart from sources to what was made; an edge says by which columns rows belong together.

    Args:
        root: the row.
        columns: whether the columns of each row are listed in its box.
    """
    lines = ["flowchart LR"]
    names: dict[tuple[str, str], str] = {}
    numbers = count()

    def box(node: LineageNode) -> str:
        if node.mark not in names:
            names[node.mark] = f"n{next(numbers)}"
            lines.append(f'    {names[node.mark]}["{_label(node, columns)}"]')
        return names[node.mark]

    def draw(node: LineageNode) -> None:
        here = box(node)
        for other in node.behind:
            lines.append(f"    {box(other)} {_edge(other)} {here}")
            draw(other)
        for other in node.ahead:
            lines.append(f"    {here} {_edge(other)} {box(other)}")
            draw(other)

    draw(root)
    return "\n".join([*lines, f"    style {names[root.mark]} stroke-width:3px"]) + "\n"


def _label(node: LineageNode, columns: bool) -> str:
    many = f"{counted(node.rows.height, 'row')} of " if node.rows.height > 1 else ""
    parts = [f"{many}{node.table.name}", name_rows(node)]
    parts += [describe_column(one) for one in list_columns(node.table, node.row)] if columns else []
    return "<br/>".join(escape(part) for part in parts)


def _edge(node: LineageNode) -> str:
    words = ", ".join(here if there == here else f"{there} = {here}" for there, here in node.by.items())
    words = words or ", ".join(node.used)
    return f'-- "{escape(words)}" -->' if words else "-->"


def escape(text: str) -> str:
    """Text that stands in a label and can neither end it nor be taken for a link or markup."""
    return "".join(ENTITIES.get(sign, sign) for sign in safe_text(text, 400))
