"""Finds the zone in which the times of bars within sessions lie within an exchange's hours."""

from __future__ import annotations

import polars as pl

from pipeline.ingestion.sources.files.bars import PriceFiles
from pipeline.ingestion.sources.files.checks.calendar_fit import ZONES
from pipeline.ingestion.sources.files.dates import read_instants
from pipeline.market.sessions import Sessions

CLEAR = 0.9
"""Share of the bars within hours from which a zone is worth proposing: hours before and after those of trading fit
several zones as badly."""


def find_zone(files: PriceFiles, calendar: Sessions) -> tuple[str, float] | None:
    """Return the zone in which most bars lie within hours, and which share does; None where none fits clearly."""
    zones = dict.fromkeys((calendar.zone, *ZONES))
    shares = {zone: _share_within(files.days, calendar, zone) for zone in zones}
    best = max(shares, key=lambda zone: shares[zone])
    return (best, shares[best]) if shares[best] >= CLEAR else None


def _share_within(days: pl.DataFrame, calendar: Sessions, zone: str) -> float:
    """The share of bars, by how often each time stands in the files, that lie within a session's hours."""
    times = days.select("rows", at=read_instants(days["written"], zone=zone)).drop_nulls().sort("at")
    hours = calendar.frame(calendar.days[0], calendar.days[-1]).sort("open_at")
    within = times.join_asof(hours, left_on="at", right_on="open_at").filter(pl.col("at") <= pl.col("close_at"))
    return int(within["rows"].sum()) / max(int(days["rows"].sum()), 1)
