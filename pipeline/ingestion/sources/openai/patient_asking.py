"""Asks a language model with patience: within a shared rate and a budget, again where that helps, never in vain."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from pipeline.config.secrets import Secret
from pipeline.ingestion.news.llm_reply import kind_of_failure, usage
from pipeline.ingestion.news.params import LanguageModelParams
from pipeline.ingestion.sources.openai.budget import Budget
from pipeline.ingestion.sources.openai.client import Client, RequestFailure, refusal_to_ask
from pipeline.ingestion.sources.openai.outage_record import OutageRecord
from pipeline.ingestion.sources.openai.transcript import Transcript
from pipeline.ingestion.sources.rate_limit import RateLimit

CHARACTERS_PER_TOKEN = 3
"""Fewer than English has, so that a request never costs more than was reserved for it."""
MAX_IN_VAIN = {"unreachable": 1, "server error": 3, "limited": 3}
"""Requests that fail in a way that is the server's, before a first answer, after which no other one is sent."""
FIRST_PAUSE, MAX_PAUSE = 1.0, 60.0
"""Seconds before the second try, doubled for each further one, and the longest there is."""


@dataclass
class PatientAsking:
    """Whatever goes wrong becomes an exchange that says so, never an exception."""

    params: LanguageModelParams
    key: Secret | None
    state: Path
    budget: Budget
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _stopped: str = field(default="", init=False)
    _spent: str = field(default="", init=False)
    _answered: bool = field(default=False, init=False)
    _in_vain: Counter[str] = field(default_factory=Counter, init=False)
    _deadline: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        self.outages = OutageRecord(self.state / "asked.sqlite", self.params, self.key)
        self.rate = RateLimit(self.state / "rate", self.params.requests_per_minute)

    def begin(self) -> None:
        """Forget how earlier requests went, and let the time for these begin."""
        self._stopped = refusal_to_ask(self.params, self.key) or self.outages.in_force(self.now())
        self._answered, self._spent, self._in_vain = False, "", Counter()
        self._deadline = time.monotonic() + self.params.patience_seconds

    async def ask(self, client: Client, body: Mapping[str, object], transcript: Transcript) -> Transcript:
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
                self._answered = True
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
