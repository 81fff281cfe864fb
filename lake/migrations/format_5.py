"""Format 5: an action in another currency than the listing's says what was stated, and at which rate it was converted.

Older rows have null in all of it: their amounts are as they were stated, taken for the listing's currency. Past runs
are compared over the columns they wrote, so they come out as before.
"""

from lake.migrations.steps import AddColumn, Step

STEPS: tuple[Step, ...] = (
    # Older lakes have no rates either; that table is new and needs no step.
    AddColumn("corporate_actions", "rate"),
    AddColumn("corporate_actions", "stated_amount"),
    AddColumn("corporate_actions", "stated_cash"),
    AddColumn("corporate_actions", "rate_session"),
)
