"""The settings of the trading stages, each with its unit and why it has that value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import Earlier, Formerly, Horizon, Share
from pipeline.market.securities.spells import MAX_GAP
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.philosophy.params import Philosophy
from pipeline.trading.shorts.params import Shorts

OrderKind = Literal["market-on-open", "market-on-close", "limit"]


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What a fill costs beside the price on the screen."""

    half_spread: Annotated[float, Field(ge=0, le=0.1)] = 0.0003
    """Fraction of price: half the quoted spread of a liquid large cap at the open, 3 basis points."""
    impact: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Factor Y of the square-root law: a fill moves the price by Y x daily volatility x sqrt(shares / daily volume);
    measured values lie between 0.5 and 1, so 1 errs on the expensive side."""
    commission_per_share: Annotated[float, Field(ge=0, le=100)] = 0.005
    """Currency per share, the usual retail tariff."""
    min_commission: Annotated[float, Field(ge=0, le=10_000), Formerly("least_commission")] = 1.0
    """Currency per order: the tariff's minimum."""
    commission_rate: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    """Fraction of an order's value, beside what is charged per share: brokers of many markets charge by value, such as
    0.0005."""
    max_commission: Annotated[float, Field(ge=0, le=1_000_000)] = 0.0
    """Currency per order: the tariff's maximum; 0 where it has none."""
    buy_tax: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    """Fraction of what is bought, beyond any maximum: stamp duty, 0.005 in London, 0.001 in Hong Kong."""
    sell_tax: Annotated[float, Field(ge=0, le=0.1)] = 0.0
    """Fraction of what is sold, beyond any maximum: 0.001 in Hong Kong, 0.0005 in Shanghai."""
    participation: Annotated[float, Field(gt=0, le=1)] = 0.025
    """Share of the session's volume that one order may take; beyond it the square-root law is not trusted."""
    unknown_volatility: Annotated[float, Field(gt=0, le=1)] = 0.03
    """Fraction per session, taken where a ticker has too few bars to measure: above that of most stocks."""
    multiple: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Factor on spread, impact, commission and taxes: 0 and 2 show how far a result depends on its costs."""

    def contradictions(self) -> Iterator[str]:
        """Tariffs that exclude each other."""
        if 0 < self.max_commission < self.min_commission:
            yield (
                f"min_commission is {self.min_commission} and max_commission is {self.max_commission}; no order meets"
                " both, so lower the first or raise the second"
            )


@dataclass(frozen=True, kw_only=True)
class Orders:
    """What kind of order a planned trade becomes. An order lives for one session: the next plan takes its place."""

    buys: OrderKind = "market-on-open"
    """market-on-open and market-on-close pay half-spread and impact; limit pays neither, and may not be filled."""
    sales: OrderKind = "market-on-open"
    """The same of sales, but for those of stops, which go to the open once a close is below them."""
    stops: Literal["at-close", "resting"] = "at-close"
    """at-close sells at the open after a close below the stop; resting leaves a stop order in the market, which sells
    within the session that trades at its price, and at the open if that is lower already. Where there are bars within
    the session (source.*.intervals), stops and limits are filled when and where those came to them."""
    settlement_sessions: Annotated[int, Field(ge=0, le=5)] = 0
    """Sessions after which what a sale brought pays for buys: 0 as in a margin account, 1 in a cash account whose
    trades settle on the next session."""
    limit_sigmas: Annotated[float, Field(ge=0, le=20)] = 0.5
    """Deviations of a session's return by which a limit lies on the better side of the close it was decided at."""


