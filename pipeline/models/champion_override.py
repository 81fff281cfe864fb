"""The operator's word on who is champion, put into effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

LONGEST_REASON = 400
"""Characters of the operator's reason that stand beside the decision."""


@dataclass(frozen=True)
class Choice:
    """The last thing the operator chose for a session."""

    choice: str
    """promote or rollback."""
    model_id: str
    """The model promoted, or the champion taken back."""
    champion: str | None
    reason: str

    def champion_after(self, current: str | None) -> str | None:
        """Who is champion once it is put into effect; a model that is champion no more cannot be taken back."""
        return current if self._overtaken(current) else self.champion

    def words(self, current: str | None) -> str:
        """The decision in words."""
        because = f": {self.reason}" if self.reason else ""
        if self._overtaken(current):
            return f"not taken back: champion is {current or 'nobody'} by now{because}"[:LONGEST_REASON]
        did = "promoted by the operator" if self.choice == "promote" else "taken back by the operator"
        return f"{did}{because}"[:LONGEST_REASON]

    def _overtaken(self, current: str | None) -> bool:
        return self.choice == "rollback" and current != self.model_id


def last_choice(model_choices: pl.DataFrame, session: date) -> Choice | None:
    """What the operator chose last for the session; None if nothing."""
    mine = model_choices.filter(pl.col("session") == session).sort("decided_at", "choice_id")
    if mine.is_empty():
        return None
    return Choice(*mine.select("choice", "model_id", "champion", "reason").row(-1))
