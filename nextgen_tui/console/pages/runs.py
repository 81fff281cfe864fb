"""Screen 9: what ran, from which inputs, and how each run ended."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import polars as pl

from lake.runs import DONE, of_work, summarize_work
from lake.tables.control import RUNS, WorkKind
from nextgen_tui.console.charts.chart import Band, Chart, Stretch, day_ticks
from nextgen_tui.console.lake_view import LakeView
from nextgen_tui.console.notes import Line, fact, note
from nextgen_tui.console.page import Action, Detail, Link, Page, Row, Section, SheetSpec
from nextgen_tui.console.sheet.sheet import Cell, Col, Style, dim, strip, verdict
from nextgen_tui.text import formats
from nextgen_tui.text.safe_text import safe_text
from pipeline.engine.session_order import ORDER, load_stages
from pipeline.reading.cockpit.strips import add_stage_ends

FAILED = pl.col("status") != "done"
ENDS: dict[str, tuple[str, Style]] = {"done": ("■", "good"), "failed": ("✗", "bad"), "not run": ("·", "dim")}
"""How a stage ended -> its sign."""
MATRIX = 250
"""Cycles whose stages are told apart: a year."""
PACE = 30
"""Runs of a stage whose times are drawn."""


@dataclass(frozen=True)
class RunsData:
    """Every run and every piece of work, newest first."""

    runs: pl.DataFrame
    work: pl.DataFrame
    cycles: pl.DataFrame
    """The last cycles, each with how its stages ended."""


def cycle_rows(runs: pl.DataFrame) -> pl.DataFrame:
    """One row per piece of work, newest first; the report that follows a cycle is worth a line only if it failed."""
    return summarize_work(runs.filter((pl.col("stage") != "report") | ~DONE))


class RunsPage(Page[RunsData]):
    """Every run and piece of work."""

    number, name = "9", "Runs"
    question = "What ran, from which inputs, and how did it end?"
    tables = (RUNS,)

    def load(self, view: LakeView) -> RunsData:
        """The runs that the view holds anyway."""
        return runs_data(view.runs)

    def sentence(self, data: RunsData) -> str:
        """How many there are, and the last failure."""
        if data.runs.is_empty():
            return "Nothing has run yet; `nextgen init` loads history, `nextgen cycle` runs the loop."
        failed = data.runs.filter(pl.col("status") != "done")
        text = f"{formats.counted(data.work.height, 'publication')}, {formats.counted(data.runs.height, 'run')}; "
        if failed.is_empty():
            return text + "none failed."
        last = failed.row(0, named=True)
        of_work = "" if last["work"] == WorkKind.CYCLE else f" ({describe_work(last['work'])})"
        return text + f"{failed.height} failed, last {last['stage']} of {last['session']}{of_work}: {last['error']}"

    def specs(self, data: RunsData) -> tuple[SheetSpec[RunsData], ...]:
        """Runs, pieces of work and failures, the newest first."""
        del data
        return SHEETS


def runs_data(runs: pl.DataFrame) -> RunsData:
    """What the screen shows of runs in the order they were started."""
    work = cycle_rows(runs)
    cycles = add_stage_ends(work.filter(of_work(WorkKind.CYCLE)).head(MATRIX), runs)
    return RunsData(runs.sort("started_at", "run_id", descending=True), work, cycles)


def describe_work(kind: str) -> str:
    """A kind of work in words: 'single stage'."""
    return kind.replace("-", " ")


def duration_chart(title: str, times: Sequence[float], days: Sequence[date], share: float = 1.0) -> Chart:
    """Times in the order of their sessions."""
    xs = tuple(float(n) for n in range(len(times)))
    ground = Band(xs, (0.0,) * len(xs), tuple(times), 3)
    return Chart(
        title,
        bands=(ground,),
        label=lambda value: f"{value:.2f}",
        ticks=day_ticks(days),
        share=share,
        days=tuple(days),
    )


def stage_durations(data: RunsData, row: Row) -> tuple[Chart, ...]:
    """How long the stage of a run took lately."""
    mine = data.runs.filter((pl.col("stage") == row["stage"]) & ~FAILED).head(PACE).reverse()
    return (duration_chart(f"seconds of {row['stage']}", mine["seconds"].to_list(), mine["session"].to_list()),)


def work_durations(data: RunsData, row: Row) -> tuple[Chart, ...]:
    """How long work of the kind took lately."""
    mine = data.work.filter(pl.col("work") == row["work"]).head(PACE).reverse()
    seconds = [value / 1_000 for value in mine["milliseconds"]]
    return (duration_chart(f"seconds per {describe_work(row['work'])}", seconds, mine["session"].to_list()),)


def cycle_waterfall(data: RunsData, row: Row) -> tuple[Chart, ...]:
    """When each stage of a piece of work began, and how long it took."""
    mine = data.runs.filter(pl.col("cycle_id") == row["cycle_id"]).sort("started_at", "run_id")
    first = mine["started_at"][0] if mine.height else None
    made = tuple(
        Stretch(stage, (at - first).total_seconds(), (at - first).total_seconds() + took, "own" if ok else "bad")
        for stage, at, took, ok in mine.select("stage", "started_at", "seconds", pl.col("status") == "done").iter_rows()
    )
    slowest = Chart("stages, by when they began", stretches=made, label=lambda value: f"{value:.2f} s", share=0.7)
    return (slowest, replace(work_durations(data, row)[0], share=0.3))


def run_notes(row: Row) -> tuple[Line, ...]:
    """A run in short."""
    lines = [
        (verdict(row["status"]), Cell(f"  {row['stage']}"), Cell(f"  {describe_work(row['work'])}", "dim")),
        fact("session", row["session"]),
        fact("wrote", f"{formats.whole(row['written'])} new of {formats.counted(row['rows'], 'row')}"),
        fact("into", f"{row['output_table']} {_at(row['output_version'])}"),
        fact("took", formats.duration(row["seconds"])),
        fact("started", formats.instant(row["started_at"])),
    ]
    return (*lines, *((note(row["error"], "bad"),) if row["error"] else ()))


def cycle_notes(row: Row) -> tuple[Line, ...]:
    """A cycle in short."""
    lines = [
        (verdict(row["status"]), Cell(f"  {row['cycle_id']}"), Cell(f"  {describe_work(row['work'])}", "dim")),
        fact("session", row["session"]),
        fact("stages", f"{row['stages']}, {row['failed']} failed"),
        fact("wrote", formats.counted(row["written"], "new row")),
        fact("took", formats.duration(row["milliseconds"] / 1_000)),
    ]
    return (*lines, *((note(row["error"], "bad"),) if row["error"] else ()))


def cycle_detail(runs: pl.DataFrame, row: Row) -> Detail:
    """A cycle's runs in their order."""
    mine = runs.filter(pl.col("cycle_id") == row["cycle_id"]).sort("started_at", "run_id")
    links = tuple(
        Link(
            f"{verdict(run['status']).text:<9} {run['stage']}",
            "runs",
            {"run_id": run["run_id"]},
            run["error"] or f"{formats.whole(run['written'])} new rows in {formats.duration(run['seconds'])}",
        )
        for run in mine.iter_rows(named=True)
    )
    return Detail(row["cycle_id"], (Section("This work", cycle_notes(row)),), links=links, copies=row["cycle_id"])


