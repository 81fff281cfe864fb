"""Holds back a price that is too far from the last one, until the next sessions confirm it or a split explains it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import polars as pl

from lake.contract import UTC, PolarsType
from lake.engine import collect
from pipeline.ingestion.params import JumpParams

MEMORY = 20
"""Sessions; an accepted close older than this says nothing about today's. The look-back of the stages covers it."""
SUSPENDED = "the close follows from the one before"
BAR = ("ticker", "interval", "ts")


@dataclass(frozen=True)
class JumpVerdicts:
    """What became of the bars that were too far from the last one."""

    suspended: pl.DataFrame
    """ticker, interval, ts: not believed so far."""
    confirmed: pl.DataFrame
    """ticker, interval, ts, confirmed_at (UTC): believed since the end of the bar that agreed."""


def judge_jumps(
    candidates: pl.DataFrame,
    accepted: pl.DataFrame,
    splits: pl.DataFrame,
    zone: str,
    params: JumpParams,
    asked_again: pl.DataFrame | None = None,
) -> JumpVerdicts:
    """Hold each candidate's close against the last accepted one of at most 20 sessions before, splits undone.

    A candidate outside 1/ratio..ratio, or one without volume that moved by more than `idle`, is suspended. The bars
    right after it, each in the same or the next session, confirm all of them if as many as `confirmations` agree, each
    with the one before within `agree`. Only bars up to the confirming one decide, so the verdict on a bar is the same
    however much more is loaded with it.

    Args:
        candidates: ticker, interval, ts, session, position, close, volume, volume_rounding: one row per bar, none equal
            to a known one.
        accepted: the same columns: the bars that stand already.
        splits: ticker, ex_date, numerator, denominator, available_at; each counts at the first bar from its ex-date on,
            if it was known when that bar ended: what is announced later has to wait for the confirmation.
        zone: the exchange's time zone.
        params: the limits.
        asked_again: ticker, interval, ts of candidates at which splits count that became known after the bar ended.
    """
    if candidates.is_empty():
        return NO_JUMPS
    concerned = splits.filter(pl.col("ticker").is_in(candidates["ticker"].implode()))
    chain = _chain(candidates, accepted, concerned, zone, asked_again)
    follows = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in ("ticker", "interval"))
    distance = pl.col("position") - pl.col("position").shift(1)
    jumps = _jumps(pl.col("level") / pl.col("level").shift(1), params)
    suspects = chain.filter(pl.col("candidate") & follows & (distance <= MEMORY) & jumps)
    if suspects.is_empty():
        return NO_JUMPS
    series = suspects.select("ticker", "interval").unique().sort("ticker", "interval")
    walk = chain.join(series, on=["ticker", "interval"], how="semi", maintain_order="left")
    return _walk_series(walk, params)


def _chain(
    candidates: pl.DataFrame,
    accepted: pl.DataFrame,
    splits: pl.DataFrame,
    zone: str,
    asked_again: pl.DataFrame | None,
) -> pl.DataFrame:
    """All bars in order with `level`, the close times the shares that one share of the first bar has become."""
    columns = [*BAR, "position", "close", pl.col("volume") + pl.col("volume_rounding").fill_null(0.0)]
    new, old = candidates.lazy().select(columns), accepted.lazy().select(columns)
    height = candidates.height + accepted.height
    if accepted.is_empty():
        bars = collect(new.with_columns(standing=pl.lit(None, pl.Float64), candidate=pl.lit(True)).sort(BAR), height)
    else:
        asked = new.join(old.select(*BAR, standing="close"), on=BAR, how="left", maintain_order="left")
        stand = old.join(new, on=BAR, how="anti").with_columns(standing="close", candidate=pl.lit(False))
        bars = collect(pl.concat([stand, asked.with_columns(candidate=pl.lit(True))]).sort(BAR), height)
    if splits.is_empty():
        return bars.with_columns(level="close", standing_level="standing")
    shares = pl.col("ratio").cum_prod().over("ticker", "interval")
    return bars.with_columns(ratio=_ratio(bars, splits, zone, asked_again)).with_columns(
        level=pl.col("close") * shares, standing_level=pl.col("standing") * shares
    )


