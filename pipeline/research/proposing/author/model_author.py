"""Asks a language model for factors within bounds, keeps what it said verbatim, and reads that where it is known."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake.contract import RUN_ID
from lake.store import Lake
from lake.tables.research import AUTHOR_REPLIES
from pipeline.config.home import state_home
from pipeline.config.secrets import Secret, secret
from pipeline.config.settings import Settings
from pipeline.ingestion.news.params import LanguageModelParams
from pipeline.ingestion.sources.openai.budget import PartOfBudget
from pipeline.ingestion.sources.openai.client import open_client, refusal_to_ask, request_body
from pipeline.ingestion.sources.openai.patient_asking import PatientAsking
from pipeline.ingestion.sources.openai.response_cache import ResponseCache
from pipeline.ingestion.sources.openai.transcript import Transcript
from pipeline.research import ResearchError
from pipeline.research.proposing.author.author_prompt import PROMPT, VERSION, write_question
from pipeline.research.proposing.author.read_answer import AuthoredFactor, ReadAnswer, count_reasons, read_answer
from pipeline.research.recording import record
from pipeline.text_format import counted


@dataclass
class Authored:
    """What an author brought to a search so far."""

    requests: int = 0
    answered: int = 0
    dollars: float = 0.0
    factors: int = 0
    refused: list[str] = field(default_factory=list)
    """Why, for each part of an answer that was no new sentence."""
    silent: str = ""
    """Why it says no more; empty while it may."""

    def describe(self) -> str:
        """The same in words."""
        asked = f"The language model was asked {counted(self.requests, 'time')} and answered {self.answered}"
        told = f"{asked} ({self.dollars:.4f} USD): {counted(self.factors, 'new factor')}"
        reasons = "; ".join(f"{count} × {reason}" for reason, count in count_reasons(self.refused).items())
        told += f", {len(self.refused)} parts refused ({reasons})" if reasons else ", nothing refused"
        return f"{told}. It says no more: {self.silent}." if self.silent else f"{told}."


class ModelAuthor:
    """A language model that proposes factors to one search after the other.

    What it answered is a fact: the same search reads it again, and nobody is asked. So is that it fell silent; another
    seed is another search. An answer that came and could not be put on record is in the cache of answers, so that it
    is not paid for twice.
    """

    def __init__(self, lake: Lake, settings: Settings, key: Secret | None, state: Path) -> None:
        self.lake, self.key, self.state = lake, key, state
        self.params: LanguageModelParams = settings.ingestion.news.model
        self.max_requests, self.max_dollars = settings.research.author_requests, settings.research.author_dollars
        self.authored = Authored()
        self._known: dict[int, dict[str, Any]] = {}
        self._part: PartOfBudget | None = None

    @property
    def name(self) -> str:
        """What makes its searches others than those of another author."""
        own = [self.params.base_url, self.params.api, self.params.name, VERSION, self.max_requests, self.max_dollars]
        return json.dumps(own)

    def begin(self, search: str, horizon: int) -> None:
        """Take up a search, with what was said to it before.

        Raises:
            ResearchError: if nothing was said yet, and nobody may be asked: no key, or an address that must not be.
        """
        self._search, self._horizon, self.authored = search, horizon, Authored()
        rows = self.lake.read(AUTHOR_REPLIES, where=pl.col("search_id") == search).drop(RUN_ID)
        self._known = {row["number"]: row for row in rows.to_dicts()}
        forbidden = refusal_to_ask(self.params, self.key)
        if forbidden and not self._known:
            raise self._no_answer(forbidden)
        self._part = None

    def plan(self) -> tuple[int, float]:
        """The most requests and USD that its search may still take, by its own bounds and those of a day."""
        rows = self._known.values()
        requests = min(self.max_requests - sum(row["sent"] for row in rows), self.params.requests_per_day)
        dollars = min(self.max_dollars - sum(row["dollars"] for row in rows), self.params.dollars_per_day)
        if requests <= 0 or any(row["status"] != "answered" for row in rows):
            return 0, 0.0
        return requests, max(dollars, 0.0) if self.params.cost(1, 1) else 0.0

    def propose(self, tried: Sequence[tuple[str, float]], seen: Collection[str]) -> list[AuthoredFactor]:
        """Return further factors; none where the model has said what it may.

        Args:
            tried: sentence and t in sample of each factor so far; nothing else of them is told.
            seen: sentences that were proposed already.

        Raises:
            ResearchError: if the first request is not answered, so that nothing was proposed yet.
        """
        told = self.authored
        if told.silent:
            return []
        if told.requests >= self.max_requests:
            told.silent = f"the {self.max_requests} requests of a search are made (research.author_requests)"
            return []
        number = told.requests + 1
        row = self._known.get(number)
        if row is None:
            row = self._ask(number, tried, seen)
        else:
            self._budget().take(row["sent"], row["dollars"])
        read = _read(row, seen)
        told.requests, told.dollars = number, told.dollars + row["dollars"]
        told.answered += row["status"] == "answered"
        told.factors += len(read.factors)
        told.refused += read.refused
        if row["status"] != "answered":
            told.silent = row["reason"]
        return list(read.factors)

    # ---- inner workings

    def _ask(self, number: int, tried: Sequence[tuple[str, float]], seen: Collection[str]) -> dict[str, Any]:
        """Send a request, and put on record what came of it before it is used."""
        body = request_body(self.params, PROMPT, write_question(tried, self._horizon))
        said, sent, dollars = self._find_or_send(number, body)
        if number == 1 and said.status != "answered":
            raise self._no_answer(said.reason)
        row = {
            "search_id": self._search,
            "number": number,
            "asked_at": said.asked_at,
            "model": self.params.name,
            "prompt_version": VERSION,
            "training_cutoff": self.params.cutoff,
            **{name: getattr(said, name) for name in ("api", "status", "reason", "request", "reply")},
            **{name: getattr(said, name) for name in ("input_tokens", "output_tokens")},
            "sent": sent,
            "dollars": dollars,
        }
        read = _read(row, seen)
        row |= {"factors": len(read.factors), "refused": [reason[:300] for reason in read.refused]}
        record(self.lake, AUTHOR_REPLIES, f"{self._search}/asked/{number}", [row])
        return row

    def _find_or_send(self, number: int, body: dict[str, Any]) -> tuple[Transcript, int, float]:
        """What was answered, how often it was sent for that, and USD, tries that failed included."""
        cache = ResponseCache(self.state / "asked.sqlite")
        question = json.dumps([self._search, number, self.params.base_url, body])
        kept = cache.find_answers([question])
        if kept:
            self._budget().take(1, kept[0].dollars)
            return kept[0], 1, kept[0].dollars
        requests, dollars = self._budget().left
        said = asyncio.run(self._send(body))
        if said.status == "answered":
            cache.keep(said, [question])
        left = self._budget().left
        return said, requests - left[0], dollars - left[1]

    def _budget(self) -> PartOfBudget:
        """What the search may spend; made when something is, as its file is."""
        if self._part is None:
            self._part = PartOfBudget(self.state / "asked.sqlite", self.max_requests, self.max_dollars)
        return self._part

    def _no_answer(self, reason: str) -> ResearchError:
        return ResearchError(
            f"the language model {self.params.name} did not answer: {reason}; nothing was proposed or recorded"
        )

    async def _send(self, body: dict[str, Any]) -> Transcript:
        asking = PatientAsking(self.params, self.key, self.state, self._budget())
        client = open_client(self.params, self.key)
        empty = Transcript(
            asked_at=datetime.now(UTC),
            api=self.params.api,
            article_ids=(),
            labels=(),
            request=json.dumps(body),
            status="failed",
        )
        asking.begin()
        async with client.client:
            return await asking.ask(client, body, empty)


def open_author(lake: Lake, settings: Settings, environ: Mapping[str, str]) -> ModelAuthor:
    """Return the author that the settings name: the language model of news, with bounds of its own.

    Raises:
        ResearchError: if none is named, or none may be asked.
    """
    if not settings.ingestion.news.model.name:
        raise ResearchError(
            "no language model is named that could propose factors; set ingestion.news.model.name, with its"
            " training_cutoff and prices"
        )
    if not settings.research.author_requests:
        raise ResearchError("research.author_requests is 0, so that no language model may be asked for factors")
    return ModelAuthor(lake, settings, secret("OPENAI_API_KEY", environ), state_home(environ) / "openai")


def _read(row: dict[str, Any], seen: Collection[str]) -> ReadAnswer:
    return read_answer(row["api"], row["reply"], seen) if row["status"] == "answered" else ReadAnswer((), ())
