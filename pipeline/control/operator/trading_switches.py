"""The operator's pause, kill and resume of all trading, recorded at once, with no lock and no daemon needed."""

from __future__ import annotations

import getpass
from dataclasses import asdict, dataclass, replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from lake.runs import last_cycle
from lake.store import Lake
from lake.tables.control import TRADING_SWITCHES
from pipeline.control.operator.decisions import (
    DecisionError,
    Origin,
    find_row,
    insert_once,
    make_id,
    order_after,
    read_market_time,
)
from pipeline.trading.planning.trading_stops import TradingStop, read_stops, standing

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner

Switch = Literal["pause", "kill", "resume"]


@dataclass(frozen=True, kw_only=True)
class TradingSwitch:
    """One row of `trading_switches`."""

    switch_id: str
    session: date
    switch: Switch
    closes_positions: bool
    lifts: tuple[str, ...]
    reason: str
    decided_at: datetime
    recorded_at: datetime
    origin: Origin
    decided_by: str


@dataclass(frozen=True, kw_only=True)
class SwitchedTrading:
    """What was said, and what holds now."""

    said: TradingSwitch
    already: bool
    """Whether it was so before: nothing was recorded, and `said` is what had been."""
    standing: tuple[TradingStop, ...]
    """The pauses and kills that hold now; none where trading goes on."""


def switch_trading(
    runner: Runner,
    switch: Switch,
    reason: str,
    origin: Origin,
    *,
    close_positions: bool = False,
    switch_id: str = "",
    now: datetime | None = None,
) -> SwitchedTrading:
    """Pause, kill or resume trading from this moment on.

    A pause stops orders whose plan is not published yet, a kill those that have not come to their open as well. Cycles
    go on, one that is at work included. A resume lifts every pause and kill recorded by now.

    Args:
        runner: of the lake; nothing is run.
        switch: what to do.
        reason: why, for the record.
        origin: where it was said.
        close_positions: of a kill: sell what is held at the opens that follow.
        switch_id: made by the caller; a second call with the same id changes nothing.
        now: the wall clock; the computer's where None.

    Raises:
        DecisionError: if there is nothing to resume, or the id is another word's.
        StorageError: if the lake cannot be written.
    """
    lake = runner.lake
    if switch_id and (known := find_row(lake, TRADING_SWITCHES, switch_id)):
        return SwitchedTrading(said=_recorded(known, switch), already=True, standing=read_standing(lake))
    # What is published is looked at before the clock: a plan that is published between the two counts as undecided.
    session = first_unpublished(runner)
    holding = read_standing(lake)
    if (before := _find_same(switch, holding, close_positions=close_positions)) is not None:
        known = find_row(lake, TRADING_SWITCHES, before.switch_id)
        return SwitchedTrading(said=_recorded(known, known["switch"]), already=True, standing=holding)
    wall = now or datetime.now(UTC)
    made = TradingSwitch(
        switch_id=switch_id or make_id(origin),
        session=session,
        switch=switch,
        closes_positions=close_positions,
        lifts=tuple(stop.switch_id for stop in holding) if switch == "resume" else (),
        reason=reason,
        decided_at=order_after(lake, TRADING_SWITCHES, pl.lit(True), read_market_time(runner, wall)),
        recorded_at=wall,
        origin=origin,
        decided_by=who_decides(),
    )
    row = insert_once(lake, TRADING_SWITCHES, asdict(made) | {"lifts": list(made.lifts)}, made.switch_id)
    return SwitchedTrading(said=_recorded(row, switch), already=False, standing=read_standing(lake))


def read_standing(lake: Lake) -> tuple[TradingStop, ...]:
    """The pauses and kills that hold now, kills first; none where trading goes on."""
    return standing(read_stops(lake.read(TRADING_SWITCHES)))


# ---- inner workings


def _find_same(switch: Switch, holding: tuple[TradingStop, ...], *, close_positions: bool) -> TradingStop | None:
    """What stands already and does all that is asked for.

    Raises:
        DecisionError: if there is nothing to resume.
    """
    if switch == "resume":
        if not holding:
            raise DecisionError("trading is neither paused nor killed, so there is nothing to resume")
        return None
    enough = (one for one in holding if one.kind == "kill" or switch == "pause")
    return next((one for one in enough if one.closes_positions or not close_positions), None)


def first_unpublished(runner: Runner) -> date:
    """The first session whose plan is not published yet: what is said now counts from it on."""
    last = last_cycle(runner.lake)
    return runner.calendar.days[0] if last is None else runner.calendar.next(last)


def _recorded(row: dict[str, Any], switch: Switch) -> TradingSwitch:
    if row["switch"] != switch:
        raise DecisionError(f"{row['switch_id']} is recorded as a {row['switch']}; it cannot become a {switch}")
    said = TradingSwitch(**row)
    return replace(said, lifts=tuple(said.lifts), recorded_at=said.recorded_at.astimezone(UTC))


def who_decides() -> str:
    """The user of the system; empty where it does not know him."""
    try:
        return getpass.getuser()[:80]
    except (KeyError, OSError, ImportError):
        return ""
