"""The settings of the universe: the limits that decide who may be traded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import Earlier, Formerly
from pipeline.market.securities.spells import MAX_GAP


@dataclass(frozen=True, kw_only=True)
class UniverseParams:
    """Who may be traded."""

    max_stale: Annotated[int, Field(ge=0, le=250), Formerly("most_stale")] = 2
    """Sessions without a bar that are tolerated: a short halt does not exclude a stock."""
    securities: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whose history a ticker has: 2 its company's, under any name it had; 1 the ticker's, whoever had it, as in runs of
    earlier programs."""
    max_gap: Annotated[int, Field(ge=5, le=250)] = MAX_GAP
    """Sessions without a bar after which whoever trades under a ticker is taken for another company, with a history of
    its own, unless a rename or a delisting says who it is; `trading.max_gap` is the same for what is held."""
    min_history: Annotated[int, Field(ge=1, le=280), Formerly("least_history")] = 120
    """Sessions of bars before a stock counts: the longest common feature look-back."""
    min_close: Annotated[float, Field(ge=0, le=1_000_000), Formerly("least_close")] = 1.0
    """Currency per share; below it, one tick is more than a per cent."""
    min_dollar_volume: Annotated[float, Field(ge=0, le=1_000_000_000_000), Formerly("least_dollar_volume")] = (
        1_000_000.0
    )
    """Currency per session, median of 20 sessions; below it our own order would move the price."""
    max_members: Annotated[int, Field(ge=1, le=20_000), Formerly("most_members")] = 1_000
    """Largest number of members; the most liquid ones stay."""
