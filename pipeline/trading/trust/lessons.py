"""A lesson of trust: which names it concerns, which of them it leaves alone, and how much it says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from pipeline.prediction.lessons import in_control_arm

ACTIVE = ("on trial", "helped")
"""Of a lesson that is acted on."""
TRUSTED_RULES = ("stale_forecasts", "humility", "strangeness")
"""Rules whose say shrinks where it keeps costing money: those that scale alpha by what is known of a forecast."""


class TrustLesson(NamedTuple):
    """Something that is trusted less."""

    kind: str
    """sector, rule or override."""
    name: str
    """The sector or rule; `veto` of the operator's overrides."""
    begun: date
    share: float
    """What is left: of alpha, or of a rule's say."""
    status: str
    members: Sequence[str]
    """The tickers of an override; of the others sector and book tell."""
    arm: str
    """How its names are halved while it is on trial."""

    def applies(self, ticker: str, session: date) -> bool:
        """Whether it is acted on for a name of its slice: half of the names are left alone while it is on trial."""
        arm = self.arm if self.status == "on trial" else "all"
        return not in_control_arm(name_trial(self.kind, self.name, self.begun), arm, ticker, session)

    def concerns(self, ticker: str, sector: str) -> bool:
        """Whether a name is in its slice."""
        if self.kind == "override":
            return ticker in self.members
        return self.kind == "rule" or sector == self.name


def name_trial(kind: str, name: str, begun: date) -> str:
    """Return the id of a trial, by which each draws its own halves."""
    return f"trust:{kind}:{name}:{begun}"


def read_lessons(trust_levels: pl.DataFrame, session: date) -> tuple[TrustLesson, ...]:
    """The lessons that are acted on at the close of a session."""
    rows = trust_levels.filter(pl.col("session") == session, pl.col("status").is_in(ACTIVE)).sort("kind", "name")
    return tuple(TrustLesson(*row) for row in rows.select(TrustLesson._fields).iter_rows())


def find_share(lessons: Iterable[TrustLesson], kind: str, ticker: str, sector: str, session: date) -> tuple[float, str]:
    """Return what lessons of a kind leave of a name's alpha, and the names of those that say so."""
    acted = [one for one in lessons if one.kind == kind and one.concerns(ticker, sector)]
    acted = [one for one in acted if one.applies(ticker, session)]
    share = 1.0
    for one in acted:
        share *= one.share
    return share, ", ".join(one.name for one in acted)
