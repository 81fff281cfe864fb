"""Fill the orders decided at the close before, at this session's open and no better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from lake.tables.control import TRADE_DECISIONS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, LEDGER_ENTRIES, TRADE_PLANS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.text_format import percent
from pipeline.trading.books.book import Book, fold
from pipeline.trading.books.money import cents_series, format_cents, price_series, to_micros
from pipeline.trading.books.settlement import Action, select_actions, settle
from pipeline.trading.execution.costs import Fill, price_fill
from pipeline.trading.execution.liquidity import LOOKBACK, measure_conditions
from pipeline.trading.params import Approval, Costs, TradingParams
from pipeline.trading.planning.operator_decisions import OperatorDecision, explain_hold, read_last_decisions

PLAN_COLUMNS = (
    *TRADE_PLANS.key, "plan_id", "for_session", "decided_at", "side", "intent", "taken", "shares", "edge",
)  # fmt: skip
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "close", "volume")


@dataclass(frozen=True)
class Order:
    """A plan that goes to the open, its shares already on the session's basis."""

    plan_id: str
    ticker: str
    side: str
    shares: int
    edge: float
    decided_at: datetime
    gone: str
    """Why it does not go to the open: nothing is left to trade, or the operator keeps it back; empty if it does."""


@dataclass(frozen=True)
class Bar:
    """What an open offers: price in millionths, the session's volume, and how the ticker usually trades."""

    open_price: int
    volume: int
    median_volume: float | None
    volatility: float | None


@dataclass(frozen=True)
class OrderResult:
    """What became of an order."""

    order: Order
    bar: Bar | None
    fill: Fill
    reason: str

    @property
    def status(self) -> str:
        """filled, partial or unfilled."""
        if self.fill.shares == 0:
            return "unfilled"
        return "filled" if self.fill.shares == self.order.shares else "partial"


NO_FILL = Fill(0, 0, 0, 0, 0, 0)


