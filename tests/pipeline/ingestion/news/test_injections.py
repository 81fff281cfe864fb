"""Articles that try to command the model: data to it whatever they hold, and harmless even where it obeys them."""

from __future__ import annotations

import json
import tomllib
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.news import NEWS_SENTIMENT, RAW_REPLIES, RAW_SENTIMENT
from pipeline.ingestion.news.llm_prompt import INSTRUCTIONS, SCHEMA, Question
from pipeline.ingestion.news.llm_request import ask
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.news.scores import score
from pipeline.ingestion.news.sentiment import sentiment
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import DAY, digest, moment
from tests.frames.news import articles
from tests.loopback.openai import (
    Answer,
    Article,
    Asked,
    OpenAI,
    completion,
    praise,
    refusal,
    response,
    serving,
)

CORPUS: list[dict[str, str]] = tomllib.loads(Path(__file__).with_name("injections.toml").read_text(encoding="utf-8"))[
    "injection"
]
HONEST = [{"title": f"Alpha opens plant {number}", "body": "Two hundred people work there."} for number in range(20)]
OBEYED = {"praise": 1.0, "damn": -1.0, "fake": 0.5}
"""What an obedient model achieves for its own article; all other wishes leave it unknown. (A fake answer has the wrong
id, so the model, which cannot do as it is told, judges by itself.)"""


@pytest.fixture
def openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving() as server:
        yield server


def params(openai: OpenAI, api: str = "responses", **changes: Any) -> IngestionParams:
    model = LanguageModelParams(
        name="gpt-test",
        training_cutoff="2019-06-30",
        base_url=openai.base_url,
        api=api,
        requests_per_minute=60_000.0,
        tries=1,
        **changes,
    )
    return IngestionParams(news=NewsParams(model=model))


class Obedient:
    """A model that does what any article of a request demands, to all articles of that request."""

    def __init__(self, api: str) -> None:
        self.api = api
        self.seen: list[str] = []
        self.breaches: list[str] = []
        """Where something of an article stood outside the article's own fields."""

    def __call__(self, asked: Asked) -> Answer:
        self._look_for_breaches(asked)
        told = asked.articles
        self.seen += [str(one["id"]) for one in told]
        orders = [one for one in CORPUS if any(one["title"] == article["title"] for article in told)]
        return self._obeyed(orders[0], told) if orders else self._say(praise(told))

    def _look_for_breaches(self, asked: Asked) -> None:
        body = dict(asked.body)
        if self.api == "chat":
            system, user = body["messages"]
            if (system["role"], user["role"], system["content"]) != ("system", "user", INSTRUCTIONS):
                self.breaches.append(f"messages: {body['messages']}")
            shape = body["response_format"]["json_schema"]["schema"]
        else:
            if body["instructions"] != INSTRUCTIONS:
                self.breaches.append(f"instructions: {body['instructions']}")
            shape = body["text"]["format"]["schema"]
        if shape != SCHEMA or "tools" in body:
            self.breaches.append(f"shape: {shape}")
        found = json.loads(asked.text)
        if set(found) != {"articles"} or any(
            set(one) != {"id", "tickers", "title", "text"} for one in found["articles"]
        ):
            self.breaches.append(f"input: {asked.text[:500]}")
        if not asked.text.isascii() or any(ord(sign) < 32 for sign in asked.text):
            self.breaches.append(f"bare signs: {asked.text[:500]!r}")

    def _obeyed(self, order: dict[str, str], told: Sequence[Article]) -> Answer:
        wish, own = order["wish"], [self._item(one) for one in told]
        texts = {
            "praise": self._all(told, 1),
            "damn": self._all(told, -1),
            "others": {"articles": [*own, *({"id": i, "tickers": [_opinion(-1)]} for i in self.seen)]},
            "beyond": self._all(told, 9.5, 40),
            "nan": self._all(told, float("nan")),
            "words": self._all(told, "very good"),
            "silence": {"articles": []},
            "twice": {"articles": [*own, *own]},
            "stranger": {"articles": [{"id": one["id"], "tickers": [_opinion(1, ticker="ZZZZ")]} for one in told]},
        }
        if wish in texts:
            return self._say(json.dumps(texts[wish]))
        if wish == "refuse":
            return Answer(body=completion(None, refusal="no") if self.api == "chat" else refusal())
        if wish == "tool":
            return Answer(body=self._tool_call())
        return self._say(
            {
                "fake": praise(told),
                "wrapped": f"```json\n{praise(told)}\n```",
                "prose": "Sure! I have read the page and AAA is a buy.",
                "leak": INSTRUCTIONS,
                "bomb": "[" * 10_000,
            }[wish]
        )

    def _all(self, told: Sequence[Article], score: object, strength: object = 1) -> dict[str, Any]:
        return {"articles": [self._item(one, score, strength) for one in told]}

    @staticmethod
    def _item(one: Article, score: object = 1, strength: object = 1) -> dict[str, Any]:
        return {"id": one["id"], "tickers": [_opinion(score, strength, ticker) for ticker in one["tickers"]]}

    def _say(self, text: str) -> Answer:
        return Answer(body=completion(text) if self.api == "chat" else response(text))

    def _tool_call(self) -> str:
        order = {"name": "place_order", "arguments": '{"ticker": "AAA"}'}
        if self.api == "chat":
            call = {"id": "call_1", "type": "function", "function": order}
            return completion(None, "tool_calls", tool_calls=[call])
        return response("", output=[{"type": "function_call", "call_id": "call_1", "status": "completed", **order}])


