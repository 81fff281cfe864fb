"""Every rule of the book, in the order in which they speak unless the settings give another one."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.trading.philosophy import bounds, refusals, scalings
from pipeline.trading.philosophy.book_rule import BookRule
from pipeline.trading.philosophy.params import RULE_NAMES, SHORT_RULES

_DECLARED = {
    one.name: one
    for module in (refusals, scalings, bounds)
    for one in vars(module).values()
    if isinstance(one, BookRule)
}
BOOK_RULES: tuple[BookRule, ...] = tuple(_DECLARED[name] for name in RULE_NAMES)


def order_rules(names: Sequence[str], *, shorts: bool = False) -> tuple[BookRule, ...]:
    """The rules of these names, in their order; those of short sales only where there are some."""
    return tuple(_DECLARED[name] for name in names if shorts or name not in SHORT_RULES)
