"""What is acted on: each confirmed hypothesis becomes an adjustment of the next forecasts, beside a control arm."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from lake.tables.feedback import BIAS_FLAGS
from pipeline.engine.stage import Moment
from pipeline.feedback.learning.arms import ArmsCompared, ExpectedOutcome, compare_arms
from pipeline.feedback.learning.evidence import Evidence, Key, SliceEvidence, follow
from pipeline.feedback.learning.register import find_barred, find_live, key_of
from pipeline.feedback.params import BiasParams, FeedbackParams
from pipeline.prediction.lessons import halve_tickers

Row = dict[str, Any]
MIN_TICKERS = 12
"""Tickers of a slice from which its control arm is half of them; the weeks of a smaller one are halved."""
KEPT_ABOVE, ENTERED_ABOVE = 0.4, 0.5
"""Share of the adjustment that the latest sessions' mean error has to bear out, to keep it and to begin it."""


@dataclass(frozen=True)
class Lesson:
    """An adjustment that acted on the session before."""

    insight_id: str
    arm: str


def flag_biases(
    accuracy: pl.DataFrame,
    flags: pl.DataFrame,
    insights: pl.DataFrame,
    hypotheses: pl.DataFrame,
    actions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Return a row of bias_flags for each hypothesis at work or confirmed: its figures and what is added for it.

    Args:
        accuracy: prediction_accuracy of the last sessions.
        flags: those of earlier sessions.
        insights: recent steps of insights.
        hypotheses: all, those of this session included.
        actions: renames and delistings, by which lessons follow companies.
        moment: of the session.
        params: of feedback.
    """
    if accuracy.is_empty():
        return BIAS_FLAGS.empty()
    followed = follow(accuracy, (flags, insights, hypotheses), actions, moment.session)
    flags, insights, hypotheses = followed.learned
    evidence = Evidence.gather(followed.accuracy, moment.session, moment.calendar, params)
    barred = find_barred(insights, moment.calendar.offset(moment.session, -params.bias.quarantine))
    history = LessonHistory.read(flags, insights, moment)
    live = find_live(hypotheses.filter(pl.col("kind") == "bias"))
    rows = [_flag(row, evidence, history, barred) for row in live]
    frame = pl.DataFrame([row for row in rows if row], schema=BIAS_FLAGS.schema)
    return frame.with_columns(session=pl.lit(moment.session)).sort(BIAS_FLAGS.key)


@dataclass(frozen=True)
class LessonHistory:
    """What was acted on before."""

    lately: Mapping[Key, Lesson]
    """Slice -> the lesson that acted at the last session at hand."""
    applied: Mapping[str, Collection[date]]
    """Insight -> sessions of forecasts it could act on."""
    helped: frozenset[str]
    """Insights that were measured to help."""

    @classmethod
    def read(cls, flags: pl.DataFrame, insights: pl.DataFrame, moment: Moment) -> LessonHistory:
        """From flags of one kind."""
        named = flags.filter(pl.col("active") & pl.col("insight_id").is_not_null())
        last = named.filter(pl.col("session") == pl.lit(flags["session"].max())).to_dicts()
        applied: dict[str, list[date]] = {}
        for identity, session in named.select("insight_id", "session").iter_rows():
            applied.setdefault(identity, []).append(moment.calendar.next(session))
        lately = {key_of(row): Lesson(row["insight_id"], row["arm"]) for row in last}
        return cls(lately, applied, frozenset(insights.filter(pl.col("effect") == "helped")["insight_id"]))


def _flag(row: Row, evidence: Evidence, history: LessonHistory, barred: set[Key]) -> Row | None:
    key = key_of(row)
    span = max(row["looks"][-1], evidence.params.bias.window)
    found = evidence.weigh(key, row["registered"], span)
    if found is None:
        return None
    lesson = history.lately.get(key)
    adjustment = _adjustment(found, evidence.params.bias)
    holds = row["status"] == "confirmed" and key not in barred
    active = holds and is_borne_out(key, evidence, found, adjustment, lesson is not None)
    acting = name_lesson(lesson, key, evidence, history) if active else None
    return {
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
        "adjustment": adjustment if active else 0.0,
        "hypothesis_id": row["hypothesis_id"],
        "insight_id": acting.insight_id if acting else None,
        "arm": acting.arm if acting else None,
        **_measure(key, lesson, evidence, history),
    }


def _adjustment(found: SliceEvidence, params: BiasParams) -> float:
    """Shrink the mean towards 0 by its unreliability (James and Stein, 1961, positive part), and cap it."""
    if found.mean == 0:
        return 0.0
    shrunk = found.mean * max(0.0, 1 - (found.standard_error / found.mean) ** 2)
    limit = params.max_sigmas * found.series.sigma
    return min(max(shrunk, -limit), limit)


def is_borne_out(
    key: Key, evidence: Evidence, found: SliceEvidence, adjustment: float, acted: bool, patience: int = 1
) -> bool:
    """Whether the latest sessions are nearer to the adjustment than to none; once it acts, a little less will do.

    Of those, `patience` times as many as are asked for a bias: losses are noisier than errors.
    """
    params = evidence.params.bias
    lately = evidence.weigh(key, None, patience * max(params.recent, key[2]))
    share = lately.mean / adjustment if lately is not None and adjustment else 0.0
    return share > (KEPT_ABOVE if acted else ENTERED_ABOVE) and found.p <= params.leave


def name_lesson(lesson: Lesson | None, key: Key, evidence: Evidence, history: LessonHistory) -> Lesson:
    """The lesson that goes on, or a new one; once it was measured to help, nobody is left alone."""
    scope, name, horizon = key
    own = f"{evidence.question.kind}:{scope}:{name}:{horizon}:{evidence.session}"
    identity = lesson.insight_id if lesson else own
    if identity in history.helped:
        return Lesson(identity, "all")
    if lesson:
        return lesson
    errors = evidence.by_horizon[horizon]
    tickers = [errors.grid.tickers[number] for number in np.flatnonzero(errors.select(scope, name)[-1])]
    enough = len(tickers) >= MIN_TICKERS
    return Lesson(identity, halve_tickers(identity, tickers, evidence.session) if enough else "week")


def _measure(key: Key, lesson: Lesson | None, evidence: Evidence, history: LessonHistory) -> Row:
    """What came of the lesson so far: each arm's error, and the gain of the one over the other."""
    if lesson is None or lesson.arm == "all":
        return tell_arms(None)
    applied = history.applied[lesson.insight_id]
    since = evidence.weigh(key, evidence.calendar.offset(min(applied), key[2]))
    sigma = since.series.sigma if since else 1.0
    expected = ExpectedOutcome(since.level / sigma, since.level_error / sigma) if since else ExpectedOutcome(0.0, 0.0)
    return tell_arms(compare_arms(evidence.rows_of(key), lesson.insight_id, lesson.arm, applied, expected))


def tell_arms(found: ArmsCompared | None) -> Row:
    """The columns that tell of both arms; without a control arm there is nothing to tell."""
    if found is None:
        nothing = dict.fromkeys(("adjusted_error", "unadjusted_error", "control_n", "gain", "gain_low", "gain_high"))
        return {"adjusted_n": 0, **nothing}
    return {
        "adjusted_n": found.treated,
        "adjusted_error": found.treated_error,
        "unadjusted_error": found.control_error,
        "control_n": found.control,
        "gain": found.gain,
        "gain_low": found.low,
        "gain_high": found.high,
    }
