"""Watches what a kernel asks a view for, where its declaration does not say what its values are made of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from pipeline.features.feature import Feature
from pipeline.features.panel import DEPTH, Floats, Panel
from pipeline.features.params import FeatureParams
from pipeline.features.provenance.uses import Use, grown, growth, market, news, shares, traded
from pipeline.features.trailing_window import View
from pipeline.market.sessions import Sessions

Answer = TypeVar("Answer")
OF_MATRIX: dict[str, Callable[[int], Use]] = {
    "growth": lambda count: growth("close", count),
    "log_growth": lambda count: growth("close", count),
    **{name: lambda count, name=name: traded(f"{name} close", count) for name in ("open", "high", "low")},  # type: ignore[misc]
    "volume": lambda count: traded("volume", count),
    "ratio": lambda count: shares(count),
    "dollars": lambda count: traded("close volume", count),
    "market": market,
    "news_signal": lambda count: news("score strength", count),
    "news_weight": lambda count: news("score strength", count),
    "articles": lambda count: news("article_id", count),
}
"""Matrix of the panel -> what so many sessions of it are made of."""
OF_OTHERS = frozenset({"panel", "members", "sector"})
"""What shows a kernel other tickers than the one whose value it gives."""


class WatchedView(View):
    """A view that keeps what it is asked for."""

    def __init__(self, panel: Panel, session: Any, calendar: Sessions, params: FeatureParams) -> None:
        self._busy = True
        self.uses: list[Use] = []
        self.sees_others = False
        super().__init__(panel, session, calendar, params)
        self._busy = False

    def __getattribute__(self, name: str) -> Any:
        if name in OF_OTHERS and not object.__getattribute__(self, "_busy"):
            self.sees_others = True
        if name == "level" and not object.__getattribute__(self, "_busy"):
            return self._answer((grown("close", DEPTH),), lambda: object.__getattribute__(self, "level"))
        return object.__getattribute__(self, name)

    def last(self, name: str, sessions: int) -> Floats:
        """Rows of a matrix of the panel."""
        told = OF_MATRIX[name](sessions) if name in OF_MATRIX else None
        self.sees_others = self.sees_others or told is None
        return self._answer((told,) if told else (), lambda: super(WatchedView, self).last(name, sessions))

    def close(self, sessions: int) -> Floats:
        """Grown closes."""
        return self._answer((grown("close", sessions),), lambda: super(WatchedView, self).close(sessions))

    def high(self, sessions: int) -> Floats:
        """Grown highs, in units of the session's close."""
        asked = grown("high", sessions), grown("close", 1)
        return self._answer(asked, lambda: super(WatchedView, self).high(sessions))

    def low(self, sessions: int) -> Floats:
        """Grown lows, in units of the session's close."""
        asked = grown("low", sessions), grown("close", 1)
        return self._answer(asked, lambda: super(WatchedView, self).low(sessions))

    def volume(self, sessions: int) -> Floats:
        """Volumes on the session's share basis."""
        return self._answer((shares(sessions),), lambda: super(WatchedView, self).volume(sessions))

    def _answer(self, asked: tuple[Use, ...], compute: Callable[[], Answer]) -> Answer:
        """Keep what is asked for by the kernel; what the view asks itself for meanwhile is none of its business."""
        if self._busy:
            return compute()
        self.uses += asked
        self._busy = True
        try:
            return compute()
        finally:
            self._busy = False


def watch_uses(feature: Feature, panel: Panel, at: int, calendar: Sessions) -> Feature:
    """The feature with what its kernel asks a view for as its uses; as it is where it declares them.

    Args:
        feature: with a kernel that has passed its trial.
        panel: made-up sessions of a few tickers.
        at: the row of the session that is tried.
        calendar: the sessions of the exchange.
    """
    if feature.uses is not None or not callable(feature.kernel):
        return feature
    view = WatchedView(panel, calendar.days[panel.first + at], calendar, FeatureParams())
    with np.errstate(all="ignore"):
        feature.kernel(view)
    own = tuple(dict.fromkeys(view.uses))
    others = tuple(replace(use, of="everyone") for use in own if use.of == "ticker") if view.sees_others else ()
    return replace(feature, uses=(*own, *others))
