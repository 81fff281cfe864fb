"""A card for each champion, on the page: data, members, figures beside baselines, trials and limits."""

from __future__ import annotations

from nextgen_tui.report.charts import Interval, interval_mark
from nextgen_tui.report.markup import Html, join, table, tag, words
from nextgen_tui.report.summary_view import figure
from nextgen_tui.text import formats
from pipeline.reading.report.full_report import Report
from pipeline.reading.report.model_cards import CardFigure, ModelCard
from pipeline.reading.results.accuracy import measure_title


def models_section(report: Report) -> Html:
    """The cards, the newest champion first."""
    if not report.models:
        return tag("section", tag("h2", "Models"), tag("p", "No model has earned to decide: every forecast is naive."))
    return tag("section", tag("h2", "Models"), [_card(one) for one in report.models])


def _card(card: ModelCard) -> Html:
    until = f"to {card.until}" if card.until else "until now"
    return join(
        tag("h3", f"{card.model_id}, champion from {card.decided} {until}"),
        tag("p", card.reason),
        _pairs([("trained", str(card.trained)), *card.data, *card.trials]),
        _members(card),
        _figures(card),
        _matters(card),
        tag("ul", [tag("li", one) for one in card.limits]),
    )


def _pairs(pairs: list[tuple[str, str]]) -> Html:
    rows = [[name, tag("td", value, class_="words")] for name, value in pairs]
    return table((words("what"), words("value")), rows)


def _members(card: ModelCard) -> Html:
    rows = [
        [one.member, *(formats.percent(share, 0) for share in one.ranking), *(formats.percent(w, 0) for w in one.width)]
        for one in card.members
    ]
    headings = ("member", *(f"ranking, {h}" for h in card.horizons), *(f"width, {h}" for h in card.horizons))
    return table(headings, rows)


def _figures(card: ModelCard) -> Html:
    rows = [
        [
            f"{one.when}: {measure_title(one.metric)}",
            str(one.horizon),
            figure(one.metric, one.value),
            tag("td", _ends(one), class_="nowrap"),
            interval_mark(Interval(one.value, one.low, one.high, one.baseline), *_scale(one, card)),
            figure(one.metric, one.baseline),
            formats.whole(one.n),
        ]
        for one in card.figures
    ]
    return table(("measure", "horizon", "value", "95 % interval", "", "baseline", "sessions or forecasts"), rows)


def _matters(card: ModelCard) -> Html:
    """What its location is worth less without, by the shuffling of held-out values."""
    rows = [
        [one.feature, one.member, str(one.horizon), formats.percent(one.rise, 2), formats.percent(one.error, 2)]
        for one in card.matters
    ]
    return table(("feature", "member", "horizon", "squared error more when shuffled", "+-"), rows) if rows else join()


def _ends(one: CardFigure) -> str:
    if one.low is None or one.high is None:
        return "not measured"
    return f"{figure(one.metric, one.low)} to {figure(one.metric, one.high)}"


def _scale(one: CardFigure, card: ModelCard) -> tuple[float, float]:
    """The two ends of the scale that a measure has over the card."""
    same = [other for other in card.figures if other.metric == one.metric]
    values = [
        value for other in same for value in (other.value, other.low, other.high, other.baseline) if value is not None
    ]
    return min(values), max(values)
