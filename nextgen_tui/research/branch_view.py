"""Branches and merges as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from lake.branches.branch import Branch, own_bytes
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.research.merging.code_versions import SHOWN
from pipeline.research.merging.plan_merge import Merge

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
    name = merge.branch.name
    if merge.is_empty:
        return Text(f"The lake has the settings, the mandate and the models of {name}: there is nothing to merge.")
    view = grid(f"{'Merged' if done else 'A merge would bring'} from {name}")
    for heading in ("what", "now" if not done else "before", "then" if not done else "now"):
        view.add_column(heading)
    for key, was, new in merge.settings:
        view.add_row(key, safe_text(was, 80), safe_text(new, 80))
    for field, new in merge.mandate.items():
        view.add_row(f"mandate {field}", "", safe_text(new, 80))
    for what, was, new in _list_models(merge):
        view.add_row(what, safe_text(was, 80), safe_text(new, 80))
    stays = "Its forecasts and trades stay on the branch; the next cycle works with what was merged."
    told = [] if done else [Text(f"It would write {_list_writes(merge)}. Nothing was done.")]
    return Group(view, Text(stays), *told)


def record_merge(merge: Merge, *, done: bool) -> dict[str, Any]:
    """The same for a script."""
    return {
        "branch": merge.branch.name,
        "merged": done,
        "settings": {key: [str(was), str(new)] for key, was, new in merge.settings},
        "mandate": merge.mandate,
        "models": merge.models.names,
        "champion": merge.models.champion,
        "replaces": merge.models.replaces,
        "trials": merge.models.trials.height,
        "code": [{**vars(one), "same": one.is_same} for one in (*merge.plugins, *merge.stages)],
        "writes": merge.writes,
    }


def _list_models(merge: Merge) -> Iterator[tuple[str, str, str]]:
    """What is told of models, trials and code: what it is, how it was, how it is then."""
    models = merge.models
    for name in models.names:
        yield f"model {name}", "", "to be champion" if name == models.champion else "challenger"
    if models.champion:
        yield "champion", models.replaces or "nobody", f"{models.champion}, from the next cycle on"
    if not models.trials.is_empty():
        yield "trials", "", f"{formats.counted(models.trials.height, 'more candidate')} that count"
    for one in (*merge.plugins, *merge.stages):
        yield f"code of {one.name}", one.there[:SHOWN], "the same" if one.is_same else one.here[:SHOWN] or "none"


def _list_writes(merge: Merge) -> str:
    told = [f"{formats.counted(rows, 'row')} of {table}" for table, rows in merge.writes.items()]
    return ", ".join([*told, *(["nextgen.toml"] if merge.settings else [])])
