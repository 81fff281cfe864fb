"""What can be found wrong with a chart: the rules by name, and a finding for each bar and dividend."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, Dividend

SPLIT_APPLIED = "the prices are adjusted for every split"
ONE_UNIT = "the prices are in one unit"
DIVIDEND_UNIT = "the dividend is in the unit of the prices"
DIVIDEND_FELT = "the price falls by a large dividend"
DIVIDEND_ONCE = "a dividend comes once"
DIVIDEND_ADJUSTED = "the adjusted close reflects the dividend"
DIVIDEND_CURRENCY = "the dividend is in the currency of the prices"
DIVIDEND_DATED = "the dividend is stated on its ex-date"
DIVIDEND_STATED = "a dividend in the adjusted close is stated"


@dataclass(frozen=True)
class DividendFinding:
    """What was found about one dividend."""

    stated: Dividend
    """As the answer has it; one that the answer lacks stands here with its date and an amount of 0."""
    rule: str | None
    """The first rule it breaks; None for a sound one."""
    amount: float | None
    """What it has to be; None if there was no such dividend, or nobody can tell."""
    readings: tuple[float, ...] = ()
    """What it may be, the stated amount first, where that cannot be decided; 0 for no such dividend."""

    @property
    def is_stated(self) -> bool:
        """Whether the answer has it, and it was not found elsewhere."""
        return bool(self.stated.amount) or self.rule not in (DIVIDEND_DATED, DIVIDEND_STATED)


@dataclass(frozen=True)
class Findings:
    """A chart's contradictions and what they have to be instead."""

    bar_rules: tuple[str | None, ...]
    """Per bar: the rule its prices break."""
    repaired: Chart
    """The chart with the prices put right, volumes with them; dividends as stated."""
    dividends: tuple[DividendFinding, ...]
    undecided: frozenset[int] = field(default_factory=frozenset)
    """Numbers of the bars that may be right as stated or as repaired."""

    @property
    def rules(self) -> frozenset[str]:
        """Every rule broken anywhere."""
        found = {*self.bar_rules, *(one.rule for one in self.dividends)}
        return frozenset(rule for rule in found if rule is not None)
