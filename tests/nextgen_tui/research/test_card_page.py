"""A research card says no more than what its data bears, and whatever stands in it stays text."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl
import pytest

from lake.tables.research import EXPERIMENT_RESULTS
from nextgen_tui.research.card_page import write_html, write_markdown
from pipeline.research.card import CardReference, ResearchCard
from pipeline.research.spec import read_spec

SPEC = """
name = "one"
question = "{question}"
kill = "it does not | help"
from = 2021-03-01
to = 2021-06-01
[[variant]]
name = "a"
"""
HOLDOUT = "no session was put aside, so nothing was tried on what had not been seen"


def card(
    *results: dict[str, object], caps: tuple[str, ...] = (), question: str = "Does it help?", trials: int = 1
) -> ResearchCard:
    row = {
        "experiment_id": "one", "variant": "a", "finished_at": datetime(2021, 7, 1, tzinfo=UTC), "branch": "one.a",
        "settings": "{}", "sessions": 64, "base_value": 0.1, "value": 0.2, "difference": 0.1, "low": 0.05, "high": 0.15,
        "verdict": "helped", "kept": True, "trials": trials, "deflated": 0.99, "computed": 1, "taken": 2,
        "seconds": 1.0,
    }  # fmt: skip
    return ResearchCard(
        spec=read_spec(SPEC.format(question=question)),
        registered_at=datetime(2021, 6, 2, tzinfo=UTC),
        source="files",
        names=30,
        first=date(2021, 3, 1),
        last=date(2021, 6, 1),
        sessions=64,
        results=pl.DataFrame([row | one for one in results], schema=EXPERIMENT_RESULTS.schema),
        references=(CardReference("book", 0.1, 0.05, 12.0), CardReference("cash", 0.0, 0.0, None)),
        costs="half-spread 3 bp",
        trials=trials,
        looks=0,
        caps=caps,
    )


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (card(), "Nothing may be concluded: no variant has a result yet."),
        (card({"kept": False}), "No variant is kept, of 1 variant that ended."),
        (card({"deflated": 0.5}, trials=7), "A hint at most: a. None stands out from the best of 7 worthless trials."),
        (card({}, caps=(HOLDOUT,)), f"A hint at most: a, because {HOLDOUT}."),
        (card({}), "A finding on these sessions: a."),
    ],
)
def test_what_is_missing_caps_what_is_concluded(told: ResearchCard, words: str) -> None:
    assert told.conclusion == words
    assert words.replace("'", "&#x27;") in write_html(told, "nextgen")


def test_whatever_stands_in_a_card_stays_text() -> None:
    hostile = "<script>alert(1)</script> | [x](http://evil) `a`"
    told = card({"variant": "a|b"}, question=hostile)
    page, text = write_html(told, "nextgen"), write_markdown(told, "nextgen")
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "\\<script\\>" in text
    assert "\\[x\\]" in text
    rows = [line for line in text.splitlines() if line.startswith("| a")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [10]
    assert "http://" not in page.replace("http://evil", ""), "nothing is loaded from anywhere"
