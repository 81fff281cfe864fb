"""Experiments and their results as a person reads them."""

from __future__ import annotations

from typing import Any

import polars as pl
from rich.console import Group, RenderableType
from rich.text import Text

from nextgen_tui.research.comparison_view import STYLES
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from nextgen_tui.text.table_view import grid
from pipeline.research.compare_runs import best_first, better_of, unit_of
from pipeline.research.spec import Spec
from pipeline.text_format import counted


def show_experiments(rows: pl.DataFrame) -> RenderableType:
    """A row for each experiment."""
    if rows.is_empty():
        return Text("Nothing was registered yet; nextgen experiment run FILE does so, and runs it.")
    view = grid("Experiments")
    for heading, justify in (
        ("experiment", "left"), ("registered", "left"), ("sessions", "left"), ("variants", "right"), ("ended", "right"),
        ("kept", "right"), ("question", "left"),
    ):  # fmt: skip
        view.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for one in rows.iter_rows(named=True):
        view.add_row(
            one["experiment_id"],
            formats.instant(one["registered_at"]),
            f"{one['first']} to {one['last']}",
            *(formats.whole(one[name]) for name in ("variants", "ended", "kept")),
            Text(safe_text(one["question"], 80)),
        )
    return view


def show_results(spec: Spec, results: pl.DataFrame, trials: int) -> RenderableType:
    """The question, what came of each variant, and what may be concluded."""
    view = grid(f"{spec.metric} ({unit_of(spec.metric)}), {spec.first} to {spec.last}, beside {spec.base}")
    for heading, justify in (
        ("variant", "left"), (spec.base, "right"), ("variant's", "right"), ("difference", "right"),
        ("95 % interval", "right"), ("verdict", "left"), ("kept", "left"), ("deflated", "right"),
    ):  # fmt: skip
        view.add_column(heading, justify=justify)  # type: ignore[arg-type]
    for one in best_first(results, spec.metric).iter_rows(named=True):
        view.add_row(*_cells(one))
    left = len(spec.variants) - results.height
    lacking = f"{counted(left, 'variant')} without a result; run the experiment again."
    return Group(
        Text(safe_text(spec.question, 400), "bold"),
        Text(f"Given up if: {safe_text(spec.kill, 400)}"),
        Text(),
        view,
        *([Text(lacking, "yellow")] if left else []),
        Text(conclude(spec, results, trials)),
    )


def _cells(one: dict[str, Any]) -> list[str | Text]:
    interval = "too few"
    if one["low"] is not None and one["high"] is not None:
        interval = f"{formats.number(one['low'], signed=True)} to {formats.number(one['high'], signed=True)}"
    return [
        one["variant"],
        formats.number(one["base_value"]),
        formats.number(one["value"]),
        formats.number(one["difference"], signed=True),
        interval,
        Text(one["verdict"], STYLES[one["verdict"]].removeprefix("bold ")),
        "yes" if one["kept"] else "no",
        formats.number(one["deflated"], 2),
    ]


def _asked(spec: Spec) -> str:
    """What a variant had to do to be kept."""
    verb = "lowers" if better_of(spec.metric) < 0 else "raises"
    return f"{verb} the {spec.metric} by more than {spec.keep_above:g} {unit_of(spec.metric)} in all of its interval"


def conclude(spec: Spec, results: pl.DataFrame, trials: int) -> str:
    """What may be said, and no more than that."""
    kept = results.filter(pl.col("kept"))
    tried = f"{counted(trials, 'variant')} tried in this lake so far"
    if kept.is_empty():
        return f"No variant is kept: none {_asked(spec)} ({tried})."
    sure = kept.filter(pl.col("deflated") > 0.95)
    names = ", ".join(kept["variant"].to_list()[:5])
    if sure.is_empty():
        return (
            f"Kept by the interval: {names}. After {tried}, none stands out from the best of as many worthless trials"
            " (deflated at least 0.95); take it as a hint, not as a finding."
        )
    best = ", ".join(sure["variant"].to_list()[:5])
    return f"Kept: {names}; {best} also after {tried}. It was found on these sessions."
