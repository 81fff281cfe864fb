"""Legal rows of the feedback tables, and stages run on frames held in memory as the runner would run them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from hashlib import sha256
from typing import Any

import polars as pl

from lake.tables import TABLES
from lake.tables.feedback import (
    BIAS_FLAGS,
    FEEDBACK_METRICS,
    LEARNING_INSIGHTS,
    PREDICTION_ACCURACY,
    SCALE_EDGES,
    SESSION_SCORES,
)
from lake.tables.learning import SLICE_LESSONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import extend
from pipeline.market.sessions import Sessions
from tests.frames.market import CALENDAR, DAY, moment
from tests.frames.visible_rows import visible_rows

Tables = dict[str, pl.DataFrame]
"""Table name -> rows: a lake in memory."""


def seen(read: Read, tables: Tables, at: Moment) -> pl.DataFrame:
    """What a stage sees of a table: the promise that `Read` makes, kept on a frame."""
    table = read.table
    frame = tables.get(table.name)
    if frame is None or frame.is_empty():
        return table.for_columns(read.columns or ()).empty()[list(read.columns or table.columns)]
    since = None if read.lookback is None else at.calendar.offset(at.since, -read.lookback)
    until = at.session if read.upto == "session" else at.calendar.previous(at.since)
    shown = visible_rows(table, frame).see([(since, until)], at.as_of)
    if read.where is not None:
        shown = shown.filter(read.where)
    return shown[list(read.columns or table.for_columns(frame.columns).columns)]


def run(stage: Stage, tables: Tables, at: Moment, params: object = None) -> pl.DataFrame:
    """The stage's rows, checked against the contract of the table it writes."""
    frames = [seen(read, tables, at) for read in stage.reads]
    return stage.writes.check(stage.function(*frames, at, params or stage.params))


def run_and_keep(stage: Stage, tables: Tables, at: Moment, params: object = None) -> pl.DataFrame:
    """The same, with the rows added to the tables in the way the table's contract says."""
    rows = run(stage, tables, at, params)
    table = stage.writes
    before = tables.get(table.name)
    kept = [] if before is None else [before.join(rows.select(table.key), on=table.key, how="anti")]
    tables[table.name] = pl.concat([*kept, rows])
    return rows


def at(session: date = DAY, *, calendar: Sessions = CALENDAR) -> Moment:
    """The moment of decision at a session, with every table at its first version."""
    return replace(moment(session, calendar=calendar), versions=dict.fromkeys(TABLES, 1), extensions=extend())


