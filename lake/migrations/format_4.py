"""Format 4: actions say what a holder gets, when they were learned and taken back, and the books follow them.

Older rows have null in all of it: a split, dividend, delisting or rename as its kind says, in the currency of the
listing, that stands; an entry of the ledger that counts for its own session; a value of which nothing was restated.
Past runs are compared over the columns they wrote, so they come out as before.
"""

from lake.migrations.steps import AddColumn, Step

STEPS: tuple[Step, ...] = (
    AddColumn("corporate_actions", "nature"),
    AddColumn("corporate_actions", "currency"),
    AddColumn("corporate_actions", "cash"),
    AddColumn("corporate_actions", "cost_share"),
    AddColumn("corporate_actions", "learned_on"),
    AddColumn("corporate_actions", "withdrawn"),
    AddColumn("ledger_entries", "effective"),
    AddColumn("ledger_entries", "revision"),
    AddColumn("ledger_entries", "corrects"),
    AddColumn("portfolio_value", "restated"),
    AddColumn("portfolio_value", "difference"),
    AddColumn("portfolio_value", "equal_weight_turnover"),
    AddColumn("portfolio_value", "equal_weight_cost"),
    AddColumn("instruments", "unit"),
    AddColumn("market_prices", "volume_rounding"),
)
