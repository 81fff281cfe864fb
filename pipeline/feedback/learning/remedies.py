"""Act on what was confirmed of widths, members and exclusions: each a remedy, beside a control arm."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import Any

import polars as pl

from lake.tables.feedback import BIAS_FLAGS, LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.learning import HYPOTHESES, SLICE_LESSONS
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.learning.arms import compare_arms
from pipeline.feedback.learning.evidence import COLUMNS, LOOKBACK, Evidence, Key, follow
from pipeline.feedback.learning.lessons import Lesson, LessonHistory, is_borne_out, name_lesson, tell_arms
from pipeline.feedback.learning.questions import find_question
from pipeline.feedback.learning.register import find_barred, find_live, key_of
from pipeline.feedback.params import FeedbackParams
from pipeline.prediction.traits import split_slice

Row = dict[str, Any]
PATIENCE = 2
"""How many times as many of the latest sessions have to bear out a remedy that acts as begin one: losses are noisy."""


def slice_lessons(
    prediction_accuracy: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    bias_flags: pl.DataFrame,
    learning_insights: pl.DataFrame,
    hypotheses: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Tell of each hypothesis on widths, members and exclusions how it stands, and what the next forecasts become.

    Exclusion is the last resort: it waits until what is milder, in the slice, in a part of it or around it, has acted
    for as long as it is measured over. For `moment.session` only (ignores `since`). A lesson on a ticker is its
    company's, under any name.
    """
    if params.learning == 1 or prediction_accuracy.is_empty():
        return SLICE_LESSONS.empty()
    learned = slice_lessons, learning_insights, hypotheses.filter(pl.col("kind") != "bias")
    followed = follow(prediction_accuracy, learned, corporate_actions, moment.session)
    flags, insights, asked = followed.learned
    live = find_live(asked)
    rows: list[Row] = []
    window = params.bias.window
    scores = Evidence.gather(followed.accuracy, moment.session, moment.calendar, params)
    for kind in sorted({row["kind"] for row in live}, key=lambda one: (one == "exclusion", one)):
        question = find_question(kind)
        evidence = scores.ask(question)
        history = LessonHistory.read(flags.filter(pl.col("kind") == kind), insights, moment)
        barred = find_barred(insights, moment.calendar.offset(moment.session, -params.bias.quarantine), kind)
        if kind == "exclusion":
            milder = _settling([*bias_flags.to_dicts(), *rows], moment, window)
            barred |= {key_of(row) for row in live if _waits(row, milder)}
        rows += [found for row in live if row["kind"] == kind and (found := _flag(row, evidence, history, barred))]
    frame = pl.DataFrame(rows, schema=SLICE_LESSONS.schema)
    return frame.with_columns(session=pl.lit(moment.session)).sort(SLICE_LESSONS.key)


def _settling(rows: Iterable[Row], moment: Moment, window: int) -> list[Key]:
    """Slices with a lesson that has acted for fewer sessions than an exclusion is measured over."""
    acting = [row for row in rows if row["active"] and row["insight_id"]]
    return [
        key_of(row)
        for row in acting
        if moment.calendar.distance(date.fromisoformat(row["insight_id"][-10:]), moment.session) < window
    ]


def _waits(row: Row, settling: Iterable[Key]) -> bool:
    """Whether a slice lies within one of these, or around it."""
    mine = set(split_slice(row["scope"], row["slice"]))
    others = (set(split_slice(scope, name)) for scope, name, horizon in settling if horizon == row["horizon"])
    return any(mine <= other or other <= mine for other in others)


def _flag(row: Row, evidence: Evidence, history: LessonHistory, barred: set[Key]) -> Row | None:
    key, question = key_of(row), evidence.question
    found = evidence.weigh(key, row["registered"], max(row["looks"][-1], evidence.params.bias.window))
    if found is None:
        return None
    lesson = history.lately.get(key)
    holds = row["status"] == "confirmed" and key not in barred
    active = holds and is_borne_out(key, evidence, found, found.mean, lesson is not None, PATIENCE if lesson else 1)
    acting = name_lesson(lesson, key, evidence, history) if active else None
    unchanged = 1.0 if question.kind == "width" else 0.0
    return {
        "kind": question.kind,
        "scope": key[0],
        "slice": key[1],
        "horizon": key[2],
        "mean_error": found.mean,
        "standard_error": found.standard_error,
        "t": found.t,
        "p_value": found.p,
        "level": row["level"] / len(row["looks"]),
        "n": int(found.series.forecasts.sum()),
        "active": active,
        "size": question.size(found.mean, found.standard_error, found.series.raw) if active else unchanged,
        "hypothesis_id": row["hypothesis_id"],
        "insight_id": acting.insight_id if acting else None,
        "arm": acting.arm if acting else None,
        **_measure(key, lesson, evidence, history),
    }


def _measure(key: Key, lesson: Lesson | None, evidence: Evidence, history: LessonHistory) -> Row:
    """What came of the lesson so far, by what each forecast would have lost without it."""
    if lesson is None or lesson.arm == "all":
        return tell_arms(None)
    applied, measure = history.applied[lesson.insight_id], evidence.question.left
    return tell_arms(compare_arms(evidence.rows_of(key), lesson.insight_id, lesson.arm, applied, None, measure))


STAGE = Stage(
    name="slice_lessons",
    function=slice_lessons,
    reads=(
        Read(PREDICTION_ACCURACY, lookback=LOOKBACK, columns=COLUMNS),
        Read(SLICE_LESSONS, lookback=LOOKBACK, upto="previous"),
        Read(BIAS_FLAGS),
        Read(LEARNING_INSIGHTS, lookback=LOOKBACK, upto="previous"),
        Read(HYPOTHESES, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK, where=pl.col("kind").is_in(["rename", "delisting"])),
    ),
    writes=SLICE_LESSONS,
    params=FeedbackParams(),
    section="feedback",
)
