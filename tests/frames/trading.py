"""Rows the trading stages read, and a small world that runs them session by session as the runner would."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import pairwise
from typing import Any

import polars as pl

from lake.contract import Table
from lake.tables import TABLES
from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import TRADE_PLANS
from pipeline.engine.stage import Moment, Read, Stage, join_spans
from pipeline.market.sessions import Sessions
from pipeline.plugins.extensions import Extensions
from pipeline.trading.alpha import alphas
from pipeline.trading.attribution import attribution
from pipeline.trading.balances import balances, book_openings
from pipeline.trading.baselines import baseline_holdings
from pipeline.trading.books import holdings, ledger, value
from pipeline.trading.books.book import Book, fold
from pipeline.trading.ends import position_ends
from pipeline.trading.execution import execute
from pipeline.trading.financing import financing
from pipeline.trading.lots.lot import Method
from pipeline.trading.lots.walk import follow_lots
from pipeline.trading.params import TradingParams
from pipeline.trading.planning import plan, regime
from pipeline.trading.planning.rules import FIRST_RULES, RULES
from pipeline.trading.review import decision_scores, reflect
from tests.frames import market
from tests.frames.sessions import weekday_sessions
from tests.frames.visible_rows import visible_rows

CALENDAR = weekday_sessions(date(2021, 3, 1), date(2022, 6, 30))
DAYS = CALENDAR.days
"""DAYS[0] is the funding session of most tests."""
SETTLE = (
    position_ends.STAGE,
    book_openings.STAGE,
    financing.STAGE,
    execute.STAGE,
    ledger.STAGE,
    balances.STAGE,
    holdings.STAGE,
    baseline_holdings.STAGE,
    value.STAGE,
    reflect.STAGE,
    decision_scores.STAGE,
)
BOOKS = (
    position_ends.STAGE,
    book_openings.STAGE,
    financing.STAGE,
    execute.STAGE,
    ledger.STAGE,
    balances.STAGE,
    holdings.STAGE,
    value.STAGE,
)
"""Enough for tests of what is owned: nothing is compared with a baseline and no trade is looked back at."""
LOOK_AHEAD = (regime.STAGE, plan.STAGE)
NO_ROWS = {name: table.empty() for name, table in TABLES.items()}


def bar(ticker: str, session: date, price: float = 100.0, **values: object) -> dict[str, Any]:
    """A bar whose open and close are one price, with plenty of volume."""
    return {"ticker": ticker, "session": session, "close": price, "open": price, "volume": 1_000_000} | values


def split(ticker: str, ex_date: date, new: int, old: int, **values: object) -> dict[str, Any]:
    """New shares for old ones."""
    return {"ticker": ticker, "ex_date": ex_date, "numerator": new, "denominator": old} | values


def dividend(
    ticker: str, ex_date: date, amount: float, pay_date: date | None = None, **values: object
) -> dict[str, Any]:
    """Cash per share."""
    row = {"ticker": ticker, "ex_date": ex_date, "kind": "dividend", "amount": amount, "pay_date": pay_date}
    return row | values


def delisting(ticker: str, ex_date: date, amount: float) -> dict[str, Any]:
    """The final value per share."""
    return {"ticker": ticker, "ex_date": ex_date, "kind": "delisting", "amount": amount}


def plans(*rows: Mapping[str, Any], calendar: Sessions = CALENDAR) -> pl.DataFrame:
    """Rows of trade_plans: taken orders for the next open, without a forecast."""
    return pl.DataFrame([_plan(row, calendar) for row in rows], schema=TRADE_PLANS.schema)


def _plan(row: Mapping[str, Any], calendar: Sessions) -> dict[str, Any]:
    session, ticker = row["session"], row.get("ticker", "AAA")
    shares = row.get("shares", 100)
    return {
        "plan_id": f"{session}:{ticker}",
        "for_session": calendar.next(session),
        "decided_at": calendar.close_at(session) + timedelta(minutes=20),
        "ticker": ticker,
        "sector": "industrials",
        "side": "buy",
        "intent": "exit" if row.get("side") == "sell" else "enter",
        "taken": True,
        "wanted_shares": shares,
        "shares": shares,
        "close": 100.0,
        "expected_return": None,
        "low_return": None,
        "low_80": None,
        "high_80": None,
        "expected_cost": 0.001,
        "edge": None,
        "target_weight": 0.01,
        "stop": None,
        "verdicts": [],
        "blocked_by": None,
        "prediction_id": None,
        "model_id": None,
    } | dict(row)


def forecasts(*rows: Mapping[str, Any], calendar: Sessions = CALENDAR) -> pl.DataFrame:
    """Rows of predictions: the champion sees +3 % in five sessions, 80 % of the time between -2 % and +8 %."""
    return pl.DataFrame([_forecast(row, calendar) for row in rows], schema=PREDICTIONS.schema)


def _forecast(row: Mapping[str, Any], calendar: Sessions) -> dict[str, Any]:
    session, ticker = row["session"], row.get("ticker", "AAA")
    horizon, role = row.get("horizon", 5), row.get("role", "champion")
    point = row.get("point", 0.03)
    offsets = {"q05": -0.065, "q10": -0.05, "q25": -0.025, "q50": 0.0, "q75": 0.025, "q90": 0.05, "q95": 0.065}
    return {
        "prediction_id": market.digest(session, ticker, horizon, role)[:16],
        "made_at": calendar.close_at(session) + timedelta(minutes=20),
        "ticker": ticker,
        "horizon": horizon,
        "target_session": calendar.offset(session, horizon),
        "reference_close": 100.0,
        "point": point,
        **{name: point + offset for name, offset in offsets.items()},
        "probability_up": 0.7,
        "confidence": 0.8,
        "sigma": 0.04,
        "members": [],
        "bias_adjustment": 0.0,
        "interval_scale": 1.0,
        "bounds": [],
        "features_id": "f1-20210301-000000000000",
        "model_id": "naive" if role == "naive" else "m1",
        "role": role,
    } | dict(row)


def members(session: date, *tickers: str, **values: object) -> pl.DataFrame:
    """Rows of ticker_universe: all of them members."""
    rows = [
        {
            "session": session,
            "ticker": ticker,
            "member": True,
            "reason": "member",
            "sector": "industrials",
            "close": 100.0,
            "dollar_volume": 1e8,
            "history": 300,
            "stale": 0,
        }
        | values
        for ticker in tickers
    ]
    return pl.DataFrame(rows, schema=TICKER_UNIVERSE.schema)


def skill(session: date, value: float = 0.05, low: float = 0.02, **values: object) -> pl.DataFrame:
    """A row of feedback_metrics: the information coefficient of the decision horizon, measured."""
    row = {
        "session": session,
        "scope": "all",
        "slice": "all",
        "horizon": 5,
        "metric": "ic",
        "value": value,
        "low": low,
        "high": 2 * value - low,
        "baseline": 0.0,
        "n": 2000,
        "n_effective": 400.0,
        "verdict": "skill",
    }
    return pl.DataFrame([row | values], schema=FEEDBACK_METRICS.schema)


@cache
def _select_none(table: str, columns: tuple[str, ...]) -> pl.DataFrame:
    return NO_ROWS[table].select(columns)


class World:
    """Tables in memory, and the trading stages run over them through their own declarations of what they read."""

    def __init__(
        self,
        *bars: Mapping[str, Any],
        calendar: Sessions = CALENDAR,
        params: TradingParams | None = None,
        settling: Sequence[Stage] = BOOKS,
    ) -> None:
        self.calendar = calendar
        self.settling = settling
        # One trade after the other, as most tests plan; those of whole books ask for theirs.
        self.params = params or TradingParams(planning=1)
        self.tables = dict(NO_ROWS)
        self.add(MARKET_PRICES, market.prices(*bars, calendar=calendar))

    def copy(self) -> World:
        """The same world to go on from. Its frames are shared: none is ever changed."""
        other = copy(self)
        other.tables = dict(self.tables)
        return other

    def add(self, table: Table, rows: pl.DataFrame) -> None:
        """Append rows that meet the contract and repeat no key."""
        self._keep(table, table.check(rows))

    def _keep(self, table: Table, checked: pl.DataFrame) -> None:
        if checked.is_empty():
            return
        both = pl.concat([self.tables[table.name], checked])
        self.tables[table.name] = both
        assert not table.key or not both.select(table.key).is_duplicated().any(), f"{table.name} has a key twice"

    def act(self, *rows: Mapping[str, Any]) -> None:
        """Add corporate actions."""
        self.add(CORPORATE_ACTIONS, market.actions(*rows, calendar=self.calendar))

    def order(self, session: date, ticker: str, side: str, shares: int, **values: object) -> None:
        """Decide an order at a session's close."""
        row = {"session": session, "ticker": ticker, "side": side, "shares": shares} | values
        self.add(TRADE_PLANS, plans(row, calendar=self.calendar))

    def moment(self, session: date, as_of: datetime | None = None) -> Moment:
        """Twenty minutes after the session's close."""
        later = Extensions(rules=tuple(one for one in RULES if one.name not in FIRST_RULES))
        return replace(market.moment(session, as_of=as_of, calendar=self.calendar), extensions=later)

    def frame(self, read: Read, moment: Moment, frames: Mapping[str, pl.DataFrame] | None = None) -> pl.DataFrame:
        """What the runner would hand to a stage."""
        table = read.table
        if self.tables[table.name].is_empty():
            return _select_none(table.name, read.columns or tuple(table.columns))
        until = moment.calendar.previous(moment.since) if read.upto == "previous" else moment.session
        since = None if read.lookback is None else moment.calendar.offset(moment.since, -read.lookback)
        spans = join_spans(read.further(frames or {}, moment) if read.further else (), (since, until))
        as_of = None if read.known_later else moment.as_of
        shown = visible_rows(table, self.tables[table.name]).see(spans, as_of, every_revision=read.every_revision)
        if read.where is not None:
            shown = shown.filter(read.where)
        return shown[list(read.columns)] if read.columns else shown

    def frames(self, stage: Stage, moment: Moment) -> dict[str, pl.DataFrame]:
        """What the runner would hand to a stage of all its tables, in order."""
        found: dict[str, pl.DataFrame] = {}
        for read in stage.reads:
            found[read.table.name] = self.frame(read, moment, found)
        return found

    def compute(self, stage: Stage, session: date) -> pl.DataFrame:
        """The rows a stage gives for a session; nothing is kept."""
        moment = self.moment(session)
        frames = self.frames(stage, moment).values()
        return stage.writes.check(stage.function(*frames, moment, self.params))

    def run(self, stage: Stage, session: date) -> pl.DataFrame:
        """Compute, check and keep."""
        rows = self.compute(stage, session)
        self._keep(stage.writes, rows)
        return rows

    def settle(self, *sessions: date) -> World:
        """Run the settling stages of some sessions in order."""
        for session in sessions:
            for stage in self.settling:
                self.run(stage, session)
        return self

    def settle_to(self, last: date) -> World:
        """Settle every session from the one after the last settled (or the calendar's first) to the given one."""
        done = self.tables["portfolio_value"]["session"].max()
        first = self.calendar.days[0] if done is None else self.calendar.next(done)  # type: ignore[arg-type]
        return self.settle(*self.calendar.between(first, last))

    def look_ahead(self, session: date) -> pl.DataFrame:
        """Take a stance and plan."""
        self.run(regime.STAGE, session)
        if self.params.planning == 2:
            self.run(alphas.STAGE, session)
        return self.run(plan.STAGE, session)

    @property
    def book(self) -> Book:
        """The book as the ledger tells it."""
        return fold(self.tables["ledger_entries"])

    def rows(self, table: str) -> pl.DataFrame:
        """All rows of a table."""
        return self.tables[table]

    def value(self, session: date) -> dict[str, Any]:
        """The book's worth at a session."""
        return self.tables["portfolio_value"].filter(pl.col("session") == session).row(0, named=True)

    def trade(self, trade_id: str) -> dict[str, Any]:
        """One executed trade."""
        return self.tables["executed_trades"].filter(pl.col("trade_id") == trade_id).row(0, named=True)

    def holding(self, session: date, ticker: str) -> dict[str, Any]:
        """One holding at a session."""
        rows = self.tables["portfolio_holdings"]
        return rows.filter((pl.col("session") == session) & (pl.col("ticker") == ticker)).row(0, named=True)


