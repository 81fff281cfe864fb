"""Parts delivered corporate actions into sound ones and those that break a rule, and says what each one is."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.ingestion.actions.action_coverage import COVERAGE, read_coverage
from pipeline.ingestion.actions.actions_from_adjusted_closes import KIND, recover_actions
from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.parse_values import day, first_broken, instant, number, present
from pipeline.ingestion.prices.bar_rules import is_well_formed
from pipeline.ingestion.prices.minor_units import add_currency
from pipeline.market.currencies import MINOR_UNITS, PER_CURRENCY
from pipeline.market.sessions import Sessions

FIELDS = (
    *("ticker", "ex_date", "kind", "numerator", "denominator", "amount", "pay_date", "successor"),
    *("available_at", "currency", "cash", "cost_share"),
)
NUMBERS = ("numerator", "denominator", "amount", "cash", "cost_share")
FIRST_KINDS = ("split", "dividend", "delisting", "rename")
"""The kinds there were before landings said which span they cover."""
NATURES = {
    "special_dividend": ("dividend", "special"),
    "return_of_capital": ("dividend", "return_of_capital"),
    "rights": ("dividend", "rights"),
    "spin_off": ("dividend", "spin_off"),
    "stock_dividend": ("split", "stock_dividend"),
    "merger": ("delisting", "merger"),
}
"""What a source calls an action -> what it does to the price of a share, and what a holder gets."""
PASSED_ON = "passed_on"
"""What a source calls it when a ticker becomes another company's and nobody says what became of the one before.

That one is renamed to a ticker that nobody trades, so that what is held of it stays what it was."""


class ValidatedActions(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """The contract's columns but sequence, revision and withdrawn; and landed, history, fetched_at, line, stated and
    the coverage of the landing (`COVERAGE`)."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text and rule."""


def validate_actions(raw_prices: pl.DataFrame, instruments: pl.DataFrame, calendar: Sessions) -> ValidatedActions:
    """Part the actions, delivered or implied by adjusted closes, into sound ones and those that break a rule.

    Amounts of what is quoted in pence or the like become whole currency. A rule of the table itself (a split without a
    ratio, a dividend without an amount) is told in the table's words. A landing that does not say which span it
    covers is read as it always was.
    """
    lines = _decode(raw_prices, calendar).join(read_coverage(raw_prices), on="payload_id", how="left")
    typed = _type(_add_unit(lines, instruments))
    listed = {} if instruments.is_empty() else {"ticker is listed": _is_listed(instruments)}
    rules = {"ticker is well-formed": is_well_formed("ticker"), **listed, **_rules(), **_rules_of_table()}
    typed = typed.with_columns(rule=pl.coalesce("fault", first_broken(rules))).sort("payload_id", "line")
    return ValidatedActions(
        good=typed.filter(pl.col("rule").is_null()).with_columns(pl.col("numerator", "denominator").cast(pl.Int64)),
        bad=typed.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE),
    )


