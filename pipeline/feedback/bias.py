"""Find where forecasts err to one side more than chance allows, and by how much the next ones are adjusted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.feedback import BIAS_FLAGS, LEARNING_INSIGHTS, PREDICTION_ACCURACY
from lake.tables.learning import HYPOTHESES
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.feedback.learning.evidence import COLUMNS, LOOKBACK
from pipeline.feedback.learning.lessons import flag_biases
from pipeline.feedback.params import BiasParams, FeedbackParams
from pipeline.feedback.signed_errors import NestedErrors, nest_errors
from pipeline.feedback.statistics import MeanTest, false_discovery_rates, mean_test
from pipeline.market.securities.following import Securities
from pipeline.market.securities.lessons import follow_scores, follow_slices
from pipeline.market.sessions import Sessions

Floats = NDArray[np.float64]
Key = tuple[str, str, int]
"""Scope, slice, horizon."""
ACTED_ON = 120
"""Sessions of earlier flags read: those whose forecasts' scores are read."""
QUARANTINE = 120
"""Sessions of insights read: those that bar a slice, and the verdicts on lessons that still act."""


@dataclass(frozen=True)
class TestedSlices:
    """A scope's slices at one horizon with the test of each."""

    horizon: int
    errors: NestedErrors
    test: MeanTest
    rates: Floats
    """[slices] false discovery rate, filled in once all horizons of the scope are tested."""


