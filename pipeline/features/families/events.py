"""Calendar and sentiment: what the date and the news say."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np

from pipeline.features.families.context import sector_mean
from pipeline.features.families.trend import Kernel
from pipeline.features.panel import Floats
from pipeline.features.trailing_window import View, ln1p, total, weighted


def weekday_sin(view: View) -> Floats:
    """First coordinate of the weekday on the circle of the week."""
    return _for_all(view, np.sin(2 * np.pi * view.session.weekday() / 7))


def weekday_cos(view: View) -> Floats:
    """Second coordinate of the weekday on the circle of the week."""
    return _for_all(view, np.cos(2 * np.pi * view.session.weekday() / 7))


def month_since(view: View) -> Floats:
    """Sessions of the month so far, this one left out."""
    return _for_all(view, _month(view)[0])


def month_till(view: View) -> Floats:
    """Sessions of the month to come."""
    return _for_all(view, _month(view)[1])


def month_turn(view: View) -> Floats:
    """The last session of a month and the first three of the next."""
    since, till = _month(view)
    return _for_all(view, float(since < 3 or till == 0))


def half_day(view: View) -> Floats:
    """A session clearly shorter than the longest of the last 20."""
    calendar, here = view.calendar, view.calendar.position(view.session)
    days = calendar.days[max(here - 19, 0) : here + 1]
    lengths = [calendar.close_at(day) - calendar.open_at(day) for day in days]
    return _for_all(view, float(lengths[-1] < 0.8 * max(lengths)))


def sentiment(sessions: int) -> Kernel:
    """Mean score, older articles counting less; shrunk to 0 by the prior."""
    return lambda view: _sentiment(view, _decay(sessions))


def news_count(sessions: int) -> Kernel:
    """Log of the number of articles."""
    return lambda view: ln1p(total(view.last("articles", sessions)))


def sentiment_surprise(view: View) -> Floats:
    """What today's news says beyond the news before it."""
    before = _sentiment(view, np.append(_decay(10), 0.0))
    today = view.kept("sentiment_1", sentiment(1))
    return np.where(view.last("news_weight", 1)[0] > 0, today - before, 0.0)


def sector_sentiment_5(view: View) -> Floats:
    """Mean sentiment of the sector's members."""
    return sector_mean(view, view.kept("sentiment_5", sentiment(5)))


def _sentiment(view: View, weights: Floats) -> Floats:
    signal = weighted(weights, view.last("news_signal", len(weights)))
    weight = weighted(weights, view.last("news_weight", len(weights)))
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


def _for_all(view: View, value: float) -> Floats:
    return np.full(len(view.peers), float(value))


CALENDAR: Mapping[str, Kernel] = {
    "weekday_sin": weekday_sin,
    "weekday_cos": weekday_cos,
    "month_since": month_since,
    "month_till": month_till,
    "month_turn": month_turn,
    "half_day": half_day,
}
SENTIMENT: Mapping[str, Kernel] = {
    **{f"sentiment_{n}": sentiment(n) for n in (1, 3, 5, 10)},
    "news_count_1": news_count(1),
    "news_count_10": news_count(10),
    "sentiment_surprise": sentiment_surprise,
    "sector_sentiment_5": sector_sentiment_5,
}
