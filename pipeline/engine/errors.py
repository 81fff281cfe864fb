"""What can end a piece of work, beside the errors of the lake."""

from __future__ import annotations

from lake.errors import LakeError
from lake.runs import Run


class StageFailedError(Exception):
    """A stage raised; the lake is as it was published before. The cause is the exception it raised."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"stage {run.recipe.stage} failed for session {run.recipe.session}: {run.error}")
        self.run = run


class CycleOrderError(LakeError):
    """A cycle was asked for out of order."""
