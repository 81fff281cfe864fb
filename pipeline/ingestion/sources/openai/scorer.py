"""A language model as a scorer: batches of articles, each unknown one asked about alone, and a memory of answers."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.home import state_home
from pipeline.config.secrets import Secret, secret
from pipeline.ingestion.news.llm_prompt import (
    INSTRUCTIONS,
    SCHEMA,
    SCHEMA_NAME,
    VERSION,
    Question,
    batches,
    input_text,
)
from pipeline.ingestion.news.llm_reply import verdicts
from pipeline.ingestion.news.params import LanguageModelParams
from pipeline.ingestion.sources.openai.budget import Budget
from pipeline.ingestion.sources.openai.client import Client, Prompt, open_client, request_body
from pipeline.ingestion.sources.openai.patient_asking import PatientAsking
from pipeline.ingestion.sources.openai.response_cache import ResponseCache
from pipeline.ingestion.sources.openai.transcript import Transcript

SENTIMENT = Prompt(INSTRUCTIONS, SCHEMA, SCHEMA_NAME)


@dataclass
class Scorer:
    """Asks one model; whatever goes wrong becomes an exchange that says so, never an exception and never a score."""

    params: LanguageModelParams
    key: Secret | None
    state: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)

    def __post_init__(self) -> None:
        self.cache = ResponseCache(self.state / "asked.sqlite")
        self.budget = Budget(self.state / "asked.sqlite")
        self.patient = PatientAsking(self.params, self.key, self.state, self.budget, self.now)

    def ask(self, questions: Sequence[Question]) -> list[Transcript]:
        """Exchanges that together speak of every question; what was answered before is not asked again."""
        known = self.cache.find_answers(self._keys(questions))
        settled = {article for transcript in known for article in transcript.article_ids}
        fresh = [question for question in questions if question.article_id not in settled]
        groups = list(batches(fresh, self.params.articles_per_request))
        self.patient.begin()
        return known + (asyncio.run(self._ask_all(groups)) if groups else [])

    def _keys(self, questions: Iterable[Question]) -> list[str]:
        """What makes two questions one: the model, the prompt and every word of the article."""
        server = [self.params.base_url, self.params.api, self.params.name, VERSION]
        return [json.dumps([*server, question.article_id, question.content]) for question in questions]

    async def _ask_all(self, groups: Sequence[Sequence[Question]]) -> list[Transcript]:
        turn = asyncio.Semaphore(self.params.concurrency)
        client = open_client(self.params, self.key)
        async with client.client:
            # The first goes alone: where it is told that nobody is answered, the others are not sent.
            first = await self._in_turn(turn, client, groups[0])
            done = await asyncio.gather(*(self._in_turn(turn, client, group) for group in groups[1:]))
        return [transcript for part in (first, *done) for transcript in part]

    async def _in_turn(self, turn: asyncio.Semaphore, client: Client, group: Sequence[Question]) -> list[Transcript]:
        """Ask about a group; whom its answer leaves unknown is asked about alone, so that none can silence the rest."""
        async with turn:
            together = await self._about(client, group)
            if len(group) == 1 or together.status != "answered":
                return [together]
            asked = {label: one.tickers for label, one in zip(together.labels, group, strict=True)}
            found = verdicts(self.params.api, together.reply, asked)
            unknown = [one for label, one in zip(asked, group, strict=True) if found[label].status != "ok"]
            return [together, *[await self._about(client, [one]) for one in unknown]]

    async def _about(self, client: Client, group: Sequence[Question]) -> Transcript:
        # Names that nobody can guess: no article can speak for another one.
        labels = tuple(secrets.token_hex(5) for _ in group)
        body = request_body(self.params, SENTIMENT, input_text(group, labels))
        transcript = Transcript(
            asked_at=self.now(),
            api=self.params.api,
            article_ids=tuple(question.article_id for question in group),
            labels=labels,
            request=json.dumps(body),
            status="failed",
        )
        done = await self.patient.ask(client, body, transcript)
        if done.status == "answered":
            self.cache.keep(done, self._keys(group))
        return done


def open_scorer(params: LanguageModelParams, environ: Mapping[str, str]) -> Scorer:
    """The scorer the parameters name; its key and its memory are found by the environment."""
    return Scorer(params, secret("OPENAI_API_KEY", environ), state_home(environ) / "openai")
