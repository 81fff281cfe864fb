"""Asks about many symbols in one visit, with patience for a server that limits requests or is in trouble."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from pipeline.ingestion.sources.errors import LIMITED, UNREACHABLE
from pipeline.ingestion.sources.yahoo.connection import Connection, LimitedError, UnreachableError
from pipeline.ingestion.sources.yahoo.params import YahooParams
from pipeline.ingestion.sources.yahoo.resume_cache import CachedAnswer, ResumeCache

TRIES = 3
"""Times a symbol is asked for when the server fails on it alone."""
FIRST_PAUSE, MAX_PAUSE = {LIMITED: 60.0, UNREACHABLE: 2.0}, {LIMITED: 900.0, UNREACHABLE: 60.0}
"""Seconds before the second try, doubled for each further one, and the longest there is."""


@dataclass(frozen=True)
class Unanswered:
    """Why symbols have no answer."""

    rule: str
    error: str
    symbols: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What a visit brought."""

    answers: list[CachedAnswer]
    """In the order asked for."""
    failures: list[Unanswered]
    """The symbols that the server failed on alone, one each."""
    given_up: Unanswered | None
    """Why the rest was not asked for; None if all were."""

    @property
    def reason(self) -> str:
        """Why there are not more answers, in words."""
        unanswered = [self.given_up] if self.given_up else self.failures
        return unanswered[0].error if unanswered else "no reason is known"


def rule_of(error: LimitedError | UnreachableError) -> str:
    """The rule that an answer's absence breaks."""
    return LIMITED if isinstance(error, LimitedError) else UNREACHABLE


@dataclass(frozen=True)
class RetryingClient:
    """Whoever asks: the way to the server, and how much patience there is with it."""

    connection: Connection
    params: YahooParams
    minutes: float
    """Of waiting, in ever longer pauses, until a visit makes do with what it has."""

    def visit(self, question: str, symbols: Mapping[str, str], ask: Callable[[str, str], CachedAnswer]) -> Answers:
        """The answers, from an earlier visit with the same question that was cut short, or asked for now.

        Args:
            question: what makes two visits one.
            symbols: Yahoo's symbol -> our ticker.
            ask: asks about one symbol and ticker; raises LimitedError or UnreachableError.
        """
        connection = self.connection
        visit = ResumeCache(connection.state / "visits", question, self.params.reuse_minutes, connection.now)
        answers = visit.answers()
        missing = [symbol for symbol in symbols if symbol not in answers]
        deadline = connection.now() + self.minutes * 60
        failures: list[Unanswered] = []
        given_up, reachable = None, True
        for number, symbol in enumerate(missing):
            outcome = self._ask_with_retries(
                partial(ask, symbol, symbols[symbol]), symbol, deadline, give_way=reachable
            )
            if isinstance(outcome, CachedAnswer):
                visit.keep(outcome)
                answers[symbol] = outcome
            elif outcome.symbols:
                failures.append(outcome)
            else:
                given_up = Unanswered(outcome.rule, outcome.error, tuple(missing[number:]))
                break
            reachable = isinstance(outcome, CachedAnswer)
        return Answers([answers[symbol] for symbol in symbols if symbol in answers], failures, given_up)

    def _ask_with_retries(
        self, ask: Callable[[], CachedAnswer], symbol: str, deadline: float, *, give_way: bool
    ) -> CachedAnswer | Unanswered:
        """Ask until there is an answer, the deadline is near, or with `give_way` this symbol has failed TRIES times.

        A result without symbols means that there is no use in asking for others either.
        """
        tries = 0
        while True:
            try:
                return ask()
            except (LimitedError, UnreachableError) as error:
                rule, text = rule_of(error), str(error)
            tries += 1
            if rule == UNREACHABLE and give_way and tries >= TRIES:
                return Unanswered(rule, text, (symbol,))
            pause = min(FIRST_PAUSE[rule] * 2 ** (tries - 1), MAX_PAUSE[rule])
            if self.connection.now() + pause > deadline:
                return Unanswered(rule, text, ())
            self.connection.budget.hold(pause)  # the next request, of whatever process, waits for its end
