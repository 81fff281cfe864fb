"""What today's figures say about each hypothesis on our own errors: one-sided, too wide or narrow, without skill."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from math import log
from typing import Any

import polars as pl

from pipeline.feedback.params import InsightParams
from pipeline.market.sessions import Sessions
from pipeline.text_format import change, counted, percent

Key = tuple[str, str, str, int]
"""Kind, scope, slice, horizon."""
Row = dict[str, Any]


@dataclass(frozen=True)
class Measurement:
    """The error since the action beside what it would have been (bias) or was (the others) without it."""

    without: float
    after: float
    n: int
    """Forecasts measured."""

    def effect(self, tolerance: float) -> str:
        """Whether the error's size fell by more than the tolerated share, rose by more, or neither."""
        gain = abs(self.without) - abs(self.after)
        limit = tolerance * max(abs(self.without), abs(self.after))
        return "helped" if gain > limit else "hurt" if gain < -limit else "no effect"


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis in the light of a session's figures."""

    key: Key
    opens: bool
    """The evidence is strong enough to open it."""
    holds: bool
    """The evidence is strong enough to keep it."""
    statement: str
    evidence: str
    action: str
    acted: bool
    """Something has been changed because of it by now."""
    before: float
    """The error now: what an action starting from here is measured against."""
    measurement: Measurement | None
    """None while too little has been scored since the action."""


def bias_hypotheses(
    flags: pl.DataFrame, live: Mapping[Key, Row], session: date, calendar: Sessions, params: InsightParams
) -> Iterator[Hypothesis]:
    """One per flag that is active or was held so far, with its adjustment's effect on the forecasts that had it."""
    seen = {("bias", row["scope"], row["slice"], row["horizon"]): row for row in flags.to_dicts()}
    for key in sorted({*(k for k, row in seen.items() if row["active"]), *(k for k in live if k[0] == "bias")}):
        row, last = seen.get(key), live.get(key)
        active = row is not None and row["active"]
        where = "all tickers" if key[1] == "all" else f"{key[1]} {key[2]}"
        yield Hypothesis(
            key=key,
            opens=active,
            holds=active,
            statement=f"{key[3]}-session forecasts of {where} err to one side",
            evidence=_bias_evidence(row),
            action="the next forecasts are adjusted by "
            + (change(row["adjustment"], 3) if row is not None and active else "nothing any more"),
            acted=last is not None and last["opened"] < session,
            before=row["mean_error"] if row is not None else (last or {}).get("before", 0.0),
            measurement=_bias_measurement(row, last, session, calendar, params),
        )


def _bias_evidence(row: Row | None) -> str:
    if row is None:
        return "too few forecasts left to test"
    return (
        f"mean unadjusted error {change(row['mean_error'], 3)} +- {percent(row['standard_error'], 3)} "
        f"(t {row['t']:+.1f}) over {row['n']} forecasts; false discovery rate {row['p_value']:.2g}"
    )


def _bias_measurement(
    row: Row | None, last: Row | None, session: date, calendar: Sessions, params: InsightParams
) -> Measurement | None:
    if row is None or last is None or row["adjusted_error"] is None:
        return None
    if calendar.distance(last["opened"], session) - row["horizon"] < params.measure_after:
        return None
    return Measurement(row["unadjusted_error"], row["adjusted_error"], row["adjusted_n"])