def free(**values: object) -> TradingParams:
    """Parameters under which trading costs nothing, for tests about something else."""
    from pipeline.trading.params import Costs

    return TradingParams(costs=Costs(multiple=0.0), **({"planning": 1} | values))  # type: ignore[arg-type]


def bars_at(ticker: str, *levels: float, start: int = 0) -> list[dict[str, Any]]:
    """A bar of each level, from a session on."""
    return [bar(ticker, DAYS[start + number], level) for number, level in enumerate(levels)]


def assert_reconciled(world: World) -> None:
    """Hold it that every session is explained, no event differs from what fills and facts say, and profit adds up."""
    told = world.rows("portfolio_value")
    assert set(told["unexplained"]) == {Decimal(0)}
    assert told["difference"].null_count() == told.height
    assert_attributed(world)
    assert_lots_agree(world, "highest_cost")


def assert_lots_agree(world: World, method: Method) -> None:
    """Hold it that lots have the ledger's shares of each ticker, and its cost and gains together."""
    lots, book = follow_lots(world.rows("ledger_entries"), method), world.book
    shares = {ticker: sum(lot.shares for lot in held) for ticker, held in lots.open.items()}
    assert {ticker: n for ticker, n in shares.items() if n} == {t: one.shares for t, one in book.positions.items()}
    cost = sum(lot.cost for held in lots.open.values() for lot in held)
    assert cost - sum(sold.gain for sold in lots.sold) == book.cost - book.realised - book.exchange
    assert all(lot.cost * lot.shares >= 0 for held in lots.open.values() for lot in held)


def assert_attributed(world: World, sessions: int = 6) -> None:
    """Hold it that the last sessions' profit is told to the cent, and what was learned of before as the book has it."""
    told = world.rows("portfolio_value").sort("session").select("session", "nav", "capital", "restated")
    zero = {"nav": Decimal(0), "capital": Decimal(0)}
    rows = [zero, *told.iter_rows(named=True)]
    for before, row in list(pairwise(rows))[-sessions:]:
        found = world.compute(attribution.STAGE, row["session"])
        assert found.filter(pl.col("part") == "unexplained").is_empty()
        source = found.filter(pl.col("view") == "source")
        assert source["amount"].sum() == row["nav"] - before["nav"] - (row["capital"] - before["capital"])
        assert source.filter(pl.col("part") == "restated")["amount"].sum() == (row["restated"] or 0)
