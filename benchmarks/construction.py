"""What the book earns of what can be known: `python -m benchmarks.construction [--seeds 5] [--sessions 180]`.

Replays simulated markets through the whole program, from ingestion to the ledger, under the default mandate, and puts
beside the book what others would have earned at the same opens and the same costs: equal weight, top-k dropout on the
same forecasts (as qlib's TopkDropoutStrategy has it: a third of the names, one of them replaced a session), and a
portfolio built as the book is, but from the drift that the market was made with. Seeds are drawn afresh and printed,
unless `--first-seed` names one. Returns are active: less those of the members, equally weighted, without costs. Beside
each stands what the drift that the market was made with gave the same weights, after the same costs: what chance added
or took is not in it. The last line holds the active returns, in percent over the sessions.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from benchmarks.skill import draw_seeds
from lake.store import Lake
from lake.tables.books import PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import ALPHAS, EXECUTED_TRADES
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Runner
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.bars import OVERNIGHT_DRIFT
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.sources.simulated.source import SimulatedSource
from pipeline.market.returns import daily_total_returns
from pipeline.trading.construction.problem import BookProblem, Risk
from pipeline.trading.construction.relaxing import solve_relaxed
from pipeline.trading.execution.costs import round_trip
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.mandated_book import PASSIVE_SESSIONS

Floats = npt.NDArray[np.float64]
MARKETS = {"planted": SimulatedParams(), "null": SimulatedParams(signal=0)}
WINDOW = 20
"""Sessions of volatility and median volume, as the book's costs take them."""
YEAR = 252


@dataclass(frozen=True, kw_only=True)
class Tape:
    """A market's sessions of a replay and the months before, as arrays: [sessions, names]."""

    days: list[date]
    names: list[str]
    sectors: list[str]
    start: int
    """The first session that the book traded at is the one after it."""
    open: Floats
    close: Floats
    volume: Floats
    returns: Floats
    """Total, from close to close."""
    member: Floats
    forecast: Floats
    """Champion's expected return over 5 sessions; NaN without one."""
    oracle: Floats
    """The best forecast of it."""
    drift: Floats
    """The best forecast of the next session's return, less that of all members."""
    beta: Floats
    specific: Floats
    sector: Floats
    market: Floats
    """[sessions] variance per session."""


@dataclass(frozen=True, kw_only=True)
class Earned:
    """What a portfolio made of the sessions, in fractions of the capital."""

    active: float
    """Return less that of the members, equally weighted."""
    costs: float
    turnover: float
    """One way, per year."""
    expected: float
    """What the market's own drift gave the weights held, less costs."""
    tracking: float
    """Standard deviation of the daily active return, per year."""


def replay_market(path: Path, market: SimulatedParams, sessions: int) -> Runner:
    """Load a market's history into a new lake, and replay the sessions after it."""
    settings = replace(Settings(), runtime=RuntimeParams(durable=False), source=SourceParams(simulated=market))
    runner = Runner(Lake.create(path), settings)
    first, last = runner.source.coverage()
    runner.backfill(first, last)
    start = runner.calendar.next(last)
    for _ in runner.replay(start, runner.calendar.offset(start, sessions - 1)):
        pass
    return runner


def read_tape(runner: Runner, lookback: int = 60) -> Tape:
    """Everything the other portfolios need, from the lake and from the market's maker."""
    lake = runner.lake
    bars = lake.read(MARKET_PRICES, where=pl.col("interval") == "1d")
    worth = lake.read(PORTFOLIO_VALUE).sort("session")
    universe = lake.read(TICKER_UNIVERSE)
    names = universe["ticker"].unique().sort().to_list()
    start = worth["session"][0]
    days = [day for day in bars["session"].unique().sort() if runner.calendar.offset(start, -lookback) <= day]
    days = [day for day in days if day <= worth["session"][-1]]
    returns = daily_total_returns(bars, lake.read(CORPORATE_ACTIONS))
    forecasts = lake.read(PREDICTIONS, where=(pl.col("horizon") == 5) & (pl.col("role") == "champion"))
    alphas = lake.read(ALPHAS)
    grid = partial(_grid, days, names)
    sector_of = dict(universe.sort("session").select("ticker", "sector").iter_rows())
    member = np.nan_to_num(grid(universe.with_columns(pl.col("member").cast(pl.Float64)), "member"))
    drift = np.where(member > 0, _oracle(runner, days[days.index(start) :], grid, 1), np.nan)
    mean = np.nansum(drift, axis=1) / np.maximum(np.isfinite(drift).sum(axis=1), 1)
    market = alphas.group_by("session").agg(pl.col("market_variance").first()).rows()
    known = dict(market)
    return Tape(
        days=days,
        names=names,
        sectors=[sector_of[name] for name in names],
        start=days.index(start),
        open=grid(bars, "open"),
        close=grid(bars, "close"),
        volume=grid(bars, "volume"),
        returns=grid(returns, "total_return"),
        member=member,
        forecast=grid(forecasts, "point"),
        oracle=_oracle(runner, days[days.index(start) :], grid, 5),
        drift=np.nan_to_num(drift - mean[:, None]),
        beta=grid(alphas, "beta"),
        specific=grid(alphas, "specific_variance"),
        sector=grid(alphas, "sector_variance"),
        market=np.array([known.get(day, np.nan) for day in days]),
    )


