"""The operator's choice of champion, put into effect."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

MAX_REASON = 400
"""Characters of the operator's reason that stand beside the decision."""


@dataclass(frozen=True)
class ChampionOverride:
    """The last thing the operator chose for a session."""

    choice: str
    """promote or rollback."""
    model_id: str
    """The model promoted, or the champion rolled back from."""
    champion: str | None
    reason: str

    def champion_after(self, current: str | None) -> str | None:
        """Who is champion once it is put into effect; a model that is champion no more cannot be rolled back."""
        return current if self._is_outdated(current) else self.champion

    def describe(self, current: str | None) -> str:
        """The decision in words."""
        because = f": {self.reason}" if self.reason else ""
        if self._is_outdated(current):
            return f"not taken back: champion is {current or 'nobody'} by now{because}"[:MAX_REASON]
        did = "promoted by the operator" if self.choice == "promote" else "taken back by the operator"
        return f"{did}{because}"[:MAX_REASON]

    def _is_outdated(self, current: str | None) -> bool:
        return self.choice == "rollback" and current != self.model_id


def read_last_override(model_choices: pl.DataFrame, session: date) -> ChampionOverride | None:
    """What the operator chose last for the session; None if nothing."""
    of_session = model_choices.filter(pl.col("session") == session).sort("decided_at", "choice_id")
    if of_session.is_empty():
        return None
    return ChampionOverride(*of_session.select("choice", "model_id", "champion", "reason").row(-1))
