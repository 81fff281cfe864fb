"""Format 4: a corporate action says what a holder gets, when it was learned and whether it was taken back.

Older rows have null in all of it: a split, dividend, delisting or rename as its kind says, in the currency of the
listing, that stands. Past runs are compared over the columns they wrote, so they come out as before.
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
)