def interval_hypotheses(
    metrics: pl.DataFrame,
    scores: pl.DataFrame,
    live: Mapping[Key, Row],
    session: date,
    calendar: Sessions,
    params: InsightParams,
) -> Iterator[Hypothesis]:
    """One per horizon: the intervals' width is off, as the learned scale says; measured by coverage of the 90 % one."""
    learned = (pl.col("metric") == "interval_scale") & (pl.col("verdict") == "learned")
    scales = metrics.filter(learned & (pl.col("scope") == "all"))
    for row in scales.sort("horizon").to_dicts():
        horizon, scale = row["horizon"], row["value"]
        key: Key = ("interval", "all", "all", horizon)
        last = live.get(key)
        mine = scores.filter((pl.col("horizon") == horizon) & (pl.col("scope") == "all") & (pl.col("role") != "shadow"))
        recent = _coverage_gap(mine, calendar.offset(session, 1 - params.measure_after - horizon))
        moved, least = abs(log(scale)), log(1 + params.interval_moved)
        yield Hypothesis(
            key=key,
            opens=moved > least and recent is not None,
            holds=moved > least / 2,
            statement=f"{horizon}-session intervals are too {'narrow' if scale > 1 else 'wide'}",
            evidence=f"learned scale {scale:.2f}"
            + ("" if recent is None else f"; 90 % intervals lately {_describe_coverage(*recent)}"),
            action=f"intervals are made {scale:.2f} times as wide as the model's",
            acted=last is not None and last["opened"] < session,
            before=recent[0] if recent is not None else 0.0,
            measurement=_interval_measurement(mine, last, session, calendar, params),
        )


def _describe_coverage(gap: float, n: int) -> str:
    return f"covered {percent(0.9 + gap, 1)} of {counted(n, 'outcome')}"


def _coverage_gap(scores: pl.DataFrame, first: date) -> tuple[float, int] | None:
    """Coverage of the 90 % interval less 0.9, and of how many forecasts, from a target session on."""
    since = scores.filter(pl.col("target_session") >= first)
    n = int(since["n"].sum())
    return (int(since["inside_90"].sum()) / n - 0.9, n) if n else None


def _interval_measurement(
    scores: pl.DataFrame, last: Row | None, session: date, calendar: Sessions, params: InsightParams
) -> Measurement | None:
    if last is None:
        return None
    first = calendar.offset(last["opened"], 1 + last["horizon"])
    if first > session or calendar.distance(first, session) + 1 < params.measure_after:
        return None
    # Of a long life only the latest stretch counts: the scale follows, and so does its evaluation.
    latest = max(first, calendar.offset(session, 1 - params.measure_after - last["horizon"]))
    gap = _coverage_gap(scores, latest)
    return None if gap is None else Measurement(last["before"], gap[0], gap[1])


def skill_hypotheses(
    metrics: pl.DataFrame,
    promotions: pl.DataFrame,
    live: Mapping[Key, Row],
    session: date,
) -> Iterator[Hypothesis]:
    """One per horizon: forecasts are worse than naive; acted on by a new champion, measured by its own scores."""
    for row in (
        metrics.filter((pl.col("metric") == "pinball_skill") & (pl.col("scope") == "all")).sort("horizon").to_dicts()
    ):
        key: Key = ("skill", "all", "all", row["horizon"])
        last = live.get(key)
        opened = last["opened"] if last is not None else session
        newer = promotions.filter(pl.col("promoted") & (pl.col("session") >= opened)).sort("session")
        successor = newer["model_id"][-1] if last is not None and newer.height else None
        measurement = _skill_measurement(metrics, successor, last)
        yield Hypothesis(
            key=key,
            opens=row["verdict"] == "worse",
            holds=(successor is not None and measurement is None)
            or (measurement is None and row["verdict"] in ("worse", "no skill") and row["value"] < 0),
            statement=f"{row['horizon']}-session forecasts are worse than the naive ones",
            evidence=f"pinball skill {change(row['value'])}"
            + ("" if row["low"] is None else f" ({change(row['low'])} to {change(row['high'])})")
            + f" over {row['n']} forecasts",
            action="training is asked for" if successor is None else f"model {successor} became champion",
            acted=successor is not None,
            before=max(-row["value"], 0.0),
            measurement=measurement,
        )


def _skill_measurement(metrics: pl.DataFrame, successor: str | None, last: Row | None) -> Measurement | None:
    if successor is None or last is None:
        return None
    own = metrics.filter(
        (pl.col("scope") == "model")
        & (pl.col("slice") == successor)
        & (pl.col("horizon") == last["horizon"])
        & (pl.col("metric") == "pinball_skill")
        & (pl.col("verdict") != "too few")
    ).to_dicts()
    return Measurement(last["before"], max(-own[0]["value"], 0.0), own[0]["n"]) if own else None
