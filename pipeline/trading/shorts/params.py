"""The settings of short sales: their limits, and the list of what can be borrowed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, NamedTuple

from pydantic import AfterValidator, Field

from lake.tables.vocabulary import SYMBOL
from pipeline.config.setting_types import DISTINCT

EVERY_OTHER = "*"
"""Stands for every name that the list does not give."""
FORM = re.compile(
    rf"(?P<name>\{EVERY_OTHER}|(?:{SYMBOL}))=(?P<rate>[0-9.]+)"
    r"(?: shares (?P<shares>[0-9]+))?(?: until (?P<until>\d{4}-\d\d-\d\d))?"
)
EXAMPLE = "GME=0.35 shares 10000 until 2024-05-31"


class Locate(NamedTuple):
    """What a lender offers of a name."""

    rate: float
    """Fraction per year of what the borrowed shares are worth."""
    shares: int | None = None
    """How many may be short at once; None for any number."""
    recall: date | None = None
    """The session before which they have to be given back; None if the lender named none."""


def read_locate(text: str) -> tuple[str, Locate]:
    """Return the name and what is offered of it.

    Raises:
        ValueError: if the text is not written as `NAME=RATE`, with `shares NUMBER` and `until DATE` where they count.
    """
    found = FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is not written as NAME=RATE, with shares and recall if there are any: {EXAMPLE}")
    rate, shares, until = float(found["rate"]), found["shares"], found["until"]
    if rate > 10:
        raise ValueError(f"{text!r} asks for {100 * rate:g} % a year; a rate is a fraction, such as 0.003")
    return found["name"], Locate(
        rate, int(shares) if shares is not None else None, date.fromisoformat(until) if until else None
    )


def _locate(text: str) -> str:
    read_locate(text)
    return text


@dataclass(frozen=True, kw_only=True)
class Shorts:
    """Whether the book may sell what it does not have, how much of it, and on which terms."""

    allowed: bool = False
    """Whether there are short sales at all; without, every weight is 0 or more."""
    borrow: Annotated[
        tuple[Annotated[str, Field(max_length=80), AfterValidator(_locate)], ...],
        Field(max_length=10_000, description="names that can be borrowed, each written like " + EXAMPLE),
        DISTINCT,
    ] = ()
    """What can be borrowed: the rate per year, how many shares may be short at once, and until which session the lender
    leaves them; * stands for every other name. A name that is not in the list is not sold short."""
    max_name: Annotated[float, Field(gt=0, le=1)] = 0.02
    """Fraction of NAV that one name may be short: a loss on it knows no limit, so it is less than a long one's."""
    max_total: Annotated[float, Field(gt=0, le=5)] = 0.30
    """Fraction of NAV that all short positions together may be: the 30 of a 130/30 book."""
    max_gross: Annotated[float, Field(gt=0, le=10)] = 1.60
    """Fraction of NAV of long and short positions together: 130 and 30."""
    collateral: Annotated[float, Field(ge=1, le=3)] = 1.02
    """Fraction of what short positions are worth that stays in cash, out of which nothing is bought: lenders of
    American shares ask for 102 %."""
    rebate: Annotated[float, Field(ge=-0.1, le=1)] = 0.0
    """Fraction per year that this collateral earns: what lenders call the rebate; private accounts get none."""

    def contradictions(self) -> Iterator[str]:
        """Limits that exclude each other, and names given twice."""
        if self.max_name > self.max_total:
            yield f"max_name is {self.max_name} and max_total is {self.max_total}; one name cannot be more than all"
        names = [read_locate(text)[0] for text in self.borrow]
        for name in sorted({one for one in names if names.count(one) > 1}):
            yield f"borrow gives {name} {names.count(name)} times; leave the one that counts"
