"""What the word list hears."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sentiment import report
from pipeline.ingestion.news.lexicon import opinion
from pipeline.ingestion.news.lexicon_words import BAD, BAD_WHEN_UP, DOWN, GOOD, GOOD_WHEN_UP, UP, forms
from pipeline.ingestion.news.params import NewsParams
from pipeline.ingestion.sources.simulated import headlines

PARAMS = NewsParams()


def heard(title: str, body: str | None = None) -> float:
    return opinion(title, body, PARAMS).score or 0.0


@pytest.mark.parametrize(
    "title",
    [
        "Alpha beats estimates and raises guidance",
        "Alpha's profit rose sharply",
        "Costs fell at Alpha",
        "Alpha cuts its operating costs",
        "Alpha narrows its quarterly loss",
        "Results were better-than-expected",
        "Alpha wins a contract from the navy",
        "Operating profit was EUR 3.1 mn, compared with EUR 2.5 mn a year ago",
        "Despite weak demand, Alpha raised its dividend",
        "Alpha swung to a profit",
        "Margins were not weak",
    ],
)
def test_good_news_is_heard(title: str) -> None:
    assert heard(title) > 0


@pytest.mark.parametrize(
    "title",
    [
        "Alpha misses estimates, cuts guidance",
        "Alpha's profit fell sharply",
        "Costs rose at Alpha",
        "Alpha's loss widened",
        "Alpha fails to beat estimates",
        "Sales did not increase",
        "Alpha files for bankruptcy",
        "Operating profit was EUR 2.5 mn, compared with EUR 3.1 mn a year ago",
        "Pretax loss totalled EUR 2 mn, compared to a profit of EUR 3 mn",
        "Sales rose, but profit plunged and the outlook is bleak",
        "Alpha cuts jobs",
        "Alpha loses a contract with the navy",
        "Alpha lost its biggest customer's approval",
        "Alpha tumbles as its loss shocks investors",
        "The loss weakens its order book",
    ],
)
def test_bad_news_is_heard(title: str) -> None:
    assert heard(title) < 0


def test_each_version_reads_as_it_always_did() -> None:
    first = replace(PARAMS, lexicon=1)
    assert opinion("Alpha loses a contract with the navy", None, first).score == pytest.approx(0.7 / 1.7, abs=1e-6)
    assert (opinion("The loss weakens its order book", None, first).score or 0) > 0
    assert opinion("Week ahead: three companies report", None, first).score == pytest.approx(0.7 / 1.7, abs=1e-6)
    assert opinion("Week ahead: three companies report", None, PARAMS) == (None, 0.0, ())


def test_every_headline_of_the_simulated_market_is_heard_by_its_sign() -> None:
    said = {"c": "Acme", "t": "ACM", "q": "second-quarter", "n": 7, "m": 123, "o": "Other"}
    for sign, templates in ((1, (*headlines.GOOD, *headlines.VERY_GOOD)), (-1, (*headlines.BAD, *headlines.VERY_BAD))):
        for one in templates:
            assert sign * heard(one.title.format(**said), one.body.format(**said)) > 0.1, one.title


@pytest.mark.parametrize("title", ["", "Alpha to present at a conference", "?!", "Alpha names a new chairman in 2020"])
def test_nothing_to_go_by_is_unknown_and_not_zero(title: str) -> None:
    assert opinion(title, None, PARAMS) == (None, 0.0, ())


def test_degrees_and_places_weigh() -> None:
    assert heard("Profit rose sharply") > heard("Profit rose") > heard("Profit rose slightly") > 0
    assert heard("Profit rose") > heard("Alpha", "Profit rose") > 0


def test_more_findings_are_stronger() -> None:
    one, two = opinion("Profit rose", None, PARAMS), opinion("Profit rose. Costs fell.", None, PARAMS)
    assert two.strength > one.strength


def test_words_say_one_thing_each() -> None:
    for one, other in combinations((UP, DOWN, set(GOOD), set(BAD)), 2):
        assert not one & other
    assert not GOOD_WHEN_UP & BAD_WHEN_UP


@pytest.mark.parametrize(
    ("verb", "expected"),
    [
        ("drop!", "drop drops dropped dropping"),
        ("rise", "rise rises rised rising"),
        ("amplify", "amplify amplifies amplified amplifying"),
        ("miss", "miss misses missed missing"),
        ("delay", "delay delays delayed delaying"),
    ],
)
def test_regular_forms(verb: str, expected: str) -> None:
    assert " ".join(forms(verb)) == expected


def test_macro_f1_is_the_mean_over_labels_of_precision_and_recalls_harmonic_mean() -> None:
    found = report(["negative", "neutral", "positive", "positive"], ["negative", "positive", "positive", "neutral"])
    assert (found["f1_negative"], found["f1_neutral"], found["f1_positive"]) == (1.0, 0.0, 0.5)
    assert found["macro_f1"] == 0.5


@given(st.text(max_size=300), st.text(max_size=300))
def test_no_text_whatever_leads_out_of_range(title: str, body: str) -> None:
    score, strength, _ = opinion(title, body, PARAMS)
    assert score is None or -1 <= score <= 1
    assert 0 <= strength <= 1
