"""Decide for the next session what regime the market is in, and how much of the full risk to take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from math import fsum, prod, sqrt

import polars as pl

from lake.tables.books import PORTFOLIO_VALUE
from lake.tables.feedback import FEEDBACK_METRICS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.trading import STRATEGIC_PRIORITIES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.dividends_in_gaps import restate_in_gaps
from pipeline.market.returns import daily_total_returns
from pipeline.market.securities.following import Securities
from pipeline.market.sessions import Sessions
from pipeline.text_format import change, percent
from pipeline.trading.params import Regimes, TradingParams

LOOKBACK = 80
"""Sessions of market history: the trend's quarter, and room for gaps."""


@dataclass(frozen=True)
class MeasuredSkill:
    """The information coefficient as measured; None where there is too little to measure."""

    value: float | None
    low: float | None

    @property
    def proven(self) -> bool:
        """Its interval lies above 0."""
        return self.low is not None and self.low > 0


def strategy(
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    portfolio_value: pl.DataFrame,
    feedback_metrics: pl.DataFrame,
    moment: Moment,
    params: TradingParams,
) -> pl.DataFrame:
    """Return regime and risk after `moment.session` (that session alone; it rests on the book's own drawdown)."""
    market = market_returns(*_name_companies(market_prices, corporate_actions, ticker_universe, params))
    volatility = _volatility(market[-params.regimes.volatility_sessions :], moment.calendar, moment.session)
    trend = _compound(market[-params.regimes.trend_sessions :])
    book = portfolio_value.sort("session").tail(1)
    drawdown = float(book["drawdown"][0]) if book.height else 0.0
    skill = _skill(feedback_metrics, params.horizon)
    regime = _regime(volatility, trend, params.regimes)
    factors = risk_factors(volatility, skill, params)
    risk = prod(factors.values())
    names = params.rules.max_positions
    if regime == "stressed":
        names = max(int(names * params.regimes.stressed_positions), 1)
    row = {
        "session": moment.session,
        "regime": regime,
        "market_volatility": volatility,
        "market_trend": trend,
        "drawdown": drawdown,
        "skill": skill.value,
        "skill_low": skill.low,
        "risk_budget": risk,
        "target_exposure": risk * params.full_exposure,
        "most_positions": names,
        "reason": _reason(regime, volatility, trend, drawdown, skill, factors),
    }
    return pl.DataFrame([row], schema=STRATEGIC_PRIORITIES.schema)


def _name_companies(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, ticker_universe: pl.DataFrame, params: TradingParams
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """The frames with companies for tickers, so that returns and membership go on under another name."""
    if params.securities == 1:
        return market_prices, corporate_actions, ticker_universe
    companies = Securities.trace(corporate_actions, market_prices)
    bars = companies.name_companies(market_prices, "session")
    return (
        bars,
        restate_in_gaps(companies.name_actions(corporate_actions), bars),
        companies.name_companies(ticker_universe, "session"),
    )


def market_returns(
    market_prices: pl.DataFrame, corporate_actions: pl.DataFrame, ticker_universe: pl.DataFrame
) -> list[float]:
    """Return the equal-weight market's total return of each session, oldest first.

    A session's market is the members as of the universe before it (who is a member is settled at a close), so that
    later survivors do not decide what the market was; sessions before the first universe known use that one.
    """
    universe = ticker_universe.filter("member").select("ticker", settled="session")
    if universe.is_empty():
        return []
    returns = daily_total_returns(market_prices, corporate_actions).filter(pl.col("total_return").is_not_null())
    known = universe["settled"].unique().sort()
    sessions = returns["session"].unique().sort()
    before = (known.search_sorted(sessions, side="left").cast(pl.Int64) - 1).clip(lower_bound=0)
    market = pl.DataFrame({"session": sessions, "settled": known.gather(before)})
    earned = returns.join(market, on="session").join(universe, on=["settled", "ticker"], how="semi")
    by_session = earned.group_by("session").agg("total_return").sort("session")
    # fsum is exact, so the means do not depend on the order of the rows.
    return [fsum(gains) / len(gains) for gains in by_session["total_return"].to_list()]


def _volatility(returns: list[float], calendar: Sessions, session: date) -> float:
    """Annualised by the calendar's own count of sessions in the year before."""
    if len(returns) < 2:
        return 0.0
    mean = fsum(returns) / len(returns)
    variance = fsum((r - mean) ** 2 for r in returns) / (len(returns) - 1)
    return sqrt(variance * sessions_per_year(calendar, session))


def _compound(returns: list[float]) -> float:
    level = 1.0
    for gain in returns:
        level *= 1 + gain
    return level - 1


def _skill(feedback_metrics: pl.DataFrame, horizon: int) -> MeasuredSkill:
    measured = feedback_metrics.filter(
        (pl.col("metric") == "ic")
        & (pl.col("scope") == "all")
        & (pl.col("horizon") == horizon)
        & (pl.col("verdict") != "too few")
    ).sort("session", "slice")
    if measured.is_empty():
        return MeasuredSkill(None, None)
    return MeasuredSkill(*measured.select("value", "low").row(-1))


def _regime(volatility: float, trend: float, regimes: Regimes) -> str:
    if volatility > regimes.stressed_above or trend < regimes.bad_trend:
        return "stressed"
    return "calm" if volatility < regimes.calm_below else "normal"


def risk_factors(volatility: float, skill: MeasuredSkill, params: TradingParams) -> dict[str, float]:
    """Return what the full risk is multiplied by, each between 0 and 1.

    The drawdown has a rule of its own, and is not counted twice.
    """
    regimes = params.regimes
    market = min(regimes.target_volatility / volatility, 1.0) if volatility > 0 else 1.0
    if params.planning == 2:  # what the forecasts are worth is in alpha, continuously
        return {"market": market}
    proven = 1.0 if skill.proven else regimes.unproven_risk
    return {"market": market, "skill": proven}


def _reason(
    regime: str, volatility: float, trend: float, drawdown: float, skill: MeasuredSkill, factors: dict[str, float]
) -> str:
    if skill.value is None:
        known = "skill is not measured yet"
    else:
        low = "unknown" if skill.low is None else f"{skill.low:+.3f}"
        known = f"information coefficient {skill.value:+.3f}, lower end {low}"
    shares = ", ".join(f"{name} {factor:.2f}" for name, factor in factors.items())
    return (
        f"{regime} market: volatility {percent(volatility, 1)} a year, trend {change(trend, 1)}; "
        f"drawdown {percent(drawdown, 1)}; {known}; risk factors {shares}"
    )


STAGE = Stage(
    name="strategy",
    function=strategy,
    reads=(
        Read(
            MARKET_PRICES,
            lookback=LOOKBACK,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close"),
        ),
        Read(CORPORATE_ACTIONS, lookback=LOOKBACK),
        Read(TICKER_UNIVERSE, lookback=LOOKBACK, columns=(*TICKER_UNIVERSE.key, "member")),
        Read(PORTFOLIO_VALUE, lookback=1, columns=(*PORTFOLIO_VALUE.key, "drawdown")),
        Read(FEEDBACK_METRICS, lookback=5),
    ),
    writes=STRATEGIC_PRIORITIES,
    params=TradingParams(),
    section="trading",
)
