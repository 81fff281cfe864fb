"""Which lessons a forecast uses: the active ones of its slices, except where it is in a lesson's control arm."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipeline.prediction.traits import split_slice

Floats = NDArray[np.float64]
Traits = Sequence[Sequence[Sequence[str]]]
"""[tickers][horizons] traits."""


@dataclass(frozen=True)
class AppliedLessons:
    """What was learned, as it acts on a session's forecasts."""

    added: Floats
    """[tickers, horizons] what is added to each point, as fractions."""
    used: list[list[list[str]]]
    """[tickers][horizons] the insights whose lessons these are."""


def in_control_arm(insight_id: str, arm: str, ticker: str, made: date) -> bool:
    """Whether a lesson leaves a forecast alone, to be compared with: half of all, by a hash that anyone can repeat.

    Args:
        insight_id: the lesson's, so that each lesson draws its own halves.
        arm: `ticker` halves the tickers; `week` leaves one week of each fortnight alone, in a slice that has too few of
            them; `all` leaves none alone. A number after it is a further part of the hash, as `halve_tickers` chose it.
        ticker: whose forecast.
        made: the session it is made at.
    """
    what, _, salt = arm.partition(" ")
    if what == "all":
        return False
    if what == "ticker":
        return _draw(insight_id, salt, ticker)
    fortnight, second = divmod(number_week(made), 2)
    return _draw(insight_id, salt, str(fortnight)) == bool(second)


def _draw(*named: str) -> bool:
    return sha256("|".join(named).encode()).digest()[0] % 2 == 1


def number_week(day: date) -> int:
    """The number of a week, Monday to Sunday, since the first of the calendar."""
    return (day.toordinal() - 1) // 7


def halve_tickers(insight_id: str, tickers: Sequence[str], made: date) -> str:
    """Return the arm that halves these tickers most evenly, the first of a hundred: a lot may fall 19 to 5."""
    arms = [f"ticker {salt}" for salt in range(100)]

    def unevenness(arm: str) -> int:
        return abs(2 * sum(in_control_arm(insight_id, arm, one, made) for one in tickers) - len(tickers))

    return min(arms, key=unevenness)


def apply_lessons(
    bias_flags: pl.DataFrame,
    tickers: Sequence[str],
    sectors: Sequence[str],
    horizons: Sequence[int],
    traits: Traits | None = None,
    made: date | None = None,
) -> AppliedLessons:
    """Return what the active flags of the latest session at hand add to each forecast, and whose lessons these are.

    A sector's bias is measured beyond that of all tickers, all others beyond their sectors', so they add up. Traits
    overlap: of those that apply, one acts.

    Args:
        bias_flags: rows of one or more sessions.
        tickers: n of them.
        sectors: [n].
        horizons: sessions ahead.
        traits: what each forecast is like; None where only ticker and sector are known.
        made: the session of the forecasts; the flags' own where it is not given.
    """
    latest = bias_flags.filter(pl.col("session") == pl.col("session").max())
    by_horizon: dict[int, list[dict[str, Any]]] = {}
    for row in latest.filter(pl.col("active")).sort("scope", "slice").to_dicts():
        by_horizon.setdefault(row["horizon"], []).append(row)
    added = np.zeros((len(tickers), len(horizons)))
    used: list[list[list[str]]] = [[[] for _ in horizons] for _ in tickers]
    for k, horizon in enumerate(horizons):
        for n, (ticker, sector) in enumerate(zip(tickers, sectors, strict=True) if horizon in by_horizon else ()):
            own = {f"ticker:{ticker}", f"sector:{sector}", *(traits[n][k] if traits is not None else ())}
            for row in _without_double([one for one in by_horizon[horizon] if _applies(one, own)]):
                if not is_left_alone(row, ticker, made):
                    added[n, k] += row["adjustment"]
                    used[n][k] += [row["insight_id"]] if row.get("insight_id") else []
    return AppliedLessons(added, used)


def _applies(row: Mapping[str, Any], own: set[str]) -> bool:
    return own.issuperset(split_slice(row["scope"], row["slice"]))


def _without_double(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of several traits and pairs, which overlap, the one with the largest adjustment; and all of the others."""
    traits = sorted((row for row in rows if row["scope"] in ("trait", "pair")), key=lambda row: -abs(row["adjustment"]))
    return [row for row in rows if row["scope"] not in ("trait", "pair")] + traits[:1]


def is_left_alone(row: Mapping[str, Any], ticker: str, made: date | None) -> bool:
    """Whether a forecast is in the control arm of an active row's lesson."""
    identity, arm = row.get("insight_id"), row.get("arm")
    return bool(identity and arm) and in_control_arm(str(identity), str(arm), ticker, made or row["session"])