def bias(
    prediction_accuracy: pl.DataFrame,
    bias_flags: pl.DataFrame,
    learning_insights: pl.DataFrame,
    hypotheses: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Tell of each hypothesis on one-sided errors how it stands, and what the next forecasts are adjusted by.

    For `moment.session` only (ignores `since`). A renamed ticker's errors and lessons are those of its company.
    """
    if params.learning == 2:
        learned = bias_flags, learning_insights, hypotheses
        return flag_biases(prediction_accuracy, *learned, corporate_actions, moment, params)
    return _test_anew(
        cut_to_recent(prediction_accuracy, "session", BiasParams().window - 1, moment),
        cut_to_recent(bias_flags, "session", 100, moment).filter(pl.col("active")),
        cut_to_recent(learning_insights, "session", BiasParams().quarantine, moment),
        cut_to_recent(corporate_actions, CORPORATE_ACTIONS.clock, 100, moment),
        moment,
        params,
    )


def _test_anew(
    prediction_accuracy: pl.DataFrame,
    bias_flags: pl.DataFrame,
    learning_insights: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """Test the unadjusted errors of all tickers, each sector beyond all, and each ticker beyond its sector.

    What runs of earlier programs did, each session anew. A slice becomes active when its false discovery rate is low
    and its recent sessions bear the adjustment out; it retires itself when either ends, with a wider margin, and stays
    away for a while after an adjustment there was measured to hurt. Tickers that are neither active nor suspect have no
    row.
    """
    if params.securities == 2:
        traded = prediction_accuracy.select("ticker", session="made_session")
        companies = Securities.trace(corporate_actions, traded)
        prediction_accuracy = follow_scores(prediction_accuracy, companies, moment.session)
        bias_flags = follow_slices(bias_flags, companies, moment.session)
        learning_insights = follow_slices(learning_insights, companies, moment.session)
    first = moment.calendar.offset(moment.session, 1 - params.bias.window)
    yesterday = bias_flags.filter(pl.col("session") == moment.calendar.previous(moment.session))
    before = {_key(row) for row in yesterday.to_dicts()}
    applied = _find_applied(bias_flags, moment.calendar)
    barred = _find_barred(learning_insights, moment.calendar.offset(moment.session, -params.bias.quarantine))
    rows: list[dict[str, object]] = []
    for one in _test_slices(prediction_accuracy, first):
        for number, name in enumerate(one.errors.slices):
            key = (one.errors.scope, name, one.horizon)
            if _deserves_row(one, number, key in before, params.bias):
                row = _flag_row(one, number, key in before, key in barred, params.bias)
                rows.append(row | _effect(one.errors, number, applied.get(key, {})))
    frame = pl.DataFrame(rows, schema={name: BIAS_FLAGS.schema[name] for name in BIAS_FLAGS.columns})
    return frame.with_columns(session=pl.lit(moment.session)).select(*BIAS_FLAGS.columns).sort(BIAS_FLAGS.key)


def _test_slices(accuracy: pl.DataFrame, first: date) -> list[TestedSlices]:
    """Every slice of every scope and horizon, with false discovery rates within each scope."""
    decided = accuracy.filter(pl.col("role") != "shadow")
    found = [
        TestedSlices(horizon, errors, mean_test(errors.series, horizon), np.empty(0))
        for horizon in sorted(decided["horizon"].unique())
        for errors in nest_errors(decided.filter(pl.col("horizon") == horizon), first)
    ]
    tested: list[TestedSlices] = []
    for scope in ("all", "sector", "ticker"):
        mine = [one for one in found if one.errors.scope == scope]
        p = np.concatenate([one.test.p for one in mine] or [np.empty(0)])
        rates = np.ones_like(p)
        rates[p < 1] = false_discovery_rates(p[p < 1])  # 1 is what could not be tested
        ends = np.cumsum([one.test.p.size for one in mine])
        tested += [
            TestedSlices(one.horizon, one.errors, one.test, rates[end - one.test.p.size : end])
            for one, end in zip(mine, ends, strict=True)
        ]
    return tested


def _deserves_row(one: TestedSlices, number: int, was_active: bool, params: BiasParams) -> bool:
    """Whether a slice is worth a row: the few wide ones always, a ticker only on suspicion."""
    suspect = one.test.p[number] <= params.suspect or one.rates[number] <= params.enter
    return one.errors.scope != "ticker" or was_active or bool(suspect)


def _flag_row(one: TestedSlices, number: int, was_active: bool, barred: bool, params: BiasParams) -> dict[str, object]:
    mean, error = float(one.test.mean[number]), float(one.test.standard_error[number])
    rate = float(one.rates[number])
    adjustment = _adjustment(mean, error, params.max_sigmas * float(one.errors.sigma[number]))
    recent = _recent_mean(one.errors.series[:, number], max(params.recent, one.horizon))
    enough = one.test.sessions[number] >= max(params.min_sessions, 3 * one.horizon)
    # The recent sessions are nearer to the adjustment than to none; once active, a little less will do.
    share = recent / adjustment if adjustment else 0.0
    active = bool(
        enough
        and not barred
        and ((rate <= params.enter and share > 0.5) or (was_active and rate <= params.leave and share > 0.4))
    )
    return {
        "scope": one.errors.scope,
        "slice": one.errors.slices[number],
        "horizon": one.horizon,
        "mean_error": mean,
        "standard_error": error,
        "t": float(one.test.t[number]),
        "p_value": rate if enough else 1.0,
        "n": int(one.errors.forecasts[:, number].sum()),
        "active": active,
        "adjustment": adjustment if active else 0.0,
    }


def _adjustment(mean: float, error: float, max_size: float) -> float:
    """Shrink the mean towards 0 by its unreliability (James and Stein, 1961, positive part), and cap it."""
    if mean == 0:
        return 0.0
    shrunk = mean * max(0.0, 1 - (error / mean) ** 2)
    return min(max(shrunk, -max_size), max_size)


def _recent_mean(series: Floats, sessions: int) -> float:
    known = series[-sessions:]
    known = known[~np.isnan(known)]
    return float(known.sum() / known.size) if known.size else 0.0


def _effect(errors: NestedErrors, number: int, applied: dict[date, float]) -> dict[str, object]:
    """What was left of the error where this slice was adjusted, and what there would have been otherwise."""
    adjustments = np.array([applied.get(made, 0.0) for made in errors.made])
    series = errors.series[:, number]
    used = (adjustments != 0) & ~np.isnan(series)
    if not used.any():
        return {"adjusted_n": 0, "adjusted_error": None, "unadjusted_error": None}
    return {
        "adjusted_n": int(errors.forecasts[used, number].sum()),
        "adjusted_error": float((series[used] - adjustments[used]).sum() / used.sum()),
        "unadjusted_error": float(series[used].sum() / used.sum()),
    }


def _key(row: dict[str, object]) -> Key:
    return str(row["scope"]), str(row["slice"]), int(str(row["horizon"]))


def _find_applied(flags: pl.DataFrame, calendar: Sessions) -> dict[Key, dict[date, float]]:
    """Per slice: the session a forecast was made at -> what this slice's flag of the session before added to it."""
    applied: dict[Key, dict[date, float]] = {}
    for row in flags.select(*BIAS_FLAGS.key, "adjustment").to_dicts():
        applied.setdefault(_key(row), {})[calendar.next(row["session"])] = row["adjustment"]
    return applied


def _find_barred(insights: pl.DataFrame, first: date) -> set[Key]:
    """Slices whose last adjustment was measured to hurt, since that session."""
    hurt = insights.filter((pl.col("kind") == "bias") & (pl.col("effect") == "hurt") & (pl.col("session") > first))
    return {_key(row) for row in hurt.to_dicts()}


STAGE = Stage(
    name="bias",
    function=bias,
    reads=(
        Read(
            PREDICTION_ACCURACY,
            lookback=LOOKBACK,
            columns=COLUMNS,
        ),
        Read(BIAS_FLAGS, lookback=ACTED_ON, upto="previous"),
        Read(LEARNING_INSIGHTS, lookback=QUARANTINE, upto="previous"),
        Read(HYPOTHESES, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=ACTED_ON, where=pl.col("kind").is_in(["rename", "delisting"])),
    ),
    writes=BIAS_FLAGS,
    params=FeedbackParams(),
    section="feedback",
)
