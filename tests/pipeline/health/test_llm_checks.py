"""What health says of the language model: the kinds of its silence, each counted, and a budget that is spent."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from pipeline.health.llm_checks import check_replies
from pipeline.health.params import HealthParams
from pipeline.ingestion.news.scores import score
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import digest, moment
from tests.frames.news import articles, exchanges
from tests.loopback.openai import refusal, response

ONE = digest("article", 0)


def answer(*tickers: dict[str, Any], label: str = "one") -> str:
    return response(json.dumps({"articles": [{"id": label, "tickers": list(tickers)}]}))


def praise(**changes: Any) -> dict[str, Any]:
    return {"ticker": "AAA", "score": 0.5, "strength": 0.5} | changes


SILENCES: dict[str, dict[str, Any]] = {
    "refusal": {"reply": refusal()},
    "incomplete": {"reply": response("", status="incomplete", incomplete_details={"reason": "max_output_tokens"})},
    "malformed": {"reply": response("I am fine, thank you")},
    "out of range": {"reply": answer(praise(score=7))},
    "missing id": {"reply": response('{"articles": []}')},
    "repeated id": {"reply": response(json.dumps({"articles": [{"id": "one", "tickers": [praise()]}] * 2}))},
    "failed": {"reply": response("", status="failed", error={"code": "server_error"})},
    "slow": {"status": "failed", "reason": "the server did not answer in time"},
    "limited": {"status": "failed", "reason": "HTTP 429: Rate limit reached"},
    "server error": {"status": "failed", "reason": "HTTP 500: oops"},
    "unreachable": {"status": "failed", "reason": "the server cannot be reached: refused"},
    "key refused": {"status": "failed", "reason": "HTTP 401: Incorrect API key"},
    "budget": {"status": "budget", "reason": "the budget of 8 requests for 2020-03-04 (UTC) is spent"},
}


def checks(*replies: dict[str, Any]) -> dict[str, tuple[str, float | None, str]]:
    """Check -> status, value and words, for a session whose articles got these replies, one each."""
    told = articles(*({} for _ in replies))
    raw = exchanges(*({"article_ids": [digest("article", n)]} | reply for n, reply in enumerate(replies)))
    said = score(told, raw, moment(), IngestionParams())
    return {
        check: (status, value, words) for _, check, status, value, _, words in check_replies(raw, said, HealthParams())
    }


@pytest.mark.parametrize("kind", SILENCES)
def test_each_kind_of_silence_is_named_and_counted(kind: str) -> None:
    status, share, words = checks({"reply": answer(praise())}, *[SILENCES[kind]] * 2)["scored"]
    assert (status, share) == ("warn", pytest.approx(1 / 3))
    assert words == f"1 of 3 articles have a model's opinion; unknown, never 0: 2 {kind}"


def test_several_kinds_are_told_the_most_frequent_first() -> None:
    words = checks(SILENCES["slow"], SILENCES["refusal"], SILENCES["refusal"])["scored"][2]
    assert words.endswith("unknown, never 0: 2 refusal, 1 slow")


def test_all_answered_is_ok_and_tells_what_it_cost() -> None:
    found = checks({"reply": answer(praise()), "dollars": 0.25})
    assert found["scored"][0] == "ok"
    assert found["budget"] == ("ok", 0.25, "1 requests, 0.2500 USD")


def test_a_spent_budget_is_told_with_its_reason_and_what_it_left() -> None:
    status, _, words = checks({"reply": answer(praise())}, SILENCES["budget"], SILENCES["budget"])["budget"]
    assert status == "warn"
    assert words == "the budget of 8 requests for 2020-03-04 (UTC) is spent; 2 articles were not asked about"


def test_an_article_that_was_asked_about_alone_after_all_is_not_counted_as_silent() -> None:
    raw = exchanges(
        {"status": "failed", "reason": "HTTP 500: oops", "article_ids": [ONE]},
        {"reply": answer(praise()), "article_ids": [ONE]},
    )
    said = score(articles({}), raw, moment(), IngestionParams())
    assert said.filter(scorer="gpt-test")["status"].to_list() == ["ok"]
    assert check_replies(raw, said, HealthParams())[0][5] == "1 of 1 articles have a model's opinion"


def test_where_nobody_was_asked_nothing_is_said() -> None:
    assert check_replies(exchanges(), pl.DataFrame(), HealthParams()) == []