@dataclass(frozen=True, kw_only=True)
class Regimes:
    """How the state of the market sets the risk that may be taken."""

    calm_below: Annotated[float, Field(ge=0, le=5)] = 0.12
    """Fraction per year: market volatility under this is calm (about its lower third since 1990)."""
    stressed_above: Annotated[float, Field(gt=0, le=10)] = 0.28
    """Fraction per year: volatility over this is stressed (about its upper tenth)."""
    bad_trend: Annotated[float, Field(gt=-1, le=0)] = -0.10
    """Fraction: a 60-session market fall beyond this is stressed whatever the volatility."""
    volatility_sessions: Annotated[int, Field(ge=2, le=80)] = 20
    """Sessions of the volatility estimate: one month."""
    trend_sessions: Annotated[int, Field(ge=1, le=80)] = 60
    """Sessions of the trend: one quarter."""
    target_volatility: Annotated[float, Field(gt=0, le=10)] = 0.15
    """Fraction per year: above it risk shrinks in proportion, so that the book's own swings stay level."""
    unproven_risk: Share = 0.25
    """Share of the risk budget while skill is not measured or may be none: enough to learn from, too little to hurt."""
    stressed_positions: Share = 0.5
    """Share of the usual number of names under stress, when names fall together."""

    def contradictions(self) -> Iterator[str]:
        """Regimes that overlap."""
        if self.stressed_above <= self.calm_below:
            yield (
                f"stressed_above is {self.stressed_above} and calm_below is {self.calm_below}; no market is calm and"
                " stressed at once, so stressed_above must be the larger"
            )


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """How an edge becomes a position."""

    kelly: Annotated[float, Field(ge=0, le=10)] = 0.10
    """Fraction of the Kelly weight edge / variance: a tenth, since the edge itself is an estimate."""
    rebalance_band: Share = 0.01
    """Fraction of NAV: a held name is added to only if it is this far below its target, for turnover's sake."""
    overweight: Annotated[float, Field(ge=1, le=100)] = 1.25
    """Factor on the name limit beyond which a grown position is cut back to it."""
    window: Annotated[int, Field(ge=2, le=25)] = 20
    """Sessions over which volatility and median volume are measured."""


@dataclass(frozen=True, kw_only=True)
class Rules:
    """The limits of the rules; each says which rule applies it."""

    hold_sessions: Annotated[int, Field(ge=0, le=5), Earlier(0)] = 3
    """unexplained_price, sessions: a name whose price moved as a split would move it, or whose bar waits, is not traded
    until its action arrives or this many further sessions confirm the new level; 0 holds none."""
    hold_sigmas: Annotated[float, Field(gt=0, le=100)] = 6.0
    """unexplained_price: standard deviations per session beyond which a move needs an explanation."""
    position_loss: Annotated[float, Field(gt=0, le=1)] = 0.005
    """capital_preservation, fraction of NAV: the most a position may lose at its 5 % quantile."""
    cool_down: Annotated[int, Field(ge=0, le=20)] = 5
    """patience, sessions (at most 20): no new buy of a name this soon after selling it."""
    min_holding: Annotated[int, Field(ge=0, le=250), Formerly("least_holding")] = 2
    """patience, sessions: a forecast may not close a position younger than this; a stop may."""
    name_weight: Annotated[float, Field(gt=0, le=1)] = 0.06
    """diversification, fraction of NAV in one name."""
    sector_weight: Annotated[float, Field(gt=0, le=1)] = 0.30
    """diversification, fraction of NAV in one sector; 'unknown' counts as one."""
    max_positions: Annotated[int, Field(ge=1, le=10_000), Formerly("most_positions")] = 40
    """diversification, names: beyond it each is too small to matter."""
    full_confidence: Annotated[float, Field(gt=0, le=1)] = 0.5
    """humility, 0 to 1: agreement of the members that earns the full size; less agreement earns less."""
    wide_interval: Annotated[float, Field(gt=0, le=1000)] = 3.0
    """humility, factor: an 80 % interval this many times as wide as past volatility implies halves the size."""
    stop_sigmas: Annotated[float, Field(gt=0, le=100)] = 2.0
    """cutting_losses: standard deviations over the decision horizon below cost at which a position is cut."""
    trail_sigmas: Annotated[float, Field(gt=0, le=100)] = 2.5
    """letting_winners_run: the same below the best close since, once in profit."""
    cost_margin: Annotated[float, Field(ge=0, le=100)] = 1.0
    """cost_awareness, factor m: the edge, already after costs, has to exceed m x the round trip's cost."""
    exit_below: Annotated[float, Field(ge=-1, le=1)] = 0.0
    """Fraction over the horizon: a forecast below this, and below minus its cost, wants the position closed."""
    turnover: Annotated[float, Field(gt=0, le=2)] = 0.20
    """turnover, fraction of NAV that may be traded in a session; stops are exempt."""
    drawdown_soft: Annotated[float, Field(ge=0, lt=1)] = 0.08
    """drawdown_stop, fraction under the peak from which new buys shrink."""
    drawdown_hard: Annotated[float, Field(gt=0, le=1)] = 0.15
    """drawdown_stop, fraction under the peak from which there are no new buys."""
    stale_forecast: Annotated[int, Field(ge=0, le=250)] = 0
    """staleness, sessions: oldest forecast that may open a position."""
    cash_reserve: Annotated[float, Field(ge=0, lt=1)] = 0.01
    """solvency, fraction of NAV kept in cash, in case the open is above the close."""
    min_order: Annotated[float, Field(ge=0, le=1_000_000_000), Formerly("smallest_order")] = 500.0
    """significance, currency: below it the commission's minimum eats the edge."""

    def contradictions(self) -> Iterator[str]:
        """Limits that exclude each other."""
        if self.drawdown_hard <= self.drawdown_soft:
            yield (
                f"drawdown_hard is {self.drawdown_hard} and drawdown_soft is {self.drawdown_soft}; buying shrinks from"
                " the soft limit to nothing at the hard one, so drawdown_hard must be the larger"
            )


