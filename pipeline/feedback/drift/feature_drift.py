"""Stage `feature_drift`: whether the champion's inputs still lie where they lay in its training rows.

Rows of one month are no sample: names move together, and what looks back for weeks hardly changes from day to day. So
the month's distance from the training rows is compared with that of the training rows' own months from all others,
by Student's t on its logarithm, with as many months as share no look-back. Every input is tested at once, so the false
discovery rate decides; the population stability index says whether a difference is a large one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import polars as pl

from lake.tables.features import FEATURE_ROWS
from lake.tables.feedback import FEATURE_DRIFT
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS, MODEL_REGISTRY
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import feature_set
from pipeline.features.tensors import select_features
from pipeline.feedback.drift.distributions import TENTHS, compare_gap, measure_stability
from pipeline.feedback.params import DriftParams, FeedbackParams
from pipeline.feedback.statistics import dependent_false_discovery_rates
from pipeline.models.profile.registry_columns import find_profile
from pipeline.models.profile.training_rows import STRETCH, TrainingProfile, count_below, measure_gap
from pipeline.models.registry import find_champion


def feature_drift(
    feature_rows: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    model_registry: pl.DataFrame,
    model_promotions: pl.DataFrame,
    moment: Moment,
    params: FeedbackParams,
) -> pl.DataFrame:
    """One row for each input of the champion; none where there is none, or it kept no profile of its training rows.

    For `moment.session` only (ignores `since`). The rows are those that a training would take: complete ones of
    members.
    """
    champion = find_champion(model_promotions)
    profile = find_profile(model_registry, champion)
    if profile is None:
        return FEATURE_DRIFT.empty()
    since = moment.calendar.offset(moment.session, 1 - STRETCH)
    rows = feature_rows.filter(
        (pl.col("feature_set") == feature_set(moment.extensions).name) & pl.col("complete"), pl.col("session") >= since
    )
    members = ticker_universe.filter("member").select("session", "ticker")
    values = select_features(rows.join(members, on=["session", "ticker"], how="semi"), profile.features)
    figures = pl.DataFrame(list(_measure(values, profile, params.drift)), schema=_FIGURES, orient="row")
    return _judge(figures.sort("feature"), params.drift).select(
        pl.lit(moment.session).alias("session"), pl.lit(champion).alias("model_id"), *_FIGURES, *_JUDGED
    )


class DriftFigures(NamedTuple):
    """What is measured of one input."""

    feature: str
    n: int
    stability: float | None
    gap: float | None
    usual_gap: float | None
    p: float | None


_FIGURES = {name: FEATURE_DRIFT.schema[name] for name in DriftFigures._fields}
_JUDGED = ("false_discovery_rate", "verdict")


def _measure(values: pl.DataFrame, profile: TrainingProfile, params: DriftParams) -> Iterator[DriftFigures]:
    columns = np.ascontiguousarray(values.to_numpy().T)
    for at, name in enumerate(profile.features):
        known = columns[at][~np.isnan(columns[at])]
        if len(known) < params.min_rows:
            yield DriftFigures(name, len(known), None, None, None, None)
            continue
        below = count_below(known, profile.quantiles[at])
        gap = measure_gap(below, profile.below[at])
        usual = float(np.exp(profile.gap_mean[at]))
        p = compare_gap(gap, profile.gap_mean[at], profile.gap_deviation[at], profile.stretches[at])
        stability = measure_stability(below[TENTHS], profile.below[at][TENTHS])
        yield DriftFigures(name, len(known), stability, gap, usual if np.isfinite(usual) else None, p)


def _judge(figures: pl.DataFrame, params: DriftParams) -> pl.DataFrame:
    tested = figures["p"].is_not_null()
    rates = dependent_false_discovery_rates(figures.filter(tested)["p"].to_numpy())
    placed = np.full(figures.height, np.nan)
    placed[tested.to_numpy()] = rates
    rate = pl.Series(placed).fill_nan(None)
    unlike, large = (
        pl.col("false_discovery_rate") <= params.false_discovery,
        pl.col("stability") >= params.min_stability,
    )
    return figures.with_columns(false_discovery_rate=rate).with_columns(
        verdict=pl.when(pl.col("p").is_null())
        .then(pl.lit("too few"))
        .when(unlike & large)
        .then(pl.lit("drifted"))
        .when(unlike)
        .then(pl.lit("moved"))
        .otherwise(pl.lit("steady"))
    )


STAGE = Stage(
    name="feature_drift",
    function=feature_drift,
    reads=(
        Read(FEATURE_ROWS, lookback=STRETCH - 1),
        Read(TICKER_UNIVERSE, lookback=STRETCH - 1, columns=("session", "ticker", "member")),
        Read(MODEL_REGISTRY, lookback=None, columns=(*MODEL_REGISTRY.key, "session", "profile", "distances")),
        Read(MODEL_PROMOTIONS, lookback=None),
    ),
    writes=FEATURE_DRIFT,
    params=FeedbackParams(),
    section="feedback",
    uses=("features",),
)
