"""Say where the session's profit came from, in views that each add up to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import polars as pl

from lake.tables.attribution import ATTRIBUTIONS
from lake.tables.books import LEDGER_ENTRIES, PORTFOLIO_HOLDINGS, PORTFOLIO_VALUE
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.predictions import PREDICTIONS
from lake.tables.trading import ALPHAS, EXECUTED_TRADES, TRADE_PLANS
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.returns import daily_total_returns
from pipeline.trading.attribution.bets import PlannedWeight, split_decisions
from pipeline.trading.attribution.exposures import Amounts, MarketSession, split_exposures
from pipeline.trading.attribution.sources import BOOK, BookSession, Cents, tell_sources, weigh_positions
from pipeline.trading.books.money import cents_series
from pipeline.trading.params import TradingParams

LOOKBACK = 10
"""Sessions of bars, so that a name that rested for some days has the one before."""
MADE = ("gain", "dividend", "exchange")
"""What positions made; the rest is what trading and corrections cost, the same in every view."""


def attribution(
    ledger_entries: pl.DataFrame,
    portfolio_holdings: pl.DataFrame,
    executed_trades: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    trade_plans: pl.DataFrame,
    alphas: pl.DataFrame,
    predictions: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return the rows of `moment.session` alone; amounts of 0 are left out, but for one where there are no others."""
    session, before = moment.session, moment.calendar.previous(moment.session)
    worth = {row["session"]: row for row in portfolio_value.iter_rows(named=True)}
    if session not in worth:
        return ATTRIBUTIONS.empty()
    returns = daily_total_returns(market_prices, corporate_actions).filter(
        pl.col("session") == session, pl.col("total_return").is_not_null()
    )
    entries, trades = (frame.filter(pl.col("session") == session) for frame in (ledger_entries, executed_trades))
    held = {day: portfolio_holdings.filter(pl.col("session") == day) for day in (session, before)}
    book = BookSession(
        previous=before,
        entries=entries,
        now=held[session],
        before=held[before],
        trades=trades.filter(pl.col("shares") > 0),
        closes=dict(market_prices.filter(pl.col("session") == before).select("ticker", "close").iter_rows()),
        base=_base(returns),
    )
    sources = _reconcile(tell_sources(book), worth[session], worth.get(before))
    plans = _read_plans(trade_plans.filter(pl.col("for_session") == session), alphas, predictions, params.horizon)
    nav = float(worth[before]["nav"]) if before in worth else 0.0
    return _frame(session, _split(sources, book, _read_market(returns, ticker_universe, alphas), plans, nav))


def _base(returns: pl.DataFrame) -> dict[str, float]:
    """What whoever traded at the closes before would have paid: on today's shares, less the dividend of today."""
    whole = (pl.col("close") + pl.col("dividend")) / (1 + pl.col("total_return"))
    return dict(returns.select("ticker", whole - pl.col("dividend")).iter_rows())


def _split(
    sources: dict[str, Cents], book: BookSession, market: MarketSession, plans: dict[str, PlannedWeight], nav: float
) -> dict[str, Amounts]:
    """View -> amounts: what positions made, split in its own way, beside what trading and corrections cost."""
    names = sorted({name for part in MADE for name in sources[part]})
    made = {name: sum(sources[part].get(name, 0) for part in MADE) for name in names}
    worth = weigh_positions(book)
    own = {name: made.get(name, 0) / 100 / value for name, value in worth.items() if abs(value) >= 1}
    decided, member = split_decisions(made, {**market.returns, **own}, plans, nav)
    shared = {(part, BOOK): sum(cents.values()) for part, cents in sources.items() if part not in MADE}
    return {
        "source": {(part, name): cents for part, named in sources.items() for name, cents in named.items()},
        "exposure": {**split_exposures(made, worth, market), **shared},
        "decision": {**decided, **shared},
        "member": {**member, **shared},
    }


def _reconcile(sources: dict[str, Cents], row: dict[str, Any], before: dict[str, Any] | None) -> dict[str, Cents]:
    """The sources with what the book as a whole says: what was restated, and no cent beside the change of NAV."""
    earlier = before or {"nav": 0, "capital": 0}
    moved = int(100 * (row["nav"] - earlier["nav"] - (row["capital"] - earlier["capital"])))
    told = sum(sum(cents.values()) for cents in sources.values())
    if row["restated"] is not None:
        learned = int(100 * row["restated"]) - sum(sources["restated"].values())
        for part, cents in (("restated", learned), ("gain", -learned)):
            sources[part] = {**sources[part], BOOK: sources[part].get(BOOK, 0) + cents}
    return {**sources, "unexplained": {BOOK: moved - told}}


