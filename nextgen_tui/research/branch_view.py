"""Branches and merges as a person reads them."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.text import Text

from lake.branches.branch import Branch, own_bytes
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.research.merging import Merge

MEGABYTE = 1_000_000


def show_branches(branches: Sequence[Branch]) -> RenderableType:
    """A row for each branch."""
    if not branches:
        return Text("This lake has no branches; nextgen branch create NAME makes one.")
    view = grid("Branches")
    for heading, justify in (
        ("branch", "left"), ("left after", "left"), ("made", "left"), ("own files", "right"), ("why", "left")
    ):  # fmt: skip
        view.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for one in branches:
        size = f"{own_bytes(one.path) / MEGABYTE:,.1f} MB"
        session = formats.day(one.session) if one.session else "no cycle"
        view.add_row(one.name, session, formats.instant(one.created_at), size, Text(safe_text(one.reason, 120)))
    return view


def show_merge(merge: Merge, *, done: bool) -> RenderableType:
    """What a merge changes, or would."""
    if merge.is_empty:
        return Text(f"{merge.branch} has the settings and the mandate of the lake: there is nothing to merge.")
    view = grid(f"{'Merged' if done else 'A merge would bring'} from {merge.branch}")
    for heading in ("what", "now" if not done else "before", "then" if not done else "now"):
        view.add_column(heading)
    for key, was, new in merge.settings:
        view.add_row(key, safe_text(was, 80), safe_text(new, 80))
    for field, new in merge.mandate.items():
        view.add_row(f"mandate {field}", "", safe_text(new, 80))
    stays = "Its forecasts, trades and models stay on the branch; the next cycle works with what was merged."
    return Group(view, Text(stays))