def run_detail(view: LakeView, run_id: str) -> Detail:
    """A run with its recipe: what it read, at which versions, with which parameters, and what that made impossible.

    Raises:
        LakeError: if the lake cannot be read.
    """
    found = view.read(RUNS, where=pl.col("run_id") == run_id)
    if found.is_empty():
        return Detail(run_id, (Section("", (note("This run was not published at this moment.", "warn"),)),))
    row = found.row(0, named=True)
    sections = [Section("Run " + run_id, (*run_notes(row), *_recipe(row)))]
    if row["status"] != "done":
        sections.append(Section("Stages it blocks", blocked_stages(row["stage"])))
        sections.append(Section("What to do", recovery_steps(row)))
    sections.append(Section("Inputs, at these versions", _json_facts(row["inputs"])))
    sections.append(Section("Parameters", _json_facts(row["params"])))
    sections.append(Section("Library versions", _json_facts(row["libraries"])))
    return Detail(
        f"run {run_id}",
        tuple(sections),
        copies=f"nextgen reproduce {run_id}",
        actions=run_actions(row),
    )


def run_actions(row: Row) -> tuple[Action, ...]:
    """A pure run that ended well can be computed again, a failed one of a cycle tried again with its cycle."""
    if row["status"] != "done":
        return (Action("retry", f"retry cycle {row['session']}"),) if row["work"] == WorkKind.CYCLE else ()
    about = f"{row['stage']} of {row['session']}, {formats.counted(row['rows'], 'row')}"
    return (Action("reproduce", f"reproduce {row['run_id']}", about),) if row["kind"] == "pure" else ()


def cycle_actions(row: Row) -> tuple[Action, ...]:
    """A cycle that ended well can be computed again."""
    return () if row["failed"] else (Action("reproduce", f"reproduce {row['cycle_id']}"),)


def blocked_stages(stage: str) -> tuple[Line, ...]:
    """The stages that read, directly or through others, what this one did not write."""
    waiting: list[str] = []
    stages = load_stages(ORDER)
    missing = {one.writes.name for one in stages if one.name == stage}
    for one in stages:
        if one.name != stage and missing & {read.table.name for read in one.reads}:
            waiting.append(one.name)
            missing.add(one.writes.name)
    return (note(", ".join(waiting) if waiting else "Nothing reads what it writes."),)