def _read_market(returns: pl.DataFrame, ticker_universe: pl.DataFrame, alphas: pl.DataFrame) -> MarketSession:
    latest = ticker_universe.filter(pl.col("session") == pl.col("session").max())
    last = alphas.filter(pl.col("session") == pl.col("session").max())
    return MarketSession(
        returns=dict(returns.select("ticker", "total_return").iter_rows()),
        members=set(latest.filter("member")["ticker"]),
        betas=dict(last.select("ticker", "beta").iter_rows()),
        sectors=dict(latest.filter(pl.col("sector").is_not_null()).select("ticker", "sector").iter_rows()),
    )


def _read_plans(
    trade_plans: pl.DataFrame, alphas: pl.DataFrame, predictions: pl.DataFrame, horizon: int
) -> dict[str, PlannedWeight]:
    built = trade_plans.filter(pl.col("steps").is_not_null(), pl.col("free_weight").is_not_null())
    decided = pl.col("session").is_in(built["session"].unique().to_list())
    horizons = _read_horizons(alphas.filter(decided))
    members = _read_members(predictions.filter(decided, pl.col("horizon") == horizon).sort("ticker"))
    return {
        row["ticker"]: PlannedWeight(
            row["benchmark_weight"] or 0.0,
            row["free_weight"],
            list(zip(row["rules"], row["steps"], strict=True)),
            horizons.get(row["ticker"], {}),
            members.get(row["ticker"], {}),
        )
        for row in built.select(
            "ticker", "benchmark_weight", "free_weight", "steps", rules=_each("verdicts", "rule")
        ).iter_rows(named=True)
    }


def _read_horizons(alphas: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Ticker -> horizon -> what it adds to the name's alpha."""
    told = alphas.unique("ticker", keep="last", maintain_order=True).select("ticker", "parts").explode("parts")
    parts = told.drop_nulls("parts").unnest("parts")
    found: dict[str, dict[str, float]] = {}
    for ticker, horizon, added in parts.select("ticker", "horizon", pl.col("weight") * pl.col("alpha")).iter_rows():
        found.setdefault(ticker, {})[str(horizon)] = added
    return found


def _each(column: str, field: str) -> pl.Expr:
    """One field of each entry of a list; only that is turned into objects then."""
    return pl.col(column).list.eval(pl.element().struct.field(field))


def _read_members(predictions: pl.DataFrame) -> dict[str, dict[str, float]]:
    """Ticker -> member -> what it adds to the ensemble's point beyond the mean of the names."""
    told = predictions.select(
        "ticker",
        member=_each("members", "member"),
        point=_each("members", "point"),
        weight=pl.coalesce("location_weights", _each("members", "weight")),
    )
    frame = told.explode("member", "point", "weight").drop_nulls("member")
    added = pl.col("point") * pl.col("weight")
    beyond = frame.select("ticker", "member", added - added.mean().over("member"))
    found: dict[str, dict[str, float]] = {}
    for ticker, member, amount in beyond.iter_rows():
        found.setdefault(ticker, {})[member] = amount
    return found


def _frame(session: date, views: Mapping[str, Amounts]) -> pl.DataFrame:
    rows = list(_rows(views))
    columns = zip(*rows, strict=True)
    view, part, item, cents = (list(column) for column in columns)
    frame = pl.DataFrame({"view": view, "part": part, "item": item, "amount": cents_series(cents)})
    return frame.select(pl.lit(session).alias("session"), pl.all()).sort(*ATTRIBUTIONS.key)


def _rows(views: Mapping[str, Amounts]) -> Iterator[tuple[str, str, str, int]]:
    for view, amounts in views.items():
        moved = [(view, part, item, cents) for (part, item), cents in amounts.items() if cents]
        yield from moved or [(view, next(iter(amounts))[0], BOOK, 0)]


STAGE = Stage(
    name="attribution",
    function=attribution,
    reads=(
        Read(LEDGER_ENTRIES),
        Read(PORTFOLIO_HOLDINGS, lookback=1),
        Read(EXECUTED_TRADES),
        Read(PORTFOLIO_VALUE, lookback=1),
        Read(TRADE_PLANS, lookback=1, upto="previous"),
        Read(ALPHAS, lookback=1, upto="previous"),
        Read(
            PREDICTIONS,
            lookback=1,
            upto="previous",
            columns=(*PREDICTIONS.key, "members", "location_weights"),
            where=pl.col("role") == "champion",
        ),
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close"),
        ),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(TICKER_UNIVERSE, lookback=1, upto="previous", columns=(*TICKER_UNIVERSE.key, "member", "sector")),
    ),
    writes=ATTRIBUTIONS,
    params=TradingParams(),
    section="trading",
)
