"""Plans a session's trades as one book: built from the mandate, then rule by rule, in whole shares at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl

from pipeline.engine.stage import Moment
from pipeline.trading.construction.solver import NO_TRADE
from pipeline.trading.mandates.mandate import Mandated
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.rules import order_rules
from pipeline.trading.philosophy.steps import BuiltBook, build_book
from pipeline.trading.philosophy.trade_rules import as_trade
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.generate_orders import PlanningInputs, compute_stop
from pipeline.trading.planning.mandated_book import Stated, TradeOutcome, find_events, state_book
from pipeline.trading.planning.order_terms import state_terms
from pipeline.trading.planning.plan_frame import frame_plans
from pipeline.trading.planning.rule import Rule
from pipeline.trading.trust.lessons import TrustLesson

OWN_LIMIT = "its own bounds"


def plan_book(
    inputs: PlanningInputs,
    state: PortfolioState,
    alphas: pl.DataFrame,
    trade_reflections: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    mandated: Mandated,
    trade_rules: Sequence[Rule],
    moment: Moment,
    params: TradingParams,
    lessons: tuple[TrustLesson, ...] = (),
) -> pl.DataFrame:
    """Return a row of `trade_plans` for every name that is held, forecast or a member of the universe.

    Args:
        inputs: what is known of the names.
        state: the portfolio before any trade; `stopped` says why nothing is ordered.
        alphas: rows of the session.
        trade_reflections: of closed trades.
        corporate_actions: those known.
        mandated: what the operator wants.
        trade_rules: of plugins, which judge single trades.
        moment: the session at whose close it is decided.
        params: the settings.
        lessons: what is trusted less by how it came out.
    """
    names = sorted({*inputs.forecasts, *inputs.holdings, *inputs.conditions})
    if not names or state.nav <= 0:
        return frame_plans([], [], [], moment)
    known = {row["ticker"]: row for row in alphas.iter_rows(named=True)}
    closed = [TradeOutcome(*row) for row in trade_reflections.select(TradeOutcome._fields).iter_rows()]
    events = find_events(corporate_actions, inputs.session, inputs.calendar)
    stated = state_book(names, inputs, state, known, closed, events, mandated.mandate, params, lessons)
    own = order_rules(params.philosophy.order, shorts=params.shorts.allowed)
    built = build_book(stated.problem, stated.facts, own, trade_rules)
    rows = [_row(at, stated, built, state, mandated, params) for at in range(len(names))]
    return frame_plans(rows, built.verdicts, [one.exchange for one in stated.facts.candidates], moment)


def state_order(one: Candidate, trade: Candidate, alpha: float, params: TradingParams) -> dict[str, object]:
    """Return the columns of a plan row that its order and the stop of its position are made of.

    Args:
        one: the name as it stands at the close.
        trade: what is decided of it.
        alpha: expected return over the holding period, a fraction.
        params: the settings.
    """
    taken, held = trade.shares > 0, one.holding.shares if one.holding else 0
    after = held + (trade.shares if trade.side == "buy" else -trade.shares) if taken else held
    return {
        "ticker": one.ticker,
        "side": trade.side,
        "intent": trade.intent,
        "taken": taken,
        "shares": trade.shares if taken else 0,
        "edge": alpha - one.cost,
        "stop": _stop(one, after, params) if taken or one.holding else None,
        **state_terms(one, trade.side, trade.intent, taken, params.orders),
    }


def _row(
    at: int, stated: Stated, built: BuiltBook, state: PortfolioState, mandated: Mandated, params: TradingParams
) -> dict[str, object]:
    facts, problem = stated.facts, built.problem
    one, alpha = facts.candidates[at], float(stated.problem.alpha[at])
    trade = as_trade(facts, problem, built.weights, at)
    wanted = as_trade(facts, problem, built.free, at)
    taken = trade.shares > 0
    shown = trade if taken else wanted
    blocked = find_blocker(at, built, trade, wanted)
    held = one.holding.shares if one.holding else 0
    after = held + (trade.shares if trade.side == "buy" else -trade.shares) if taken else held
    forecast = one.forecast
    return {
        **state_order(one, trade, alpha, params),
        "sector": one.sector,
        "side": shown.side if taken or blocked else "hold",
        "intent": shown.intent if taken or blocked else "keep",
        "wanted_shares": wanted.shares,
        "close": one.close,
        "expected_return": forecast.point if forecast else None,
        "low_return": forecast.low if forecast else None,
        "low_80": forecast.low_80 if forecast else None,
        "high_80": forecast.high_80 if forecast else None,
        "expected_cost": one.cost,
        "target_weight": state.weight(after * one.price),
        "blocked_by": blocked,
        "prediction_id": forecast.prediction_id if forecast else None,
        "model_id": forecast.model_id if forecast else None,
        "currency": one.exchange.currency,
        "mandate_id": mandated.mandate_id,
        "alpha": alpha,
        "benchmark_weight": float(stated.problem.benchmark[at]),
        "free_weight": float(built.free[at]),
        "steps": built.steps[:, at].tolist(),
        "buy_alpha": alpha + float(built.solution.buy_gap[at]),
        "sell_alpha": alpha - float(built.solution.sell_gap[at]),
        "binding": _binding(built, at),
        "given_up": ", ".join(built.given_up) or None,
    }


def find_blocker(at: int, built: BuiltBook, trade: Candidate, wanted: Candidate) -> str | None:
    """Return the first rule that refused a trade that is wanted without rules and not made; None otherwise."""
    if trade.shares > 0 or not wanted.shares:
        return None
    return next((one.rule for one in built.verdicts[at] if one.verdict == "refuse"), None)


def _stop(one: Candidate, after: int, params: TradingParams) -> float | None:
    """The position's, or that of the one which the trade begins, on the other side as it may be."""
    if one.holding is not None and one.holding.shares * after >= 0:
        return one.holding.stop
    sigmas = params.philosophy.stop_sigmas * (1 if after >= 0 else -1)
    return compute_stop(one.close, one.volatility, sigmas, params.horizon)


def _binding(built: BuiltBook, at: int) -> list[dict[str, object]]:
    """The limits that a name meets: its own, its sector's, and those of the book where it would be traded on."""
    groups = {one.name: bool(one.members[at]) for one in built.problem.groups}
    found = [
        {"limit": limit, "shadow_price": price}
        for limit, price in sorted(built.solution.shadow_prices.items())
        if groups.get(limit.removeprefix("least "), True)
    ]
    own = max(-float(built.solution.buy_gap[at]), -float(built.solution.sell_gap[at]))
    return [*found, {"limit": OWN_LIMIT, "shadow_price": own}] if own > NO_TRADE and np.isfinite(own) else found