def _grid(days: list[date], names: list[str], rows: pl.DataFrame, value: str) -> Floats:
    chosen = rows.filter(pl.col("ticker").is_in(names), pl.col("session").is_in(days))
    row_of, column_of = ({one: at for at, one in enumerate(axis)} for axis in (days, names))
    laid = np.full((len(days), len(names)), np.nan)
    at = [row_of[day] for day in chosen["session"]], [column_of[name] for name in chosen["ticker"]]
    laid[at] = chosen[value].cast(pl.Float64).to_numpy()
    return laid


def _oracle(runner: Runner, days: list[date], grid: Callable[[pl.DataFrame, str], Floats], horizon: int) -> Floats:
    source = runner.source
    assert isinstance(source, SimulatedSource)
    source.best_forecast(days[-1])  # simulates as far as needed at once
    told = pl.concat([source.best_forecast(day, (horizon,)) for day in days])
    return grid(told, "expected_return")


Policy = Callable[[Tape, int, Floats, float], Floats]
"""Tape, session, weights held and NAV at its close -> weights wanted at the next open."""


def top_k(tape: Tape, at: int, held: Floats, nav: float) -> Floats:
    """A third of the members with the best forecasts; each session the worst that fell out of them is replaced."""
    del nav
    able = (tape.member[at] > 0) & np.isfinite(tape.close[at])
    score = np.where(able, tape.forecast[at], -np.inf)
    if not np.isfinite(score).any() or np.ptp(score[np.isfinite(score)]) == 0:
        return held
    count = max(int(able.sum()) // 3, 1)
    best = np.argsort(-score, kind="stable")
    owned = np.flatnonzero(held > 1e-6)
    if not len(owned):
        return np.where(np.isin(np.arange(len(held)), best[:count]), 0.99 / count, 0.0)
    wanted = held.copy()
    ranked = sorted(owned, key=lambda name: score[name])
    fresh = [name for name in best if name not in set(owned)][: 1 + count - len(owned)]
    contest = sorted([*owned, *fresh], key=lambda name: -score[name])
    out = [name for name in ranked if name in set(contest[count:])][:1]
    wanted[out] = 0.0
    for name in fresh[: len(out) + count - len(owned)]:
        wanted[name] = max(0.99 - wanted.sum(), 0.0) / max(len(out) + count - len(owned), 1)
    return wanted


def equal_weight(tape: Tape, at: int, held: Floats, nav: float) -> Floats:
    """Every member alike, bought once a month."""
    del nav
    able = (tape.member[at] > 0) & np.isfinite(tape.close[at])
    return np.where(able, 0.99 / able.sum(), 0.0) if (at - tape.start) % 21 == 0 else held


def best_possible(tape: Tape, at: int, held: Floats, nav: float) -> Floats:
    """The book that the default mandate would build, did it know the drift that the market was made with."""
    mandate, limits = Mandate(), TradingParams().philosophy
    able = (tape.member[at] > 0) & np.isfinite(tape.close[at])
    benchmark = np.where(able, (1 - mandate.cash_target) / max(able.sum(), 1), 0.0)
    drift = np.where(able, tape.oracle[at], np.nan)
    alpha = np.nan_to_num(drift - np.nanmean(drift)) if np.isfinite(drift).any() else np.zeros(len(able))
    cost = _one_way(tape, at, np.maximum(benchmark / 2, 0.002) * nav)
    dollars = np.nan_to_num(tape.close[at] * _usual_volume(tape, at))
    room = TradingParams().costs.participation * dollars / nav
    problem = BookProblem(
        names=tape.names,
        held=held,
        benchmark=benchmark,
        alpha=alpha,
        cost=mandate.cost_aversion * cost,
        cost_home=cost * mandate.horizon / PASSIVE_SESSIONS,
        expense=cost,
        risk=_risk(tape, at, mandate.horizon),
        risk_aversion=mandate.risk_aversion,
        lower=np.zeros(len(held)),
        upper=np.where(able, np.maximum(limits.name_weight, benchmark), held),
        max_buy=np.where(able, room, 0.0),
        max_sell=room,
        cash=1 - float(held.sum()) - limits.cash_reserve,
        min_exposure=0.0,
        max_exposure=mandate.max_exposure,
        max_turnover=limits.turnover + max(float(benchmark.sum() - held.sum()), 0.0),
        max_risk=mandate.active_risk * (mandate.horizon / YEAR) ** 0.5,
    )
    return solve_relaxed(problem).solution.weights


def _risk(tape: Tape, at: int, horizon: int) -> Risk:
    sectors = sorted(set(tape.sectors))
    inside = np.array([[one == sector for sector in sectors] for one in tape.sectors], dtype=np.float64)
    beta = np.where(np.isfinite(tape.beta[at]), tape.beta[at], 1.0)
    shared = np.array([np.nanmax(np.append(tape.sector[at][inside[:, k] > 0], 0.0)) for k in range(len(sectors))])
    usual = np.nanmedian(tape.specific[at])
    specific = np.where(np.isfinite(tape.specific[at]), tape.specific[at], usual)
    return Risk(
        exposures=np.concatenate([beta[:, None], inside], axis=1),
        factors=np.array([tape.market[at], *shared]) * horizon,
        specific=specific * horizon,
    )


def _usual_volume(tape: Tape, at: int) -> Floats:
    return np.nanmedian(np.nan_to_num(tape.volume[at - WINDOW + 1 : at + 1]), axis=0)


def _one_way(tape: Tape, at: int, value: Floats) -> Floats:
    """What trading that value costs, as a fraction, by the book's own formulas."""
    recent = tape.returns[at - WINDOW + 1 : at + 1]
    deviation = np.array(
        [np.std(one[np.isfinite(one)], ddof=1) if np.isfinite(one).sum() > 2 else np.nan for one in recent.T]
    )
    volume, close = _usual_volume(tape, at), tape.close[at]
    costs = TradingParams().costs
    return np.array(
        [
            round_trip(float(value[k]), float(close[k]), float(volume[k]) or None, float(deviation[k]), costs) / 2
            if np.isfinite(close[k]) and value[k] > 0
            else 0.01
            for k in range(len(value))
        ]
    )


def hold(tape: Tape, policy: Policy, capital: float = 1_000_000.0) -> Earned:
    """Trade a policy's weights at the opens after the closes it decides at, each order within the day's volume."""
    last = len(tape.days)
    day = np.where(np.isfinite(tape.close / tape.open), tape.close / tape.open - 1, 0.0)
    night = (1 + np.nan_to_num(tape.returns)) / (1 + day) - 1
    value, cash, paid, traded = np.zeros(len(tape.names)), capital, 0.0, 0.0
    wanted, nav, worth, held = np.zeros(len(tape.names)), capital, [], []
    for at in range(tape.start, last):
        value = value * (1 + night[at])
        if at > tape.start:
            aim = wanted * nav * (1 + night[at])
            room = TradingParams().costs.participation * np.nan_to_num(tape.open[at]) * _usual_volume(tape, at - 1)
            orders = np.clip(aim - value, -np.minimum(room, value), room)
            orders = np.where(np.isfinite(tape.open[at]) & (np.abs(orders) >= 500), orders, 0.0)
            expense = np.where(orders != 0, np.abs(orders) * _one_way(tape, at - 1, np.abs(orders)), 0.0)
            short = orders.sum() + expense.sum() - cash
            if short > 0:
                bought = max(float(orders[orders > 0].sum()), 1e-9)
                orders = np.where(orders > 0, orders * max(1 - short / bought, 0.0), orders)
            value, cash = value + orders, cash - orders.sum() - expense.sum()
            paid, traded = paid + expense.sum(), traded + np.abs(orders).sum()
        value = value * (1 + day[at])
        nav = float(value.sum() + cash)
        worth.append(nav)
        held.append(value / nav)
        wanted = policy(tape, at, value / nav, nav)
    return _judge(tape, np.array(worth), paid / capital, traded / capital, np.array(held))


def judge_book(runner: Runner, tape: Tape) -> Earned:
    """The same of the book, by its own ledger."""
    worth = runner.lake.read(PORTFOLIO_VALUE).sort("session")["nav"].cast(pl.Float64).to_numpy()
    fills = runner.lake.read(EXECUTED_TRADES).filter(pl.col("shares") > 0)
    paid = fills.select(pl.sum_horizontal("commission", "spread_cost", "impact_cost").sum()).item()
    weights = np.nan_to_num(_grid(tape.days, tape.names, runner.lake.read(PORTFOLIO_HOLDINGS), "weight"))
    return _judge(tape, worth, float(paid) / worth[0], float(fills["gross"].sum()) / worth[0], weights[tape.start :])


def _judge(tape: Tape, worth: Floats, costs: float, traded: float, weights: Floats) -> Earned:
    """What was made of the sessions by a portfolio of such weights after each of them, [sessions, names]."""
    own = worth[1:] / worth[:-1] - 1
    market = np.array(
        [
            np.nanmean(np.where(tape.member[at - 1] > 0, tape.returns[at], np.nan))
            for at in range(tape.start + 1, len(tape.days))
        ]
    )
    # Trades are made at the open, after a part of the drift: what is held at the close earned the rest of it.
    both = OVERNIGHT_DRIFT * weights[:-1] + (1 - OVERNIGHT_DRIFT) * weights[1:]
    gained = (both * tape.drift[tape.start : -1]).sum(axis=1) - costs / len(own)
    years = len(own) / YEAR
    return Earned(
        active=float(np.prod(1 + own) - np.prod(1 + market)),
        costs=costs,
        expected=float(np.prod(1 + market + gained) - np.prod(1 + market)),
        turnover=traded / 2 / years,
        tracking=float((own - market).std(ddof=1) * YEAR**0.5),
    )


def measure(kind: str, names: int, history: int, sessions: int, seed: int) -> dict[str, Earned]:
    """Portfolio -> what it earned in one market."""
    market = replace(MARKETS[kind], seed=seed, names=names, history_sessions=history)
    with tempfile.TemporaryDirectory() as folder:
        runner = replay_market(Path(folder) / "lake", market, sessions)
        tape = read_tape(runner)
        found = {"ours": judge_book(runner, tape)}
    policies: dict[str, Policy] = {"topk": top_k, "equal": equal_weight, "oracle": best_possible}
    return found | {name: hold(tape, policy) for name, policy in policies.items()}


def _state(values: Sequence[float]) -> str:
    """A mean with its standard error, in percent."""
    error = np.std(values, ddof=1) / len(values) ** 0.5 if len(values) > 1 else np.nan
    return f"{100 * np.mean(values):+6.2f} +- {100 * error:.2f} %"


def summarise(kind: str, found: Sequence[dict[str, Earned]], sessions: int) -> dict[str, float]:
    """Print the means over markets with their standard errors; return the means of the active returns."""
    for name in found[0]:
        active, drift = (_state([getattr(one[name], what) for one in found]) for what in ("active", "expected"))
        costs, turns, tracking = (
            float(np.mean([getattr(one[name], what) for one in found])) for what in ("costs", "turnover", "tracking")
        )
        each = " ".join(f"{100 * one[name].active:+.1f}" for one in found)
        sys.stdout.write(
            f"{kind:8} {name:7} active {active}, by the drift alone {drift},"
            f" costs {100 * costs * YEAR / sessions:.2f} % a year, turnover {turns:.1f} a year,"
            f" tracking error {100 * tracking:.1f} %  ({each})\n"
        )
    return {name: float(np.mean([one[name].active for one in found])) for name in found[0]}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure markets and print what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5, help="markets of each kind")
    parser.add_argument("--first-seed", type=int, help="the first seed; drawn by chance if it is not given")
    parser.add_argument("--markets", nargs="*", default=list(MARKETS), choices=tuple(MARKETS), help="all by default")
    parser.add_argument("--names", type=int, default=64)
    parser.add_argument("--history", type=int, default=1_040, help="sessions of history")
    parser.add_argument("--sessions", type=int, default=180, help="sessions replayed after it")
    parser.add_argument("--jobs", type=int, default=2, help="markets at a time, each in a process of its own")
    asked = parser.parse_args(arguments)
    seeds = draw_seeds(asked.seeds, asked.first_seed)
    sys.stdout.write(f"seeds {' '.join(map(str, seeds))}\n")
    told = {}
    with ProcessPoolExecutor(asked.jobs, mp_context=get_context("spawn")) as pool:
        for kind in asked.markets:
            one = partial(measure, kind, asked.names, asked.history, asked.sessions)
            told[kind] = summarise(kind, list(pool.map(one, seeds)), asked.sessions)
            sys.stdout.flush()
    figures = told.get("planted", {})
    words = [f"{name}={100 * figures[name]:+.2f}" for name in ("ours", "topk", "oracle") if name in figures]
    words += [f"null={100 * told['null']['ours']:+.2f}"] if "null" in told else []
    sys.stdout.write(f"construction: {' '.join(words)}\n")


if __name__ == "__main__":
    main()
