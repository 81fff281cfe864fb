"""Parts delivered corporate actions into sound ones and those that break a rule, and says what each one is."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from pipeline.ingestion.actions.action_coverage import read_coverage
from pipeline.ingestion.actions.action_rules import NUMBERS, PASSED_ON, action_rules, is_covered, plain_words
from pipeline.ingestion.actions.actions_from_adjusted_closes import KIND, recover_actions
from pipeline.ingestion.actions.foreign_amounts import NO_CONVERSION, Conversion, convert_amounts
from pipeline.ingestion.actions.rename_rules import SWAP, find_contradictions
from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.parse_values import day, first_broken, instant, number, present
from pipeline.ingestion.prices.minor_units import add_currency
from pipeline.ingestion.sources.payloads import BY_LINE
from pipeline.market.currencies import MINOR_UNITS, PER_CURRENCY
from pipeline.market.sessions import Sessions

FIELDS = (
    *("ticker", "ex_date", "kind", "numerator", "denominator", "amount", "pay_date", "successor"),
    *("available_at", "currency", "cash", "cost_share", "confidence"),
)
NATURES = {
    "special_dividend": ("dividend", "special"),
    "return_of_capital": ("dividend", "return_of_capital"),
    "rights": ("dividend", "rights"),
    "spin_off": ("dividend", "spin_off"),
    "stock_dividend": ("split", "stock_dividend"),
    "merger": ("delisting", "merger"),
    "ticker_swap": ("rename", SWAP),
}
"""What a source calls an action -> what it does to the price of a share, and what a holder gets."""


class ValidatedActions(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """The contract's columns but sequence, revision and withdrawn; and landed, history, fetched_at, line, stated and
    the coverage of the landing (`COVERAGE`)."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text and rule; and ex_date (Date), null where it cannot be read."""


def validate_actions(
    raw_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    standing: pl.DataFrame,
    calendar: Sessions,
    conversion: Conversion = NO_CONVERSION,
) -> ValidatedActions:
    """Part the actions, delivered or implied by adjusted closes, into sound ones and those that break a rule.

    Amounts of what is quoted in pence or the like become whole currency. A rule of the table itself (a split without a
    ratio, a dividend without an amount) is told in the table's words. A landing that does not say which span it
    covers is read as it always was.

    Args:
        raw_prices: landed rows; those of other kinds are passed over.
        instruments: what is listed.
        standing: the renames and delistings among the actions that are known and not withdrawn: new ones must not
            contradict them.
        calendar: the exchange's sessions.
        conversion: by which rates amounts in another currency than the listing's are brought into it.
    """
    raw_prices = raw_prices.filter(pl.col("payload") != "")  # what states no action has no line
    lines = _decode(raw_prices, calendar).join(read_coverage(raw_prices), on="payload_id", how="left")
    typed = _add_first_days(_type(_add_unit(lines, instruments)), instruments, standing)
    typed = convert_amounts(typed, conversion)
    against = find_contradictions(typed, standing, instruments, calendar)
    typed = typed.join(against, on=["payload_id", "line"], how="left")
    broken = pl.coalesce("fault", "contradiction", first_broken(action_rules(instruments)), "unconverted")
    typed = typed.with_columns(rule=broken).sort("payload_id", "line")
    return ValidatedActions(
        good=typed.filter(pl.col("rule").is_null()).with_columns(pl.col("numerator", "denominator").cast(pl.Int64)),
        bad=typed.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE, "ex_date"),
    )


