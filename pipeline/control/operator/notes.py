"""Writes down what the operator thinks of a ticker, a trade or a run, with what he expects of it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Literal

import polars as pl

from lake.runs import last_session
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.market import INSTRUMENTS
from lake.tables.research import NOTES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.config.check_values import nearest
from pipeline.control.operator.decisions import (
    DecisionError,
    Origin,
    find_row,
    insert_once,
    make_id,
    order_after,
    read_market_time,
)
from pipeline.control.operator.trading_switches import who_decides

if TYPE_CHECKING:  # a runner is handed in: who only asks or previews loads no stages
    from pipeline.engine.runner import Runner

MAX_HORIZON = 20
"""Sessions ahead, as far as forecasts go."""
A_TRADE = re.compile(r"\d{4}-\d{2}-\d{2}:([^:]+)(?::.+)?")
"""The id of a plan, or of the trade that came of it."""
FORETELLS = re.compile(r"(?s)\s*(up|down)\s+(\d{1,4})\s*:\s*(.+)")
Direction = Literal["up", "down"]


@dataclass(frozen=True, kw_only=True)
class Expectation:
    """Where a ticker's total return will lie after so many sessions."""

    direction: Direction
    horizon: int


def read_words(words: str) -> tuple[str, Expectation | None]:
    """A note as it is typed on one line: `up 5: earnings look good` foretells, anything else is a text."""
    found = FORETELLS.fullmatch(words)
    if found is None:
        return words.strip(), None
    return found[3].strip(), Expectation(direction="up" if found[1] == "up" else "down", horizon=int(found[2]))


def add_note(
    runner: Runner,
    target: str,
    text: str,
    origin: Origin,
    *,
    expected: Expectation | None = None,
    note_id: str = "",
    now: datetime | None = None,
) -> dict[str, Any]:
    """Record a note; nothing is run, and no lock or daemon is needed.

    Args:
        runner: of the lake.
        target: a ticker, the id of a trade, of a plan or of a run.
        text: the note.
        origin: where it was written.
        expected: what it foretells of the ticker, from the last session's close on.
        note_id: made by the caller; a second call with the same id changes nothing.
        now: the wall clock; the computer's where None.

    Returns:
        The row of `notes`.

    Raises:
        DecisionError: if there is no such thing, nothing is said, or what is foretold is out of range.
        StorageError: if the lake cannot be written.
    """
    lake, wall = runner.lake, now or datetime.now(UTC)
    if note_id and (known := find_row(lake, NOTES, note_id)):
        return known
    about, ticker = find_target(lake, target)
    _check(text, expected, ticker, target)
    row = {
        "note_id": note_id or make_id(origin),
        "session": _known_session(lake),
        "about": about,
        "target": target,
        "ticker": ticker,
        "text": text.strip(),
        "direction": expected.direction if expected else None,
        "horizon": expected.horizon if expected else None,
        "decided_at": order_after(lake, NOTES, pl.lit(True), read_market_time(runner, wall)),
        "recorded_at": wall,
        "origin": origin,
        "decided_by": who_decides(),
    }
    return insert_once(lake, NOTES, row, str(row["note_id"]))


def find_target(lake: Lake, target: str) -> tuple[str, str | None]:
    """What kind of thing it is, and the ticker that it is about.

    Raises:
        DecisionError: naming the nearest ticker, if the lake has nothing of that name.
    """
    if found := A_TRADE.fullmatch(target):
        trades = lake.read(EXECUTED_TRADES, where=pl.col("trade_id") == target, columns=("ticker",))
        plans = lake.read(TRADE_PLANS, where=pl.col("plan_id") == target, columns=("ticker",))
        if trades.is_empty() and plans.is_empty():
            raise DecisionError(f"there is no trade or plan {target!r}; `nextgen show trade_plans` lists the last ones")
        return "trade", found[1]
    listed = lake.read(INSTRUMENTS, columns=("ticker",))["ticker"].unique().to_list()
    if target in listed:
        return "ticker", target
    if not lake.read(RUNS, where=pl.col("run_id") == target, columns=("run_id",)).is_empty():
        return "run", None
    raise DecisionError(f"no ticker, trade or run is called {target!r}{nearest(target, _sorted(listed))}")


def _check(text: str, expected: Expectation | None, ticker: str | None, target: str) -> None:
    if not text.strip():
        raise DecisionError("a note without words says nothing; write what you think")
    if len(text) > 4_000:
        raise DecisionError(f"the note has {len(text):,} characters; it may have 4,000")
    if expected is None:
        return
    if ticker is None:
        raise DecisionError(f"{target} is a run, and only of a ticker or a trade can it be told where it will go")
    if not 1 <= expected.horizon <= MAX_HORIZON:
        raise DecisionError(f"{expected.horizon} sessions ahead is out of range; foretell 1 to {MAX_HORIZON}")


def _known_session(lake: Lake) -> date:
    session = last_session(lake)
    if session is None:
        raise DecisionError("the lake has no session yet, so there is nothing to write about")
    return session


def _sorted(names: Iterable[str]) -> list[str]:
    return sorted(names)
