"""What settling a session costs as the books grow old: `python -m benchmarks.settling [--sessions N]`.

A book of fifty names is traded for ten years through the stages in memory, by orders that chance decides; counted is
the processor time inside the stages, without reading and writing.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from datetime import date
from time import process_time
from typing import Any

import numpy as np
import polars as pl

from lake.tables.market import INSTRUMENTS
from pipeline.engine.stage import Stage
from pipeline.engine.stages import SETTLE
from tests.frames import market
from tests.frames.sessions import weekday_sessions
from tests.frames.trading import World, bar, dividend, members, plans, split

FIRST = date(2010, 1, 4)
BATCH = 250
"""Sessions whose mean is told at a time: a year."""
BOOKS = ("book_openings", "execute", "ledger", "balances", "holdings", "value")


def main() -> None:
    """Settle session after session, and print milliseconds a session by stage for every year."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=2_500)
    parser.add_argument("--names", type=int, default=50)
    parser.add_argument("--trades", type=int, default=20, help="orders a session")
    parser.add_argument("--anew", action="store_true", help="without balances: all is added up in each session")
    asked = parser.parse_args()
    wanted = [name for name in BOOKS if name not in ("balances", "book_openings") or not asked.anew]
    stages = [stage for stage in SETTLE if stage.name in wanted]
    made = build(asked.sessions, asked.names, stages)
    chance = np.random.default_rng(5)
    spent: dict[str, list[float]] = defaultdict(list)
    for number, session in enumerate(made.calendar.days[: asked.sessions]):
        for stage in stages:
            spent[stage.name].append(run(made, stage, session))
        order(made, session, asked.names, asked.trades, chance)
        if (number + 1) % BATCH == 0 or number + 1 == asked.sessions:
            tell(number + 1, spent, made)
    first, last = (sum(sum(times[part]) for times in spent.values()) for part in (slice(1, 101), slice(-100, None)))
    entries = made.rows("ledger_entries").height
    print(
        f"settling sessions={asked.sessions} anew={asked.anew} entries={entries} "
        f"first_ms={first / 100:.1f} last_ms={last / 100:.1f} ratio={last / first:.2f}"
    )


def build(sessions: int, names: int, stages: list[Stage]) -> World:
    """Prices that wander, a dividend a quarter for each name, and now and then a split that leaves fractions."""
    calendar = weekday_sessions(FIRST, date(FIRST.year + sessions // 250 + 1, 12, 31))
    made = World(calendar=calendar, settling=stages)
    tickers = [f"N{number:03d}" for number in range(names)]
    days = calendar.days[: sessions + 1]
    chance = np.random.default_rng(3)
    paths = 100 * np.exp(np.cumsum(0.01 * chance.standard_normal((len(days), names)), axis=0))
    acted: list[dict[str, Any]] = []
    for column, ticker in enumerate(tickers):
        acted += [dividend(ticker, days[at], 0.5, days[at + 5]) for at in range(20 + column, len(days) - 5, 63)]
        for at in range(200 + 7 * column, len(days), 900):
            acted.append(split(ticker, days[at], 3, 2))
            paths[at:, column] *= 2 / 3
    made.act(*acted)
    made.tables["market_prices"] = market.prices(
        *(
            bar(ticker, day, round(float(paths[number, at]), 4))
            for number, day in enumerate(days)
            for at, ticker in enumerate(tickers)
        ),
        calendar=calendar,
    )
    made.add(INSTRUMENTS, market.instruments(*tickers))
    made.tables["ticker_universe"] = pl.concat([members(day, *tickers) for day in days])
    return made


def run(made: World, stage: Stage, session: date) -> float:
    """Run a stage and keep its rows; the processor milliseconds inside it."""
    moment = made.moment(session)
    frames = made.frames(stage, moment).values()
    before = process_time()
    rows = stage.function(*frames, moment, made.params)
    took = process_time() - before
    if rows.height:
        made.tables[stage.writes.name] = pl.concat([made.tables[stage.writes.name], rows], rechunk=True)
    return 1e3 * took


def order(made: World, session: date, names: int, trades: int, chance: np.random.Generator) -> None:
    """Decide orders for the next open: sell a part of what is held, buy a little of something else."""
    holdings = made.rows("portfolio_holdings").filter(pl.col("session") == session)
    held = dict(holdings.select("ticker", "shares").iter_rows())
    rows = []
    for name in (f"N{number:03d}" for number in chance.choice(names, trades, replace=False)):
        sells = name in held and chance.random() < 0.5
        shares = max(held[name] // 2, 1) if sells else int(chance.integers(10, 200))
        rows.append({"session": session, "ticker": name, "side": "sell" if sells else "buy", "shares": shares})
    decided = plans(*rows, calendar=made.calendar)
    made.tables["trade_plans"] = decided  # execution reads those of the session before alone


def tell(number: int, spent: dict[str, list[float]], made: World) -> None:
    """The mean of the last sessions by stage."""
    recent = {name: sum(times[-BATCH:]) / len(times[-BATCH:]) for name, times in spent.items()}
    parts = "  ".join(f"{name} {mean:6.1f}" for name, mean in recent.items())
    entries = made.rows("ledger_entries").height
    carried = made.rows("balances").filter(pl.col("account") == "cash")["carried"].tail(BATCH).mean() or 0.0
    whole = f"all {sum(recent.values()):6.1f} ms"
    print(f"{number:6,} sessions {entries:8,} entries  carried {carried:4.0%}  {parts}  {whole}", flush=True)


if __name__ == "__main__":
    main()
