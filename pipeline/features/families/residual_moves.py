"""Residual moves: what the market leaves of a return in units of its own deviation, by span and on news.

How the price took the news tells what it meant beside its words, and what follows goes the way of both (Chan,
Jegadeesh and Lakonishok). A model on returns over their risk wants moves in the same unit (Blitz, Huij and Martens).
Spans are those that are forecast: a session, a week, a month.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from pipeline.features.families.context import beta_60, residual_return, residual_volatility_60
from pipeline.features.feature import Feature, Kernel
from pipeline.features.panel import Floats
from pipeline.features.provenance import uses
from pipeline.features.trailing_window import View, weighted_sum

FAMILY = "residual moves"
UNIT = "standard deviations"
NEWS = "Chan, Jegadeesh and Lakonishok 1996, Momentum strategies, Journal of Finance 51"
TONE = "Tetlock, Saar-Tsechansky and Macskassy 2008, More than words, Journal of Finance 63"
MOMENTUM = "Blitz, Huij and Martens 2011, Residual momentum, Journal of Empirical Finance 18"
LONGEST = 20
"""Sessions that news is looked back on."""
MAX_MOVE = 4.0
"""Deviations that a session counts at most after news, or one merger would be all there is."""


def residual_move_5(view: View) -> Floats:
    """The week's residual return over the deviation of a session's."""
    return _residual(view, 5) / _risk(view)


def residual_move_60_5(view: View) -> Floats:
    """The quarter's before the week."""
    return (_residual(view, 60) - _residual(view, 5)) / _risk(view)


def news_move(sessions: int) -> Kernel:
    """Mean move, those of sessions without scored news as 0, the latest counting most."""
    return lambda view: _fade(view.compute_once("moves on news", _moves_on_news)[-sessions:])


def news_tone(sessions: int) -> Kernel:
    """Mean tone of the sessions' news, no news as 0, the latest counting most."""
    return lambda view: _fade(_tone(view, sessions))


def _fade(values: Floats) -> Floats:
    """Mean over sessions with weights n, n - 1 ... 1, the latest first."""
    count = len(values)
    return weighted_sum(np.arange(1, count + 1) / (count * (count + 1) / 2), values)


def _tone(view: View, sessions: int) -> Floats:
    weight = view.last("news_weight", sessions)
    return view.last("news_signal", sessions) / (weight + view.params.news_prior)


def _moves_on_news(view: View) -> Floats:
    """[LONGEST, tickers] each session's residual return over its deviation; 0 where no article was scored."""
    market = view.last("market", LONGEST)[:, None]
    moves = (view.returns(LONGEST) - view.compute_once("beta_60", beta_60) * market) / _risk(view)
    return np.where(view.last("news_weight", LONGEST) > 0, np.clip(moves, -MAX_MOVE, MAX_MOVE), 0.0)


def _residual(view: View, sessions: int) -> Floats:
    return view.compute_once(f"residual_return_{sessions}", residual_return(sessions))


def _risk(view: View) -> Floats:
    return view.compute_once("residual_volatility_60", residual_volatility_60)


_MOVES = uses.grown("close", 61), uses.market(60)

FEATURES = (
    Feature(
        "residual_move_5",
        FAMILY,
        UNIT,
        formula="residual_return_5 / residual_volatility_60",
        warm_up=60,
        kernel=residual_move_5,
        source=MOMENTUM,
        uses=_MOVES,
    ),
    Feature(
        "residual_move_60_5",
        FAMILY,
        UNIT,
        formula="(residual_return_60 - residual_return_5) / residual_volatility_60",
        warm_up=60,
        kernel=residual_move_60_5,
        source=MOMENTUM,
        uses=_MOVES,
    ),
    Feature(
        "news_move_1",
        FAMILY,
        UNIT,
        formula=(
            f"residual_return_1 / residual_volatility_60, held within {MAX_MOVE:g}; 0 unless an article is scored"
        ),
        warm_up=60,
        kernel=news_move(1),
        source=NEWS,
        uses=tuple(replace(use, only="news") for use in (*_MOVES, uses.news("score strength", 1))),
    ),
    *(
        Feature(
            f"news_move_{n}",
            FAMILY,
            UNIT,
            formula=(
                f"mean over {n} sessions, weights {n}, {n - 1} ... 1, of each one's residual return / "
                f"residual_volatility_60, held within {MAX_MOVE:g}; 0 where none of its articles is scored"
            ),
            warm_up=60,
            kernel=news_move(n),
            source=NEWS,
            uses=(*_MOVES, uses.news("score strength", n)),
        )
        for n in (5, LONGEST)
    ),
    *(
        Feature(
            f"news_tone_{n}",
            FAMILY,
            "-1 to 1",
            formula=f"mean over {n} sessions of each one's S/(W + prior), weights {n}, {n - 1} ... 1; no news is 0",
            warm_up=n - 1,
            kernel=news_tone(n),
            source=TONE,
            uses=(uses.news("score strength", n),),
        )
        for n in (5, LONGEST)
    ),
)
"""What this module declares, in the order of the columns."""
