"""An article that nobody answered about is asked about again in the next sessions, a bounded number of times."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from lake.tables.news import NEWS_SENTIMENT, RAW_REPLIES, RAW_SENTIMENT
from pipeline.engine.stage import Moment
from pipeline.ingestion.news.llm_request import ask
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.news.scores import score
from pipeline.ingestion.news.sentiment import sentiment
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import CALENDAR, DAY, digest, moment
from tests.frames.news import NOON, articles
from tests.loopback.openai import Answer, OpenAI, refusal, serving, trouble

DAYS = CALENDAR.between(DAY, date(2020, 3, 13))


@pytest.fixture
def openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with serving() as server:
        yield server


def params(openai: OpenAI, **changes: Any) -> IngestionParams:
    usual: dict[str, Any] = {
        "name": "gpt-test",
        "training_cutoff": "2019-06-30",
        "base_url": openai.base_url,
        "requests_per_minute": 60_000.0,
        "tries": 1,
    }
    return IngestionParams(news=NewsParams(model=LanguageModelParams(**usual | changes)))


class Days:
    """The three stages of opinions, session by session, over the rows that a lake would hand them."""

    def __init__(self, given: IngestionParams, news: pl.DataFrame) -> None:
        self.given, self.news = given, news
        self.replies, self.said, self.rows = RAW_REPLIES.empty(), RAW_SENTIMENT.empty(), NEWS_SENTIMENT.empty()

    def run(self, day: date) -> None:
        at = self._at(day)
        self.replies = self._added(
            self.replies, RAW_REPLIES.check(ask(None, *self._read(at, self.news, self.replies), at, self.given))
        )  # type: ignore[arg-type]
        said = RAW_SENTIMENT.check(score(*self._read(at, self.news, self.replies), at, self.given))
        both = self._added(self.said, said)
        assert both.select(RAW_SENTIMENT.key).is_unique().all(), "what was said once stands: the table only grows"
        self.said = both
        rows = sentiment(*self._read(at, self.said, self.news, self.rows), at, self.given)
        kept = self.rows.join(NEWS_SENTIMENT.check(rows), on=NEWS_SENTIMENT.key, how="anti")
        self.rows = pl.concat([kept, rows]).sort(NEWS_SENTIMENT.key)

    def _at(self, day: date) -> Moment:
        return moment(day)

    def _read(self, at: Moment, *frames: pl.DataFrame) -> list[pl.DataFrame]:
        first = CALENDAR.offset(at.session, -5)
        return [frame.filter(pl.col("session").is_between(first, at.session)) for frame in frames]

    @staticmethod
    def _added(known: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
        return pl.concat([known, new]).unique(maintain_order=True)

    def scores(self) -> dict[str, float | None]:
        """Scorer -> what it says of the one article."""
        return dict(self.rows.select("scorer", "score").iter_rows())


def days(openai: OpenAI, **changes: Any) -> Days:
    return Days(params(openai, **changes), articles({"title": "Alpha wins a big contract"}))


def test_a_failure_is_asked_about_again_next_session_and_the_lexicon_gives_way(openai: OpenAI) -> None:
    world = days(openai)
    openai.answers = lambda _: trouble(500, "oops")
    world.run(DAYS[0])
    assert set(world.scores()) == {"lexicon"} and world.scores()["lexicon"] is not None
    openai.answers = None
    world.run(DAYS[1])
    assert world.scores() == {"gpt-test": 0.5, "lexicon": None}
    assert world.rows.filter(scorer="lexicon")["strength"].to_list() == [0.0]
    assert set(world.rows["session"]) == {DAYS[0]}, "the opinion is about news of the first session"
    before = world.rows
    for day in DAYS[2:5]:
        world.run(day)
    assert (len(openai.asked), world.rows.equals(before)) == (2, True)


def test_it_is_asked_about_so_many_sessions_and_then_said_to_have_failed(openai: OpenAI) -> None:
    world = days(openai)
    openai.answers = lambda _: trouble(429, "slow down")
    asked, known = [], []
    for day in DAYS[:6]:
        world.run(day)
        asked.append(len(openai.asked))
        known.append(world.said.filter(scorer="gpt-test")["status"].to_list())
    assert asked == [1, 2, 3, 3, 3, 3]
    assert known == [[], [], ["failed"], ["failed"], ["failed"], ["failed"]]
    assert world.scores()["gpt-test"] is None and world.scores()["lexicon"] is not None


def test_what_the_budget_forbade_is_asked_about_when_there_is_budget_again(openai: OpenAI) -> None:
    world = days(openai, requests_per_day=0)
    world.run(DAYS[0])
    assert world.replies["status"].to_list() == ["budget"]
    world.given = params(openai)
    world.run(DAYS[1])
    assert world.scores()["gpt-test"] == 0.5


def test_an_answer_that_is_no_use_is_an_answer(openai: OpenAI) -> None:
    world = days(openai)
    openai.answers = lambda _: Answer(body=refusal())
    world.run(DAYS[0])
    assert world.said.filter(scorer="gpt-test")["status"].to_list() == ["refused"]
    openai.answers = None
    world.run(DAYS[1])
    assert len(openai.asked) == 1
    assert world.scores()["gpt-test"] is None


def test_the_sessions_own_news_is_asked_about_before_what_was_left_over(openai: OpenAI) -> None:
    left = {"title": "Alpha wins a big contract"}
    fresh = {"title": "Alpha loses a big contract", "session": DAYS[1], "published_at": NOON.replace(day=5)}
    world = Days(params(openai, concurrency=1), articles(left, fresh | {"article_id": digest("fresh", 1)}))
    openai.answers = lambda _: trouble(500, "oops")
    world.run(DAYS[0])
    world.run(DAYS[1])
    assert [asked.articles[0]["title"][:10] for asked in openai.asked] == ["Alpha wins", "Alpha lose", "Alpha wins"]


def test_zero_asks_never_again(openai: OpenAI) -> None:
    world = days(openai, again_sessions=0)
    openai.answers = lambda _: trouble(500, "oops")
    for day in DAYS[:3]:
        world.run(day)
    assert len(openai.asked) == 1
    assert world.said.filter(scorer="gpt-test")["status"].to_list() == ["failed"]


def test_what_nobody_was_ever_asked_about_is_not_dug_up(openai: OpenAI) -> None:
    world = days(openai)
    world.run(DAYS[1])
    assert openai.asked == []