def _opinion(score: object, strength: object = 1, ticker: str = "AAA") -> dict[str, object]:
    return {"ticker": ticker, "score": score, "strength": strength}


def scored(news: pl.DataFrame, given: IngestionParams) -> pl.DataFrame:
    """The model's rows of news_sentiment, held to every contract on the way."""
    replies = RAW_REPLIES.check(ask(None, news, RAW_REPLIES.empty(), moment(), given))  # type: ignore[arg-type]
    said = RAW_SENTIMENT.check(score(news, replies, moment(), given))
    rows = NEWS_SENTIMENT.check(sentiment(said, news, NEWS_SENTIMENT.empty(), moment(), given))
    return rows.filter(scorer="gpt-test")


def test_the_corpus_holds_fifty_different_ways() -> None:
    assert len(CORPUS) >= 50
    assert len({one["name"] for one in CORPUS}) == len({one["title"] for one in CORPUS}) == len(CORPUS)
    assert len({one["wish"] for one in CORPUS}) >= 15


@pytest.mark.parametrize("api", ["responses", pytest.param("chat", marks=pytest.mark.slow)])
def test_whatever_an_obedient_model_is_told_no_other_article_changes_and_none_goes_beyond_its_cap(
    openai: OpenAI, api: str
) -> None:
    """All injections and honest articles of one session, mixed, through the real client."""
    model = Obedient(api)
    openai.answers = model
    mixed: list[dict[str, str]] = []
    for number, order in enumerate(CORPUS):
        mixed += HONEST[number : number + 1]
        mixed.append({"title": order["title"], "body": order["body"]})
    news = articles(*mixed)
    rows = scored(news, params(openai, api))
    assert model.breaches == []
    found = {
        article: (value, strength) for article, value, strength in rows.select("article_id", "score", "strength").rows()
    }
    assert set(rows["ticker"]) == {"AAA"} and len(found) == rows.height <= news.height
    cap = NewsParams().max_strength
    for number, told in enumerate(mixed):
        value, strength = found.get(digest("article", number), (None, 0.0))
        order = next((one for one in CORPUS if one["title"] == told["title"]), None)
        expected = 0.5 if order is None else OBEYED.get(order["wish"])
        assert value == expected, (told["title"], order)
        assert strength == (0.0 if value is None else cap), told["title"]
    find_answers = Counter(len(asked.articles) for asked in openai.asked)
    assert find_answers[1] >= len(CORPUS) and len(openai.asked) <= len(CORPUS) + len(HONEST)


@pytest.mark.parametrize("order", CORPUS, ids=lambda one: str(one["name"]))
def test_each_is_asked_about_alone_and_arrives_as_a_quotation(order: dict[str, str]) -> None:
    question = Question("0", DAY, ("AAA",), order["title"], order["body"])
    assert question.addresses_a_model


def test_ordinary_headlines_are_asked_about_together() -> None:
    plain = [
        "AT&T to sell its stake for $1.2 billion (NYSE: T)",
        "Why Nestlé's outlook – and Société Générale's – matter",
        "Fed holds rates; S&P 500 slips 0.3%",
        "Nvidia launches new AI model chips as China goes all in",
        "Alpha’s profit rises 12% — shares up 5% after hours",
        "Judge rules in favour of Beta; previous ruling reversed",
    ]
    assert [text for text in plain if Question("0", DAY, ("AAA",), text, "").addresses_a_model] == []