def recovery_steps(row: Row) -> tuple[Line, ...]:
    """The way on from a failure."""
    by_hand = {
        "cycle": "nextgen cycle   resumes the session where it stopped",
        "backfill": "nextgen init   resumes the load where it stopped",
        "import": "nextgen import   resumes where it stopped",
        "snapshot": "nextgen snapshot   asks for what is missing as well",
        "news": "the next fetch, or the session's cycle, asks for what is missing as well",
        "training": f"nextgen train --session {row['session']}",
        "single-stage": f"nextgen run {row['stage']} --session {row['session']}",
    }
    again = (fact("R", f"ask the daemon to run the cycle of {row['session']} again"),)
    return (
        *(again if row["work"] == "cycle" else ()),
        fact("y", "copy the command that reproduces this run: nextgen reproduce"),
        *((fact("by hand", by_hand[row["work"]]),) if row["work"] in by_hand else ()),
    )


def _recipe(row: Row) -> tuple[Line, ...]:
    return (
        fact("cycle", f"{row['cycle_id']}, attempt {row['attempt']}"),
        fact("as of", f"what was available at {formats.instant(row['as_of'])}"),
        fact("computed", f"sessions {row['since']} to {row['session']}"),
        fact("seed", f"{row['seed']}, {formats.counted(row['threads'], 'thread')}"),
        fact("code", row["code"]),
        fact("fingerprint", row["fingerprint"] or "–"),
    )


def _at(version: Any) -> str:
    return f"@ {version}" if version is not None else "(nothing)"


WORK = Col("work", "work", describe_work)
RUN_COLS = (
    Col("status", "status", verdict),
    WORK,
    Col("stage", "stage"),
    Col("session", "session"),
    Col("rows", "rows", formats.whole, right=True, rank=4),
    Col("new", "written", formats.whole, right=True, rank=1),
    Col("time", "seconds", formats.duration, right=True),
    Col("table", "output_table", rank=3),
    Col("version", "output_version", formats.whole, right=True, rank=2),
    Col("started", "started_at", formats.instant, rank=5),
    Col("error", "error", rank=6),
    Col("run", "run_id", dim, rank=7),
)
CYCLE_COLS = (
    Col("status", "status", verdict),
    Col("session", "session"),
    Col("cycle", "cycle_id", rank=2),
    Col("stages", "stages", formats.whole, right=True),
    Col("failed", "failed", formats.whole, right=True),
    Col("new rows", "written", formats.whole, right=True, rank=1),
    Col("time", "milliseconds", lambda value: formats.duration(value / 1_000), right=True),
    Col("started", "started_at", formats.instant, rank=3),
    Col("error", "error", rank=4),
)


def _ends(states: Any) -> Cell:
    return strip([ENDS.get(state, ("?", "warn")) for state in states]) if states is not None else dim(None)


MATRIX_COLS = (
    Col("status", "status", verdict),
    Col("session", "session"),
    Col("stages", "ends", _ends, stretch=True, sort="failed", drawn=True, legend="■ done ✗ failed · not run"),
    Col("time", "milliseconds", lambda value: formats.duration(value / 1_000), right=True),
    Col("new rows", "written", formats.whole, right=True, rank=1),
    Col("error", "error", rank=2),
)


def _json_facts(text: str) -> tuple[Line, ...]:
    """A JSON object as facts, one a line."""
    try:
        content = json.loads(text)
    except ValueError:
        return (note(text),)
    if not isinstance(content, dict):
        return (note(text),)
    return tuple(
        (Cell(f"{safe_text(name, 40):<26} ", "dim"), Cell(safe_text(value, 300))) for name, value in content.items()
    )


def _run_sheet(name: str, frame: Callable[[RunsData], pl.DataFrame], empty: str) -> SheetSpec[RunsData]:
    return SheetSpec(
        name,
        frame,
        RUN_COLS,
        ("run_id",),
        "run",
        empty,
        notes=lambda _, row: run_notes(row),
        charts=stage_durations,
        detail=lambda view, _, row: run_detail(view, row["run_id"]),
        actions=lambda _, row: run_actions(row),
        origin=lambda row: Link(row["run_id"], RUNS.name, {"run_id": row["run_id"]}),
    )


SHEETS: tuple[SheetSpec[RunsData], ...] = (
    SheetSpec(
        "cycles",
        lambda data: data.cycles,
        MATRIX_COLS,
        ("cycle_id",),
        "cycle",
        "No cycle has run yet.",
        notes=lambda _, row: cycle_notes(row),
        charts=cycle_waterfall,
        detail=lambda _, data, row: cycle_detail(data.runs, row),
        actions=lambda _, row: cycle_actions(row),
    ),
    SheetSpec(
        "work",
        lambda data: data.work,
        (CYCLE_COLS[0], WORK, *CYCLE_COLS[1:]),
        ("cycle_id",),
        "piece of work",
        "Nothing has run yet.",
        notes=lambda _, row: cycle_notes(row),
        charts=cycle_waterfall,
        detail=lambda _, data, row: cycle_detail(data.runs, row),
        actions=lambda _, row: cycle_actions(row),
    ),
    _run_sheet("runs", lambda data: data.runs, "Nothing has run yet."),
    _run_sheet("failed", lambda data: data.runs.filter(FAILED), "No run has failed."),
)
