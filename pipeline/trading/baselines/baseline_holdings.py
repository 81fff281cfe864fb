"""Keeps what the baselines hold after each session: portfolios that one could have held."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl

from lake.tables.books import BASELINE_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.trading.baselines.portfolios import CASH, NO_TRADE, Kept, World, hold_at_closes, hold_top_k
from pipeline.trading.currencies.converted_facts import convert_actions, convert_bars
from pipeline.trading.currencies.session_rates import RATE_COLUMNS, SessionRates
from pipeline.trading.params import TradingParams

WINDOW = 40
"""Sessions that are followed again at each session, so that a fact learned or corrected that late still counts."""
EQUAL_WEIGHT, BENCHMARK, TOP_K = "equal_weight", "benchmark", "top_k"
FORECAST = (*PREDICTIONS.key, "point", "role")


def baselines(
    baseline_holdings: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    predictions: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return what each baseline holds after `moment.session`, and what it traded in the session.

    Equal weight spreads what it can sell and its cash evenly over the members of the session at the close; a name
    without trade is kept until it trades again, at what it then fetches, until an action ends it, or until it has been
    silent for so long that it is written off. The benchmark buys the first benchmark and keeps it; dividends are
    invested again. Top-k trades at the open, by what was forecast at the close before, and pays for it. The last
    `WINDOW` sessions are followed anew with the facts of today. A lake whose value has a history without holdings goes
    on from its last value, in cash. All of it is in the book's currency.
    """
    rates = SessionRates.read(instruments, fx_rates, moment.currency, params.max_rate_age_days)
    prices, actions = convert_bars(market_prices, rates), convert_actions(corporate_actions, rates, moment.calendar)
    reference = _reference(instruments, rates, moment)
    world = World(prices, actions, ticker_universe, predictions, moment, params)
    found = [BASELINE_HOLDINGS.empty()]
    for portfolio, capital in _capitals(portfolio_value, reference, params).items():
        own = baseline_holdings.filter(pl.col("portfolio") == portfolio)
        begun = sorted(own.filter(pl.col("shares") != 0)["session"]) or sorted(portfolio_value["session"])[-1:]
        start = max((begun or [moment.session])[0], moment.calendar.offset(moment.session, -WINDOW))
        if portfolio == TOP_K:
            kept = hold_top_k(world, own, start, capital)
        else:
            kept = hold_at_closes(world, own, start, capital, reference if portfolio == BENCHMARK else None)
        found.append(_write(portfolio, kept, moment.session))
    return pl.concat(found)


def _capitals(portfolio_value: pl.DataFrame, reference: str | None, params: TradingParams) -> dict[str, float]:
    """What each baseline had at last; the book's capital at first. Without a benchmark then there is none for good."""
    top_k = (TOP_K,) if params.baselines == 3 else ()
    if portfolio_value.is_empty():
        return dict.fromkeys((EQUAL_WEIGHT, *((BENCHMARK,) if reference else ()), *top_k), round(params.capital, 2))
    last = portfolio_value.sort("session").row(-1, named=True)
    last[TOP_K] = float(last["nav"]) if last[TOP_K] is None else last[TOP_K]
    return {name: last[name] for name in (EQUAL_WEIGHT, BENCHMARK, *top_k) if last[name] is not None}


def _reference(instruments: pl.DataFrame, rates: SessionRates, moment: Moment) -> str | None:
    """The first benchmark that is quoted in the currency of the book, else the first that can be converted."""
    listed = instruments.filter(pl.col("role") == "benchmark").sort(pl.col("currency") != moment.currency, "ticker")
    can = [ticker for ticker in listed["ticker"].to_list() if rates.at(ticker, moment.session) is not None]
    return can[0] if can and moment.currency else None


def _write(name: str, kept: Kept, session: date) -> pl.DataFrame:
    """The rows of baseline_holdings: positions, names sold in the session, and cash."""
    portfolio, names, values = kept.portfolio, kept.market.names, kept.portfolio.values
    held = {*np.flatnonzero(portfolio.shares > 0).tolist(), *kept.trades}
    rows: list[dict[str, object]] = [
        {
            "asset": names[place],
            "shares": float(portfolio.shares[place]),
            "close": float(portfolio.marks[place]),
            "close_session": portfolio.marked[place],
            "value": float(values[place]),
        }
        | kept.trades.get(place, NO_TRADE)._asdict()
        for place in sorted(held)
    ]
    cash = {"asset": CASH, "shares": portfolio.cash, "close": 1.0, "close_session": session, "value": portfolio.cash}
    stated = [{"session": session, "portfolio": name} | row for row in (*rows, cash | NO_TRADE._asdict())]
    return pl.DataFrame(stated, schema=BASELINE_HOLDINGS.schema)


STAGE = Stage(
    name="baselines",
    function=baselines,
    reads=(
        Read(BASELINE_HOLDINGS, lookback=WINDOW, upto="previous"),
        Read(
            PORTFOLIO_VALUE,
            lookback=None,
            upto="previous",
            columns=("session", "nav", EQUAL_WEIGHT, BENCHMARK, TOP_K),
        ),
        Read(
            MARKET_PRICES,
            lookback=WINDOW,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "open", "close", "volume", "volume_rounding"),
        ),
        Read(CORPORATE_ACTIONS, lookback=WINDOW),
        Read(TICKER_UNIVERSE, lookback=WINDOW, where=pl.col("member"), columns=("session", "ticker", "member")),
        Read(INSTRUMENTS, lookback=None),
        Read(FX_RATES, lookback=None, columns=RATE_COLUMNS),
        Read(PREDICTIONS, lookback=1, upto="previous", where=pl.col("role") == "champion", columns=FORECAST),
    ),
    writes=BASELINE_HOLDINGS,
    params=TradingParams(),
    section="trading",
    keeps_currency=True,
)
