"""News reactions."""

from __future__ import annotations

import numpy as np

from pipeline.features.families.context import beta_60, residual_volatility_60
from pipeline.features.families.events import _decay
from pipeline.features.feature import Feature
from pipeline.features.trailing_window import weighted_sum

FAMILY = "news reaction"


def _moves(view):
    beta = view.compute_once("beta_60", beta_60)
    apart = view.returns(30) - beta * view.last("market", 30)[:, None]
    return np.clip(apart / view.compute_once("residual_volatility_60", residual_volatility_60), -4, 4)


def _tone(view):
    return view.last("news_signal", 30) / (view.last("news_weight", 30) + 1.0)


WAYS = {
    "any": lambda v: _moves(v) * (v.last("articles", 30) > 0),
    "scored": lambda v: _moves(v) * (v.last("news_weight", 30) > 0),
    "toned": lambda v: _moves(v) * np.abs(_tone(v)),
    "signed": lambda v: np.abs(_moves(v)) * _tone(v),
    "told": lambda v: _tone(v) * (v.last("articles", 30) > 0),
    "sign": lambda v: np.sign(_tone(v)),
    "moved": lambda v: _moves(v) * (np.abs(_tone(v)) > 0.1),
    "scaled": lambda v: _moves(v),
}


def react(way, n):
    def kernel(view):
        values = view.compute_once("re_" + way, WAYS[way])
        w = _decay(n)
        return weighted_sum(w, values[-len(w) :])

    return kernel


FEATURES = tuple(
    Feature(f"re_{way}_{n}", FAMILY, "standard deviations", "x", 60, react(way, n), uses=())
    for way in WAYS
    for n in (1, 3, 5, 10)
)
