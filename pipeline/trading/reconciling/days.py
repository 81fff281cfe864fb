"""What happened to the books day by day, in the order in which it counts: the reconciliation goes through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions

ACTION_COLUMNS = (
    "ticker", "ex_date", "kind", "sequence", "numerator", "denominator", "amount", "pay_date", "successor", "nature",
    "cash", "cost_share",
)  # fmt: skip
TURN = {"split": 0, "dividend": 1, "delisting": 2, "rename": 3}


class FillOfDay(NamedTuple):
    """A fill; amounts in cents."""

    session: date
    trade_id: str
    ticker: str
    side: str
    shares: int
    gross: int
    commission: int
    currency: str | None
    """What a foreign name is quoted in."""
    rate: Decimal | None
    rate_session: date | None
    local_gross: int | None
    """Hundredths of that currency."""


class DayOfBooks(NamedTuple):
    """What happens at a session."""

    actions: list[tuple[Any, ...]]
    """Values of `ACTION_COLUMNS`, in turn."""
    ends: list[tuple[str, Fraction]]
    """Names written off, and at what each share."""
    fills: list[FillOfDay]
    """Sales first."""


def put_in_turn(actions: list[tuple[Any, ...]], shares: Mapping[str, int]) -> list[tuple[Any, ...]]:
    """Day by day; on each, whoever has a ticker makes room before another company comes under it.

    What else happens to that ticker is the newcomer's, unless its shares were there and stay.
    """
    name, when, kind, successor = (ACTION_COLUMNS.index(one) for one in ("ticker", "ex_date", "kind", "successor"))
    rows = []
    while actions:
        today = [one for one in actions if one[when] == actions[0][when]]
        actions = actions[len(today) :]
        going = [one for one in today if one[kind] in ("rename", "delisting")]
        targets = {one[successor] for one in going if one[kind] == "rename"}
        gone = {one[name] for one in going}
        late = [
            one for one in today
            if one not in going and one[name] in targets and (one[name] in gone or not shares.get(one[name]))
        ]  # fmt: skip
        rows += [one for one in today if one not in going and one not in late]
        while going:
            stay = {one[name] for one in going}
            free = [one for one in going if one[kind] != "rename" or one[successor] not in stay] or going
            rows += free
            going = [one for one in going if one not in free]
        rows += late
    return rows


def gather_days(
    actions: pl.DataFrame, fills: pl.DataFrame, session: date, calendar: Sessions
) -> dict[date, DayOfBooks]:
    """Each session at which anything happens."""
    days: dict[date, DayOfBooks] = defaultdict(lambda: DayOfBooks([], [], []))
    turn = pl.col("kind").replace_strict(TURN, return_dtype=pl.Int8)
    for action in actions.sort("ex_date", turn, "ticker", "sequence").select(ACTION_COLUMNS).iter_rows():
        if (day := calendar.at_or_after(action[1])) <= session:
            days[day].actions.append(action)
    first = min(days, default=session)
    for paid in actions["pay_date"].drop_nulls().unique():
        if first < paid <= session and (day := calendar.at_or_after(paid)) <= session:
            days[day]
    cents = pl.col("gross", "commission", "local_gross").to_physical().cast(pl.Int64)
    for fill in (
        fills.with_columns(cents).sort(pl.col("side") == "buy", "trade_id").select(FillOfDay._fields).iter_rows()
    ):
        days[fill[0]].fills.append(FillOfDay(*fill))
    return days
