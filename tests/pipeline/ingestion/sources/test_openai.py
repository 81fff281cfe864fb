"""A language model as a scorer: through the real client against a server on this machine, and whatever that does."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.news import NEWS_SENTIMENT, RAW_REPLIES, RAW_SENTIMENT
from pipeline.config.secrets import Secret, secret
from pipeline.health.llm_checks import check_replies
from pipeline.health.params import HealthParams
from pipeline.ingestion.news.llm_prompt import Question, batches
from pipeline.ingestion.news.llm_reply import kind_of_failure
from pipeline.ingestion.news.llm_request import STAGE, ask, scorer_name
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.news.scores import score
from pipeline.ingestion.news.sentiment import sentiment
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.openai.client import refusal_to_ask
from pipeline.ingestion.sources.openai.outage_record import OutageRecord
from pipeline.ingestion.sources.openai.scorer import Scorer
from tests.frames.market import DAY, moment
from tests.frames.news import NOON, articles
from tests.loopback.conversations import talking, whole
from tests.loopback.openai import CHAT, Answer, Asked, OpenAI, completion, praise, refusal, response, serving, trouble
from tests.nextgen_tui.hostile import HOSTILE
from tests.real_data import ROOT

CANARY = "sk-canary-5f1d2c7e9b"


@pytest.fixture
def openai() -> Iterator[OpenAI]:
    with serving() as server:
        yield server


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    return tmp_path / "state"


def params(openai: OpenAI, **changes: Any) -> IngestionParams:
    usual: dict[str, Any] = {
        "name": "gpt-test",
        "training_cutoff": "2019-06-30",
        "base_url": openai.base_url,
        "requests_per_minute": 60_000.0,
        "dollars_per_million_input": 1.0,
        "dollars_per_million_output": 10.0,
        "max_output_tokens": 1_000,
        "timeout_seconds": 5.0,
        "tries": 2,
        "again_sessions": 0,
    }
    return IngestionParams(news=NewsParams(model=LanguageModelParams(**usual | changes)))


def news(count: int = 1, **values: Any) -> pl.DataFrame:
    return articles(*({"title": f"Alpha opens plant {number}", **values} for number in range(count)))


def landed(news: pl.DataFrame, given: IngestionParams) -> pl.DataFrame:
    return RAW_REPLIES.check(ask(None, news, RAW_REPLIES.empty(), moment(), given))  # type: ignore[arg-type]


def scored(news: pl.DataFrame, given: IngestionParams, replies: pl.DataFrame | None = None) -> pl.DataFrame:
    """Rows of news_sentiment, by way of raw_replies and raw_sentiment."""
    replies = landed(news, given) if replies is None else replies
    said = RAW_SENTIMENT.check(score(news, replies, moment(), given))
    return NEWS_SENTIMENT.check(sentiment(said, news, NEWS_SENTIMENT.empty(), moment(), given))


def statuses(news: pl.DataFrame, given: IngestionParams) -> dict[str, int]:
    """What the model's part of raw_sentiment says."""
    said = score(news, landed(news, given), moment(), given).filter(pl.col("scorer") != "lexicon")
    return dict(said["status"].value_counts().iter_rows())


@pytest.mark.parametrize("api", ["responses", "chat"])
def test_a_model_scores_each_ticker_and_takes_the_lexicons_place(openai: OpenAI, api: str) -> None:
    told = news(3, tickers=["AAA", "BBB"])
    rows = scored(told, params(openai, api=api))
    assert rows.select("scorer", "score").unique().rows() == [("gpt-test", 0.5)]
    assert rows.height == 6
    assert len(openai.asked) == 1
    assert openai.asked[0].authorization == f"Bearer {CANARY}"


