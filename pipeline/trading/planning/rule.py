"""What a rule is: a name, the unit of its distances and a check, in one declaration; and what it says of a trade."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite
from re import fullmatch
from typing import NamedTuple, Protocol

from pipeline.text_format import counted, percent
from pipeline.trading.params import TradingParams
from pipeline.trading.planning.candidates import Candidate, PortfolioState


@dataclass(frozen=True)
class Unit:
    """What a distance is counted in."""

    name: str
    write: Callable[[float], str]
    part_of: str = ""
    """What the figure is a part of; empty where it stands for itself."""

    def describe(self, distance: float) -> str:
        """A distance in words: '3 sessions', '0.21 % of edge'."""
        return f"{self.write(distance)} of {self.part_of}" if self.part_of else self.write(distance)


def share_of(whole: str) -> Unit:
    """A fraction of something, written in percent."""
    return Unit(f"fraction of {whole}", percent, whole)


def count_of(noun: str) -> Unit:
    """A count of something, in the singular: 'session'."""
    return Unit(noun, lambda distance: counted(round(distance), noun))


class MeasuredRule(Protocol):
    """What is known of a rule by those who show its verdicts."""

    @property
    def name(self) -> str:
        """As `trade_plans.verdicts` has it."""

    @property
    def doc(self) -> str:
        """The rule in a sentence."""

    def unit_of(self, reason: str) -> Unit | None:
        """The unit of a refusal's distance; None if it is not a matter of more or less."""


VERDICTS = ("allow", "scale", "refuse")


class Ruling(NamedTuple):
    """What a check says of a candidate."""

    verdict: str
    """allow, scale or refuse."""
    scale: float
    """Share of the size it lets pass: 1 if allowed, 0 if refused."""
    distance: float
    """How far from passing whole, in the rule's unit; 0 where it passed."""
    reason: str


class RuleVerdict(NamedTuple):
    """A ruling with the name of its rule, as `trade_plans.verdicts` holds it."""

    rule: str
    verdict: str
    scale: float
    distance: float
    reason: str


def allow(reason: str) -> Ruling:
    """The size passes whole."""
    return Ruling("allow", 1.0, 0.0, reason)


def refuse(distance: float, reason: str) -> Ruling:
    """Nothing passes."""
    return Ruling("refuse", 0.0, distance, reason)


def scale(share: float, distance: float, reason: str) -> Ruling:
    """A share of the size passes, between 0 and 1."""
    return Ruling("scale", share, distance, reason)


def fit(wanted: float, room: float, reason: str) -> Ruling:
    """As much passes as there is room for: all, a part, or nothing; both in the same unit."""
    if wanted <= room:
        return allow(reason)
    if room <= 0:
        return refuse(wanted - room, reason)
    return scale(room / wanted, wanted - room, reason)


Check = Callable[[Candidate, PortfolioState, TradingParams], Ruling]


@dataclass(frozen=True)
class Rule:
    """A rule that every candidate has to pass."""

    name: str
    unit: Unit | None
    """What its distances are counted in; None if it is never a matter of more or less."""
    check: Check
    exceptions: Mapping[str, Unit | None] = field(default_factory=dict)
    """Words of a reason -> the unit of those refusals that are measured otherwise, or not a matter of more or less."""

    def __post_init__(self) -> None:
        if not fullmatch(r"[a-z][a-z0-9_]{0,59}", self.name):
            raise ValueError(
                f"a rule is named {self.name!r}; use at most 60 small letters, digits and underscores, a letter first"
            )

    def judge(self, candidate: Candidate, state: PortfolioState, params: TradingParams) -> RuleVerdict:
        """Check a candidate whose size is what the rules before left of it.

        Raises:
            ValueError: if the check fails, or its answer is none.
        """
        try:
            ruling = self.check(candidate, state, params)
        except (Exception, SystemExit) as error:  # a rule may be an operator's own code, which can raise anything
            words = f"the rule {self.name} fails on {candidate.ticker}: {type(error).__name__}: {error}"
            raise ValueError(words) from error
        if not isinstance(ruling, Ruling):
            raise ValueError(
                f"the rule {self.name} answers {ruling!r} to {candidate.ticker}; answer with `allow`, `refuse`, `scale`"
                " or `fit`"
            )
        if ruling.verdict not in VERDICTS or not 0 <= ruling.scale <= 1 or not isfinite(ruling.distance):
            raise ValueError(
                f"the rule {self.name} says {ruling.verdict!r} to {candidate.ticker} with scale {ruling.scale} and "
                f"distance {ruling.distance}; answer with `allow`, `refuse`, `scale` or `fit`"
            )
        return RuleVerdict(self.name, *ruling)

    def unit_of(self, reason: str) -> Unit | None:
        """The unit of a refusal's distance; None if it is not a matter of more or less."""
        return next((unit for words, unit in self.exceptions.items() if words in reason), self.unit)

    @property
    def doc(self) -> str:
        """The rule in a sentence."""
        return (self.check.__doc__ or "").strip().split("\n")[0]


def rule(unit: Unit | None, exceptions: Mapping[str, Unit | None] | None = None) -> Callable[[Check], Rule]:
    """Declare a check as the rule of its function's name."""
    return lambda check: Rule(check.__name__, unit, check, exceptions or {})
