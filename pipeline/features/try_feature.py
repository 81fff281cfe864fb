"""Try a feature on made-up sessions: whether it gives a number a ticker, looks neither ahead nor further back than it
says, and no state of its own decides what it gives."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.expressions import Expression
from pipeline.features.facts.declarations import FACTS, list_facts
from pipeline.features.facts.made_up import try_expression
from pipeline.features.feature import Feature
from pipeline.features.panel import DEPTH, MARGIN, Floats, Panel
from pipeline.features.params import FeatureParams
from pipeline.features.provenance.try_uses import refuse_unnamed_uses
from pipeline.features.provenance.watched_view import watch_uses
from pipeline.features.trailing_window import View
from pipeline.market.sessions import Sessions

TICKERS = ("AAA", "BBB", "CCC")
AT = DEPTH + MARGIN
"""The row that is tried: before it lies what a feature may look back on."""
LATER = 5
"""Sessions after it, which no feature may see."""


def try_feature(feature: Feature, calendar: Sessions) -> Feature:
    """Compute a feature on a sample.

    Returns:
        The feature; one with a kernel that does not declare what it is made of has what the kernel asked for.

    Raises:
        TypeError: naming the feature, what it did wrong, and what to do.
    """
    if isinstance(feature.kernel, Expression):
        _refuse_unknown_facts(feature.name, feature.kernel)
        _refuse_nothing_known(feature.name, try_expression(feature.kernel))
        return feature
    panel = _sample(calendar)
    session = calendar.days[panel.first + AT]
    values = _compute(feature, View(panel, session, calendar, FeatureParams()))
    _refuse_nothing_known(feature.name, values)
    again = _compute(feature, View(panel, session, calendar, FeatureParams()))
    if values.tobytes() != again.tobytes():
        raise TypeError(f"feature {feature.name!r} gives other values the second time; let it depend on its view alone")
    short = View(_forget(panel, AT - feature.warm_up), session, calendar, FeatureParams())
    if values.tobytes() != _compute(feature, short).tobytes():
        raise TypeError(
            f"feature {feature.name!r} looks back further than the {feature.warm_up} sessions of its warm_up; "
            "raise it, or shorten what the kernel reads"
        )
    if values.tobytes() != _compute(feature, View(_spoil(panel), session, calendar, FeatureParams())).tobytes():
        raise TypeError(
            f"feature {feature.name!r} looks ahead: it changes with sessions after its own; "
            "let the kernel read the view, which ends at its session, and not the panel behind it"
        )
    watched = watch_uses(feature, panel, AT, calendar)
    refuse_unnamed_uses(watched, feature.kernel, panel, AT, calendar)
    return watched


def _refuse_unknown_facts(name: str, expression: Expression) -> None:
    """All else holds by construction: an expression has no state, and its warm-up follows from its windows."""
    facts = list_facts([expression])
    if unknown := sorted(facts - set(FACTS)):
        raise TypeError(f"feature {name!r} uses the fact {unknown[0]!r}; there are {', '.join(FACTS)}")
    if not facts:
        raise TypeError(f"feature {name!r} uses no fact: it is the same number for every ticker")


def _refuse_nothing_known(name: str, values: npt.NDArray[np.floating]) -> None:
    if not np.isfinite(values).any():
        raise TypeError(
            f"feature {name!r} has no value on made-up sessions of ordinary prices and news; look for a division by "
            "zero, or a root or logarithm of what is never positive"
        )


def _compute(feature: Feature, view: View) -> Floats:
    try:
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            values = feature.kernel(view)  # type: ignore[operator]  # expressions are tried apart
    except Exception as error:  # a kernel is an operator's own code, which can raise anything
        raise TypeError(
            f"feature {feature.name!r} fails on made-up sessions: {type(error).__name__}: {error}"
        ) from error
    if not isinstance(values, np.ndarray) or values.shape != view.has_row.shape or values.dtype.kind != "f":
        got = f"{values.dtype} of shape {values.shape}" if isinstance(values, np.ndarray) else type(values).__name__
        raise TypeError(
            f"feature {feature.name!r} gives {got} for {len(view.has_row)} tickers; "
            "let its kernel return an array of one float64 for each"
        )
    return values


def _sample(calendar: Sessions) -> Panel:
    """AT sessions, the one that is tried and LATER more, of a few tickers."""
    shape = (AT + 1 + LATER, len(TICKERS))
    random = np.random.default_rng(0)
    growth = np.exp(random.normal(0.0, 0.01, shape))
    spread = np.abs(random.normal(0.0, 0.01, shape))
    volume = np.exp(random.normal(13.0, 0.5, shape))
    ones = np.ones(shape)
    matrices = {
        "growth": growth,
        "log_growth": np.log(growth),
        "open": 1 + random.normal(0.0, 0.003, shape),
        "high": 1 + spread,
        "low": 1 - spread,
        "volume": volume,
        "ratio": ones,
        "dollars": volume * 50.0,
        "bar": ones.astype(bool),
        "listed": ones.astype(bool),
        "member": ones.astype(bool),
        "sector": np.zeros(shape, dtype=np.int64),
        "market": np.log(growth.mean(axis=1)),
        "news_signal": random.normal(0.0, 1.0, shape),
        "news_weight": np.abs(random.normal(1.0, 0.5, shape)),
        "articles": random.integers(0, 3, shape).astype(np.float64),
    }
    first = max(len(calendar.days) // 2 - len(growth), 0)
    return Panel(first=first, tickers=TICKERS, **matrices)


def _forget(panel: Panel, rows: int) -> Panel:
    """The panel without what its first rows hold, as if history began after them."""
    return replace(
        panel,
        # The first bar there is has no return: nothing is before it.
        growth=_blank(panel.growth, rows + 1, np.nan),
        log_growth=_blank(panel.log_growth, rows + 1, np.nan),
        market=_blank(panel.market, rows + 1, np.nan),
        open=_blank(panel.open, rows, np.nan),
        high=_blank(panel.high, rows, np.nan),
        low=_blank(panel.low, rows, np.nan),
        volume=_blank(panel.volume, rows, np.nan),
        dollars=_blank(panel.dollars, rows, np.nan),
        news_signal=_blank(panel.news_signal, rows, 0.0),
        news_weight=_blank(panel.news_weight, rows, 0.0),
        articles=_blank(panel.articles, rows, 0.0),
    )


def _spoil(panel: Panel) -> Panel:
    """The panel with everything else after the session that is tried."""
    names = [one.name for one in fields(panel) if isinstance(getattr(panel, one.name), np.ndarray)]
    spoilt = {name: getattr(panel, name).copy() for name in names}
    for matrix in spoilt.values():
        matrix[AT + 1 :] = 7
    return replace(panel, **spoilt)


def _blank(matrix: Floats, rows: int, value: float) -> Floats:
    known = matrix.copy()
    known[:rows] = value
    return known
