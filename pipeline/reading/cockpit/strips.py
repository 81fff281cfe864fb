"""What happened session by session, as a row of states: of a ticker's data, a cycle's stages, an insight's life."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from lake.runs import of_work
from lake.tables.control import WorkKind
from pipeline.engine.session_order import CYCLE

NOT_YET = "not yet"
"""The state of a session before there was anything."""


def add_arrival_days(
    rows: pl.DataFrame, universe: pl.DataFrame, bars: pl.DataFrame, quarantined: pl.DataFrame, restated: pl.DataFrame
) -> pl.DataFrame:
    """Adds `days` (List[String]): how each session of the universe went for the ticker, the last one last.

    A day is `restated` where a later delivery changed its bar, `set aside` where rows of the ticker were, else `late`
    where a member has no bar, `arrived` where it has one, and `out` where it is no member.
    """
    sessions = universe.select("session").unique().sort("session")
    days = universe.select("session", "ticker", "member")
    for frame, name in ((bars, "here"), (quarantined, "aside"), (restated, "changed")):
        found = frame.select("session", "ticker").unique().with_columns(pl.lit(True).alias(name))
        days = days.join(found, on=["session", "ticker"], how="left")
    state = (
        pl.when(pl.col("changed"))
        .then(pl.lit("restated"))
        .when(pl.col("aside"))
        .then(pl.lit("set aside"))
        .when(~pl.col("member"))
        .then(pl.lit("out"))
        .when(pl.col("here"))
        .then(pl.lit("arrived"))
        .otherwise(pl.lit("late"))
    )
    days = days.select("session", "ticker", state.alias("state"))
    grid = sessions.join(rows.select("ticker"), how="cross").join(days, on=["session", "ticker"], how="left")
    strips = grid.sort("ticker", "session").group_by("ticker", maintain_order=True)
    listed = strips.agg(pl.col("state").fill_null("out").alias("days"))
    return rows.join(listed, on="ticker", how="left", maintain_order="left")


def add_stage_ends(cycles: pl.DataFrame, runs: pl.DataFrame, names: Sequence[str] = ()) -> pl.DataFrame:
    """Adds `ends` (List[String]): how each stage of a cycle ended, in the order of the session; `not run` where it did
    not.

    Args:
        cycles: summaries of pieces of work, with `cycle_id`.
        runs: rows of the table `runs`, in the order they were started.
        names: the stages in their order; those of a cycle where none are given.
    """
    order = list(names or CYCLE)
    of_cycles = runs.filter(of_work(WorkKind.CYCLE), pl.col("cycle_id").is_in(cycles["cycle_id"].to_list()))
    last = of_cycles.unique(subset=["cycle_id", "stage"], keep="last", maintain_order=True)
    found = {(cycle, stage): status for cycle, stage, status in last.select("cycle_id", "stage", "status").iter_rows()}
    ends = [[found.get((cycle, stage), "not run") for stage in order] for cycle in cycles["cycle_id"]]
    return cycles.with_columns(ends=pl.Series(ends, dtype=pl.List(pl.String)))


def add_life(insights: pl.DataFrame, steps: pl.DataFrame, sessions: Sequence[date]) -> pl.DataFrame:
    """Adds `life` (List[String]): where each insight stood after each session, and the steps as they were made.

    Args:
        insights: one row per insight.
        steps: its steps: insight_id, session, status, effect.
        sessions: those told, in their order.

    Returns:
        A state a session: `not yet`, the step where one was made (open, acted, measured, retired, or `helped` and
        `hurt` where it was measured so), and `=` before the status in which it stays on between steps.
    """
    made: dict[str, dict[date, str]] = {}
    for name, session, status, effect in steps.select("insight_id", "session", "status", "effect").iter_rows():
        made.setdefault(name, {})[session] = effect if effect in ("helped", "hurt") else status
    lives = [_life(made.get(name, {}), sessions) for name in insights["insight_id"]]
    return insights.with_columns(life=pl.Series(lives, dtype=pl.List(pl.String)))


def _life(steps: dict[date, str], sessions: Sequence[date]) -> list[str]:
    told, here = [], max((day for day in steps if sessions and day < sessions[0]), default=None)
    standing = steps[here] if here else NOT_YET
    for session in sessions:
        if session in steps:
            standing = steps[session]
            told.append(standing)
        else:
            told.append(standing if standing == NOT_YET else f"={standing}")
    return told
