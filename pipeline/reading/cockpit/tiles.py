"""The answer of each screen in a few words with its trend, from a few columns: cheap enough to repeat."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Protocol

import polars as pl

from lake.contract import Table
from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.feedback import FEEDBACK_METRICS, LEARNING_INSIGHTS
from lake.tables.market import CORPORATE_ACTIONS, PRICE_RESTATEMENTS, QUARANTINED_ROWS, TICKER_UNIVERSE
from lake.tables.models import MODEL_PROMOTIONS
from lake.tables.predictions import PREDICTIONS
from lake.tables.research import EXPERIMENT_RESULTS, EXPERIMENTS, WHAT_IFS
from lake.tables.trading import STRATEGIC_PRIORITIES, TRADE_PLANS
from pipeline.text_format import change, counted, percent

LATELY = timedelta(days=60)
"""How far back a trend goes: about 40 sessions."""
SESSIONS = 40
"""About as many sessions."""
LEVEL = 0.8
"""The interval whose coverage a tile tells."""


class Reader(Protocol):
    """Reads rows of a table at a standpoint, as `Lake.read` does."""

    def __call__(self, table: Table, **how: Any) -> pl.DataFrame:
        """Rows of the table."""


@dataclass(frozen=True)
class Tile:
    """What one screen would say, in short."""

    answer: str
    """The figure first."""
    detail: str = ""
    trend: tuple[float, ...] = ()
    """Session by session, the last one last; empty where there is none."""
    trend_of: str = ""
    """What the trend is of."""


ReadTile = Callable[[Reader, date], Tile]
"""The tile at the close of a session; raises LakeError where its tables cannot be read."""


def data_tile(read: Reader, session: date) -> Tile:
    """How many of the members arrived, and what was set aside or restated."""
    span = {"since": session - LATELY, "until": session}
    universe = read(TICKER_UNIVERSE, columns=("session", "ticker", "member", "stale"), **span).filter("member")
    aside = read(QUARANTINED_ROWS, columns=("session", "target"), **span)
    restated = read(PRICE_RESTATEMENTS, columns=("session", "ticker"), since=session, until=session).height
    today = universe.filter(pl.col("session") == session)
    if today.is_empty():
        return Tile("no session run yet")
    late = today.filter(pl.col("stale") > 0).height
    told = [*([f"{late} late"] if late else []), f"{restated} restated"]
    here = aside.filter(pl.col("session") == session).height
    trend = _per_session(universe["session"], aside["session"])
    return Tile(
        f"{today.height - late} of {today.height} arrived",
        f"{here} set aside, {', '.join(told)}",
        trend,
        "rows set aside",
    )


def predictions_tile(read: Reader, session: date) -> Tile:
    """How many tickers are forecast, the highest expectation, and how the mean one went."""
    columns = ("session", "ticker", "horizon", "point", "role")
    rows = read(PREDICTIONS, since=session - LATELY, until=session, columns=columns, where=pl.col("role") != "shadow")
    if rows.is_empty():
        return Tile("no forecast yet")
    nearest = rows.filter(pl.col("horizon") == pl.col("horizon").min())
    today = nearest.filter(pl.col("session") == pl.col("session").max()).sort("point", "ticker", descending=True)
    best = today.row(0, named=True)
    means = nearest.group_by("session").agg(pl.col("point").sort().mean()).sort("session")
    return Tile(
        f"{counted(today.height, 'ticker')} forecast",
        f"highest {best['ticker']} {change(best['point'])} in {counted(best['horizon'], 'session')}",
        tuple(means["point"]),
        "mean expectation",
    )


def accuracy_tile(read: Reader, session: date) -> Tile:
    """Where skill is shown, whether the intervals hold what they promise, and how skill went at the middle horizon."""
    # Here, with what every metric means: the verdict is shown before it.
    from pipeline.reading.results.summary import COVERAGE_LEVELS, coverage_facts, skill_facts

    names = ["pinball_skill", *COVERAGE_LEVELS]
    wanted = (pl.col("scope") == "all") & pl.col("metric").is_in(names)
    rows = read(FEEDBACK_METRICS, since=session - LATELY, until=session, where=wanted)
    found = skill_facts(rows, ("pinball_skill",)) if rows.height else ()
    if not found:
        return Tile("nothing measured yet")
    shown = [str(one.horizon) for one in found if one.finding == "better than naive"]
    worse = [str(one.horizon) for one in found if one.finding == "worse than naive"]
    answer = f"skill over {', '.join(shown)} sessions" if shown else "no skill shown"
    answer = f"worse than naive over {', '.join(worse)}" if worse else answer
    middle = found[len(found) // 2].horizon
    held = [one for one in coverage_facts(rows) if one.stated == LEVEL and one.horizon == middle]
    detail = f"80 % intervals held {percent(held[0].measured, 0)} over {middle}" if held else ""
    trail = rows.filter((pl.col("metric") == "pinball_skill") & (pl.col("horizon") == middle)).sort("session")
    return Tile(answer, detail, _known(trail["value"]), f"skill over {middle}")


def plan_tile(read: Reader, session: date) -> Tile:
    """How many orders go to the next open, and how many were refused."""
    columns = ("session", "ticker", "for_session", "taken", "blocked_by", "free_weight")
    rows = read(TRADE_PLANS, since=session - LATELY, until=session, columns=columns)
    if rows.is_empty():
        return Tile("no plan yet")
    today = rows.filter(pl.col("session") == pl.col("session").max())
    orders, refused = today.filter("taken").height, today.filter(pl.col("blocked_by").is_not_null()).height
    # A book that is built as a whole decides itself how much is invested: the aim of the priorities is not its own.
    built = today["free_weight"].is_not_null().any()
    aims = STRATEGIC_PRIORITIES.empty() if built else read(STRATEGIC_PRIORITIES, since=session, until=session)
    aim = f", aims at exposure {percent(aims['target_exposure'][0], 0)}" if aims.height else ""
    return Tile(
        f"{counted(orders, 'order')}, {refused} refused",
        f"for {today['for_session'][0]}{aim}",
        _per_session(rows["session"], rows.filter("taken")["session"]),
        "orders",
    )


def book_tile(read: Reader, session: date) -> Tile:
    """What the book is worth, what today brought, and how far it is below its peak."""
    columns = ("session", "nav", "session_return", "drawdown", "unexplained")
    rows = read(PORTFOLIO_VALUE, since=session - LATELY, until=session, columns=columns).sort("session")
    if rows.is_empty():
        return Tile("no book yet")
    last = rows.row(-1, named=True)
    today = change(last["session_return"]) if last["session_return"] is not None else "–"
    return Tile(
        f"{last['nav']:,.2f}",
        f"{today} today, {percent(last['drawdown'], 1)} below its peak",
        tuple(float(value) for value in rows["nav"]),
        "value",
    )


def learning_tile(read: Reader, session: date) -> Tile:
    """What is on trial, what helped and hurt in all, and who decides."""
    steps = read(LEARNING_INSIGHTS, columns=("session", "insight_id", "status", "effect"), until=session)
    ever = {effect: steps.filter(pl.col("effect") == effect)["insight_id"].n_unique() for effect in ("helped", "hurt")}
    last = steps.sort("session").unique("insight_id", keep="last")
    working = last.filter(pl.col("status") == "acted").height
    champions = read(MODEL_PROMOTIONS, columns=("session", "model_id", "champion"), until=session).sort("session")
    champion = champions["champion"][-1] if champions.height else None
    opened = steps.sort("session").unique("insight_id", keep="first", maintain_order=True)["session"]
    return Tile(
        f"{working} at work, {ever['helped']} helped, {ever['hurt']} hurt",
        f"champion {champion}" if champion else "the naive forecast decides",
        tuple(float(number) for number in range(1, len(opened) + 1)),
        "insights",
    )


def actions_tile(read: Reader, session: date) -> Tile:
    """How many corporate actions took effect lately, and the last one."""
    columns = (*CORPORATE_ACTIONS.key, "withdrawn")
    rows = read(CORPORATE_ACTIONS, since=session - LATELY, until=session, columns=columns, every_revision=False)
    if rows.is_empty():
        return Tile("no action lately")
    last = rows.sort("ex_date", "ticker").row(-1, named=True)
    words = f"{last['kind'].replace('_', ' ')} of {last['ticker']}, {last['ex_date']}"
    return Tile(f"{counted(rows.height, 'action')} in {LATELY.days} days", words)


def runs_tile(cycles: pl.DataFrame) -> Tile:
    """How the last cycle went, and how long cycles took.

    Args:
        cycles: the summaries of cycles, newest first: session, status, stages, written, milliseconds.
    """
    if cycles.is_empty():
        return Tile("nothing has run yet")
    last = cycles.row(0, named=True)
    times = tuple(value / 1_000 for value in cycles["milliseconds"].head(SESSIONS).reverse())
    return Tile(
        f"{last['session']} {last['status']} in {times[-1]:.1f} s",
        f"{counted(last['stages'], 'stage')}, {counted(last['written'], 'new row')}",
        times,
        "seconds per cycle",
    )


def research_tile(read: Reader, has_table: Callable[[Table], bool]) -> Tile:
    """How much was tried, and what of it was kept."""
    tables = (EXPERIMENTS, EXPERIMENT_RESULTS, WHAT_IFS)
    experiments, results, asked = (read(one) if has_table(one) else one.empty() for one in tables)
    questions = f"{counted(asked.height, 'what-if')} asked"
    if experiments.is_empty():
        if asked.is_empty():
            return Tile("nothing tried yet", "`nextgen what-if` tries a setting")
        return Tile(questions, "no experiment yet")
    kept = int(results["kept"].sum()) if results.height else 0
    ended = f"{counted(results.height, 'variant')} ended" + (f", {questions}" if asked.height else "")
    return Tile(f"{counted(experiments.height, 'experiment')}, {kept} kept", ended)


TILES: dict[str, ReadTile] = {
    "data": data_tile,
    "predictions": predictions_tile,
    "accuracy": accuracy_tile,
    "plan": plan_tile,
    "book": book_tile,
    "learning": learning_tile,
    "actions": actions_tile,
}
"""Screen -> its tile; those of Schedule, Runs and Research rest on more than tables of a session."""


def _per_session(sessions: pl.Series, events: pl.Series) -> tuple[float, ...]:
    """How many events each session had, 0 where it had none."""
    counts = dict(events.value_counts().iter_rows())
    return tuple(float(counts.get(day, 0)) for day in sessions.unique().sort())


def _known(values: Sequence[float | None] | pl.Series) -> tuple[float, ...]:
    return tuple(value for value in values if value is not None)
