"""Fill the orders decided at the close before, at this session's open and no better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

import polars as pl

from lake.tables.books import BALANCES, BOOK_OPENINGS, LEDGER_ENTRIES, POSITION_ENDS
from lake.tables.control import TRADE_DECISIONS
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES
from lake.tables.trading import EXECUTED_TRADES, TRADE_PLANS
from pipeline.engine.stage import Moment, Read, Stage, cut_to_recent
from pipeline.market.securities.order_of_day import order_by_company
from pipeline.market.sessions import Sessions
from pipeline.trading.balances.opening import bars_where_changed, begin, entries_where_changed
from pipeline.trading.books.actions import ACTION_COLUMNS, Action, add_redenominations, add_write_offs, select_actions
from pipeline.trading.books.book import fold
from pipeline.trading.books.corrections import settle
from pipeline.trading.books.earlier.settlement import settle_once
from pipeline.trading.books.money import cents_series, price_series, rate_series, to_micros
from pipeline.trading.books.trades import name_kind
from pipeline.trading.currencies.converted_facts import requote_bars
from pipeline.trading.currencies.session_rates import LISTING_COLUMNS, OWN, RATE_COLUMNS, Exchange, SessionRates
from pipeline.trading.execution.closing_orders import close_positions
from pipeline.trading.execution.fills import Auction, OrderResult, fill_orders
from pipeline.trading.execution.orders import Bar, Order, Phase, Stop, make_order_type
from pipeline.trading.execution.resting_stops import add_resting_stops, leave_out_unreached, restate_price
from pipeline.trading.execution.session_path import NO_PATH, PATH_COLUMNS, read_paths
from pipeline.trading.execution.short_sales import prepare_shorts
from pipeline.trading.execution.volatility_and_volume import LOOKBACK, measure_before_open
from pipeline.trading.params import Approval, TradingParams
from pipeline.trading.planning.holds import find_doubts
from pipeline.trading.planning.operator_decisions import OperatorDecision, explain_hold, read_last_decisions
from pipeline.trading.planning.trading_stops import SWITCHES, TradingStop, explain_stop, find_closing, read_stops
from pipeline.trading.shorts.lending import Lending

PLAN_COLUMNS = (
    *TRADE_PLANS.key, "plan_id", "for_session", "decided_at", "side", "intent", "taken", "shares", "edge",
    "order_type", "limit_price", "resting_stop",
)  # fmt: skip
BAR_COLUMNS = (*MARKET_PRICES.key, "session", "open", "high", "low", "close", "volume", "currency")
SETTLING = 5
"""Sessions of sales whose proceeds may not be there yet: the longest that can be set."""
PRICES = ("open", "low", "high", "close")
Kept = dict[tuple[str, str], str]
HELD_BACK = ("stop", "expire", "enter", "add", "short")
"""Intents that are not filled at an open that nobody explains; who leaves for a forecast's sake has his reasons."""


