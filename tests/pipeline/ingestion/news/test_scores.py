"""A language model in a whole lake: landed, scored, reproducible, and its key nowhere on disk."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest

from lake.runs import Run, find_run
from lake.store import Lake
from lake.tables import TABLES
from lake.tables.control import RUNS
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT, RAW_REPLIES
from pipeline.config.resolving import values_of
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.config.toml_document import toml_document
from pipeline.engine.reproduction import reproduce
from pipeline.engine.runner import Runner
from pipeline.engine.stage import Stage
from pipeline.ingestion.news import articles, land_news, llm_request, scores, sentiment
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices import land_prices
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.ingestion.universe import instruments
from tests.loopback.openai import Answer, OpenAI, praise, response, serving, trouble
from tests.new_lake import new_lake

CANARY = "sk-canary-77aa0c31d4"
STAGES: tuple[Stage, ...] = (
    land_prices.STAGE,
    land_news.STAGE,
    instruments.STAGE,
    articles.STAGE,
    llm_request.STAGE,
    scores.STAGE,
    sentiment.STAGE,
)


@pytest.fixture
def openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OPENAI_API_KEY", CANARY)
    with serving() as server:
        yield server


def settings(openai: OpenAI) -> Settings:
    model = LanguageModelParams(
        name="gpt-test",
        training_cutoff="2017-06-30",
        base_url=openai.base_url,
        requests_per_minute=60_000.0,
        articles_per_request=4,
        tries=1,
    )
    return Settings(
        runtime=RuntimeParams(durable=False),
        source=SourceParams(simulated=SimulatedParams(names=4, history_sessions=40)),
        ingestion=IngestionParams(news=NewsParams(model=model)),
    )


def operated(path: Path, openai: OpenAI) -> Runner:
    """A lake with a few weeks of the simulated market's news, asked about and scored."""
    runner = Runner(new_lake(path), settings(openai))
    first, last = runner.source.coverage()
    for stage in STAGES:
        runner.run_stage(stage, last, since=first)
    return runner


def test_replies_land_with_the_lake_and_scoring_can_be_reproduced_without_the_server(
    openai: OpenAI, tmp_path: Path
) -> None:
    runner = operated(tmp_path / "lake", openai)
    lake = runner.lake
    about = lake.read(NEWS_ARTICLES).filter(pl.col("tickers").list.len() > 0)
    rows = lake.read(NEWS_SENTIMENT)
    assert about.height > 5
    assert set(rows["scorer"]) == {"gpt-test"}
    assert set(rows["article_id"]) == set(about["article_id"])
    asked = len(openai.asked)
    openai.answers = lambda _: trouble(500, "gone")
    for run in runs_of(lake, "ask", "score", "sentiment"):
        assert reproduce(runner, run).identical
    before = lake.rows(RAW_REPLIES)
    first, last = runner.source.coverage()
    runner.run_stage(llm_request.STAGE, last, since=runner.calendar.next(first))  # another run about the same articles
    assert (lake.rows(RAW_REPLIES), len(openai.asked)) == (before, asked)


def runs_of(lake: Lake, *stages: str) -> list[Run]:
    rows = lake.read(RUNS, where=pl.col("stage").is_in(stages))
    return [find_run(lake, run_id) for run_id in rows["run_id"]]


def test_with_the_server_gone_the_lexicon_stands_in(openai: OpenAI, tmp_path: Path) -> None:
    openai.answers = lambda _: Answer(hang_up=True)
    lake = operated(tmp_path / "lake", openai).lake
    assert set(lake.read(RAW_REPLIES)["status"]) == {"failed"}
    known = lake.read(NEWS_SENTIMENT).drop_nulls("score")
    assert set(known["scorer"]) == {"lexicon"}


def test_the_key_is_nowhere_on_disk_in_no_log_and_in_no_traceback(
    openai: OpenAI, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    openai.answers = lambda asked: (
        trouble(401, f"Incorrect API key provided: {CANARY}")
        if len(openai.asked) > 1
        else Answer(body=response(praise(asked.articles), model=CANARY))
    )
    runner = operated(tmp_path / "lake", openai)
    shown = [str(runner.lake.read(table).rows()) for table in TABLES.values()]
    shown += [path.read_bytes().decode("latin-1") for path in tmp_path.rglob("*") if path.is_file()]
    shown += [caplog.text, toml_document(values_of(runner.settings)), repr(runner.settings)]
    broken = replace(llm_request.STAGE, writes=NEWS_ARTICLES)  # a stage that fails after it has used the key
    try:
        runner.compute(broken, runs_of(runner.lake, "ask")[0].recipe)
    except Exception:
        shown.append(traceback.format_exc())
    assert "ContractError" in shown[-1]
    assert not [text[:200] for text in shown if CANARY in text]