def _decode(raw_prices: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    lines = decode(raw_prices.filter(pl.col("kind") == "actions"), FIELDS)
    if (raw_prices["kind"] == KIND).any():
        implied = recover_actions(raw_prices, calendar)
        untold = [pl.lit(None, pl.String).alias(name) for name in FIELDS if name not in implied.columns]
        lines = pl.concat([lines, implied.with_columns(untold).select(lines.columns)])
    return lines


def _add_unit(lines: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Add per: what an amount is divided by, 100 where the line or its listing speaks of pence or the like."""
    minor = _is_covered() & pl.col("currency").str.strip_chars().is_in(list(MINOR_UNITS)).fill_null(False)
    listed = add_currency(lines.rename({"currency": "stated_currency"}), instruments)
    per = pl.when(minor).then(float(PER_CURRENCY)).otherwise("per")
    return listed.drop("currency").rename({"stated_currency": "currency"}).with_columns(per=per)


def _type(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with typed fields, each text kept as *_text; kind and nature in the words of the table."""
    called = pl.when(_is_covered()).then(_plain_words("kind")).otherwise("kind")
    kinds = {name: kind for name, (kind, _) in NATURES.items()} | {PASSED_ON: "rename"}
    natures = {name: nature for name, (_, nature) in NATURES.items()}
    nature = called.replace_strict(natures, default=None, return_dtype=pl.String)
    return lines.with_columns(**{f"{name}_text": pl.col(name) for name in FIELDS}).with_columns(
        **{name: day(name) for name in ("ex_date", "pay_date")},
        **{name: number(name) for name in ("numerator", "denominator", "cost_share")},
        **{name: number(name) / pl.col("per") for name in ("amount", "cash")},
        kind=pl.when(_is_covered())
        .then(called.replace_strict(kinds, default=called, return_dtype=pl.String))
        .otherwise("kind"),
        nature=pl.when(_is_covered()).then(nature),
        currency=pl.when(_is_covered() & present("currency")).then(
            pl.col("currency")
            .str.strip_chars()
            .replace_strict(MINOR_UNITS, default=pl.col("currency").str.strip_chars())
        ),
        successor=pl.when(present("successor")).then("successor").when(_is_passed_on("kind")).then(_set_aside_ticker()),
        stated=instant("available_at"),
        learned_on=pl.when(~pl.col("history")).then("landed"),
        withdrawn=pl.lit(None, pl.Boolean),
    )


def _plain_words(name: str) -> pl.Expr:
    return pl.col(name).str.strip_chars().str.to_lowercase().str.replace_all("[- ]", "_")


def _is_passed_on(name: str) -> pl.Expr:
    return _is_covered() & (_plain_words(name) == PASSED_ON)


def _set_aside_ticker() -> pl.Expr:
    """The ticker under which a company goes on that lost its own: WM of 5 August 2009 becomes WM.090805."""
    day_given = pl.col("ex_date").str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return pl.format("{}.{}", pl.col("ticker").str.slice(0, 13), day_given.dt.strftime("%y%m%d"))


def _is_covered() -> pl.Expr:
    return pl.col(COVERAGE[0]).is_not_null()


def _is_listed(instruments: pl.DataFrame) -> pl.Expr:
    return pl.col("ticker").is_in(instruments["ticker"].implode())


def _rules_of_table() -> dict[str, pl.Expr]:
    """The contract's rules; a payment before the ex-date was refused until landings said what they cover."""
    early = _is_covered() | (pl.col("pay_date") >= pl.col("ex_date"))
    rules = {name: rule.holds for name, rule in CORPORATE_ACTIONS.rules.items()}
    return rules | {"paid no earlier than the ex-date": early}


def _rules() -> dict[str, pl.Expr]:
    kind, gets_shares = pl.col("kind"), pl.col("nature").is_in(["spin_off"]).fill_null(False)
    rules = {
        "kind is known": kind.is_in(FIRST_KINDS).fill_null(False),
        "ex_date is present": present("ex_date_text"),
        "ex_date is readable": pl.col("ex_date").is_not_null(),
        "pay_date is readable": ~present("pay_date_text") | pl.col("pay_date").is_not_null(),
        "available_at is a time with a zone": ~present("available_at_text") | pl.col("stated").is_not_null(),
        "successor is well-formed": ~present("successor_text") | is_well_formed("successor"),
        "a rename has a successor": (kind != "rename") | present("successor_text") | _is_passed_on("kind_text"),
        "a rename leads to another ticker": ~_is_covered()
        | (kind != "rename")
        | (pl.col("successor") != pl.col("ticker")),
        "a spin-off has a successor and a ratio": ~gets_shares | (present("successor_text") & _has_ratio()),
        "currency is known": pl.col("currency").is_null() | pl.col("currency").str.contains("^[A-Z]{3}$"),
    }
    for name in NUMBERS:
        rules[f"{name} is a finite number"] = ~present(f"{name}_text") | pl.col(name).is_finite().fill_null(False)
    for name in ("numerator", "denominator"):
        whole = (pl.col(name) == pl.col(name).floor()) & (pl.col(name).abs() < 2**53)
        rules[f"{name} is a whole number"] = whole
    return rules


def _has_ratio() -> pl.Expr:
    return (pl.col("numerator") > 0).fill_null(False) & (pl.col("denominator") > 0).fill_null(False)
