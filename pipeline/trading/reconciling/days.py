"""What happened to the books day by day, in the order in which it counts: the reconciliation goes through it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.reconciling.known_rates import KnownRates, Redenomination

ACTION_COLUMNS = (
    "ticker", "ex_date", "kind", "sequence", "numerator", "denominator", "amount", "pay_date", "successor", "nature",
    "cash", "cost_share",
)  # fmt: skip
TURN = {"split": 0, "dividend": 1, "delisting": 2, "rename": 3}
LEAVING = ("rename", "delisting", "write_off")
"""What a ticker is given up by."""


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
    position: str | None = None
    """`short` where borrowed shares are sold or bought back."""


class DayOfBooks(NamedTuple):
    """What happens at a session."""

    actions: list[tuple[Any, ...]]
    """Values of `ACTION_COLUMNS`, in turn; the names written off among them."""
    fills: list[FillOfDay]
    """Sales first, those of borrowed shares after the others; then what is bought back, then buys."""
    changes: list[tuple[str, int, Redenomination]]
    """Listings that go to another currency that morning: the ticker, and which change of it this is."""


def put_in_turn(actions: list[tuple[Any, ...]], shares: Mapping[str, int]) -> list[list[tuple[Any, ...]]]:
    """Day by day; on each, whoever has a ticker makes room before another company comes under it.

    What else happens to that ticker is the newcomer's, unless its shares were there and stay. Those that make room
    for each other are in one list: they move at once.
    """
    name, when, kind, successor = (ACTION_COLUMNS.index(one) for one in ("ticker", "ex_date", "kind", "successor"))
    rows: list[list[tuple[Any, ...]]] = []
    while actions:
        today = [one for one in actions if one[when] == actions[0][when]]
        actions = actions[len(today) :]
        going = [one for one in today if one[kind] in LEAVING]
        targets = {one[successor] for one in going if one[kind] == "rename"}
        gone = {one[name] for one in going}
        late = [
            one for one in today
            if one not in going and one[name] in targets and (one[name] in gone or not shares.get(one[name]))
        ]  # fmt: skip
        rows += [[one] for one in today if one not in going and one not in late]
        while going:
            stay = {one[name] for one in going}
            free = [one for one in going if one[kind] != "rename" or one[successor] not in stay]
            rows += [[one] for one in free] or [going]
            free = free or going
            going = [one for one in going if one not in free]
        rows += [[one] for one in late]
    return rows


def gather_days(
    actions: pl.DataFrame, ends: pl.DataFrame | None, fills: pl.DataFrame, session: date, calendar: Sessions
) -> dict[date, DayOfBooks]:
    """Each session at which anything happens; `ends` is every statement about names that were written off."""
    days: dict[date, DayOfBooks] = defaultdict(lambda: DayOfBooks([], [], []))
    turn = pl.col("kind").replace_strict(TURN, return_dtype=pl.Int8)
    for action in actions.sort("ex_date", turn, "ticker", "sequence").select(ACTION_COLUMNS).iter_rows():
        if (day := calendar.at_or_after(action[1])) <= session:
            days[day].actions.append(action)
    for ticker, day, amount in () if ends is None else _find_written_off(ends):
        if day <= session:
            said = {"ticker": ticker, "ex_date": day, "kind": "write_off", "sequence": 0, "amount": amount}
            days[day].actions.append(tuple(said.get(name) for name in ACTION_COLUMNS))
            days[day].actions.sort(key=lambda action: action[1])
    first = min(days, default=session)
    for paid in actions["pay_date"].drop_nulls().unique():
        if first < paid <= session and (day := calendar.at_or_after(paid)) <= session:
            days[day]
    cents = pl.col("gross", "commission", "local_gross").to_physical().cast(pl.Int64)
    bought, short = pl.col("side") == "buy", pl.col("position").eq_missing("short")
    for fill in (
        fills.with_columns(cents).sort(bought, bought != short, "trade_id").select(FillOfDay._fields).iter_rows()
    ):
        days[fill[0]].fills.append(FillOfDay(*fill))
    return days


def add_changes(days: dict[date, DayOfBooks], rates: KnownRates, session: date, calendar: Sessions) -> None:
    """Add the listings that changed their currency to the sessions at which that is booked."""
    for ticker, changes in sorted(rates.changed.items()):
        for number, change in enumerate(changes):
            if change.booked and (day := calendar.at_or_after(change.booked)) <= session:
                days[day].changes.append((ticker, number, change))


def _find_written_off(ends: pl.DataFrame) -> list[tuple[str, date, float]]:
    """Ticker, the session before whose open it is written off, and at what each share; by what was last said of it."""
    newest: dict[tuple[str, date], tuple[int, date, float, bool]] = {}
    columns = ("ticker", "last_session", "revision", "ended_on", "amount", "withdrawn")
    for ticker, since, *said in ends.select(columns).iter_rows():
        newest[ticker, since] = max(newest.get((ticker, since), (-1, since, 0.0, True)), tuple(said))
    return [(ticker, day, amount) for (ticker, _), (_, day, amount, gone) in sorted(newest.items()) if not gone]