def _decode(raw_prices: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    lines = decode(raw_prices.filter(pl.col("kind") == "actions"), FIELDS)
    if (raw_prices["kind"] == KIND).any():
        implied = recover_actions(raw_prices, calendar)
        untold = [pl.lit(None, pl.String).alias(name) for name in FIELDS if name not in implied.columns]
        lines = pl.concat([lines, implied.with_columns(untold).select(lines.columns)])
    return lines


def _add_unit(lines: pl.DataFrame, instruments: pl.DataFrame) -> pl.DataFrame:
    """Add listed_currency, and per: what an amount is divided by, 100 where the line or its listing speaks of pence."""
    minor = is_covered() & pl.col("currency").str.strip_chars().is_in(list(MINOR_UNITS)).fill_null(False)
    listed = add_currency(lines.rename({"currency": "stated_currency"}), instruments)
    # Earlier landings took what named its whole currency for hundredths all the same, where the listing's bars are.
    whole = is_covered() & (pl.col("asked_amounts") == BY_LINE).fill_null(False) & present("currency")
    per = pl.when(minor).then(float(PER_CURRENCY)).when(whole).then(1.0).otherwise("per")
    return listed.rename({"currency": "listed_currency", "stated_currency": "currency"}).with_columns(per=per)


def _type(lines: pl.DataFrame) -> pl.DataFrame:
    """The lines with typed fields, each text kept as *_text; kind and nature in the words of the table."""
    called = pl.when(is_covered()).then(plain_words("kind")).otherwise("kind")
    kinds = {name: kind for name, (kind, _) in NATURES.items()} | {PASSED_ON: "rename"}
    natures = {name: nature for name, (_, nature) in NATURES.items()}
    nature = called.replace_strict(natures, default=None, return_dtype=pl.String)
    return (
        lines.with_columns(**{f"{name}_text": pl.col(name) for name in FIELDS})
        .with_columns(
            **{name: day(name) for name in ("ex_date", "pay_date")},
            **{name: number(name) / (pl.col("per") if name in ("amount", "cash") else 1) for name in NUMBERS},
            confidence=number("confidence").clip(0, 1),
            kind=pl.when(is_covered())
            .then(called.replace_strict(kinds, default=called, return_dtype=pl.String))
            .otherwise("kind"),
            nature=pl.when(is_covered()).then(nature),
            currency=pl.when(is_covered() & present("currency")).then(
                pl.col("currency")
                .str.strip_chars()
                .replace_strict(MINOR_UNITS, default=pl.col("currency").str.strip_chars())
            ),
            successor=pl.when(present("successor"))
            .then("successor")
            .when(_is_passed_on("kind"))
            .then(_set_aside_ticker()),
            stated=instant("available_at"),
            learned_on=pl.when(~pl.col("history")).then("landed"),
            withdrawn=pl.lit(None, pl.Boolean),
        )
        .with_columns(_of_mergers("cash"), _of_mergers("cash_text"))
    )


def _add_first_days(typed: pl.DataFrame, instruments: pl.DataFrame, standing: pl.DataFrame) -> pl.DataFrame:
    """Add first_listed, the day on which the ticker was listed, and ended_on, its last rename or delisting until then.

    Where there is one, the listing is that of a later company on the ticker.
    """
    first = instruments.select("ticker", first_listed="listed_on")
    ends = pl.concat([frame.select("ticker", "ex_date", "kind") for frame in (typed, standing)])
    ends = ends.filter(pl.col("kind").is_in(["rename", "delisting"])).join(first, on="ticker")
    before = ends.filter(pl.col("ex_date") <= pl.col("first_listed")).group_by("ticker")
    last = before.agg(ended_on=pl.col("ex_date").max())
    return typed.join(first, on="ticker", how="left").join(last, on="ticker", how="left")


def _of_mergers(name: str) -> pl.Expr:
    """A term of mergers alone; in files of dividends a column of that name repeats the amount."""
    return pl.when(pl.col("nature") == "merger").then(name).alias(name)


def _is_passed_on(name: str) -> pl.Expr:
    return is_covered() & (plain_words(name) == PASSED_ON)


def _set_aside_ticker() -> pl.Expr:
    """The ticker under which a company goes on that lost its own: WM of 5 August 2009 becomes WM.090805."""
    day_given = pl.col("ex_date").str.strip_chars().str.to_date("%Y-%m-%d", strict=False)
    return pl.format("{}.{}", pl.col("ticker").str.slice(0, 13), day_given.dt.strftime("%y%m%d"))
