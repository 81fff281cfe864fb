"""What the operator may set about ingestion."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

MAX_AGAIN = 5
"""Sessions of articles and replies that are read to ask again; no setting goes beyond."""


@dataclass(frozen=True, kw_only=True)
class JumpParams:
    """When a price is too far from the last one to be believed at first sight."""

    ratio: float = 3.0
    """Close over the last accepted close, splits undone: outside 1/ratio..ratio a bar waits for a second one.

    Three leaves the violent days of real stocks alone (failed trials, takeovers) and catches unit errors of 10 and 100.
    """
    idle: float = 0.5
    """Fraction; a bar without volume may not move further than this: nobody traded at that price."""
    agree: float = 0.2
    """Fraction; the next session's close within this of the waiting one confirms the new level."""

    def __post_init__(self) -> None:
        if self.ratio <= 1 or self.idle <= 0 or not 0 < self.agree < 1:
            raise ValueError(f"a jump needs ratio > 1, idle > 0 and 0 < agree < 1, not {self}")


@dataclass(frozen=True, kw_only=True)
class CheckParams:
    """How far a second source may differ before it is told."""

    close: float = 0.005
    """Fraction of the close; vendors' closes differ by a tick, and by half a per cent only if one of them is wrong."""

    def __post_init__(self) -> None:
        if not 0 < self.close < 1:
            raise ValueError(f"close has to lie between 0 and 1, got {self.close}")


@dataclass(frozen=True, kw_only=True)
class UniverseParams:
    """Who may be traded."""

    most_stale: int = 2
    """Sessions without a bar that are forgiven: a short halt is no reason to forget a stock."""
    least_history: int = 120
    """Sessions of bars before a stock counts: the longest common feature look-back."""
    least_close: float = 1.0
    """Currency per share; below it, one tick is more than a per cent."""
    least_dollar_volume: float = 1_000_000.0
    """Currency per session, median of 20 sessions; below it our own order would move the price."""
    most_members: int = 1_000
    """Count; the most liquid ones stay."""


