"""Format 6: what is quoted in another currency than the book's is told in both, and what exchange rates brought.

Older rows have null in all of it: a book then held nothing but names in its own currency. A write-off says at which
fraction of the last close it is, where an older one stays at its amount, and an action how sure it is. A model keeps
how its training rows lay, and a forecast how strange its inputs are to them, which lessons it used and by what traits
its error is told apart: of older ones it is not known. A lesson has a control arm, and what it gained beside it. What
the book is compared with has its costs taken from it: older rows compare without. Past runs are compared over the
columns they wrote, so they come out as before.
"""

from __future__ import annotations

from lake.migrations.steps import AddColumn, Step

STEPS: tuple[Step, ...] = (
    AddColumn("corporate_actions", "confidence"),
    AddColumn("trade_plans", "currency"),
    AddColumn("trade_plans", "rate"),
    AddColumn("executed_trades", "currency"),
    AddColumn("executed_trades", "rate"),
    AddColumn("executed_trades", "rate_session"),
    AddColumn("executed_trades", "local_gross"),
    AddColumn("ledger_entries", "currency"),
    AddColumn("ledger_entries", "rate"),
    AddColumn("ledger_entries", "local_amount"),
    AddColumn("portfolio_holdings", "currency"),
    AddColumn("portfolio_holdings", "rate"),
    AddColumn("portfolio_holdings", "rate_session"),
    AddColumn("portfolio_holdings", "local_cost"),
    AddColumn("portfolio_holdings", "local_value"),
    AddColumn("portfolio_holdings", "exchange_gain"),
    AddColumn("portfolio_value", "exchange"),
    AddColumn("portfolio_value", "unrealised_exchange"),
    AddColumn("portfolio_value", "cash_alone"),
    AddColumn("portfolio_value", "equal_weight_net"),
    AddColumn("portfolio_value", "equal_weight_net_cost"),
    AddColumn("portfolio_value", "benchmark_net"),
    AddColumn("portfolio_value", "benchmark_net_cost"),
    AddColumn("portfolio_value", "top_k"),
    AddColumn("portfolio_value", "top_k_cost"),
    AddColumn("baseline_holdings", "impact"),
    AddColumn("position_ends", "fraction"),
    AddColumn("position_ends", "carried"),
    AddColumn("instruments", "earlier_currencies"),
    AddColumn("model_registry", "profile"),
    AddColumn("model_registry", "distances"),
    AddColumn("model_registry", "location_weights"),
    AddColumn("model_promotions", "trials"),
    AddColumn("model_promotions", "deflated_sharpe"),
    AddColumn("model_promotions", "overfitting"),
    AddColumn("model_promotions", "min_sessions"),
    AddColumn("model_promotions", "dm_statistic"),
    AddColumn("model_promotions", "dm_p"),
    AddColumn("model_promotions", "champion_gain_low"),
    AddColumn("model_promotions", "champion_gain_high"),
    AddColumn("predictions", "location_weights"),
    AddColumn("predictions", "distance"),
    AddColumn("predictions", "strangeness"),
    AddColumn("predictions", "strange_features"),
    AddColumn("predictions", "lessons"),
    AddColumn("predictions", "traits"),
    AddColumn("prediction_accuracy", "lessons"),
    AddColumn("prediction_accuracy", "traits"),
    AddColumn("bias_flags", "level"),
    AddColumn("bias_flags", "hypothesis_id"),
    AddColumn("bias_flags", "insight_id"),
    AddColumn("bias_flags", "arm"),
    AddColumn("bias_flags", "control_n"),
    AddColumn("bias_flags", "gain"),
    AddColumn("bias_flags", "gain_low"),
    AddColumn("bias_flags", "gain_high"),
    AddColumn("learning_insights", "hypothesis_id"),
    AddColumn("learning_insights", "readers"),
    AddColumn("learning_insights", "control_n"),
    AddColumn("learning_insights", "gain"),
    AddColumn("learning_insights", "gain_low"),
    AddColumn("learning_insights", "gain_high"),
)
