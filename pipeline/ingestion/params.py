"""The settings of ingestion: what is believed, who may be traded, how news is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import AnyText, DayOrNone, Earlier, Formerly, Share, WebAddressOrNone

MAX_AGAIN = 5
"""Sessions of articles and replies that are read to ask again; no setting goes beyond."""


@dataclass(frozen=True, kw_only=True)
class JumpParams:
    """When a price is too far from the last one to be believed at first sight."""

    ratio: Annotated[float, Field(gt=1, le=1000)] = 3.0
    """Close over the last accepted close, splits undone: outside 1/ratio..ratio a bar waits for a second one.

    Three accepts the violent days of real stocks (failed trials, takeovers) and catches unit errors of 10 and 100.
    """
    idle: Annotated[float, Field(gt=0, le=1000)] = 0.5
    """Fraction; a bar without volume may not move further than this: nobody traded at that price."""
    agree: Annotated[float, Field(gt=0, lt=1)] = 0.2
    """Fraction; the next session's close within this of the waiting one confirms the new level."""
    confirmations: Annotated[int, Field(ge=1, le=5), Earlier(1)] = 1
    """Bars in a row that have to agree with a waiting one, each within `agree` of the one before, to confirm it."""
    waiting: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How long a bar waits: 2 until a later arrival confirms it or brings the split that explains it; 1 within its own
    arrival only, as runs of earlier programs did, so that files which state when each bar was known lose true jumps."""


@dataclass(frozen=True, kw_only=True)
class CheckParams:
    """How far a second source may differ before it is reported."""

    close: Annotated[float, Field(gt=0, lt=1)] = 0.005
    """Fraction of the close; vendors' closes differ by a tick, and by half a per cent only if one of them is wrong."""


@dataclass(frozen=True, kw_only=True)
class UniverseParams:
    """Who may be traded."""

    max_stale: Annotated[int, Field(ge=0, le=250), Formerly("most_stale")] = 2
    """Sessions without a bar that are tolerated: a short halt does not exclude a stock."""
    min_history: Annotated[int, Field(ge=1, le=280), Formerly("least_history")] = 120
    """Sessions of bars before a stock counts: the longest common feature look-back."""
    min_close: Annotated[float, Field(ge=0, le=1_000_000), Formerly("least_close")] = 1.0
    """Currency per share; below it, one tick is more than a per cent."""
    min_dollar_volume: Annotated[float, Field(ge=0, le=1_000_000_000_000), Formerly("least_dollar_volume")] = (
        1_000_000.0
    )
    """Currency per session, median of 20 sessions; below it our own order would move the price."""
    max_members: Annotated[int, Field(ge=1, le=20_000), Formerly("most_members")] = 1_000
    """Largest number of members; the most liquid ones stay."""


