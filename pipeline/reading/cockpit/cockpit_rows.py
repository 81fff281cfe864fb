"""The rows of screen 1: the problems, or that there are none, and then a tile for each other screen."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lake.contract import PolarsType
from pipeline.reading.cockpit.problem_cards import MAX_PROBLEMS, describe_since, problem_row, worst_of_screen
from pipeline.reading.cockpit.tiles import Tile
from pipeline.reading.health_verdict import Health
from pipeline.text_format import counted, duration

COCKPIT_SCHEMA: dict[str, PolarsType] = {
    **dict.fromkeys(
        ("kind", "title", "part", "status", "what", "why", "since", "fix", "mend", "retry", "check"), pl.String
    ),
    **dict.fromkeys(("value", "limit"), pl.Float64),
    "trend": pl.List(pl.Float64),
    "trend_of": pl.String,
}
"""`kind` is problem, calm or screen; `status` ok, warn or fail; what a kind has no use for is null or empty."""


def cockpit_rows(health: Health, tiles: Mapping[str, Tile]) -> pl.DataFrame:
    """The problems worst first, five at most, then a row per screen: `COCKPIT_SCHEMA`.

    Args:
        health: the verdict at the moment shown.
        tiles: screen -> its answer, in the order of the screens.
    """
    rows = [problem_row(one, health.checks, health.at) for one in health.problems[:MAX_PROBLEMS]]
    rows = rows or [_calm_row(health)]
    rows += [_tile_row(health, screen, tile) for screen, tile in tiles.items()]
    blank = dict.fromkeys(COCKPIT_SCHEMA) | {name: "" for name, dtype in COCKPIT_SCHEMA.items() if dtype == pl.String}
    return pl.DataFrame([blank | row for row in rows], schema=COCKPIT_SCHEMA)


def _calm_row(health: Health) -> dict[str, object]:
    last = next(iter(health.cycles), None)
    if last is None:
        fix = "`nextgen init` loads history, `nextgen demo` makes a small operation"
        return {"kind": "calm", "title": "cycle", "status": "warn", "what": "No session has been run yet", "fix": fix}
    took = f"{counted(last.runs, 'stage')}, {counted(last.rows_written, 'new row')} in {duration(last.seconds)}"
    what = f"Nothing needs you: the cycle of {last.session} ended well"
    since = describe_since(last.started_at, health.at)
    return {"kind": "calm", "title": "cycle", "status": "ok", "what": what, "why": took, "since": since}


def _tile_row(health: Health, screen: str, tile: Tile) -> dict[str, object]:
    return {
        "kind": "screen",
        "title": screen,
        "status": worst_of_screen(health, screen),
        "what": tile.answer,
        "why": tile.detail,
        "trend": list(tile.trend),
        "trend_of": tile.trend_of,
    }
