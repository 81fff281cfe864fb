"""What each rule of the book brought: the book beside one that does without it, one rule after the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from lake.store import Lake
from pipeline.config.settings import Settings
from pipeline.engine.work import Progress, silent
from pipeline.market.annual_sessions import sessions_per_year
from pipeline.market.sessions import Sessions
from pipeline.research.desk import NotOnDeskError
from pipeline.research.desk.book import SessionResult
from pipeline.research.desk.desk import Desk
from pipeline.research.paired import PairedDifference, compare_pairs

ORDER = "trading.philosophy.order"


@dataclass(frozen=True, kw_only=True)
class RuleApart:
    """A rule beside the book without it."""

    rule: str
    profit: int
    """Cents at the end that the book has for the rule; negative where it cost them."""
    commission: int
    """Cents of commission that were paid for it; negative where it saved them."""
    returned: PairedDifference
    """Returns a year with the rule beside those without it, and whether the difference is chance."""


@dataclass(frozen=True, kw_only=True)
class RuleUntold:
    """A rule without which the book in memory cannot go on."""

    rule: str
    reason: str


def tell_rules_apart(
    lake: Lake, settings: Settings, calendar: Sessions, eve: date, last: date, progress: Progress = silent
) -> Iterator[RuleApart | RuleUntold]:
    """Yield what each rule brought from the session after `eve` to `last`, in the order in which they speak.

    A book without a rule holds other names, and one that it alone holds may need a forecast that was never made:
    that rule is yielded as untold, and the others are told all the same.

    Args:
        lake: read alone.
        settings: its own, whose rules are left out.
        calendar: its sessions.
        eve: the session after whose cycle books go their own way.
        last: the last session.
        progress: told of each rule.

    Raises:
        NotOnDeskError: if the book with all rules needs more than what is in memory.
    """
    desk, order = Desk(lake, calendar, eve, last), settings.trading.philosophy.order
    with_all = desk.ask({ORDER: order})
    year = sessions_per_year(calendar, last)
    for number, rule in enumerate(order):
        progress(f"without {rule}", number, len(order))
        rest = tuple(name for name in order if name != rule)
        try:
            yield _compare(rule, with_all, desk.ask({ORDER: rest}), year)
        except NotOnDeskError as reason:
            yield RuleUntold(rule=rule, reason=str(reason))
    progress("done", len(order), len(order))


def _compare(rule: str, book: list[SessionResult], without: list[SessionResult], year: int) -> RuleApart:
    returns = ([one.session_return for one in results] for results in (without, book))
    return RuleApart(
        rule=rule,
        profit=book[-1].nav - without[-1].nav,
        commission=book[-1].commission - without[-1].commission,
        returned=compare_pairs("return", *returns, unit="of NAV a year", scale=year),
    )
