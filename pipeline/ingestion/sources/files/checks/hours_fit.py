"""Finds the zone in which the times of bars within sessions lie within an exchange's hours."""

from __future__ import annotations

import polars as pl

from pipeline.ingestion.sources.files.bars import PriceFiles
from pipeline.ingestion.sources.files.checks.calendar_fit import ZONES
from pipeline.ingestion.sources.files.dates import read_instants
from pipeline.market.sessions import Sessions

CLEAR = 0.9
"""Share of the bars within hours from which a zone is worth proposing, whatever others come to."""
AHEAD = 1.25
"""How many times the share of the next zone does so as well: where vendors have bars from before and after the hours of
trading, those are fewer."""
MIN_WITHIN = 0.25
"""Share of the bars within hours below which it is not early and late trading that lies outside."""


def find_zone(files: PriceFiles, calendar: Sessions) -> tuple[str, float] | None:
    """Return the zone in which most bars lie within hours, and which share does; None where none fits clearly."""
    shares = _shares(files, calendar, calendar.zone)
    best = max(shares, key=lambda zone: shares[zone])
    next_best = max(share for zone, share in shares.items() if zone != best)
    clear = shares[best] >= CLEAR or shares[best] >= max(AHEAD * next_best, MIN_WITHIN)
    return (best, shares[best]) if clear else None


def is_early_or_late(files: PriceFiles, calendar: Sessions, zone: str) -> bool:
    """Whether bars outside hours are of early and late trading: in no zone more of them lie within than in this one."""
    shares = _shares(files, calendar, zone)
    return shares[zone] >= MIN_WITHIN and shares[zone] == max(shares.values())


def _shares(files: PriceFiles, calendar: Sessions, first: str) -> dict[str, float]:
    """Zone -> the share of bars, by how often each time stands in the files, that lie within a session's hours."""
    hours = calendar.frame(calendar.days[0], calendar.days[-1]).sort("open_at")
    rows = max(int(files.days["rows"].sum()), 1)
    shares = {}
    for zone in dict.fromkeys((first, calendar.zone, *ZONES)):
        times = files.days.select("rows", at=read_instants(files.days["written"], zone=zone)).drop_nulls().sort("at")
        within = times.join_asof(hours, left_on="at", right_on="open_at").filter(pl.col("at") <= pl.col("close_at"))
        shares[zone] = int(within["rows"].sum()) / rows
    return shares