def execute(
    book_openings: pl.DataFrame,
    trade_plans: pl.DataFrame,
    trade_decisions: pl.DataFrame,
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    ledger_entries: pl.DataFrame,
    position_ends: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    trading_switches: pl.DataFrame,
    balances: pl.DataFrame,
    intraday_prices: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return what became of each order for `moment.session` alone: an order lives for one open.

    Sales come first, then buys by edge and ticker, each limited to the cash that is there after those before. What is
    sold short has to be borrowed, and its collateral buys nothing. Not filled is what the operator vetoed before the
    open, what lacks an approval where that is required, and what he stopped with all else; where he asked for it then,
    what is held is sold. What is quoted in another currency is filled at the last rate of a day before the session, if
    one is new enough. Bars within the session tell when stops and limits were filled.
    """
    session = moment.session
    plans = add_resting_stops(trade_plans.filter(pl.col("for_session") == session))
    opening, stops = moment.calendar.open_at(session), read_stops(trading_switches)
    closing = find_closing(stops, opening)
    if plans.is_empty() and closing is None:
        return EXECUTED_TRADES.empty()
    recent_actions = cut_to_recent(corporate_actions, "ex_date", LOOKBACK, moment)
    recent_bars = cut_to_recent(market_prices, "session", LOOKBACK, moment)
    rates = SessionRates()
    if params.settlement == 2:
        rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
        recent_bars = requote_bars(recent_bars, rates, session)
        known = add_redenominations(add_write_offs(corporate_actions, position_ends), rates)
        begun = begin(balances, book_openings, moment)
        opened = (fold(ledger_entries), ledger_entries) if begun is None else begun
        given = (*opened, executed_trades, known, market_prices)
        book = settle(*given, session, moment.calendar, rates, is_known=begun is not None).book
    else:
        book, known = fold(ledger_entries), corporate_actions
        settle_once(book, ledger_entries, recent_actions, recent_bars, session, moment.calendar)
    kept = _explain_kept(plans, read_last_decisions(trade_decisions, opening), stops, opening, params.approval)
    actions = _select_morning(corporate_actions, frozenset(plans["ticker"]), moment, params)
    doubts = doubt_opens(recent_bars, recent_actions, session, moment.calendar, params)
    orders = build_orders(plans.iter_rows(named=True), actions, kept, doubts)
    if closing is not None:
        orders = close_positions(orders, book, closing, moment.calendar.previous(session))
    lending = Lending(params.shorts, session)
    orders, short_sales = prepare_shorts(orders, book, lending, market_prices, known, rates, moment)
    daily = _bars(recent_bars, recent_actions, orders, rates, moment, params)
    bars = _add_paths(daily, orders, intraday_prices, rates, session)
    orders = leave_out_unreached(orders, bars)
    auction = Auction(opening, moment.calendar.close_at(moment.calendar.previous(session)))
    unsettled = _add_unsettled(executed_trades, moment, params.orders.settlement_sessions)
    results = list(fill_orders(orders, bars, book, auction, params.costs, unsettled, short_sales))
    return _rows(results, session, opening, moment.calendar.close_at(session))


def _select_morning(
    corporate_actions: pl.DataFrame, tickers: frozenset[str], moment: Moment, params: TradingParams
) -> list[Action]:
    """What takes effect between the close before and the open, in its order."""
    actions = select_actions(corporate_actions, moment.calendar.previous(moment.session), moment.session)
    return order_by_company(actions, tickers) if params.securities == 2 else actions


def _add_unsettled(executed_trades: pl.DataFrame, moment: Moment, sessions: int) -> int | None:
    """Cents that sales of the sessions before brought and that are not there yet; None where proceeds pay at once."""
    if not sessions:
        return None
    since = moment.calendar.offset(moment.session, 1 - sessions)
    owned = pl.col("position").ne_missing("short")  # what a short sale brings is collateral, and pays for nothing
    late = executed_trades.filter(pl.col("side") == "sell", owned, pl.col("session") >= since)
    return int(late["gross"].to_physical().cast(pl.Int64).sum())


def doubt_opens(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    session: date,
    calendar: Sessions,
    params: TradingParams,
) -> dict[str, str]:
    """Return ticker -> why nothing is filled at its open; told from the open alone, as later prices were not there yet.

    Args:
        market_prices: daily bars of the last `LOOKBACK` sessions and the session's.
        corporate_actions: of the same sessions.
        session: the one that opens.
        calendar: the sessions.
        params: how long a name is on hold, and how large a move has to be.
    """
    opens = pl.when(pl.col("session") == session).then("open").otherwise("close")
    bars = market_prices.with_columns(close=opens)
    doubts = find_doubts(bars, corporate_actions, session, calendar, params)
    return {ticker: doubt.reason for ticker, doubt in doubts.items() if doubt.since == session}


def _explain_kept(
    plans: pl.DataFrame,
    decisions: Mapping[str, OperatorDecision],
    stops: Sequence[TradingStop],
    opening: datetime,
    approval: Approval,
) -> Kept:
    """Plan and intent -> why the operator keeps the order back: he stopped all, or decided on it; empty if not."""
    found = plans.select("plan_id", "session", "decided_at", "intent").iter_rows()
    return {
        (plan_id, intent): explain_stop(stops, planned, decided, opening)
        or explain_hold(plan_id, intent, decisions, approval)
        for plan_id, planned, decided, intent in found
    }


def build_orders(
    plans: Iterable[Mapping[str, Any]], actions: Sequence[Action], kept: Mapping[tuple[str, str], str],
    doubts: Mapping[str, str],
) -> list[Order]:  # fmt: skip
    """Make each plan an order on the session's share basis, in the order in which they are filled.

    Args:
        plans: rows with `PLAN_COLUMNS`, of one session.
        actions: that take effect between the plan and its open, in their order.
        kept: plan and intent -> why the operator keeps the order back; empty if not.
        doubts: ticker -> why nobody explains its open.
    """
    orders = [_build_order(plan, actions, kept, doubts) for plan in plans]
    return sorted(orders, key=lambda o: (o.side == "buy", -o.edge if o.side == "buy" else 0.0, o.ticker))


def _build_order(
    plan: Mapping[str, Any], actions: Sequence[Action], kept: Mapping[tuple[str, str], str], doubts: Mapping[str, str]
) -> Order:
    ticker, shares, withheld, renamed = plan["ticker"], plan["shares"], "", date.min
    price = plan["limit_price"]
    for action in (a for a in actions if a.ex_date > plan["session"]):
        if action.ticker != ticker or (action.kind == "rename" and action.ex_date == renamed):
            continue  # of two renames of one day the second one is another company's
        new, old = action.ratio
        shares = shares * new // old
        price = restate_price(price, action)
        if action.kind == "delisting":
            withheld = f"delisted on {action.ex_date}"
        if action.kind == "rename" and action.successor:
            ticker, renamed = action.successor, action.ex_date
    if shares == 0 and not withheld and plan["order_type"] != Stop.name:
        withheld = "a reverse split left less than one share of the order"
    if plan["intent"] in HELD_BACK:
        withheld = withheld or doubts.get(ticker, "")
    return Order(
        plan_id=plan["plan_id"],
        ticker=ticker,
        side=plan["side"],
        shares=shares,
        edge=plan["edge"] or 0.0,
        decided_at=plan["decided_at"],
        kind=make_order_type(plan["order_type"], None if price is None else to_micros(price)),
        withheld=withheld or kept[plan["plan_id"], plan["intent"]],
        intent=plan["intent"],
    )


def _bars(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    orders: list[Order],
    rates: SessionRates,
    moment: Moment,
    params: TradingParams,
) -> dict[str, Bar]:
    """The session's bars, beside volatility and volume of the sessions before: at the open no more was known."""
    session = moment.session
    tickers = sorted({order.ticker for order in orders})
    before = measure_before_open(market_prices, corporate_actions, tickers, session, moment.calendar, params)
    bars = market_prices.filter(pl.col("ticker").is_in(tickers), pl.col("session") == session)
    today = bars.select("ticker", *PRICES, "volume", "currency")
    known = today.join(before, on="ticker", how="left", maintain_order="left")
    found = {}
    for ticker, opened, low, high, close, volume, usual, sigma, quoted in known.select(
        "ticker", *PRICES, "volume", "median_volume", "volatility", "currency"
    ).iter_rows():
        exchange, refusal = _convert(ticker, quoted, rates, moment)
        low, high, close = (to_micros(price) for price in (low, high, close))
        found[ticker] = Bar(to_micros(opened), volume, usual, sigma, refusal, exchange, low, high, close)
    return found


def _add_paths(
    bars: Mapping[str, Bar], orders: Iterable[Order], intraday_prices: pl.DataFrame, rates: SessionRates, session: date
) -> dict[str, Bar]:
    """The bars with how prices went within the session, where an order asks for it and that is known."""
    asked = sorted({order.ticker for order in orders if order.kind.phase in (Phase.STOP, Phase.WITHIN)})
    within = intraday_prices.filter(pl.col("session") == session, pl.col("ticker").is_in(asked))
    paths = read_paths(requote_bars(within, rates, session))
    return {ticker: replace(bar, path=paths.get(ticker, NO_PATH)) for ticker, bar in bars.items()}


def _convert(ticker: str, quoted: str, rates: SessionRates, moment: Moment) -> tuple[Exchange, str]:
    """How a name is converted, or else why it cannot be: a bar in another currency than its listing's, or no rate."""
    if moment.currency == "":  # a run of a program that did not ask
        return OWN, ""
    listed = rates.currency_at(ticker, moment.session) or moment.currency
    found = rates.for_trade(ticker, moment.session) if listed == quoted else None
    if found is not None:
        return found, ""
    other = f"{ticker} is quoted in {quoted}, which is not the currency of the book"
    missing = rates.explain(quoted) if listed == quoted else ""
    return OWN, f"{other}: {missing}" if missing else other


def _rows(results: list[OrderResult], session: date, opening: datetime, closing: datetime) -> pl.DataFrame:
    fills = [result.fill for result in results]
    orders = [result.order for result in results]
    count = len(results)
    return pl.DataFrame(
        {
            "trade_id": name_trades(orders, session),
            "plan_id": [order.plan_id for order in orders],
            "session": [session] * count,
            "ts": [result.at or (closing if result.order.kind.phase else opening) for result in results],
            "ticker": [order.ticker for order in orders],
            "side": [order.side for order in orders],
            "status": [result.status for result in results],
            "reason": [result.reason for result in results],
            "ordered": [order.shares for order in orders],
            "shares": [fill.shares for fill in fills],
            "open_price": price_series(
                result.price or (result.bar.open_price if result.bar else None) for result in results
            ),
            "fill_price": price_series(fill.price or None for fill in fills),
            "gross": cents_series(fill.gross for fill in fills),
            "commission": cents_series(fill.commission for fill in fills),
            "spread_cost": cents_series(fill.spread_cost for fill in fills),
            "impact_cost": cents_series(fill.impact_cost for fill in fills),
            **_tell_currencies(results),
            "order_type": [order.kind.name for order in orders],
            "position": [order.position for order in orders],
        },
        schema=EXECUTED_TRADES.schema,
    ).sort("trade_id")


def _tell_currencies(results: list[OrderResult]) -> dict[str, object]:
    """The columns about the currency that a name is quoted in; null for the book's own."""
    exchanges = [result.bar.exchange if result.bar else OWN for result in results]
    quoted = [result.fill.quoted if one.currency else None for result, one in zip(results, exchanges, strict=True)]
    return {
        "currency": [one.currency for one in exchanges],
        "rate": rate_series(one.rate if one.currency else None for one in exchanges),
        "rate_session": [one.session for one in exchanges],
        "local_gross": cents_series(quoted),
    }


def name_trades(orders: list[Order], session: date) -> list[str]:
    """Return the trades' ids; where a rename makes several orders ones of the same ticker, each keeps its old name."""
    often = Counter((order.ticker, _tell_side(order)) for order in orders)
    own = [order.plan_id.split(":")[-1] for order in orders]
    return [
        f"{session}:{order.ticker if often[order.ticker, _tell_side(order)] == 1 else name}:{_tell_side(order)}"
        for order, name in zip(orders, own, strict=True)
    ]


def _tell_side(order: Order) -> str:
    """A stop order may sell beside a planned sale of the same name."""
    side = name_kind(order.side, order.position)
    return f"{side}:{Stop.name}" if isinstance(order.kind, Stop) else side


STAGE = Stage(
    name="execute",
    function=execute,
    reads=(
        Read(BOOK_OPENINGS),
        Read(
            TRADE_PLANS,
            lookback=1,
            upto="previous",
            where=pl.col("taken") | pl.col("resting_stop").is_not_null(),
            columns=PLAN_COLUMNS,
        ),
        Read(TRADE_DECISIONS),
        Read(EXECUTED_TRADES, lookback=SETTLING, upto="previous", further=entries_where_changed),
        Read(CORPORATE_ACTIONS, lookback=None, columns=ACTION_COLUMNS),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=BAR_COLUMNS,
            further=bars_where_changed,
        ),
        Read(LEDGER_ENTRIES, lookback=1, upto="previous", further=entries_where_changed),
        Read(POSITION_ENDS, lookback=None, every_revision=True),
        Read(INSTRUMENTS, lookback=None, columns=LISTING_COLUMNS),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
        SWITCHES,
        Read(BALANCES, lookback=1, upto="previous"),
        Read(INTRADAY_PRICES, upto="held", columns=PATH_COLUMNS),
    ),
    writes=EXECUTED_TRADES,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)