def test_the_exchange_lands_verbatim_with_what_it_cost(openai: OpenAI) -> None:
    row = landed(news(2), params(openai)).row(0, named=True)
    assert json.loads(row["request"]) == openai.asked[0].body
    assert json.loads(row["reply"])["model"] == "gpt-test-2025"
    assert (row["input_tokens"], row["output_tokens"]) == (1_000, 100)
    assert row["dollars"] == pytest.approx(0.002)
    assert (row["training_cutoff"], row["session"]) == (date(2019, 6, 30), DAY)


def test_no_model_no_request(openai: OpenAI) -> None:
    assert landed(news(3), IngestionParams()).is_empty()
    assert landed(news(3, tickers=[]), params(openai)).is_empty()
    assert openai.asked == []


def test_articles_are_asked_about_in_batches_with_bounded_concurrency(openai: OpenAI) -> None:
    openai.answers = lambda asked: Answer(body=response(praise(asked.articles)), delay=0.05)
    replies = landed(news(20), params(openai, articles_per_request=4, concurrency=2))
    assert [len(asked.articles) for asked in openai.asked] == [4] * 5
    assert openai.at_once == 2
    assert replies.height == 5


def test_what_was_answered_is_not_asked_again_and_lands_as_the_same_rows(openai: OpenAI) -> None:
    first = landed(news(5), params(openai))
    again = landed(news(5), params(openai))
    assert len(openai.asked) == 1
    assert first.equals(again)
    more = landed(news(6), params(openai))
    assert [len(asked.articles) for asked in openai.asked] == [5, 1]
    assert more.height == 2


@pytest.mark.parametrize("changes", [{"name": "gpt-other"}, {"api": "chat"}])
def test_another_model_is_asked_anew(openai: OpenAI, changes: dict[str, Any]) -> None:
    landed(news(), params(openai))
    landed(news(), params(openai, **changes))
    assert len(openai.asked) == 2


def test_another_text_of_the_same_article_is_asked_anew(openai: OpenAI) -> None:
    landed(news(), params(openai))
    landed(news(body="More is known now."), params(openai))
    assert len(openai.asked) == 2