@dataclass(frozen=True, kw_only=True)
class LanguageModelParams:
    """The language model that scores articles, and what it may cost; none unless it has a name.

    The key is read from OPENAI_API_KEY alone and stands in no configuration.
    """

    name: Annotated[str, Field(max_length=200), AnyText("every server names its models in its own way")] = ""
    """The model's name as its server knows it; empty for none, so that the lexicon alone scores."""
    training_cutoff: DayOrNone = ""
    """ISO date: last day the model can have read about. Required, because it may know what followed earlier news."""
    hindsight: Literal["refuse", "mark", "use"] = "refuse"
    """What to do with articles published on or before the cut-off.

    refuse does not ask about them, mark asks but lets no score count, use counts them (no fair backtest then).
    """
    api: Literal["responses", "chat"] = "responses"
    """responses, or chat for the chat completions that most local model servers speak."""
    base_url: WebAddressOrNone = ""
    """Base URL of a server that speaks OpenAI's protocol, such as http://127.0.0.1:8080/v1; if empty, OpenAI's own."""
    articles_per_request: Annotated[int, Field(ge=1, le=64)] = 8
    """Articles per request; 1 keeps them apart at the price of more requests."""
    concurrency: Annotated[int, Field(ge=1, le=64)] = 4
    """Requests in flight at the same time."""
    requests_per_minute: Annotated[float, Field(gt=0, le=100_000)] = 60.0
    """Requests of all processes of this user together, retries included."""
    requests_per_day: Annotated[int, Field(ge=0, le=10_000_000)] = 500
    """Requests per UTC day of all processes of this user, retries included; articles beyond it stay unscored."""
    dollars_per_day: Annotated[float, Field(ge=0, le=100_000)] = 1.0
    """USD per UTC day by the prices below; a request that might exceed it is not sent."""
    dollars_per_million_input: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """USD per million input tokens; required unless base_url names your own server."""
    dollars_per_million_output: Annotated[float, Field(ge=0, le=10_000)] = 0.0
    """USD per million output tokens; required unless base_url names your own server."""
    max_output_tokens: Annotated[int, Field(ge=1, le=1_000_000), Formerly("most_output_tokens")] = 4_000
    """Maximum tokens of a reply, reasoning included; it also bounds what a request can cost."""
    tries: Annotated[int, Field(ge=1, le=100)] = 3
    """Attempts per request that is rate limited, times out or fails on the server."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 60.0
    """Seconds a request may take from its start to the last byte of its reply."""
    patience_seconds: Annotated[float, Field(gt=0, le=86_400)] = 600.0
    """Seconds for all requests of a session; articles not answered by then stay unscored."""
    again_sessions: Annotated[int, Field(ge=0, le=MAX_AGAIN)] = 2
    """Sessions after its own in which an unanswered article is tried again; 0 to 5."""

    def contradictions(self) -> Iterator[str]:
        """What a model that has a name needs as well."""
        if self.name and not self.training_cutoff:
            yield (
                f"name is {self.name!r} and training_cutoff is empty; give the date, such as 2025-06-30, after which"
                " the model cannot have read anything; memory and judgement cannot be told apart without it"
            )
        if self.name and not self.base_url and not (self.dollars_per_million_input and self.dollars_per_million_output):
            yield (
                f"the prices of model {self.name!r} are missing; set dollars_per_million_input and"
                " dollars_per_million_output, or the daily budget cannot be enforced"
            )

    @property
    def cutoff(self) -> date:
        """The training cut-off."""
        return date.fromisoformat(self.training_cutoff)

    def cost(self, input_tokens: int, output_tokens: int) -> float:
        """USD for so many tokens."""
        return (
            input_tokens * self.dollars_per_million_input + output_tokens * self.dollars_per_million_output
        ) / 1_000_000


@dataclass(frozen=True, kw_only=True)
class NewsParams:
    """How articles are told apart, and how their words are weighed."""

    repeat_hours: Annotated[int, Field(ge=0, le=240)] = 72
    """Hours within which the same title about the same tickers counts as one story; wires repeat over a weekend."""
    body_weight: Share = 0.5
    """0 to 1; weight of a finding in the body relative to one in the title, which says what the story is."""
    body_characters: Annotated[int, Field(ge=0, le=1_000_000)] = 2_000
    """Characters of the body that are read: the lead carries the news, the rest is background."""
    link: bool = True
    """Whether tickers are looked for in a title whose source names none."""
    max_strength: Annotated[float, Field(gt=0, le=1), Formerly("most_strength")] = 0.8
    """0 to 1; the most that one article may count, whatever its scorer says: no single text may move a position."""
    model: LanguageModelParams = field(default_factory=LanguageModelParams)
    """The language model that scores articles."""


@dataclass(frozen=True, kw_only=True)
class IngestionParams:
    """Everything the ingestion stages take."""

    publication_lag_minutes: Annotated[int, Field(ge=0, le=960)] = 15
    """Minutes from the end of a bar until a vendor shows it."""
    decision_lag_minutes: Annotated[int, Field(ge=0, le=960)] = 20
    """Minutes from the close until decisions are made; what is public by then counts for the session."""
    jump: JumpParams = field(default_factory=JumpParams)
    """When a price waits for confirmation."""
    check: CheckParams = field(default_factory=CheckParams)
    """When a second source disagrees."""
    universe: UniverseParams = field(default_factory=UniverseParams)
    """Who may be traded."""
    news: NewsParams = field(default_factory=NewsParams)
    """How news is read."""

    def contradictions(self) -> Iterator[str]:
        """A bar that becomes public after the decision that uses it."""
        if self.publication_lag_minutes > self.decision_lag_minutes:
            yield (
                f"publication_lag_minutes is {self.publication_lag_minutes} and decision_lag_minutes is"
                f" {self.decision_lag_minutes}; a bar has to be public before the decision that uses it"
            )

    @property
    def publication_lag(self) -> timedelta:
        """From the end of a bar until it is public."""
        return timedelta(minutes=self.publication_lag_minutes)

    @property
    def decision_lag(self) -> timedelta:
        """From the close until the decision."""
        return timedelta(minutes=self.decision_lag_minutes)