@dataclass(frozen=True, kw_only=True)
class Reflection:
    """When an outcome counts as expected."""

    as_expected_sigmas: Annotated[float, Field(gt=0, le=10)] = 0.67
    """Standard deviations around the forecast within which half of all outcomes fall."""


@dataclass(frozen=True, kw_only=True)
class TopK:
    """Top-k dropout, the reference that trades the book's own forecasts in the simplest way there is."""

    share: Annotated[float, Field(gt=0, le=1)] = 1 / 3
    """Fraction of the members that it holds, at least one name: a third, as the forecasts tell thirds apart."""
    most: Annotated[int, Field(ge=1, le=1000)] = 50
    """Names that it holds at most, the usual k for an index of 300."""
    dropped: Annotated[int, Field(ge=1, le=1000)] = 1
    """Names that it replaces in a session at most; each costs a round trip."""

    def contradictions(self) -> Iterator[str]:
        """More names replaced than held."""
        if self.dropped > self.most:
            yield f"dropped is {self.dropped} and most is {self.most}; no more names can be replaced than are held"


Approval = Literal["none", "required"]


@dataclass(frozen=True, kw_only=True)
class TradingParams:
    """The paper book: whole shares, a cash account, and long only unless `shorts` allows more."""

    capital: Annotated[float, Field(gt=0, le=1_000_000_000_000)] = 1_000_000.0
    """Currency paid in at the first session; exact to the cent."""
    horizon: Horizon = 5
    """Sessions: the forecast horizon that decisions rest on."""
    approval: Approval = "none"
    """`required` withholds every order that was not approved before its open, except stops, which cut a loss whether or
    not the operator is there; a veto counts either way."""
    settlement: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How the books follow corporate actions: 2 corrects whatever turns out otherwise, however late; 1 posts an action
    once and never looks at it again, as runs of earlier programs did."""
    baselines: Annotated[Literal[1, 2, 3], Earlier(1)] = 3
    """What the book is compared with: 3 holds equal weight and benchmark as portfolios that keep what cannot be sold,
    charges them what the book pays, and holds the best k names by the book's own forecasts beside them; 2 charges
    nothing and holds no such names, 1 chains the members' daily returns, as runs of earlier programs did."""
    cash_interest: Annotated[float, Field(ge=-0.1, le=1)] = 0.0
    """Fraction per year that cash alone earns, the lowest rung of the references; the book's own only with
    `book_interest`."""
    book_interest: bool = False
    """Whether the book's own cash earns `cash_interest` as well, night by night; collateral of short positions earns
    `shorts.rebate` instead."""
    margin_interest: Annotated[float, Field(ge=0, le=1)] = 0.0
    """Fraction per year that is paid on a debt in cash, which corrections, borrow and dividends owed can leave."""
    securities: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whose history a ticker has: 2 its company's, under any name it had; 1 the ticker's, whoever had it, as in runs of
    earlier programs."""
    planning: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How trades are planned: 2 builds the whole book at once from mandate, expected returns, risk and costs, within
    the rules of `philosophy`; 1 judges one trade after the other by `rules`, as runs of earlier programs did."""
    horizon_evidence: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How much each forecast horizon counts for what is expected over the holding period: 2 by the evidence for its
    skill as far as that tells of this period, 1 by all of it, as runs of earlier programs did."""
    stops: Annotated[Literal[1, 2], Earlier(1)] = 2
    """What a stop follows: 2 what is paid out on an ex-date, too, and not splits alone, as 1 does and runs of earlier
    programs did."""
    max_gap: Annotated[int, Field(ge=5, le=250)] = MAX_GAP
    """Sessions without a bar after which whoever trades under a ticker is taken for another company, unless a rename or
    a delisting says who it is; `ingestion.universe.max_gap` is the same for the universe."""
    max_rate_age_days: Annotated[int, Field(ge=1, le=366)] = 7
    """Days that the exchange rate of a trade may be old; `ingestion.max_rate_age_days` is the same for the universe.
    What is held is valued at the last rate, however old."""
    mark_down_after: Annotated[int, Field(ge=0, le=250), Earlier(0)] = 20
    """Sessions without a bar after which a position is marked down: a month; 0 never marks one down."""
    mark_down: Share = 0.5
    """Fraction of the last close that is taken off then; few names that vanish come back at their price."""
    write_off_after: Annotated[int, Field(ge=0, le=250), Earlier(0)] = 60
    """Sessions without a bar after which a position is written off: a quarter; 0 never writes one off."""
    write_off_value: Share = 0.0
    """Fraction of the last close that it is written off at."""
    full_exposure: Annotated[float, Field(gt=0, le=1)] = 0.95
    """Fraction of NAV invested at full risk; the rest is for gaps and costs."""
    costs: Costs = field(default_factory=Costs)
    """What a fill costs."""
    orders: Orders = field(default_factory=Orders)
    """What kind of order a planned trade becomes; with `planning = 1` all go to the open."""
    mandate: Mandate = field(default_factory=Mandate)
    """What the book is for, until `nextgen mandate set` says otherwise."""
    philosophy: Philosophy = field(default_factory=Philosophy)
    """The rules of the book."""
    regimes: Regimes = field(default_factory=Regimes)
    """How much risk the market's state allows."""
    sizing: Sizing = field(default_factory=Sizing)
    """How an edge becomes a position."""
    rules: Rules = field(default_factory=Rules)
    """What every trade has to pass."""
    shorts: Shorts = field(default_factory=Shorts)
    """Short sales, off unless allowed."""
    top_k: TopK = field(default_factory=TopK)
    """The reference that holds the best k names."""
    reflection: Reflection = field(default_factory=Reflection)
    """How sales are judged."""

    def contradictions(self) -> Iterator[str]:
        """Ways of keeping and planning a book that know no short positions."""
        for name, value in (("planning", self.planning), ("settlement", self.settlement)):
            if self.shorts.allowed and value != 2:
                yield f"shorts.allowed is true and {name} is {value}, which knows no short positions; set {name} = 2"
