"""Format 5: an action in another currency than the listing's says what was stated, and at which rate it was converted.

Older rows have null in all of it: their amounts are as they were stated.
"""

from lake.migrations.steps import AddColumn, Step

STEPS: tuple[Step, ...] = (
    AddColumn("corporate_actions", "rate"),
    AddColumn("corporate_actions", "stated_amount"),
    AddColumn("corporate_actions", "stated_cash"),
    AddColumn("corporate_actions", "rate_session"),
)
