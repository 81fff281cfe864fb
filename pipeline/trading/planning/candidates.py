"""What the rules look at: a candidate for a trade, and the state of the portfolio with the orders accepted so far."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date

from pipeline.trading.currencies.session_rates import OWN, Exchange


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """A forecast of the total return over the decision horizon."""

    prediction_id: str
    model_id: str
    role: str
    age: int
    """Sessions since it was made."""
    point: float
    low: float
    """5 % quantile."""
    low_80: float
    high_80: float
    confidence: float
    strangeness: float | None = None
    """Share of the model's training rows whose inputs lie nearer than these; None where it is not known."""
    distance: float | None = None
    """How far the inputs lie from the middle of the training rows, in robust deviations; None likewise."""
    high: float | None = None
    """95 % quantile; None where it is not known."""

    @property
    def sigma(self) -> float:
        """Standard deviation that the calibrated 80 % interval implies for a normal distribution."""
        return (self.high_80 - self.low_80) / 2.5631


@dataclass(frozen=True, kw_only=True, slots=True)
class Holding:
    """What the book has of a ticker; shares and weight of a short position are negative."""

    shares: int
    cost: float
    """Per share, in what the name is quoted in."""
    weight: float
    opened: date
    held_sessions: int
    stop: float
    """Price below which it is cut, only ever raised; of a short position above which, only ever lowered."""

    def profit(self, close: float) -> float:
        """Gain at the close as a fraction of cost."""
        gain = close / self.cost - 1 if self.cost else 0.0
        return gain if self.shares > 0 else -gain

    def is_beyond_stop(self, close: float) -> bool:
        """Whether a close is on the wrong side of the stop."""
        return close < self.stop if self.shares > 0 else close > self.stop


@dataclass(frozen=True, kw_only=True, slots=True)
class Candidate:
    """A trade under consideration; `shares` is its size after the rules so far."""

    ticker: str
    sector: str
    side: str
    intent: str
    shares: int
    close: float
    stale: int
    """Sessions since the last bar; 0 if it traded today."""
    member: bool
    exclusion: str
    """Why it is not in the universe; 'member' if it is."""
    volatility: float
    """Fraction per session."""
    median_volume: float | None
    cost: float
    """Round trip expected, as a fraction."""
    forecast: Forecast | None
    holding: Holding | None
    since_sale: int | None
    """Sessions since the name was last sold; None if not lately."""
    unexplained: str = ""
    """Why the name is on hold: what happened to its price that nobody explains yet; empty if it is not."""
    hold_left: int = 0
    """Sessions until the hold ends by itself."""
    exchange: Exchange = OWN
    """How its close becomes the book's money."""

    @property
    def edge(self) -> float | None:
        """Expected return less expected cost."""
        return None if self.forecast is None else self.forecast.point - self.cost

    @property
    def value(self) -> float:
        """The book's currency that the trade moves at the close."""
        return self.shares * self.price

    @property
    def price(self) -> float:
        """The close in the book's currency."""
        return in_book(self.close, self.exchange)


def in_book(price: float, exchange: Exchange) -> float:
    """A price in the book's currency; of a name that is quoted in it, the very same number."""
    return price if exchange.currency is None else price * float(exchange.rate)


@dataclass(slots=True)
class PortfolioState:
    """The portfolio with the orders accepted so far; figures in currency unless said otherwise."""

    nav: float
    cash: float
    """Cash now plus what accepted sales are expected to bring, less what accepted buys need."""
    invested: float
    drawdown: float
    """Fraction under the peak, or under the best beside the benchmark."""
    risk_budget: float
    target_exposure: float
    max_positions: int
    horizon: int
    skill: float | None
    skill_low: float | None
    stopped: str = ""
    """Why nothing is ordered: the operator paused or killed trading; empty if he did not."""
    beside_benchmark: bool = False
    """Whether the drawdown is one beside the benchmark."""
    traded: float = 0.0
    names: set[str] = field(default_factory=set)
    by_name: dict[str, float] = field(default_factory=dict)
    by_sector: dict[str, float] = field(default_factory=dict)

    def weight(self, value: float) -> float:
        """A value as a fraction of NAV."""
        return value / self.nav if self.nav > 0 else 0.0

    def accept(self, candidate: Candidate) -> None:
        """Count an order as done, its cost included, before the next candidate is looked at."""
        value, expense = candidate.value, candidate.value * candidate.cost / 2
        signed = value if candidate.side == "buy" else -value
        self.cash -= signed + expense
        self.invested += signed
        self.traded += value
        self.by_name[candidate.ticker] = self.by_name.get(candidate.ticker, 0.0) + signed
        self.by_sector[candidate.sector] = self.by_sector.get(candidate.sector, 0.0) + signed
        if candidate.side == "buy":
            self.names.add(candidate.ticker)
        elif candidate.holding is not None and candidate.shares == candidate.holding.shares:
            self.names.discard(candidate.ticker)
