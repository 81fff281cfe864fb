"""How much sectors, rules and vetoes are to be trusted, by what became of trades, of rules' moves and of vetoes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from math import erf, sqrt
from typing import NamedTuple

import polars as pl

from pipeline.trading.philosophy.params import Philosophy
from pipeline.trading.trust.lessons import TRUSTED_RULES

PRIOR_SESSIONS = 60
"""Sessions of a rule's moves that count as much as having no opinion of it: a quarter."""
LEAST_SESSIONS = 20
"""Sessions below which nothing is said of a rule."""


class TrustEvidence(NamedTuple):
    """What speaks for trusting something less."""

    kind: str
    name: str
    judged: int
    """Closed trades, sessions or vetoes."""
    good: int
    """Of them those that came out as forecast or better, earned, or helped."""
    share: float
    """What is left: 1 where all of it is trusted."""
    members: tuple[str, ...] = ()


def weigh_sectors(
    trade_reflections: pl.DataFrame, sectors: pl.DataFrame, limits: Philosophy
) -> Iterator[TrustEvidence]:
    """The share of closed trades of each sector that came out as forecast or better, shrunk towards a half.

    Args:
        trade_reflections: of closed trades.
        sectors: ticker and sector.
        limits: how many trades count as no opinion, and the least that is left.
    """
    judged = trade_reflections.filter(pl.col("surprise").is_not_null()).join(sectors, on="ticker")
    counted = judged.group_by("sector").agg(good=(pl.col("surprise") >= 0).sum(), all=pl.len()).sort("sector")
    for sector, good, count in counted.iter_rows():
        yield TrustEvidence(
            "sector", sector, count, good, min(max(2 * _shrink(good, count, limits), limits.min_trust), 1.0)
        )


def weigh_rules(attributions: pl.DataFrame, limits: Philosophy) -> Iterator[TrustEvidence]:
    """What the moves of each rule brought, session by session, against its own noise: a rule that costs says less."""
    moved = attributions.filter(pl.col("view") == "decision", pl.col("part") == "rule")
    for name in TRUSTED_RULES:
        cents = [float(one) for one in moved.filter(pl.col("item") == name).sort("session")["amount"]]
        if len(cents) < LEAST_SESSIONS:
            continue
        mean = sum(cents) / len(cents)
        deviation = sqrt(sum((one - mean) ** 2 for one in cents) / (len(cents) - 1))
        sure = mean / (deviation / sqrt(len(cents))) if deviation else 0.0
        chance = 0.5 * (1 + erf(sure * len(cents) / (len(cents) + PRIOR_SESSIONS) / sqrt(2)))
        share = min(max(2 * chance, limits.min_trust), 1.0)
        yield TrustEvidence("rule", name, len(cents), sum(one > 0 for one in cents), share)


def weigh_vetoes(
    decision_scores: pl.DataFrame, trade_decisions: pl.DataFrame, last: date, limits: Philosophy
) -> Iterator[TrustEvidence]:
    """An operator whose vetoes helped is believed: what he vetoed lately is bet on less.

    Args:
        decision_scores: of decisions whose horizon is over.
        trade_decisions: of the last sessions.
        last: the session since which a veto is lately.
        limits: as for sectors.
    """
    vetoes = decision_scores.filter(pl.col("decision") == "veto")
    good = vetoes.filter(pl.col("verdict") == "helped").height
    share = min(max(2 - 2 * _shrink(good, vetoes.height, limits), limits.min_trust), 1.0)
    newest = trade_decisions.sort("decided_at", "decision_id").unique("plan_id", keep="last", maintain_order=True)
    recent = newest.filter(pl.col("decision") == "veto", pl.col("for_session") > last)
    if vetoes.height:
        yield TrustEvidence("override", "veto", vetoes.height, good, share, tuple(recent["ticker"].unique().sort()))


def _shrink(good: int, count: int, limits: Philosophy) -> float:
    return (good + limits.trust_trades / 2) / (count + limits.trust_trades)
