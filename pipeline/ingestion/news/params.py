"""The settings of news: how articles are told apart and weighed, and the language model that may score them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import AnyText, DayOrNone, Earlier, Formerly, Share, WebAddressOrNone

MAX_AGAIN = 5
"""Sessions of articles and replies that are read to ask again; no setting goes beyond."""


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
    lexicon: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Rules by which the lexicon reads: 2 knows what losing something means and where a clause ends; 1 as in runs of
    earlier programs."""
    link: bool = True
    """Whether tickers are looked for in a title whose source names none."""
    max_strength: Annotated[float, Field(gt=0, le=1), Formerly("most_strength")] = 0.8
    """0 to 1; the most that one article may count, whatever its scorer says: no single text may move a position."""
    model: LanguageModelParams = field(default_factory=LanguageModelParams)
    """The language model that scores articles."""
