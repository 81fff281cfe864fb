"""A language model writes hypotheses for a search: within bounds, its words kept verbatim, the tests the same."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from typing import Any

import polars as pl
import pytest

from lake.store import Lake
from lake.tables.market import TICKER_UNIVERSE
from lake.tables.research import AUTHOR_REPLIES, FACTOR_PROPOSALS, FACTOR_RESULTS
from nextgen_tui.cli import exit_codes
from nextgen_tui.cli.main import outcome
from pipeline.config.resolving import values_of
from pipeline.config.settings import ResearchParams, Settings
from pipeline.config.toml_document import toml_document, write_document
from pipeline.ingestion.news.params import LanguageModelParams, NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.research import ResearchError
from pipeline.research.proposing.author.model_author import Authored, ModelAuthor, open_author
from pipeline.research.proposing.plan_search import plan_search
from pipeline.research.proposing.propose import propose
from pipeline.research.proposing.search import TriedFactor
from tests.copies import copy_lake
from tests.loopback.openai import Answer, Asked, OpenAI, refusal, response, serving, trouble
from tests.operation.conftest import Operation

KEY = "sk-canary-8a1b"
WRITTEN = (
    ("sum(news(5), volume_surprise(5))", "what is talked of and traded goes on"),
    ("smoothed(place_in_range(10), 3)", "who closes high closes high again"),
)


@pytest.fixture
def lake(operation: Operation, tmp_path: Path) -> Lake:
    return Lake.open(copy_lake(operation.lake.path, tmp_path / "lake"))


@pytest.fixture
def openai(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenAI]:
    monkeypatch.setenv("NEXTGEN_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with serving(OpenAI(answers=write)) as server:
        yield server


def write(asked: Asked) -> Answer:
    """The first of the sentences that were not tried yet, and something that is none."""
    told = json.loads(asked.text)
    left = [one for one in WRITTEN if one[0] not in told["tried_so_far"]][:1]
    items = [{"sentence": text, "hypothesis": why} for text, why in left]
    return Answer(body=response(json.dumps({"factors": [*items, {"sentence": "rm(5)", "hypothesis": "ignore rules"}]})))


def settings_of(operation: Operation, openai: OpenAI, cutoff: str = "2025-06-30", **bounds: Any) -> Settings:
    model = LanguageModelParams(
        name="gpt-test",
        training_cutoff=cutoff,
        base_url=openai.base_url,
        requests_per_minute=60_000.0,
        dollars_per_million_input=1.0,
        dollars_per_million_output=10.0,
        max_output_tokens=1_000,
        timeout_seconds=5.0,
        tries=2,
    )
    ingestion = IngestionParams(news=NewsParams(model=model))
    return replace(operation.settings, ingestion=ingestion, research=ResearchParams(**{"author_requests": 2} | bounds))


def author_of(lake: Lake, settings: Settings) -> ModelAuthor:
    return open_author(lake, settings, {"NEXTGEN_STATE": str(lake.path.parent / "state"), "OPENAI_API_KEY": KEY})


def run(lake: Lake, settings: Settings, seed: int = 0) -> tuple[list[TriedFactor], Authored]:
    author = author_of(lake, settings)
    return list(propose(lake, settings, 30, 5, seed, author)), author.authored


def test_what_a_model_writes_is_registered_before_it_is_tried_and_tested_as_any_other(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    judged, told = run(lake, settings_of(operation, openai))
    proposed = lake.read(FACTOR_PROPOSALS).sort("number")
    assert proposed.height == len(judged) == 30, "those of the author are within the budget"
    by_author = proposed.filter(pl.col("authored").is_not_null()).select("proposal", "authored", "hypothesis").rows()
    assert by_author == [(text, number, why) for number, (text, why) in enumerate(WRITTEN, 1)]
    assert {one.proposal.text for one in judged if one.authored} >= {text for text, _ in WRITTEN}
    results = lake.read(FACTOR_RESULTS)
    assert results["max_p"].unique().to_list() == [0.05 / 30]
    first = results.join(proposed, on="proposal").filter(pl.col("authored").is_not_null())
    assert (first["proposed_at"] < first["judged_at"]).all()
    assert (told.requests, told.answered, told.factors) == (2, 2, 2)
    assert told.refused == ["there is no word 'rm'"] * 2
    assert told.describe().startswith("The language model was asked 2 times and answered 2 (0.0040 USD): 2 new factors")


def test_its_words_are_kept_verbatim_and_the_same_search_reads_them_without_asking(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    settings = settings_of(operation, openai)
    judged, told = run(lake, settings)
    rows = lake.read(AUTHOR_REPLIES).sort("number").to_dicts()
    assert [row["reply"] for row in rows] == [write(asked).body for asked in openai.asked]
    assert [json.loads(row["request"]) for row in rows] == [dict(asked.body) for asked in openai.asked]
    assert KEY not in json.dumps(rows, default=str)
    assert [(row["factors"], row["refused"], row["dollars"]) for row in rows] == [
        (1, ["there is no word 'rm'"], pytest.approx(0.002))
    ] * 2
    again, told_again = run(lake, settings)
    assert (repr(again), told_again) == (repr(judged), told)
    assert len(openai.asked) == 2
    assert lake.read(FACTOR_PROPOSALS).height == 30
    run(lake, settings, seed=1)
    assert len(openai.asked) == 4, "another seed is another search"
    assert lake.read(FACTOR_RESULTS)["max_p"].min() == 0.05 / 60


def test_a_question_tells_no_name_no_date_and_nothing_that_judges(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    run(lake, settings_of(operation, openai))
    told = json.loads(openai.asked[1].text)
    inside = {row["proposal"]: row["t_in_sample"] for row in lake.read(FACTOR_RESULTS).to_dicts()}
    assert len(told["best_so_far"]) == 12
    assert all(one["t"] == round(inside[one["sentence"]], 1) for one in told["best_so_far"])
    assert set(told) == {"wanted", "horizon_in_sessions", "grammar", "best_so_far", "tried_so_far"}
    names = lake.read(TICKER_UNIVERSE)["ticker"].unique()
    assert not any(f'"{name}"' in openai.asked[1].text for name in names)
    assert not any(str(year) in openai.asked[1].text for year in range(2010, 2030))


def test_a_search_that_was_cut_off_after_the_answer_reads_it_and_goes_on(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    settings = settings_of(operation, openai)
    elsewhere = Lake.open(copy_lake(lake.path, lake.path.parent / "elsewhere" / "lake"))
    searching = propose(lake, settings, 30, 5, 0, author_of(lake, settings))
    next(searching)
    searching.close()
    assert (lake.rows(AUTHOR_REPLIES), lake.rows(FACTOR_RESULTS), len(openai.asked)) == (1, 0, 1)
    judged, told = run(lake, settings)
    assert len(openai.asked) == 2
    whole, told_whole = run(elsewhere, settings)
    assert (repr(judged), told) == (repr(whole), told_whole)
    assert len(openai.asked) == 4


def test_an_answer_that_could_not_be_recorded_is_not_paid_for_twice(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    settings = settings_of(operation, openai)
    table = lake.path / "tables" / AUTHOR_REPLIES.name
    aside = table.with_name("aside")

    def write_and_lose_the_table(asked: Asked) -> Answer:
        table.rename(aside)
        return write(asked)

    openai.answers = write_and_lose_the_table
    with pytest.raises(FileNotFoundError):
        run(lake, settings)
    rmtree(table, ignore_errors=True)
    aside.rename(table)
    assert (lake.rows(FACTOR_PROPOSALS), lake.rows(AUTHOR_REPLIES), len(openai.asked)) == (0, 0, 1)
    openai.answers = write
    _, told = run(lake, settings)
    assert (told.requests, told.answered, told.dollars) == (2, 2, pytest.approx(0.004))
    assert len(openai.asked) == 2


def test_tries_that_failed_are_counted_by_who_goes_on_too(lake: Lake, operation: Operation, openai: OpenAI) -> None:
    settings = settings_of(operation, openai, author_requests=3)
    openai.answers = lambda asked: trouble(500, "try again") if len(openai.asked) % 2 else write(asked)
    searching = propose(lake, settings, 30, 5, 0, author_of(lake, settings))
    next(searching)
    searching.close()
    assert lake.read(AUTHOR_REPLIES)["sent"].to_list() == [2]
    _, told = run(lake, settings)
    assert (len(openai.asked), told.answered) == (3, 1)
    assert lake.read(AUTHOR_REPLIES).sort("number")["sent"].to_list() == [2, 1]


def test_a_model_that_may_have_read_more_makes_another_search(lake: Lake, operation: Operation, openai: OpenAI) -> None:
    names = set()
    for cutoff in ("2000-01-01", "2030-01-01"):
        settings = settings_of(operation, openai, cutoff)
        real = replace(settings, source=replace(settings.source, name="files"))
        names.add(plan_search(lake, real, 30, 5, 0, author_of(lake, real)).search)
    assert len(names) == 2


def test_a_plan_tells_what_may_be_asked_and_makes_nothing(lake: Lake, operation: Operation, openai: OpenAI) -> None:
    settings = settings_of(operation, openai)
    plan = plan_search(lake, settings, 30, 5, 0, author_of(lake, settings))
    assert (plan.left, plan.requests, plan.dollars, plan.seconds, plan.max_p) == (30, 2, 0.25, None, 0.05 / 30)
    assert not openai.asked and not (lake.path.parent / "state" / "openai").exists()
    run(lake, settings)
    plan = plan_search(lake, settings, 30, 5, 0, author_of(lake, settings))
    assert (plan.left, plan.requests, plan.dollars) == (0, 0, 0.0)
    assert plan_search(lake, settings, 30, 5).requests == 0
    assert (plan_search(lake, settings, 60, 5).seconds or 0) > 0


def test_nobody_is_asked_without_a_key_and_what_was_said_needs_none(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    settings = settings_of(operation, openai)
    model = replace(settings.ingestion.news.model, base_url="")
    keyless = replace(settings, ingestion=IngestionParams(news=NewsParams(model=model)))
    state = lake.path.parent / "state"
    with pytest.raises(ResearchError, match=r"OPENAI_API_KEY is not set.*nothing was proposed or recorded"):
        plan_search(lake, keyless, 30, 5, 0, open_author(lake, keyless, {"NEXTGEN_STATE": str(state)}))
    assert not (state / "openai").exists()


def test_requests_and_dollars_of_a_search_are_bounded_tries_included(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    run(lake, settings_of(operation, openai, author_requests=1))
    assert len(openai.asked) == 1
    with pytest.raises(ResearchError, match=r"did not answer: 0\.0100 USD are left of what this work may cost"):
        run(lake, settings_of(operation, openai, author_dollars=0.01))
    assert len(openai.asked) == 1
    # The first answer costs 0.002, so that what a second one may cost at most is no longer there.
    _, told = run(lake, settings_of(operation, openai, author_dollars=0.0125))
    assert (told.requests, told.answered, "USD are left" in told.silent) == (2, 1, True)
    assert len(openai.asked) == 2
    openai.answers = lambda asked: trouble(500, "try again") if len(openai.asked) % 2 else write(asked)
    openai.asked.clear()
    _, told = run(lake, settings_of(operation, openai, author_requests=3))
    assert len(openai.asked) == 3, "a try that failed is a request as well"
    assert (told.answered, told.silent) == (1, "the 3 requests that this work may make are spent")


def test_a_model_that_falls_silent_ends_its_part_and_the_search_goes_on(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    settings = settings_of(operation, openai)
    openai.answers = lambda asked: write(asked) if len(openai.asked) == 1 else trouble(401, "no such key")
    judged, told = run(lake, settings)
    assert (len(judged), told.requests, told.answered) == (30, 2, 1)
    assert "HTTP 401" in told.silent and "It says no more: " in told.describe()
    openai.answers = write
    again, _ = run(lake, settings)
    assert (repr(again), len(openai.asked)) == (repr(judged), 2)


def test_where_the_first_request_is_not_answered_nothing_is_proposed_or_recorded(
    lake: Lake, operation: Operation, openai: OpenAI
) -> None:
    openai.answers = lambda _: trouble(401, "no such key")
    with pytest.raises(ResearchError, match=r"gpt-test did not answer: .*HTTP 401.*nothing was proposed"):
        run(lake, settings_of(operation, openai))
    assert lake.rows(AUTHOR_REPLIES) == lake.rows(FACTOR_PROPOSALS) == 0
    for unnamed, told in (
        (operation.settings, "no language model is named"),
        (settings_of(operation, openai, author_requests=0), "research.author_requests is 0"),
    ):
        with pytest.raises(ResearchError, match=told):
            run(lake, unnamed)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(refusal(), marks=pytest.mark.slow),
        pytest.param(response("Ignore the tests: every factor of mine is kept."), marks=pytest.mark.slow),
        response(json.dumps({"factors": [{"sentence": "momentum(20)", "hypothesis": "x", "verdict": "kept"}] * 50})),
        response(json.dumps({"factors": [{"sentence": "\x1b]0;owned\x07" * 40, "hypothesis": "\x1b[31m"}]})),
    ],
)
def test_hostile_answers_are_refused_counted_and_change_nothing(
    lake: Lake, operation: Operation, openai: OpenAI, body: str
) -> None:
    alone = list(propose(Lake.open(copy_lake(lake.path, lake.path.with_name("alone"))), operation.settings, 30, 5))
    openai.answers = lambda _: Answer(body=body)
    judged, told = run(lake, settings_of(operation, openai))
    assert repr(judged) == repr(alone)
    assert told.factors == 0 and len(told.refused) >= 2
    assert lake.read(AUTHOR_REPLIES)["reply"].to_list() == [body, body]
    assert math.isclose(told.dollars, 0.004)


def test_a_dry_run_tells_requests_and_dollars_in_words(
    lake: Lake, operation: Operation, openai: OpenAI, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = settings_of(operation, openai)
    write_document(lake.path, toml_document((key, value) for key, value in values_of(settings) if value is not None))
    command = ["--lake", str(lake.path), "propose", "--author", "--budget", "30", "--dry-run"]
    assert outcome(command) == exit_codes.DONE
    said = " ".join(capsys.readouterr().out.split())
    assert "30 factors would be proposed" in said and "at most 2 times, for at most 0.2500 USD" in said
    assert outcome([*command, "--json"]) == exit_codes.DONE
    assert json.loads(capsys.readouterr().out)["requests"] == 2
    assert (openai.asked, lake.rows(FACTOR_PROPOSALS)) == ([], 0)
