"""A language model as a scorer: batches, a shared rate, a daily budget, patience, and a memory of what was answered."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.home import state_home
from pipeline.config.secrets import Secret, secret
from pipeline.ingestion.news.llm_prompt import VERSION, Question, batches, input_text
from pipeline.ingestion.news.llm_reply import kind_of_failure, usage, verdicts
from pipeline.ingestion.news.params import LanguageModelParams
from pipeline.ingestion.sources.openai.budget import Budget
from pipeline.ingestion.sources.openai.client import Client, RequestFailure, open_client, refusal_to_ask, request_body
from pipeline.ingestion.sources.openai.outage_record import OutageRecord
from pipeline.ingestion.sources.openai.response_cache import ResponseCache
from pipeline.ingestion.sources.openai.transcript import Transcript
from pipeline.ingestion.sources.rate_limit import RateLimit

CHARACTERS_PER_TOKEN = 3
"""Fewer than English has, so that a request never costs more than was reserved for it."""
MAX_IN_VAIN = {"unreachable": 1, "server error": 3, "limited": 3}
"""Requests that fail in a way that is the server's, before a first answer, after which no other one is sent."""
FIRST_PAUSE, MAX_PAUSE = 1.0, 60.0
"""Seconds before the second try, doubled for each further one, and the longest there is."""


@dataclass
class Scorer:
    """Asks one model; whatever goes wrong becomes an exchange that says so, never an exception and never a score."""

    params: LanguageModelParams
    key: Secret | None
    state: Path
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _stopped: str = field(default="", init=False)
    _spent: str = field(default="", init=False)
    _answered: bool = field(default=False, init=False)
    _in_vain: Counter[str] = field(default_factory=Counter, init=False)
    _deadline: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.cache = ResponseCache(self.state / "asked.sqlite")
        self.budget = Budget(self.state / "asked.sqlite")
        self.outages = OutageRecord(self.state / "asked.sqlite", self.params, self.key)
        self.rate = RateLimit(self.state / "rate", self.params.requests_per_minute)

    def ask(self, questions: Sequence[Question]) -> list[Transcript]:
        """Exchanges that together speak of every question; what was answered before is not asked again."""
        known = self.cache.find_answers(self._keys(questions))
        settled = {article for transcript in known for article in transcript.article_ids}
        fresh = [question for question in questions if question.article_id not in settled]
        groups = list(batches(fresh, self.params.articles_per_request))
        self._stopped = refusal_to_ask(self.params, self.key) or self.outages.in_force(self.now())
        self._answered, self._spent, self._in_vain = False, "", Counter()
        return known + (asyncio.run(self._ask_all(groups)) if groups else [])

    def _keys(self, questions: Iterable[Question]) -> list[str]:
        """What makes two questions one: the model, the prompt and every word of the article."""
        server = [self.params.base_url, self.params.api, self.params.name, VERSION]
        return [json.dumps([*server, question.article_id, question.content]) for question in questions]

    async def _ask_all(self, groups: Sequence[Sequence[Question]]) -> list[Transcript]:
        self._deadline = time.monotonic() + self.params.patience_seconds
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
        body = request_body(self.params, input_text(group, labels))
        transcript = Transcript(
            asked_at=self.now(),
            api=self.params.api,
            article_ids=tuple(question.article_id for question in group),
            labels=labels,
            request=json.dumps(body),
            status="failed",
        )
        done = await self._persist(client, body, transcript)
        if done.status == "answered":
            self._answered = True
            self.cache.keep(done, self._keys(group))
        return done

    async def _persist(self, client: Client, body: Mapping[str, object], transcript: Transcript) -> Transcript:
        """Send until there is an answer, or no use in sending again."""
        text = ""
        for number in range(self.params.tries):
            if self._spent:  # nobody waits for a turn that leads nowhere
                return replace(transcript, status="budget", reason=self._spent)
            if self._stopped:
                return replace(transcript, reason=self._stopped)
            if self._seconds_left() <= 0:
                return replace(transcript, reason=text or self._out_of_time())
            outcome = await self._once(client, body, transcript)
            if isinstance(outcome, Transcript):
                return outcome
            text = outcome.reason
            if outcome.outage:
                self._stopped = text
                self.outages.note(outcome.outage, text, self.now())
            if not outcome.again:
                break
            if number + 1 < self.params.tries:
                await self._pause(outcome, number)
        self._in_vain[kind_of_failure(text)] += 1
        if not self._answered and any(self._in_vain[kind] >= most for kind, most in MAX_IN_VAIN.items()):
            self._stopped = text  # nobody was ever answered: the other requests need not find out for themselves
        return replace(transcript, reason=text)

    async def _once(
        self, client: Client, body: Mapping[str, object], transcript: Transcript
    ) -> Transcript | RequestFailure:
        await asyncio.to_thread(self.rate.take)
        at = self.now()
        most = self.params.cost(len(transcript.request) // CHARACTERS_PER_TOKEN, self.params.max_output_tokens)
        forbidden = self.budget.reserve(at, most, self.params.requests_per_day, self.params.dollars_per_day)
        if forbidden:
            self._spent = forbidden
            return replace(transcript, status="budget", reason=forbidden)
        try:
            limit = max(min(self.params.timeout_seconds, self._seconds_left()), 0.05)
            outcome: str | RequestFailure = await asyncio.wait_for(client.send(dict(body)), limit)
        except TimeoutError:  # of the whole exchange: the library's own limit starts anew with each byte
            outcome = RequestFailure("the server did not answer in time", again=True, charged=True)
        if isinstance(outcome, RequestFailure):
            self.budget.settle(at, most, most if outcome.charged else 0.0)
            return outcome
        took = usage(outcome)
        stated = took.input_tokens is not None and took.output_tokens is not None
        cost = self.params.cost(took.input_tokens or 0, took.output_tokens or 0) if stated else most
        self.budget.settle(at, most, cost)
        return replace(
            transcript,
            asked_at=at,
            status="answered",
            reply=outcome,
            input_tokens=took.input_tokens,
            output_tokens=took.output_tokens,
            dollars=cost,
        )

    async def _pause(self, trouble: RequestFailure, number: int) -> None:
        wanted = FIRST_PAUSE * 2**number if trouble.pause is None else trouble.pause
        await asyncio.sleep(max(min(wanted, MAX_PAUSE, self._seconds_left()), 0.0))

    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def _out_of_time(self) -> str:
        return f"the {self.params.patience_seconds:g} seconds for asking were over before its turn came"


def open_scorer(params: LanguageModelParams, environ: Mapping[str, str]) -> Scorer:
    """The scorer the parameters name; its key and its memory are found by the environment."""
    return Scorer(params, secret("OPENAI_API_KEY", environ), state_home(environ) / "openai")