def _ratio(bars: pl.DataFrame, splits: pl.DataFrame, zone: str, asked_again: pl.DataFrame | None) -> pl.Series:
    """New shares for each old one between the bar before and each bar."""
    midnight = pl.col("ex_date").cast(pl.Datetime("us")).dt.replace_time_zone(zone, non_existent="null")
    counts = pl.col("available_at") <= pl.col("ts")
    if asked_again is not None:
        counts = counts | pl.struct(BAR).is_in(asked_again.select(pl.struct(BAR)).to_series().implode())
    effective = (
        splits.join(bars.select("interval").unique(), how="cross")
        .with_columns(from_ts=midnight.dt.convert_time_zone("UTC"))
        .sort("from_ts")
        .join_asof(
            bars.select(BAR).sort("ts"),
            left_on="from_ts",
            right_on="ts",
            by=["ticker", "interval"],
            strategy="forward",
            check_sortedness=False,
        )
        .filter(counts)
        .sort(*BAR, "ex_date", "numerator", "denominator")
        .group_by(BAR, maintain_order=True)
        .agg(ratio=(pl.col("numerator") / pl.col("denominator")).product())
    )
    return bars.join(effective, on=BAR, how="left", maintain_order="left")["ratio"].fill_null(1.0)


def _jumps(ratio: pl.Expr, params: JumpParams) -> pl.Expr:
    far = (ratio > params.ratio) | (ratio < 1 / params.ratio)
    return far | ((pl.col("volume") == 0) & ((ratio - 1).abs() > params.idle))


class _Step(NamedTuple):
    """One bar of a series that holds a suspect."""

    ticker: str
    interval: str
    ts: datetime
    position: int
    level: float
    standing_level: float | None
    volume: float
    candidate: bool


def _walk_series(walk: pl.DataFrame, params: JumpParams) -> JumpVerdicts:
    """Go through the few series with a suspect bar by bar."""
    suspended: list[_Step] = []
    confirmed: list[tuple[str, str, datetime, datetime]] = []
    for _, series in walk.group_by("ticker", "interval", maintain_order=True):
        steps = [_Step(*row) for row in series.select(_Step._fields).iter_rows()]
        _walk(steps, params, suspended, confirmed)
    return _verdicts(suspended, confirmed)


def _verdicts(suspended: list[_Step], confirmed: list[tuple[str, str, datetime, datetime]]) -> JumpVerdicts:
    schema: dict[str, PolarsType] = {"ticker": pl.String, "interval": pl.String, "ts": UTC}
    return JumpVerdicts(
        suspended=pl.DataFrame([step[:3] for step in suspended], schema=schema, orient="row"),
        confirmed=pl.DataFrame(confirmed, schema={**schema, "confirmed_at": UTC}, orient="row"),
    )


NO_JUMPS = _verdicts([], [])


def _walk(
    steps: list[_Step],
    params: JumpParams,
    suspended: list[_Step],
    confirmed: list[tuple[str, str, datetime, datetime]],
) -> None:
    anchor: tuple[int, float] | None = None
    waiting: list[_Step] = []
    for step in steps:
        if not step.candidate or _follows(anchor, step, params):
            waiting, anchor = [], (step.position, step.level)
            continue
        waiting = [*waiting, step] if waiting and _agree(waiting[-1], step, params) else [step]
        if len(waiting) > params.confirmations:
            confirmed += [(*bar[:3], step.ts) for bar in waiting]
            del suspended[len(suspended) - params.confirmations :]  # those that waited came last
            waiting, anchor = [], (step.position, step.level)
        else:
            suspended.append(step)
            if step.standing_level is not None:  # a restatement that is not believed leaves the old value standing
                anchor = (step.position, step.standing_level)


def _follows(anchor: tuple[int, float] | None, step: _Step, params: JumpParams) -> bool:
    if anchor is None or step.position - anchor[0] > MEMORY:
        return True
    ratio = step.level / anchor[1]
    idle = step.volume == 0 and abs(ratio - 1) > params.idle
    return 1 / params.ratio <= ratio <= params.ratio and not idle


def _agree(waiting: _Step, step: _Step, params: JumpParams) -> bool:
    return step.position - waiting.position <= 1 and abs(step.level / waiting.level - 1) <= params.agree