def accuracy(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of prediction_accuracy: a champion's forecast over one session that was right to the basis point."""
    return PREDICTION_ACCURACY.check(pl.DataFrame([_score(row) for row in rows], schema=PREDICTION_ACCURACY.schema))


def _score(row: Mapping[str, Any]) -> dict[str, Any]:
    session = row.get("session", DAY)
    target = row.get("target_session", session)
    horizon = row.get("horizon", 1)
    made = CALENDAR.offset(target, -horizon)
    key = f"{made}|{row.get('ticker', 'AAA')}|{horizon}|{row.get('model_id', 'm-test')}"
    point, realised = row.get("point", 0.01), row.get("realised", 0.01)
    error = row.get("error", realised - point)
    return {
        "prediction_id": sha256(key.encode()).hexdigest()[:16],
        "session": session,
        "made_session": made,
        "target_session": target,
        "ticker": "AAA",
        "sector": "tech",
        "horizon": horizon,
        "model_id": "m-test",
        "role": "champion",
        "point": point,
        "realised": realised,
        "error": error,
        "absolute_error": abs(error),
        "naive_absolute_error": abs(realised),
        "pinball": 0.3 * abs(error),
        "naive_pinball": 0.3 * abs(realised),
        "sigma": 0.02,
        "inside_50": True,
        "inside_80": True,
        "inside_90": True,
        "direction_hit": True,
        "interval_scale": 1.0,
        "needed_scale": abs(error) / (1.645 * 0.02),
        "bias_adjustment": 0.0,
    } | dict(row)


def scores(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of session_scores: the sums of ten forecasts with a skill of 10 % and perfect coverage."""
    legal = {
        "session": DAY,
        "target_session": DAY,
        "scope": "all",
        "slice": "all",
        "horizon": 1,
        "model_id": "m-test",
        "role": "champion",
        "n": 10,
        "ic": 0.05,
        "error": 0.0,
        "squared_error": 10 * 0.02**2,
        "absolute_error": 0.135,
        "naive_absolute_error": 0.15,
        "pinball": 0.045,
        "naive_pinball": 0.05,
        "realised": 0.0,
        "hits": 5,
        "directions": 10,
        "inside_50": 5,
        "inside_80": 8,
        "inside_90": 9,
        "scale_histogram": [0] * 30 + [10] + [0] * (len(SCALE_EDGES) - 30),
    }
    filled = [legal | {"target_session": row.get("session", DAY)} | dict(row) for row in rows]
    return SESSION_SCORES.check(pl.DataFrame(filled, schema=SESSION_SCORES.schema))


def metric_rows(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of feedback_metrics: an information coefficient of 5 % that is no chance."""
    legal = {
        "session": DAY,
        "scope": "all",
        "slice": "all",
        "horizon": 1,
        "metric": "ic",
        "value": 0.05,
        "low": 0.01,
        "high": 0.09,
        "baseline": 0.0,
        "n": 1000,
        "n_effective": 300.0,
        "verdict": "skill",
    }
    return FEEDBACK_METRICS.check(pl.DataFrame([legal | dict(row) for row in rows], schema=FEEDBACK_METRICS.schema))


def flags(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of bias_flags: an active one over all tickers that adds 1 % to the next forecasts."""
    legal = {
        "session": DAY,
        "scope": "all",
        "slice": "all",
        "horizon": 1,
        "mean_error": 0.01,
        "standard_error": 0.002,
        "t": 5.0,
        "p_value": 0.001,
        "n": 1000,
        "adjusted_n": 0,
        "adjusted_error": None,
        "unadjusted_error": None,
        "active": True,
        "adjustment": 0.01,
    }
    return BIAS_FLAGS.check(pl.DataFrame([legal | dict(row) for row in rows], schema=BIAS_FLAGS.schema))


def lessons(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of slice_lessons: an active one that widens all of tech by half, and leaves nobody alone."""
    legal = {
        "session": CALENDAR.previous(DAY),
        "kind": "width",
        "scope": "sector",
        "slice": "tech",
        "horizon": 1,
        "mean_error": 0.2,
        "standard_error": 0.02,
        "t": 10.0,
        "p_value": 1e-6,
        "level": 0.001,
        "n": 200,
        "active": True,
        "size": 1.5,
        "hypothesis_id": "h",
        "insight_id": "width:sector:tech:1:2020-03-03",
        "arm": "all",
        "adjusted_n": 0,
    }
    return SLICE_LESSONS.check(pl.DataFrame([legal | dict(row) for row in rows], schema=SLICE_LESSONS.schema))


def insight_rows(*rows: Mapping[str, Any]) -> pl.DataFrame:
    """Rows of learning_insights: a bias over all tickers, just opened."""
    legal = {
        "insight_id": "bias:all:all:1:2020-03-04",
        "session": DAY,
        "opened": DAY,
        "kind": "bias",
        "scope": "all",
        "slice": "all",
        "horizon": 1,
        "status": "open",
        "hypothesis": "forecasts err to one side",
        "evidence": "t 5",
        "action": "adjusted",
        "before": 0.01,
        "after": None,
        "effect": "pending",
        "n": 0,
    }
    return LEARNING_INSIGHTS.check(pl.DataFrame([legal | dict(row) for row in rows], schema=LEARNING_INSIGHTS.schema))
