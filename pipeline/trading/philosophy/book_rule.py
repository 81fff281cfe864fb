"""What a rule of the book is: a name, what kind of effect it has, the unit of its distances, and a check."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Literal, NamedTuple

import numpy as np

from pipeline.trading.construction.problem import BookProblem, Flags, Floats
from pipeline.trading.mandates.mandate import Mandate
from pipeline.trading.params import TradingParams
from pipeline.trading.philosophy.params import Philosophy
from pipeline.trading.planning.candidates import Candidate
from pipeline.trading.planning.rule import Unit
from pipeline.trading.shorts.lending import Lending
from pipeline.trading.trust.lessons import TrustLesson, find_share

Kind = Literal["refusal", "bound", "penalty", "scaling"]
"""refusal: a trade may not be made, or has to be; bound: weights or trades have a limit; penalty: trading costs more;
scaling: less of the alpha is believed."""


@dataclass(frozen=True, kw_only=True)
class RuleFacts:
    """What rules look at beside the problem: what is known of each name and of the book at a close."""

    candidates: Sequence[Candidate]
    """[N] in the order of the problem's names; their side is `hold` and their shares 0."""
    left: Sequence[float]
    """[N] each name's close less what was paid out since, as stops are compared with."""
    nav: float
    """Currency."""
    drawdown: float
    """Fraction under the peak, or under the best beside the benchmark."""
    risk_budget: float
    """Share of the full risk that the market's state allows."""
    stopped: str
    """Why nothing is ordered; empty if the operator did not stop trading."""
    mandate: Mandate
    trust: Mapping[str, tuple[int, int]]
    """Ticker -> closed trades that came out as forecast or better, and all."""
    stops_by_sector: Mapping[str, tuple[int, int]]
    """Sector -> positions stopped out within the cool-down, and these with the ones that are held."""
    events: Mapping[str, tuple[int, str]]
    """Ticker -> sessions since an action that changed its price basis, and its kind."""
    stopped_out: Mapping[str, int]
    """Ticker -> sessions since its stop sold it."""
    session_share: float
    """The holding period as a fraction of a year."""
    params: TradingParams
    beside_benchmark: bool = False
    """Whether the drawdown is one beside the benchmark."""
    lending: Lending | None = None
    """What can be borrowed at the next open; None where nothing is sold short."""
    session: date | None = None
    """At whose close it is decided."""
    lessons: tuple[TrustLesson, ...] = ()
    """What is trusted less by how it came out, beside tickers."""

    def find_trust(self, kind: str, at: int) -> tuple[float, str]:
        """What lessons of a kind leave of a name's alpha or of a rule's say, and the names of those that speak."""
        if self.session is None or not self.lessons:
            return 1.0, ""
        one = self.candidates[at]
        return find_share(self.lessons, kind, one.ticker, one.sector, self.session)

    @property
    def limits(self) -> Philosophy:
        """The settings of the rules."""
        return self.params.philosophy

    @cached_property
    def prices(self) -> Floats:
        """[N] closes in the book's currency."""
        return np.array([one.price for one in self.candidates], dtype=np.float64)

    def is_stopped(self, at: int) -> bool:
        """Whether a held name lies below its stop, or a short one above it, at a price that is explained."""
        one = self.candidates[at]
        return one.holding is not None and one.holding.is_beyond_stop(self.left[at]) and not one.unexplained

    def flags(self, test: Callable[[Candidate], bool]) -> Flags:
        """[N] which names meet a test."""
        return np.array([test(one) for one in self.candidates], dtype=bool)

    def weigh_shares(self, shares: Floats) -> Floats:
        """[N] shares as fractions of NAV."""
        return shares * self.prices / self.nav


class Touch(NamedTuple):
    """What a rule says of one name."""

    distance: float
    """How far from passing, in the rule's unit; 0 where that is no matter of more or less."""
    reason: str


@dataclass(frozen=True)
class Effect:
    """What a rule does: the problem as it leaves it, and what it says of the names that it concerns."""

    problem: BookProblem
    touched: Mapping[int, Touch] = field(default_factory=dict)
    """Index of a name -> what is said of it."""
    otherwise: str = "nothing speaks against it"
    """What is said of all other names."""


Check = Callable[[RuleFacts, BookProblem, Floats], Effect]
"""Facts, the problem so far, and the weights that solve it."""


@dataclass(frozen=True)
class BookRule:
    """A rule of the book."""

    name: str
    kind: Kind
    unit: Unit | None
    """What its distances are counted in; None if it is never a matter of more or less."""
    check: Check
    needs_weights: bool = False
    """Whether what it does to the problem depends on the weights, not only what it says of them."""

    def unit_of(self, reason: str) -> Unit | None:  # noqa: ARG002
        """The unit of a refusal's distance."""
        return self.unit

    @property
    def doc(self) -> str:
        """The principle in a sentence."""
        return (self.check.__doc__ or "").strip().split("\n")[0]


def book_rule(kind: Kind, unit: Unit | None = None, *, needs_weights: bool = False) -> Callable[[Check], BookRule]:
    """Declare a check as the rule of its function's name."""
    return lambda check: BookRule(check.__name__, kind, unit, check, needs_weights)
