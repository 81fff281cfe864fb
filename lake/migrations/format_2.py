"""Format 2: a run says under which format it ran, so that its fingerprint can be taken again after later changes."""

from lake.migrations.steps import AddColumn, Step

STEPS: tuple[Step, ...] = (AddColumn("runs", "contract"),)
