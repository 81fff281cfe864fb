"""The settings of the features."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import Earlier

MAX_WINDOW = 20
"""Sessions of feature rows the windows stage reads; raise it to allow longer windows."""


@dataclass(frozen=True, kw_only=True)
class FeatureParams:
    """The settings of the features domain. Window lengths of single features are part of their names instead."""

    window: Annotated[int, Field(ge=2, le=MAX_WINDOW)] = 20
    """Sessions a model looks back on: a trading month. At most MAX_WINDOW."""

    stale_sessions: Annotated[int, Field(ge=0, le=20)] = 5
    """Sessions without a bar that the last close may stand for; after a longer halt a ticker's history starts anew."""

    news_prior: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """Weight of neutral news in every sentiment mean, in articles of full strength: little news says little."""

    securities: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whose history a ticker has: 2 its company's, under any name it had; 1 the ticker's, whoever had it, as in runs of
    earlier programs."""

    calendar: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Which calendar a session looks ahead on: 2 is the one that was known then; 1 is today's, in which closures that
    nobody had scheduled were never to trade, as in runs of earlier programs."""
