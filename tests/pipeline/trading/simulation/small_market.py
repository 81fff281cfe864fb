"""A small market with dividends, splits, a rename, a merger, a delisting and missing bars, traded by stages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from pipeline.trading.execution.arithmetic import Block
from pipeline.trading.params import TradingParams
from pipeline.trading.simulation.conditions import measure_all
from pipeline.trading.simulation.market import Market
from pipeline.trading.simulation.tables import read_market, spread
from tests.frames.trading import DAYS, World, bar, delisting, dividend, split

NAMES = ("AAA", "BBB", "CCC", "CCC1", "DDD", "EEE")
RENAMED, GONE, MERGED = 26, 30, 22
SESSIONS = 38


@dataclass(frozen=True)
class Traded:
    """What the stages were given, and the same as arrays."""

    world: World
    market: Market
    orders: Block
    edges: Block


def trade(seed: int, capital: float) -> Traded:
    """Order by chance, more than there is cash or shares or volume for at times, and settle session by session."""
    chance = np.random.default_rng(seed)
    world = _build(chance, capital)
    for session in DAYS[:SESSIONS]:
        world.settle(session)
        if session != DAYS[SESSIONS - 1]:
            _order(world, session, chance)
    return Traded(world, *_read(world))


def _build(chance: np.random.Generator, capital: float) -> World:
    paths = 50 * np.exp(np.cumsum(0.01 * chance.standard_normal((SESSIONS, len(NAMES))), axis=0))
    acted: list[dict[str, Any]] = []
    for column, ticker in enumerate(NAMES):
        for at in range(8 + column, SESSIONS - 6, 13):
            acted.append(dividend(ticker, DAYS[at], round(float(chance.uniform(0.1, 1)), 4), DAYS[at + column]))
    for ticker, at, new, old in (("AAA", 12, 3, 2), ("BBB", 16, 1, 7), ("CCC1", 16, 2, 1), ("CCC1", 17, 5, 4)):
        acted.append(split(ticker, DAYS[at], new, old))
        paths[at:, NAMES.index(ticker)] *= old / new
    acted.append(delisting("DDD", DAYS[GONE], 31.25))
    acted.append({"ticker": "AAA", "ex_date": DAYS[RENAMED], "kind": "rename", "successor": "ZZZ"})
    merger = {"kind": "delisting", "nature": "merger", "successor": "BBB", "numerator": 3, "denominator": 7}
    acted.append({"ticker": "EEE", "ex_date": DAYS[MERGED], "amount": 60.0, "cash": 10.0} | merger)
    world = World(*_quote(paths, chance), params=TradingParams(planning=1, capital=capital))
    world.act(*acted)
    return world


def _quote(paths: Block, chance: np.random.Generator) -> list[dict[str, Any]]:
    rows = []
    for at, session in enumerate(DAYS[:SESSIONS]):
        for column, ticker in enumerate(NAMES):
            if (at > 3 and chance.random() < 0.04) or at >= {"DDD": GONE, "EEE": MERGED}.get(ticker, SESSIONS):
                continue
            close = round(float(paths[at, column]), 4)
            opening = round(close * float(np.exp(0.003 * chance.standard_normal())), 4)
            told = "ZZZ" if ticker == "AAA" and at >= RENAMED else ticker
            low, high = sorted((opening, close))
            volume = int(chance.integers(3_000, 200_000))
            rows.append(bar(told, session, close, open=opening, low=low, high=high, volume=volume))
    return rows


def _order(world: World, session: date, chance: np.random.Generator) -> None:
    at = DAYS.index(session)
    held = {ticker: position.shares for ticker, position in world.book.positions.items()}
    gone = {"DDD": GONE, "EEE": MERGED, "AAA": RENAMED}
    there = [one for one in (*NAMES, "ZZZ") if at < gone.get(one, SESSIONS) and (one != "ZZZ" or at >= RENAMED)]
    for ticker in chance.choice(there, 3, replace=False).tolist():
        if ticker in held and chance.random() < 0.5:
            world.order(session, ticker, "sell", max(int(held[ticker] * chance.uniform(0.2, 1.1)), 1))
        else:
            world.order(session, ticker, "buy", int(chance.integers(1, 900)), edge=float(chance.random()))


def _read(world: World) -> tuple[Market, Block, Block]:
    sessions, prices, actions = DAYS[:SESSIONS], world.rows("market_prices"), world.rows("corporate_actions")
    conditions = measure_all(prices, actions, sessions, world.calendar, world.params)
    unknown = world.params.costs.unknown_volatility
    market = read_market(prices, actions, conditions, sessions, world.calendar, unknown)
    planned = world.rows("trade_plans").select("plan_id", "edge")
    trades = world.rows("executed_trades").join(planned, on="plan_id", maintain_order="left")
    signs = pl.when(pl.col("side") == "buy").then(1.0).otherwise(-1.0)
    signed = trades.select(pl.col("ordered") * signs)["ordered"].to_numpy()
    orders = spread(trades, signed, sessions, market.tickers)
    return market, orders, spread(trades, trades["edge"].fill_null(0.0).to_numpy(), sessions, market.tickers)