OVER = "one two three"
BODIES: dict[str, tuple[Answer, str]] = {
    "refusal": (Answer(body=refusal()), "refused"),
    "refusal with half a surrogate pair": (Answer(body=refusal("\ud800")), "refused"),
    "incomplete": (
        Answer(body=response('{"articles": []}', status="incomplete", incomplete_details={"reason": "max"})),
        "incomplete",
    ),
    "failed": (Answer(body=response("", status="failed", error={"code": "server_error"})), "failed"),
    "no status": (Answer(body=response("x", status=None)), "failed"),
    "no output": (Answer(body=response("", output=[])), "malformed"),
    "output is text": (Answer(body=response("", output="yes")), "malformed"),
    "prose": (Answer(body=response("I think the score is 0.9.")), "malformed"),
    "half": (Answer(body=response('{"articles": [{"id":')), "malformed"),
    "list": (Answer(body=response("[]")), "malformed"),
    "deep": (Answer(body=response("[" * 50_000)), "malformed"),
    "another member": (Answer(body=response('{"articles": [], "note": 1}')), "malformed"),
    "nothing": (Answer(body=response('{"articles": []}')), "malformed"),
    "an id of its own": (Answer(body=response('{"articles": [{"id": "x", "tickers": []}]}')), "malformed"),
    "no json at all": (Answer(body="<html>Bad gateway</html>"), "malformed"),
    "empty": (Answer(body=""), "malformed"),
    "not found": (trouble(404, "The model `gpt-test` does not exist", "model_not_found"), "failed"),
    "no access": (trouble(401, f"Incorrect API key provided: {CANARY}", "invalid_api_key"), "failed"),
    "bad request": (trouble(400, "Unsupported parameter"), "failed"),
    "quota": (trouble(429, "You exceeded your current quota", "insufficient_quota"), "failed"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_reply_that_is_no_answer_is_unknown_and_says_why(openai: OpenAI, name: str) -> None:
    answer, status = BODIES[name]
    openai.answers = lambda _: answer
    told, given = news(2), params(openai)
    assert statuses(told, given) == {status: 2}
    rows = scored(told, given)
    assert rows.filter(scorer="gpt-test")["score"].null_count() == 2
    assert rows.filter(scorer="lexicon").height == 2


@pytest.mark.parametrize(
    "body",
    [
        completion(None, refusal="No."),
        completion("", finish="content_filter"),
        completion('{"articles": []}', finish="length"),
        completion(None),
        completion("x", tool_calls=[]),
        '{"choices": []}',
        '{"choices": 3}',
    ],
)
def test_chat_completions_without_an_answer_are_unknown(openai: OpenAI, body: str) -> None:
    openai.answers = lambda _: Answer(body=body)
    assert "ok" not in statuses(news(2), params(openai, api="chat"))
    assert openai.asked[0].path == CHAT


@pytest.mark.parametrize(
    "score_and_strength",
    ["2, 0.5", "-1.01, 0.5", "0.5, 1.5", "NaN, 0.5", "1e999, 0.5", "null, 0.5", '"0.5", 0.5', "true, 0.5", "[], 0.5"],
)
def test_a_number_out_of_range_makes_its_article_unknown_and_no_other(openai: OpenAI, score_and_strength: str) -> None:
    def model(asked: Any) -> str:
        told = json.loads(praise(asked))
        value, strength = score_and_strength.split(", ")
        odd = (
            f'{{"id": "{asked[0]["id"]}", "tickers": [{{"ticker": "AAA", "score": {value}, "strength": {strength}}}]}}'
        )
        return f'{{"articles": [{", ".join([odd, *map(json.dumps, told["articles"][1:])])}]}}'

    openai.model = model
    said = statuses(news(2), params(openai))
    # NaN is no JSON: then nothing of the answer can be relied on
    assert said == ({"malformed": 2} if "NaN" in score_and_strength else {"malformed": 1, "ok": 1})


def test_a_missing_and_a_repeated_article_are_unknown_and_no_other(openai: OpenAI) -> None:
    def model(asked: Any) -> str:
        told = json.loads(praise(asked))["articles"]
        return json.dumps({"articles": [told[0], told[2], {**told[2]}] if len(told) == 3 else []})

    openai.model = model
    assert statuses(news(3), params(openai)) == {"ok": 1, "malformed": 2}


def test_whom_an_answer_leaves_unknown_is_asked_about_alone(openai: OpenAI) -> None:
    def model(asked: Any) -> str:
        """Loses its head over one article, and with it all that are asked about at the same time."""
        return "Sure!" if any("plant 2" in one["title"] for one in asked) else praise(asked)

    openai.model = model
    given, told = params(openai), news(5)
    replies = landed(told, given)
    said = score(told, replies, moment(), given).filter(scorer="gpt-test")
    assert dict(said["status"].value_counts().iter_rows()) == {"ok": 4, "malformed": 1}
    assert [len(asked.articles) for asked in openai.asked] == [5, 1, 1, 1, 1, 1]
    assert landed(told, given).sort("reply_id").equals(replies.sort("reply_id"))
    assert len(openai.asked) == 6


def test_a_repeated_member_makes_the_answer_unknown(openai: OpenAI) -> None:
    openai.model = lambda asked: praise(asked)[:-1] + ', "articles": []}'
    assert statuses(news(), params(openai)) == {"malformed": 1}


@pytest.mark.parametrize(
    "fault",
    [trouble(429, "Rate limit reached", "rate_limit_exceeded", retry_after="0"), trouble(500, "oops", retry_after="0")],
)
def test_a_limited_or_failing_server_is_asked_again_and_then_given_up(openai: OpenAI, fault: Answer) -> None:
    openai.faults = [fault]
    assert statuses(news(), params(openai)) == {"ok": 1}
    openai.faults = [fault] * 2
    rows = landed(news(1, title="Another"), params(openai))
    assert rows["status"].to_list() == ["failed"]
    assert "HTTP" in rows["reason"][0]
    assert len(openai.asked) == 4


@pytest.mark.parametrize("fault", [Answer(delay=1.0), Answer(body=response("x" * 400), drip=0.02)])
def test_a_slow_server_is_waited_for_no_longer_than_the_limit_even_if_it_drips(openai: OpenAI, fault: Answer) -> None:
    openai.answers = lambda _: fault
    began = datetime.now(UTC)
    rows = landed(news(), params(openai, timeout_seconds=0.3, tries=1))
    assert rows["reason"].to_list() == ["the server did not answer in time"]
    assert datetime.now(UTC) - began < timedelta(seconds=3)


def test_a_server_that_hangs_up_or_is_not_there_is_unknown(openai: OpenAI) -> None:
    openai.answers = lambda _: Answer(hang_up=True)
    gone = landed(news(), params(openai, tries=1))
    assert gone["reason"][0].startswith("the server cannot be reached")
    nobody = landed(news(30), params(openai, base_url="http://127.0.0.1:9/v1", tries=1, concurrency=1))
    assert nobody["reason"].str.starts_with("the server cannot be reached").all()


def test_patience_ends(openai: OpenAI) -> None:
    openai.answers = lambda _: Answer(body=response("x"), delay=0.3)
    rows = landed(news(6), params(openai, articles_per_request=1, concurrency=1, patience_seconds=0.5))
    assert len(openai.asked) <= 3
    assert rows.filter(pl.col("reason").str.contains("were over|in time")).height >= 3


def test_the_days_requests_are_a_budget_that_ends_with_its_reason(openai: OpenAI) -> None:
    given = params(openai, articles_per_request=1, requests_per_day=3, concurrency=1)
    told = news(5)
    rows = landed(told, given).sort("asked_at")
    assert rows["status"].to_list() == ["answered"] * 3 + ["budget"] * 2
    assert rows["reason"][4].startswith("the budget of 3 requests for ")
    assert len(openai.asked) == 3
    assert landed(news(1, title="Next run"), given)["status"].to_list() == ["budget"]
    assert dict(score(told, rows, moment(), given)["status"].value_counts().iter_rows()) == {"ok": 8, "budget": 2}


def test_a_spent_budget_makes_nobody_wait_for_a_turn(openai: OpenAI) -> None:
    began = datetime.now(UTC)
    given = params(openai, articles_per_request=1, requests_per_day=0, requests_per_minute=60.0, concurrency=2)
    assert landed(news(40), given)["status"].unique().to_list() == ["budget"]
    assert datetime.now(UTC) - began < timedelta(seconds=20)  # turns for all of them would take 40


def test_the_days_dollars_are_a_budget_and_what_was_not_spent_is_given_back(openai: OpenAI, state: Path) -> None:
    # each request may cost 0.01 for its output and a little for its input; it does cost 0.002
    given = params(openai, articles_per_request=1, dollars_per_day=0.018, concurrency=1)
    rows = landed(news(9), given).sort("asked_at")
    assert rows["status"].to_list() == ["answered"] * 4 + ["budget"] * 5
    assert "USD" in rows["reason"][8]
    requests, dollars = Scorer(given.news.model, None, state / "openai").budget.spent(datetime.now(UTC))
    assert (requests, dollars) == (4, pytest.approx(0.008))


def test_a_timeout_may_have_cost_all_it_could(openai: OpenAI, state: Path) -> None:
    openai.answers = lambda _: Answer(delay=1.0)
    given = params(openai, timeout_seconds=0.2, tries=1)
    landed(news(), given)
    assert Scorer(given.news.model, None, state / "openai").budget.spent(datetime.now(UTC))[1] > 0.01


def test_a_model_that_was_trained_later_is_not_asked_about_what_it_may_know(openai: OpenAI) -> None:
    assert landed(news(), params(openai, training_cutoff="2020-03-04")).is_empty()
    assert landed(news(), params(openai, training_cutoff="2020-03-03")).height == 1


def test_hindsight_can_be_marked_and_does_not_count_nor_look_as_if_it_had_been_known(openai: OpenAI) -> None:
    given = params(openai, training_cutoff="2024-01-01", hindsight="mark")
    said = score(news(), landed(news(), given), moment(), given).filter(scorer="gpt-test").row(0, named=True)
    assert said["status"] == "hindsight"
    assert said["available_at"] == said["requested_at"] > NOON
    assert json.loads(said["reply"])["tickers"]
    rows = scored(news(), given)
    assert rows.filter(scorer="gpt-test")["score"].to_list() == [None]
    used = params(openai, training_cutoff="2024-01-01", hindsight="use")
    assert scored(news(), used)["score"].to_list() == [0.5]


def test_an_honest_models_opinion_is_known_as_soon_as_the_article_is(openai: OpenAI) -> None:
    said = score(news(), landed(news(), params(openai)), moment(), params(openai))
    assert said["available_at"].unique().to_list() == [NOON.astimezone(UTC)]


def test_without_a_key_openai_is_not_asked_and_the_reason_is_told(
    openai: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    given = params(openai, base_url="")
    assert landed(news(), given)["reason"][0].startswith("OPENAI_API_KEY is not set")
    assert landed(news(), params(openai))["status"].to_list() == ["answered"]  # a server of one's own needs none
    assert openai.asked[0].authorization == "Bearer none"


def test_a_key_and_articles_travel_encrypted_or_not_at_all(openai: OpenAI) -> None:
    key = Secret("OPENAI_API_KEY", CANARY)
    model = params(openai).news.model
    for server in ("http://models.example/v1", "http://10.0.0.1/v1", "http://localhost.example/v1"):
        assert "the key and the articles unencrypted" in refusal_to_ask(replace(model, base_url=server), key)
        assert "the articles unencrypted" in refusal_to_ask(replace(model, base_url=server), None)
    for fine in ("", "https://models.example/v1", "http://localhost:1/v1", "http://[::1]:1/v1"):
        assert refusal_to_ask(replace(model, base_url=fine), key) == ""


REFUSALS = {
    "402": (trouble(402, "Insufficient Balance"), "no balance", "top it up"),
    "quota": (trouble(429, "You exceeded your current quota", "insufficient_quota"), "no balance", "top it up"),
    "quota without a code": (
        trouble(429, "You exceeded your current quota, check your plan"),
        "no balance",
        "top it up",
    ),
    "credit": (trouble(400, "Your credit balance is too low to access the API"), "no balance", "top it up"),
    "revoked": (trouble(401, "Incorrect API key provided", "invalid_api_key"), "key refused", "set OPENAI_API_KEY"),
    "forbidden": (trouble(403, "Country not supported"), "access refused", "allow it"),
    "retired": (trouble(404, "The model `m` has been deprecated", "model_not_found"), "no such model", "name"),
    "gone": (trouble(410, "gone"), "no such model", "name"),
    "unknown model": (trouble(400, "The model m does not exist"), "no such model", "name"),
    "form": (trouble(400, "Invalid parameter: 'response_format' of type 'json_schema'"), "form not supported", "api"),
    "parameter": (trouble(400, "Unsupported parameter: 'max_completion_tokens'"), "form not supported", "api"),
    "unprocessable": (trouble(422, "text.format: extra inputs are not permitted"), "form not supported", "api"),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_what_no_request_escapes_is_asked_once_and_told_in_words_with_its_remedy(openai: OpenAI, name: str) -> None:
    fault, kind, remedy = REFUSALS[name]
    openai.answers = lambda _: fault
    given = params(openai, articles_per_request=1, tries=3)
    rows = landed(news(40), given)
    assert len(openai.asked) == 1
    assert rows.height == 40
    assert set(rows["reason"].map_elements(kind_of_failure, pl.String)) == {kind}
    assert all(remedy in reason and "HTTP 4" in reason for reason in rows["reason"])
    said = score(news(40), rows, moment(), given)
    health = check_replies(rows, said, HealthParams())[-1]
    assert (health.check, health.status) == ("model", "warn")
    assert remedy in health.message
    again = landed(news(2, title="Next session"), given)["reason"]
    assert len(openai.asked) == 1, "nobody is asked again for some hours"
    assert all("not asked again before" in reason and remedy in reason for reason in again)


@pytest.mark.parametrize("mended", [{"name": "gpt-other"}, {"api": "chat"}, {"OPENAI_API_KEY": "sk-another"}, "later"])
def test_after_a_refusal_another_model_form_or_key_is_asked_at_once_and_the_same_after_its_hours(
    openai: OpenAI, mended: Any, monkeypatch: pytest.MonkeyPatch, state: Path
) -> None:
    openai.faults = [trouble(401, "Incorrect API key provided", "invalid_api_key")]
    landed(news(), params(openai))
    if mended == "later":
        model, key = params(openai).news.model, Secret("OPENAI_API_KEY", CANARY)
        record = OutageRecord(state / "openai" / "asked.sqlite", model, key)
        assert record.in_force(datetime.now(UTC) + timedelta(hours=11))
        assert not record.in_force(datetime.now(UTC) + timedelta(hours=13))
        return
    if "OPENAI_API_KEY" in mended:
        monkeypatch.setenv("OPENAI_API_KEY", mended.pop("OPENAI_API_KEY"))
    assert landed(news(), params(openai, **mended))["status"].to_list() == ["answered"]


@pytest.mark.parametrize(
    "fault", [trouble(503, "overloaded", retry_after="0"), trouble(429, "slow down", retry_after="0")]
)
def test_a_server_that_answers_nobody_is_not_tried_for_every_article(openai: OpenAI, fault: Answer) -> None:
    openai.answers = lambda _: fault
    rows = landed(news(40), params(openai, articles_per_request=1, tries=2, concurrency=1))
    assert len(openai.asked) == 3 * 2
    assert rows["reason"].str.starts_with("HTTP ").all()
    openai.answers = None
    assert landed(news(40), params(openai))["status"].unique().to_list() == ["answered"], "the next session asks again"


def test_nothing_of_the_environment_travels_and_no_proxy_sees_anything(
    openai: OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "proj-canary")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Canary: yes")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    with talking(whole(b"{}")) as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "HTTPS_PROXY", "NEXTGEN_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert landed(news(), params(openai))["status"].to_list() == ["answered"]
        assert proxy.asked == []
    headers = openai.asked[0].headers
    assert not [value for value in headers.values() if "canary" in value.lower() and CANARY not in value]
    needed = {"host", "authorization", "content-type", "accept", "accept-encoding", "user-agent", "content-length"}
    assert set(headers) <= needed | {"connection"}


def test_neither_key_nor_articles_follow_a_redirect(openai: OpenAI) -> None:
    with talking(whole(b"{}")) as other:
        openai.answers = lambda _: Answer(307, "", {"Location": other.url("/v1/responses")})
        rows = landed(news(), params(openai))
        assert rows["status"].to_list() == ["failed"]
        assert other.asked == []


def test_a_reply_beyond_all_measure_is_not_read_to_its_end(openai: OpenAI) -> None:
    openai.answers = lambda _: Answer(body="x" * 5_000_000)
    rows = landed(news(), params(openai))
    assert rows["reason"][0].startswith("the reply is of no use: it has more than 4000000 bytes")
    assert len(openai.asked) == 1


def test_the_key_is_shown_by_nothing(
    openai: OpenAI, state: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    # the server tells the key back wherever it can
    openai.answers = lambda _: (
        trouble(401, f"Incorrect API key: {CANARY}") if len(openai.asked) > 1 else Answer(body=response(CANARY))
    )
    given = params(openai, articles_per_request=1, concurrency=1, api="responses")
    rows = landed(news(3), given)
    key = secret("OPENAI_API_KEY", {"OPENAI_API_KEY": CANARY})
    shown = [rows.write_json(), repr(key), str(key), repr(Scorer(given.news.model, key, state / "openai"))]
    try:
        raise RuntimeError(f"about {key}")
    except RuntimeError:
        shown.append(traceback.format_exc())
    shown += [path.read_bytes().decode("latin-1") for path in state.rglob("*") if path.is_file()]
    shown += [caplog.text, *capfd.readouterr()]
    assert len(rows) == 3
    assert not [text for text in shown if CANARY in text]


def test_only_listed_variables_are_read_as_secrets() -> None:
    with pytest.raises(KeyError, match="HOME"):
        secret("HOME", {"HOME": "/"})
    assert secret("OPENAI_API_KEY", {"OPENAI_API_KEY": " "}) is None


def test_hostile_text_reaches_the_model_quoted_whole_and_harms_nobody(openai: OpenAI) -> None:
    texts = [text.encode("utf-8", "replace").decode()[:1_000] or "empty" for text in HOSTILE]
    told = articles(*({"title": text, "body": text} for text in texts))
    rows = scored(told, params(openai, articles_per_request=64)).filter(scorer="gpt-test")
    assert rows["score"].to_list() == [0.5] * len(texts)
    assert all(asked.text.isascii() for asked in openai.asked)
    assert sorted(one["title"] for asked in openai.asked for one in asked.articles) == sorted(texts)


KILLED = """
import json, sys
from tests.pipeline.ingestion.sources.test_openai import landed, news, params
from tests.loopback.openai import OpenAI
landed(news(5), params(OpenAI(base_url=sys.argv[1]), articles_per_request=1, concurrency=1))
"""


def test_killed_in_the_middle_it_asks_again_only_for_what_is_missing(openai: OpenAI) -> None:
    process = subprocess.Popen([sys.executable, "-c", KILLED, openai.base_url], cwd=ROOT)

    def kill(asked: Asked) -> None:
        if len(openai.asked) == 3:
            process.kill()
            process.wait()

    openai.answers = kill
    assert process.wait(60) == -signal.SIGKILL
    openai.answers = None
    rows = landed(news(5), params(openai, articles_per_request=1))
    assert rows["status"].to_list() == ["answered"] * 5
    titles = [asked.articles[0]["title"] for asked in openai.asked]
    assert len(titles) == 6  # the third twice: its first answer died with the process
    assert titles[2] in titles[3:]


def test_plain_news_is_not_taken_for_orders() -> None:
    titles = [
        "Regulator orders Alpha to answer questions",
        "Alpha ignores rivals, raises outlook",
        "Systemic risk: UBS",
    ]
    questions = [Question(str(n), DAY, ("AAA",), title, "") for n, title in enumerate(titles)]
    assert [len(group) for group in batches(questions, 8)] == [3]


def test_labels_cannot_be_guessed(openai: OpenAI) -> None:
    landed(news(3), params(openai))
    landed(news(3), params(openai, name="gpt-other"))
    named = [one["id"] for asked in openai.asked for one in asked.articles]
    assert len(set(named)) == 6


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("gpt-5-mini", "gpt-5-mini"),
        ("Qwen/Qwen2.5 7B", "qwen-qwen2.5-7b"),
        ("lexicon", "model-lexicon"),
        ("//", "model"),
    ],
)
def test_a_model_is_named_as_a_scorer(model: str, name: str) -> None:
    assert scorer_name(model) == name


def test_the_stage_is_a_landing_and_scoring_stays_pure() -> None:
    assert STAGE.kind == "landing"
    from pipeline.ingestion.news.scores import STAGE as SCORE

    assert SCORE.kind == "pure"
