"""Calendar and sentiment: what the date and the news say."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from pipeline.features.families.context import sector_mean
from pipeline.features.feature import Feature, Kernel
from pipeline.features.panel import Floats
from pipeline.features.provenance import uses
from pipeline.features.trailing_window import View, ln1p, total, weighted_sum


def weekday_sin(view: View) -> Floats:
    """First coordinate of the weekday on the circle of the week."""
    return _same_for_all(view, np.sin(2 * np.pi * view.session.weekday() / 7))


def weekday_cos(view: View) -> Floats:
    """Second coordinate of the weekday on the circle of the week."""
    return _same_for_all(view, np.cos(2 * np.pi * view.session.weekday() / 7))


def month_since(view: View) -> Floats:
    """Sessions of the month so far, this one left out."""
    return _same_for_all(view, _month(view)[0])


def month_till(view: View) -> Floats:
    """Sessions of the month to come."""
    return _same_for_all(view, _month(view)[1])


def month_turn(view: View) -> Floats:
    """The last session of a month and the first three of the next."""
    since, till = _month(view)
    return _same_for_all(view, float(since < 3 or till == 0))


def half_day(view: View) -> Floats:
    """A session clearly shorter than the longest of the last 20."""
    calendar, here = view.calendar, view.calendar.position(view.session)
    days = calendar.days[max(here - 19, 0) : here + 1]
    lengths = [calendar.close_at(day) - calendar.open_at(day) for day in days]
    return _same_for_all(view, float(lengths[-1] < 0.8 * max(lengths)))


def sentiment(sessions: int) -> Kernel:
    """Mean score, older articles counting less; shrunk to 0 by the prior."""
    return lambda view: _sentiment(view, _decay(sessions))


def news_count(sessions: int) -> Kernel:
    """Log of the number of articles."""
    return lambda view: ln1p(total(view.last("articles", sessions)))


def sentiment_surprise(view: View) -> Floats:
    """What today's news says beyond the news before it."""
    before = _sentiment(view, np.append(_decay(10), 0.0))
    today = view.compute_once("sentiment_1", sentiment(1))
    return np.where(view.last("news_weight", 1)[0] > 0, today - before, 0.0)


def sector_sentiment_5(view: View) -> Floats:
    """Mean sentiment of the sector's members."""
    return sector_mean(view, view.compute_once("sentiment_5", sentiment(5)))


def _sentiment(view: View, weights: Floats) -> Floats:
    signal = weighted_sum(weights, view.last("news_signal", len(weights)))
    weight = weighted_sum(weights, view.last("news_weight", len(weights)))
    return signal / (weight + view.params.news_prior)


def _decay(sessions: int) -> Floats:
    """Weights over three half-lives, oldest first; one session alone counts whole."""
    if sessions == 1:
        return np.ones(1)
    return np.exp2(-np.arange(3 * sessions)[::-1] / sessions)


def _month(view: View) -> tuple[int, int]:
    """Sessions of the month before and after this one."""
    calendar, day = view.calendar, view.session
    first, after = day.replace(day=1), (day.replace(day=1) + timedelta(days=32)).replace(day=1)
    return len(calendar.between(first, day)) - 1, len(calendar.between(day, _day_before(after))) - 1


def _day_before(day: date) -> date:
    return day - timedelta(days=1)


def _same_for_all(view: View, value: float) -> Floats:
    return np.full(len(view.members), float(value))


CALENDAR = (
    Feature(
        "weekday_sin",
        "calendar",
        unit="-1 to 1",
        formula="sin(2 pi weekday/7), Monday 0",
        warm_up=0,
        kernel=weekday_sin,
        uses=(),
    ),
    Feature(
        "weekday_cos",
        "calendar",
        unit="-1 to 1",
        formula="cos(2 pi weekday/7), Monday 0",
        warm_up=0,
        kernel=weekday_cos,
        uses=(),
    ),
    Feature(
        "month_since",
        "calendar",
        unit="sessions",
        formula="sessions of the month before this one",
        warm_up=0,
        kernel=month_since,
        uses=(),
    ),
    Feature(
        "month_till",
        "calendar",
        unit="sessions",
        formula="sessions of the month after this one, as the exchange has scheduled them",
        warm_up=0,
        kernel=month_till,
        uses=(),
    ),
    Feature(
        "month_turn",
        "calendar",
        unit="0 or 1",
        formula="1 on the last and the first three sessions of a month (Lakonishok and Smidt 1988)",
        warm_up=0,
        kernel=month_turn,
        uses=(),
    ),
    Feature(
        "half_day",
        "calendar",
        unit="0 or 1",
        formula="1 if the session is shorter than 80 % of the longest of the last 20",
        warm_up=19,
        kernel=half_day,
        uses=(),
    ),
)

SENTIMENT = (
    Feature(
        "sentiment_1",
        "sentiment",
        unit="-1 to 1",
        formula="S/(W + prior): S sums strength x score and W strength over the session's articles; no news is 0",
        warm_up=0,
        kernel=sentiment(1),
        uses=(uses.news("score strength", 1),),
    ),
    *(
        Feature(
            f"sentiment_{n}",
            "sentiment",
            unit="-1 to 1",
            formula=(
                f"the same over {3 * n} sessions, weights halving every {n}; no news is 0, unknown scores are left out"
            ),
            warm_up=3 * n - 1,
            kernel=sentiment(n),
            uses=(uses.news("score strength", 3 * n),),
        )
        for n in (3, 5, 10)
    ),
    Feature(
        "news_count_1",
        "sentiment",
        unit="ln count",
        formula="ln(1 + articles of the session), scored or not",
        warm_up=0,
        kernel=news_count(1),
        uses=(uses.news("article_id", 1),),
    ),
    Feature(
        "news_count_10",
        "sentiment",
        unit="ln count",
        formula="ln(1 + articles of 10 sessions), scored or not",
        warm_up=9,
        kernel=news_count(10),
        uses=(uses.news("article_id", 10),),
    ),
    Feature(
        "sentiment_surprise",
        "sentiment",
        unit="-2 to 2",
        formula="sentiment_1 less sentiment_10 of the session before; 0 without news today",
        warm_up=30,
        kernel=sentiment_surprise,
        uses=(replace(uses.news("score strength", 31), only="news"),),
    ),
    Feature(
        "sector_sentiment_5",
        "sentiment",
        unit="-1 to 1",
        formula="mean sentiment_5 over the sector's members",
        warm_up=14,
        kernel=sector_sentiment_5,
        uses=uses.compared([uses.news("score strength", 15)], "sentiment_5", "sector"),
    ),
)

FEATURES = (*CALENDAR, *SENTIMENT)
"""What this module declares, in the order of the columns."""
