"""A feature, a rule and a member of the ensemble that do not come with the program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.expressions import deviation, fact, lag
from pipeline.features.feature import Feature
from pipeline.features.panel import Floats
from pipeline.features.provenance.uses import grown
from pipeline.features.trailing_window import View, ln
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Sizes
from pipeline.models.members.naive import centred_quantiles
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.candidates import Candidate, PortfolioState
from pipeline.trading.planning.rule import Ruling, allow, refuse, rule, share_of

CLOSE = fact("close")
GROWTH = CLOSE / lag(CLOSE, 1)
MAX_VOLATILITY = 0.05
"""A name that moves more than this share of its price in a usual session is left alone."""


def squeeze_10(view: View) -> Floats:
    """How narrow the range of the last ten sessions was."""
    return ln(view.high(10).max(axis=0) / view.low(10).min(axis=0))


@rule(share_of("the price"))
def calm_names(candidate: Candidate, state: PortfolioState, params: TradingParams) -> Ruling:  # noqa: ARG001
    """Only names that move little are bought; sales are none of its business."""
    if candidate.side != "buy":
        return allow("concerns buys only")
    over = candidate.volatility - MAX_VOLATILITY
    reason = f"moves {candidate.volatility:.1%} in a session; at most {MAX_VOLATILITY:.0%} is allowed"
    return refuse(over, reason) if over > 0 else allow(reason)


class Reversal:
    """What fell over the last week rises a little: one slope, fitted by least squares."""

    name = "reversal"
    simple = True

    def fit(self, task: FitTask) -> Fitted:
        """The column of return_5, the slope of the relative return on it, and the usual spread."""
        column = task.examples.features.index("return_5")
        week = task.examples.last_rows(task.rows)[:, column].astype(np.float64)
        slope = (week[:, None] * task.examples.relative[task.rows]).sum(axis=0) / max((week * week).sum(), 1e-12)
        z = centred_quantiles(task.examples.clipped[task.rows], task.quantiles)
        return Fitted({"column": np.array([float(column)]), "slope": slope, "z": z})

    def quantiles(self, arrays: Arrays, windows: npt.NDArray[np.float32]) -> Floats:
        """The usual spread around what the slope says."""
        week = windows[:, -1, int(arrays["column"][0])].astype(np.float64)
        return arrays["z"][None] + (week[:, None] * arrays["slope"])[:, :, None]

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        """What is stored of a fit."""
        return {"column": (1,), "slope": (sizes.horizons,), "z": (sizes.horizons, sizes.quantiles)}

    def settings(self, choices: Choices) -> Mapping[str, Any]:  # noqa: ARG002
        """Nothing is chosen on held-back rows."""
        return {}


FEATURES = (
    Feature(
        "squeeze_10",
        "range",
        unit="log ratio",
        formula="ln of the highest H over the lowest L, 10 sessions",
        warm_up=9,
        kernel=squeeze_10,
        uses=(grown("high low", 10),),
    ),
    Feature.express("calm_10", "risk", "ratio", deviation(GROWTH, 10) / deviation(GROWTH, 60)),
)
RULES = (calm_names,)
MEMBERS = (Reversal(),)