def execute(
    trade_plans: pl.DataFrame,
    trade_decisions: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return what became of each order for `moment.session` alone: an order lives for one open.

    Sales come first, then buys by edge and ticker, each limited to the cash that is there after those before. An order
    that the operator vetoed before the open is not filled, nor one that waits for an approval where that is asked for.
    """
    session = moment.session
    plans = trade_plans.filter(pl.col("taken") & (pl.col("for_session") == session))
    if plans.is_empty():
        return EXECUTED_TRADES.empty()
    book = fold(ledger_entries)
    settle(book, ledger_entries, corporate_actions, market_prices, session, moment.calendar)
    words = read_last_decisions(trade_decisions, moment.calendar.open_at(session))
    actions = select_actions(corporate_actions, moment.calendar.previous(session), session)
    orders = _orders(plans, actions, words, params.approval)
    bars = _bars(market_prices, corporate_actions, orders, session, moment, params)
    outcomes = list(fill_orders(orders, bars, book, moment.calendar.open_at(session), params.costs))
    return _rows(outcomes, session, moment.calendar.open_at(session))


def _orders(
    plans: pl.DataFrame, actions: list[Action], words: Mapping[str, OperatorDecision], approval: Approval
) -> list[Order]:
    """Restate each plan to the session's share basis and put them in the order they are filled."""
    orders = []
    for plan in plans.iter_rows(named=True):
        ticker, shares, gone = plan["ticker"], plan["shares"], ""
        for action in (a for a in actions if a.ex_date > plan["session"]):
            if action.ticker != ticker:
                continue
            new, old = action.ratio
            shares = shares * new // old
            if action.kind == "delisting":
                gone = f"delisted on {action.ex_date}"
            if action.kind == "rename" and action.successor:
                ticker = action.successor
        if shares == 0 and not gone:
            gone = "a reverse split left less than one share of the order"
        gone = gone or explain_hold(plan["plan_id"], plan["intent"], words, approval)
        decided = plan["decided_at"]
        orders.append(Order(plan["plan_id"], ticker, plan["side"], shares, plan["edge"] or 0.0, decided, gone))
    return sorted(orders, key=lambda o: (o.side == "buy", -o.edge if o.side == "buy" else 0.0, o.ticker))


def _bars(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    orders: list[Order],
    session: date,
    moment: Moment,
    params: TradingParams,
) -> dict[str, Bar]:
    """The session's bars, beside volatility and volume of the sessions before: at the open no more was known."""
    tickers = sorted({order.ticker for order in orders})
    bars = market_prices.filter(pl.col("ticker").is_in(tickers))
    before = measure_conditions(
        bars,
        corporate_actions.filter(pl.col("ticker").is_in(tickers)),
        moment.calendar.previous(session),
        params.sizing.window,
        basis=session,
    )
    today = bars.filter(pl.col("session") == session).select("ticker", "open", "volume")
    known = today.join(before, on="ticker", how="left", maintain_order="left")
    rows = known.select("ticker", "open", "volume", "median_volume", "volatility").iter_rows()
    return {ticker: Bar(to_micros(price), volume, usual, sigma) for ticker, price, volume, usual, sigma in rows}


def fill_orders(
    orders: list[Order], bars: dict[str, Bar], book: Book, opening: datetime, costs: Costs
) -> Iterator[OrderResult]:
    """Fill orders one after the other; each finds the cash that those before left."""
    cash = book.cash
    for order in orders:
        bar = bars.get(order.ticker)
        outcome = _outcome(order, bar, book, cash, opening, costs)
        signed = -outcome.fill.gross if order.side == "buy" else outcome.fill.gross
        cash += signed - outcome.fill.commission
        yield outcome


def _outcome(order: Order, bar: Bar | None, book: Book, cash: int, opening: datetime, costs: Costs) -> OrderResult:
    if reason := _explain_no_fill(order, bar, opening):
        return OrderResult(order, bar, NO_FILL, reason)
    assert bar is not None
    shares, reason = order.shares, ""
    offered = int(costs.participation * bar.volume)
    if offered < shares:
        share = percent(costs.participation, 1)
        shares, reason = offered, f"only {share} of the volume of {bar.volume:,} shares may be taken"
    position = book.positions.get(order.ticker)
    held = position.shares if position else 0
    if order.side == "sell" and held < shares:
        shares, reason = held, f"only {held:,} shares are held"
    affordable = _affordable(order.side, shares, bar, cash, costs)
    if affordable < shares:
        shares, reason = affordable, f"cash of {format_cents(cash)} pays for {affordable:,} shares, commission included"
    return OrderResult(order, bar, _fill(order.side, shares, bar, costs) if shares else NO_FILL, reason)


def _explain_no_fill(order: Order, bar: Bar | None, opening: datetime) -> str:
    if order.gone:
        return order.gone
    if order.decided_at >= opening:
        return f"decided at {order.decided_at:%Y-%m-%d %H:%M} UTC, after the open of {opening:%Y-%m-%d %H:%M} UTC"
    if bar is None:
        return "no bar: the ticker did not trade, and the order expired"
    return ""


def _fill(side: str, shares: int, bar: Bar, costs: Costs) -> Fill:
    return price_fill(side, shares, bar.open_price, bar.median_volume, bar.volatility, costs)


def _affordable(side: str, most: int, bar: Bar, cash: int, costs: Costs) -> int:
    """Return the most shares whose cash flow, commission included, leaves no debt; cost rises with size, so bisect."""

    def fits(shares: int) -> bool:
        fill = _fill(side, shares, bar, costs)
        flow = -fill.gross if side == "buy" else fill.gross
        return cash + flow - fill.commission >= 0

    if most == 0 or fits(most):
        return most
    low, high = 0, most
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _rows(outcomes: list[OrderResult], session: date, opening: datetime) -> pl.DataFrame:
    fills = [outcome.fill for outcome in outcomes]
    orders = [outcome.order for outcome in outcomes]
    count = len(outcomes)
    return pl.DataFrame(
        {
            "trade_id": [f"{session}:{order.ticker}:{order.side}" for order in orders],
            "plan_id": [order.plan_id for order in orders],
            "session": [session] * count,
            "ts": [opening] * count,
            "ticker": [order.ticker for order in orders],
            "side": [order.side for order in orders],
            "status": [outcome.status for outcome in outcomes],
            "reason": [outcome.reason for outcome in outcomes],
            "ordered": [order.shares for order in orders],
            "shares": [fill.shares for fill in fills],
            "open_price": price_series(outcome.bar.open_price if outcome.bar else None for outcome in outcomes),
            "fill_price": price_series(fill.price or None for fill in fills),
            "gross": cents_series(fill.gross for fill in fills),
            "commission": cents_series(fill.commission for fill in fills),
            "spread_cost": cents_series(fill.spread_cost for fill in fills),
            "impact_cost": cents_series(fill.impact_cost for fill in fills),
        },
        schema=EXECUTED_TRADES.schema,
    ).sort("trade_id")


STAGE = Stage(
    name="execute",
    function=execute,
    reads=(
        Read(TRADE_PLANS, lookback=1, upto="previous", where=pl.col("taken"), columns=PLAN_COLUMNS),
        Read(TRADE_DECISIONS),
        Read(MARKET_PRICES, lookback=LOOKBACK, where=pl.col("interval") == "1d", columns=BAR_COLUMNS),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(LEDGER_ENTRIES, lookback=None, upto="previous"),
    ),
    writes=EXECUTED_TRADES,
    params=TradingParams(),
    section="trading",
)
