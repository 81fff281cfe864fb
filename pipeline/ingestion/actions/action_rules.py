"""What has to hold for a line of corporate actions to be believed: each rule by the name that a refusal gives it."""

from __future__ import annotations

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.ingestion.actions.action_coverage import COVERAGE, EVERY_TICKER
from pipeline.ingestion.parse_values import present
from pipeline.ingestion.prices.bar_rules import is_well_formed

NUMBERS = ("numerator", "denominator", "amount", "cash", "cost_share")
FIRST_KINDS = ("split", "dividend", "delisting", "rename")
"""The kinds there were before landings said which span they cover."""
PASSED_ON = "passed_on"
"""What a source calls it when a ticker becomes another company's and nobody says what became of the one before.

That one is renamed to a ticker that nobody trades, so that what is held of it stays what it was."""
MAX_AMOUNT = 1e9
"""Currency per share; beyond it an amount is a slip, and no book could hold it."""
MAX_RATIO = 1e6
"""Shares for one, either way."""
MAX_DAYS_TO_PAYMENT = 366
"""Between ex-date and payment, either way: large distributions go ex after they were paid, by days."""


def action_rules(instruments: pl.DataFrame) -> dict[str, pl.Expr]:
    """The rules in the order in which they are looked at; a null condition counts as met.

    They see typed lines with each text as *_text, kind and nature in the table's words, first_listed and ended_on of
    the ticker, and the coverage of the landing. What was landed without a coverage is held to the rules of then.

    Args:
        instruments: what is listed; while nothing is, no ticker is unknown.
    """
    listed = {} if instruments.is_empty() else {"ticker is listed": _is_listed(instruments)}
    return {
        "ticker is well-formed": is_well_formed("ticker"),
        **listed,
        **_rules_of_reading(),
        **_rules_of_numbers(),
        **_rules_of_table(),
        **_if_covered(_rules_of_terms()),
        **_if_covered({"no earlier than the ticker's first session": _is_after_listing()}),
    }


def is_covered() -> pl.Expr:
    """Whether a line's landing says which ex-dates it covers."""
    return pl.col(COVERAGE[0]).is_not_null()


def plain_words(name: str) -> pl.Expr:
    """The text column as our own names are written: `Spin-off` is spin_off."""
    return pl.col(name).str.strip_chars().str.to_lowercase().str.replace_all("[- ]", "_")


def _is_listed(instruments: pl.DataFrame) -> pl.Expr:
    return pl.col("ticker").is_in(instruments["ticker"].implode())


def _is_after_listing() -> pl.Expr:
    """Or it concerns a company that had the ticker before whoever is listed now.

    A landing about one ticker starts its span with the first bar it has: that one is as good as the listing.
    """
    own = (pl.col("asked") != EVERY_TICKER) & (pl.col("ex_date") >= pl.col(COVERAGE[0]))
    before = (pl.col("ex_date") <= pl.col("ended_on")).fill_null(False)
    return (pl.col("ex_date") >= pl.col("first_listed")) | own | before


def _if_covered(rules: dict[str, pl.Expr]) -> dict[str, pl.Expr]:
    return {name: ~is_covered() | holds for name, holds in rules.items()}


def _rules_of_reading() -> dict[str, pl.Expr]:
    kind = pl.col("kind")
    passed_on = is_covered() & (plain_words("kind_text") == PASSED_ON)
    return {
        "kind is known": kind.is_in(FIRST_KINDS).fill_null(False),
        "ex_date is present": present("ex_date_text"),
        "ex_date is readable": pl.col("ex_date").is_not_null(),
        "pay_date is readable": ~present("pay_date_text") | pl.col("pay_date").is_not_null(),
        "available_at is a time with a zone": ~present("available_at_text") | pl.col("stated").is_not_null(),
        "successor is well-formed": ~present("successor_text") | is_well_formed("successor"),
        "a rename has a successor": (kind != "rename") | present("successor_text") | passed_on,
        "currency is known": pl.col("currency").is_null() | pl.col("currency").str.contains("^[A-Z]{3}$"),
    }


def _rules_of_numbers() -> dict[str, pl.Expr]:
    rules = {
        f"{name} is a finite number": ~present(f"{name}_text") | pl.col(name).is_finite().fill_null(False)
        for name in NUMBERS
    }
    for name in ("numerator", "denominator"):
        whole = (pl.col(name) == pl.col(name).floor()) & (pl.col(name).abs() < 2**53)
        rules[f"{name} is a whole number"] = whole
    return rules


def _rules_of_terms() -> dict[str, pl.Expr]:
    """What the terms of an action have to be among themselves."""
    kind, amount, cash = pl.col("kind"), pl.col("amount"), pl.col("cash")
    merger, spin_off = _is_nature("merger"), _is_nature("spin_off")
    other, ratio = present("successor_text"), pl.col("numerator").is_not_null() | pl.col("denominator").is_not_null()
    days = (pl.col("pay_date") - pl.col("ex_date")).dt.total_days()
    return {
        "a rename leads to another ticker": (kind != "rename") | (pl.col("successor") != pl.col("ticker")),
        "what is handed out is another company's": ~(merger | spin_off) | (pl.col("successor") != pl.col("ticker")),
        "a spin-off has a successor and a ratio": ~spin_off | (other & _has_ratio()),
        "a merger for shares has a successor and a ratio": ~merger | (other & _has_ratio()) | ~(other | ratio),
        "a merger worth more than its cash has a successor and a ratio": ~merger | (cash >= amount) | other,
        "a ratio is of more than no shares": (pl.col("numerator") > 0).fill_null(True)
        & (pl.col("denominator") > 0).fill_null(True),
        "a ratio is within one to a million": (pl.col("numerator") / pl.col("denominator")).is_between(
            1 / MAX_RATIO, MAX_RATIO
        ),
        "amount is between nothing and a billion": amount.is_between(0, MAX_AMOUNT),
        "cash is between nothing and the amount": (cash >= 0) & (cash <= amount).fill_null(True),
        "cost_share is between 0 and 1": pl.col("cost_share").is_between(0, 1),
        "paid within a year of the ex-date": days.abs() <= MAX_DAYS_TO_PAYMENT,
    }


def _rules_of_table() -> dict[str, pl.Expr]:
    """The contract's rules; a payment before the ex-date was refused until landings said what they cover."""
    early = is_covered() | (pl.col("pay_date") >= pl.col("ex_date"))
    rules = {name: rule.holds for name, rule in CORPORATE_ACTIONS.rules.items()}
    return rules | {"paid no earlier than the ex-date": early}


def _is_nature(name: str) -> pl.Expr:
    return (pl.col("nature") == name).fill_null(False)


def _has_ratio() -> pl.Expr:
    return (pl.col("numerator") > 0).fill_null(False) & (pl.col("denominator") > 0).fill_null(False)
