"""Tells of held names whose bars have stopped, since when, and what the operator can do."""

from __future__ import annotations

import polars as pl

from pipeline.engine.stage import Moment
from pipeline.health.checks import Check
from pipeline.health.params import HealthParams
from pipeline.text_format import counted


def check_held_names(holdings: pl.DataFrame, moment: Moment, params: HealthParams) -> list[Check]:
    """Name the positions that rest on a close more than `max_silent` sessions old; nothing where there are none."""
    if not params.max_silent or holdings.is_empty():
        return []
    held = holdings.filter(pl.col("session") == moment.session).select("ticker", "close_session").sort("ticker")
    ages = [(ticker, last, moment.calendar.distance(last, moment.session)) for ticker, last in held.iter_rows()]
    silent = [(ticker, last, age) for ticker, last, age in ages if age > params.max_silent]
    if not silent:
        return []
    listed = ", ".join(f"{ticker} since {last}" for ticker, last, _ in silent[:10])
    more = f" and {len(silent) - 10} more" if len(silent) > 10 else ""
    message = (
        f"{counted(len(silent), 'held name')} without a bar: {listed}{more}; if trading has ended, land a delisting"
        " with its final value per share (0 writes it off), or a rename with its successor"
    )
    oldest = float(max(age for _, _, age in silent))
    return [Check("book", "still traded", "fail", oldest, float(params.max_silent), message[:500])]
