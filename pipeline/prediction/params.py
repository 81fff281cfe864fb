"""The settings of the prediction stages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import Earlier, Formerly, Horizons, Share


@dataclass(frozen=True, kw_only=True)
class PredictionParams:
    """How many tickers are forecast, and the bounds no forecast leaves."""

    max_tickers: Annotated[int, Field(ge=1, le=20_000), Formerly("most_tickers")] = 500
    """Tickers forecast per session, held ones always among them: bounds the time a session takes."""
    horizons: Horizons = (1, 5, 20)
    """Sessions ahead of the naive forecast while there is no champion; a champion brings its own."""
    max_sigmas: Annotated[float, Field(gt=0, le=100), Formerly("most_sigmas")] = 2.0
    """Cap on the size of the point forecast, in its own standard deviations: beyond it a model is extrapolating."""
    min_return: Annotated[float, Field(gt=-1, lt=0), Formerly("lowest_return")] = -0.99
    """Floor of every quantile, as a fraction: a share can't lose more than all of its value."""
    min_scale: Annotated[float, Field(gt=0, le=1), Formerly("narrowest")] = 0.5
    """Smallest interval scale taken over from the measured coverage."""
    max_scale: Annotated[float, Field(ge=1, le=100), Formerly("widest")] = 2.0
    """Largest interval scale taken over, for the same reason: beyond it a model needs training, not correction."""
    securities: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whose feature rows a window holds: 2 the company's, under any name it had; 1 the ticker's, as in runs of earlier
    programs."""
    shadows: Annotated[int, Field(ge=0, le=5), Earlier(0)] = 1
    """Models that forecast beside the champion and are only scored, the newest first: how a challenger that was kept
    out, or the champion before, does on sessions nobody has seen."""
    explained: Annotated[int, Field(ge=0, le=1_000), Earlier(20)] = 20
    """Tickers whose forecasts are explained each session, those with the largest points in their own deviations."""
    explained_inputs: Annotated[int, Field(ge=1, le=200), Earlier(10)] = 10
    """Inputs told for each forecast, the largest contributions first; the others are told together."""
    unmeasured_skill: Share = 0.25
    """Skill (0 to 1) granted to a champion none of whose forecasts have matured: it was promoted, no more."""
