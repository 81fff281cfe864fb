"""Follow each hypothesis about our own errors through its life: opened on evidence, acted on, measured, retired."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

import polars as pl

from lake.tables.feedback import BIAS_FLAGS, FEEDBACK_METRICS, LEARNING_INSIGHTS, SESSION_SCORES
from lake.tables.learning import SLICE_LESSONS
from lake.tables.market import CORPORATE_ACTIONS
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.predictions import PREDICTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.feedback.hypotheses import Hypothesis, Key, Row, bias_hypotheses, interval_hypotheses, skill_hypotheses
from pipeline.feedback.learning.lives import EXPIRED, ON_TRIAL, step_lessons
from pipeline.feedback.params import FeedbackParams, InsightParams
from pipeline.market.securities.following import Securities
from pipeline.market.securities.lessons import keep_slices, ticker_of
from pipeline.market.sessions import Sessions
from pipeline.text_format import counted

LOOKBACK = 80
"""Sessions of scores read: enough to evaluate an action on the longest horizon."""
WHOLE = {"interval": "predict: the scale of all intervals", "skill": "retrain_candidates: reasons to train"}
"""Kinds of insight that are not about slices -> who reads them."""
READ_BY = 120
"""Sessions of forecasts among which a lesson's readers are counted."""


def insights(
    learning_insights: pl.DataFrame,
    bias_flags: pl.DataFrame,
    slice_lessons: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    session_scores: pl.DataFrame,
    model_promotions: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    predictions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Write one row for each insight whose state changes at the session; a quiet session writes none.

    A bias adjustment that was measured to hurt, or to do nothing, is not renewed: the bias stage reads the verdict and
    bars the slice for a while, which takes the adjustment out of the next forecasts and retires the insight. An
    interval scale follows coverage by itself and is only evaluated. One on a ticker is its company's, under any name.
    For `moment.session` only (ignores `since`).
    """
    session, calendar = moment.session, moment.calendar
    live = _live(_follow(learning_insights, corporate_actions, (bias_flags, slice_lessons), moment, params))
    own = (
        [*bias_hypotheses(bias_flags, live, session, calendar, params.insights)]
        if params.learning == 1
        else [
            *step_lessons(bias_flags, _lessons(live, of_bias=True), session, calendar, params.insights),
            *step_lessons(slice_lessons, _lessons(live, of_bias=False), session, calendar, params.insights),
        ]
    )
    others = [
        *interval_hypotheses(feedback_metrics, session_scores, live, session, calendar, params.insights),
        *skill_hypotheses(feedback_metrics, model_promotions, live, session),
    ]
    rows = [
        one if isinstance(one, dict) else _step(one, live.get(one.key), session, calendar, params.insights)
        for one in (*own, *others)
    ]
    changed = [row for row in rows if row is not None]
    if params.learning == 2:
        changed = [_name_end(row) | {"readers": _readers(row, predictions)} for row in changed]
    return pl.DataFrame(changed, schema=LEARNING_INSIGHTS.schema).sort(LEARNING_INSIGHTS.key)


def _lessons(live: dict[Key, Row], of_bias: bool) -> dict[str, Row]:
    """The live insights on slices by their names: those of kind bias, or the others."""
    return {
        row["insight_id"]: row for (kind, *_), row in live.items() if kind not in WHOLE and (kind == "bias") == of_bias
    }


def _name_end(row: Row) -> Row:
    """No insight waits for a verdict without an end: it is on trial, or has ended before there was one."""
    if row["effect"] != "pending":
        return row
    return row | {"effect": EXPIRED if row["status"] == "retired" else ON_TRIAL}


def _readers(row: Row, predictions: pl.DataFrame) -> str:
    """Who has read a lesson: the forecasts that name it, or the stage that acts on insights of its kind."""
    if row["kind"] in WHOLE:
        return WHOLE[row["kind"]]
    used = predictions.filter(pl.col("lessons").list.contains(row["insight_id"]))
    if used.is_empty():
        return "nobody yet"
    asks = "; retrain_candidates: reasons to train" if row["kind"] == "exclusion" and row["effect"] == "helped" else ""
    days = used["session"].sort()
    tickers = counted(used["ticker"].n_unique(), "ticker")
    return f"predict: {counted(len(used), 'forecast')} of {tickers}, made {days[0]} to {days[-1]}{asks}"


def _follow(
    insights: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    flags: Sequence[pl.DataFrame],
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """The insights under the tickers of today; what was learned of a company without one is nobody else's."""
    if params.securities == 1:
        return insights
    told = pl.concat([frame.select("scope", "slice", "session") for frame in (insights, *flags)])
    traded = told.select("session", ticker=ticker_of()).drop_nulls()
    return keep_slices(insights, Securities.trace(corporate_actions, traded), moment.session)


def _live(insights: pl.DataFrame) -> dict[Key, Row]:
    """The last step of every insight that is not retired."""
    last: dict[str, Row] = {row["insight_id"]: row for row in insights.sort("session", "insight_id").to_dicts()}
    return {
        (row["kind"], row["scope"], row["slice"], row["horizon"]): row
        for row in last.values()
        if row["status"] != "retired"
    }


def _step(
    hypothesis: Hypothesis, last: Row | None, session: date, calendar: Sessions, params: InsightParams
) -> Row | None:
    """The next step of one insight's life, if there is one today."""
    if last is None:
        return _row(hypothesis, "open", None, session, params) if hypothesis.opens else None
    if not hypothesis.holds:
        return _row(hypothesis, "retired", last, session, params)
    if last["status"] == "open":
        return _row(hypothesis, "acted", last, session, params) if hypothesis.acted else None
    evaluated_lately = last["status"] == "measured" and (
        calendar.distance(last["session"], session) < params.measure_after
    )
    if hypothesis.measurement is None or evaluated_lately:
        return None
    return _row(hypothesis, "measured", last, session, params)


def _row(hypothesis: Hypothesis, status: str, last: Row | None, session: date, params: InsightParams) -> Row:
    kind, scope, name, horizon = hypothesis.key
    opened = last["opened"] if last is not None else session
    measurement = hypothesis.measurement if status in ("measured", "retired") else None
    kept = last if last is not None and measurement is None and last["status"] == "measured" else None
    return {
        "insight_id": last["insight_id"] if last else f"{kind}:{scope}:{name}:{horizon}:{opened}",
        "session": session,
        "opened": opened,
        "kind": kind,
        "scope": scope,
        "slice": name,
        "horizon": horizon,
        "status": status,
        "hypothesis": last["hypothesis"] if last is not None else hypothesis.statement,
        "evidence": hypothesis.evidence,
        "action": _action(hypothesis, status),
        "before": last["before"] if last is not None else hypothesis.before,
        "after": measurement.after if measurement else (kept["after"] if kept else None),
        "effect": measurement.effect(params.tolerance) if measurement else (kept["effect"] if kept else "pending"),
        "n": measurement.n if measurement else (kept["n"] if kept else 0),
    }


def _action(hypothesis: Hypothesis, status: str) -> str:
    if status == "open":
        return f"from the next session on {hypothesis.action}" if hypothesis.key[0] != "skill" else hypothesis.action
    return f"retired: the evidence no longer stands; {hypothesis.action}" if status == "retired" else hypothesis.action


STAGE = Stage(
    name="insights",
    function=insights,
    reads=(
        Read(LEARNING_INSIGHTS, lookback=None, upto="previous"),
        Read(BIAS_FLAGS),
        Read(SLICE_LESSONS),
        Read(FEEDBACK_METRICS),
        Read(SESSION_SCORES, lookback=LOOKBACK),
        Read(MODEL_PROMOTIONS, lookback=None, upto="previous"),
        Read(CORPORATE_ACTIONS, lookback=None, where=pl.col("kind").is_in(["rename", "delisting"])),
        Read(
            PREDICTIONS,
            lookback=READ_BY,
            upto="previous",
            where=pl.col("lessons").list.len() > 0,
            columns=(*PREDICTIONS.key, "lessons"),
        ),
    ),
    writes=LEARNING_INSIGHTS,
    params=FeedbackParams(),
    section="feedback",
)