@dataclass(frozen=True, kw_only=True)
class LanguageModelParams:
    """The language model that is asked about articles, and what it may cost; none unless it has a name.

    The key is read from OPENAI_API_KEY alone and stands in no configuration.
    """

    name: str = ""
    """The model's name as its server knows it; empty asks nobody, and the lexicon alone scores."""
    training_cutoff: str = ""
    """ISO date, the last day the model can have read about; needed, because of earlier news it may know the outcome."""
    hindsight: str = "refuse"
    """What to do about articles that are no later than the cut-off.

    refuse does not ask about them, mark asks but lets no score count, use counts them (no fair backtest then).
    """
    api: str = "responses"
    """responses, or chat for the chat completions that most local model servers speak."""
    base_url: str = ""
    """Base URL of a server that speaks OpenAI's protocol, such as http://127.0.0.1:8080/v1; empty is OpenAI itself."""
    articles_per_request: int = 8
    """Articles asked about at a time; 1 keeps each from the others at the price of more requests."""
    concurrency: int = 4
    """Requests under way at a time."""
    requests_per_minute: float = 60.0
    """Requests of all processes of this user together, retries included."""
    requests_per_day: int = 500
    """Requests per UTC day of all processes of this user, retries included; what is beyond stays unknown."""
    dollars_per_day: float = 1.0
    """USD per UTC day by the prices below; a request that might lead beyond is not sent."""
    dollars_per_million_input: float = 0.0
    """USD per million input tokens; needed unless base_url names a server of one's own."""
    dollars_per_million_output: float = 0.0
    """USD per million output tokens; needed unless base_url names a server of one's own."""
    most_output_tokens: int = 4_000
    """Tokens a reply may have, reasoning included; it also bounds what a request can cost."""
    tries: int = 3
    """Times a request is sent that is limited, not answered in time, or fails on the server."""
    timeout_seconds: float = 60.0
    """Seconds a request may take from its start to the last byte of its reply."""
    patience_seconds: float = 600.0
    """Seconds for all requests of a session; what is not answered by then stays unknown."""
    again_sessions: int = 2
    """Sessions after its own in which an article that nobody answered about is asked about again; 0 to 5."""

    def __post_init__(self) -> None:
        if not self.name:
            return
        try:
            date.fromisoformat(self.training_cutoff)
        except ValueError:
            raise ValueError(
                f"training_cutoff of model {self.name!r} is {self.training_cutoff!r}; give the ISO date, such as"
                " 2025-06-30, after which it cannot have read anything, or nobody can tell memory from judgement"
            ) from None
        if self.hindsight not in ("refuse", "mark", "use") or self.api not in ("responses", "chat"):
            raise ValueError(
                f"hindsight is {self.hindsight!r} and api is {self.api!r};"
                " choose refuse, mark or use, and responses or chat"
            )
        if not self.base_url and min(self.dollars_per_million_input, self.dollars_per_million_output) <= 0:
            raise ValueError(
                f"the prices of model {self.name!r} are missing; set dollars_per_million_input and"
                " dollars_per_million_output, or the daily budget cannot hold"
            )
        self._check_limits()

    def _check_limits(self) -> None:
        counts = (self.articles_per_request, self.concurrency, self.most_output_tokens, self.tries)
        if min(counts) < 1 or max(self.articles_per_request, self.concurrency) > 64:
            raise ValueError(
                "articles_per_request and concurrency have to lie in 1..64, most_output_tokens and tries in 1..;"
                f" got {self}"
            )
        if min(self.requests_per_minute, self.timeout_seconds, self.patience_seconds) <= 0:
            raise ValueError(f"requests_per_minute, timeout_seconds, patience_seconds have to be above 0; got {self}")
        if not 0 <= self.again_sessions <= MAX_AGAIN:
            raise ValueError(f"again_sessions has to lie in 0..{MAX_AGAIN}; got {self.again_sessions}")
        if min(self.requests_per_day, self.dollars_per_day, *self._prices) < 0:
            raise ValueError(f"budgets and prices have to be 0 or more; got {self}")

    @property
    def _prices(self) -> tuple[float, float]:
        return self.dollars_per_million_input, self.dollars_per_million_output

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

    repeat_hours: int = 72
    """Hours within which the same title about the same tickers is the same story; wires repeat over a weekend."""
    body_weight: float = 0.5
    """0 to 1; what a finding in the body counts beside one in the title, which says what the story is."""
    body_characters: int = 2_000
    """Characters of the body that are read: the lead carries the news, the rest is background."""
    link: bool = True
    """Whether tickers are looked for in a title whose source names none."""
    most_strength: float = 0.8
    """0 to 1; the most that one article may count, whatever its scorer says: no single text may move a position."""
    model: LanguageModelParams = field(default_factory=LanguageModelParams)
    """The language model that is asked about articles."""

    def __post_init__(self) -> None:
        if not 0 < self.most_strength <= 1:
            raise ValueError(f"most_strength has to lie above 0 and not above 1; got {self.most_strength}")


@dataclass(frozen=True, kw_only=True)
class IngestionParams:
    """Everything the ingestion stages take."""

    publication_lag_minutes: int = 15
    """Minutes from the end of a bar until a vendor shows it."""
    decision_lag_minutes: int = 20
    """Minutes from the close until decisions are made; what is public by then counts for the session."""
    jump: JumpParams = field(default_factory=JumpParams)
    """When a price waits for confirmation."""
    check: CheckParams = field(default_factory=CheckParams)
    """When a second source disagrees."""
    universe: UniverseParams = field(default_factory=UniverseParams)
    """Who may be traded."""
    news: NewsParams = field(default_factory=NewsParams)
    """How news is read."""

    def __post_init__(self) -> None:
        if not 0 <= self.publication_lag_minutes <= self.decision_lag_minutes:
            raise ValueError(
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
