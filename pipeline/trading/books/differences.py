"""Where the ledger says something else than the reconciliation: by the name of the event, and in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.text_format import counted
from pipeline.trading.books.reconciliation import Reconciliation

POSTINGS = {
    "reference": pl.String, "session": pl.Date, "account": pl.String, "ticker": pl.String, "cents": pl.Int64,
    "shares": pl.Int64, "due": pl.Date, "currency": pl.String, "quoted": pl.Int64,
}  # fmt: skip


class Difference(NamedTuple):
    """An event of which the ledger says something else than fills and facts."""

    reference: str
    what: str


class Moved(NamedTuple):
    """What was moved at a place: shares, the book's cents, and hundredths of what the name is quoted in."""

    shares: int
    cents: int
    quoted: int


def compare(found: Reconciliation, ledger_entries: pl.DataFrame, session: date) -> list[Difference]:
    """Return each event of which the ledger, corrections included, says something else; empty where all agree."""
    entries = ledger_entries.filter(pl.col("session") <= session)
    form = [*_check_form(entries, found.calendar), *_check_rates(found, entries)]
    return [*form, *(Difference(*remark) for remark in found.remarks), *_check_content(found, entries)]


def describe(differences: list[Difference]) -> str | None:
    """The first difference by the name of its event, and how many there are; None where there is none."""
    if not differences:
        return None
    first = differences[0]
    more = f" (and {counted(len(differences) - 1, 'more event')})" if len(differences) > 1 else ""
    return f"{first.reference}: {first.what}{more}"[:500]


def _check_form(entries: pl.DataFrame, calendar: Sessions) -> Iterator[Difference]:
    """Each entry stands once, each event balances, and each is dated at the open it says."""
    if entries["entry_id"].n_unique() < entries.height:
        for reference in entries.filter(pl.col("entry_id").is_duplicated())["reference"].unique().sort():
            yield Difference(reference, "an entry stands in the ledger twice")
    uneven = entries.group_by("event_id").agg(pl.col("amount").sum(), pl.col("reference").first())
    uneven = uneven.filter(pl.col("amount") != 0).sort("event_id")
    for reference, amount in uneven.select("reference", "amount").iter_rows():
        yield Difference(reference, f"its entries are out of balance by {amount}")
    if entries.is_empty():
        return
    first, last = entries["session"].min(), entries["session"].max()
    opens = calendar.frame(first, last).select("session", "open_at")  # type: ignore[arg-type]
    dated = entries.join(opens, on="session", how="left").filter(
        (pl.col("open_at").is_null() | (pl.col("open_at") != pl.col("ts"))) | (pl.col("effective") > pl.col("session"))
    )
    for reference, day in dated.select("reference", "session").unique().sort("reference", "session").iter_rows():
        yield Difference(reference, f"it is dated {day}, which is not when it took effect")


def _check_rates(found: Reconciliation, entries: pl.DataFrame) -> Iterator[Difference]:
    """Nothing is converted at a rate that no source ever stated."""
    converted = entries.filter(pl.col("currency").is_not_null(), pl.col("rate").is_not_null())
    told = converted.select("reference", "currency", "rate", when=pl.coalesce("effective", "session")).unique()
    for reference, currency, rate, when in told.sort("reference", "currency", "rate").iter_rows():
        if not found.rates.was_stated(currency, rate, when):
            yield Difference(reference, f"no source stated its rate of {rate.normalize()} for {currency}")


PLACE = ("reference", "account", "ticker")


def _check_content(found: Reconciliation, entries: pl.DataFrame) -> Iterator[Difference]:
    """Each event moved in each account what it should, for the session it should, and is paid when it should be."""
    postings = pl.DataFrame(found.postings, schema=POSTINGS, orient="row")
    fills = pl.col("kind").is_in(["fund", "buy", "sell", "short", "cover", "commission"])
    booked = entries.select(
        "reference", "account", "ticker", "shares", "due", "currency",
        quoted=pl.col("local_amount").to_physical().cast(pl.Int64),
        cents=pl.col("amount").to_physical().cast(pl.Int64),
        # A fill counts for the very session it stands at; entries of earlier programs do not say for which they do.
        session=pl.when(fills).then("session").otherwise("effective"),
    )  # fmt: skip
    if not any(_compare_sums(booked, postings, (*PLACE, "session", "due", "currency"))):
        return  # as in nearly every session; else each respect is looked at by itself
    wrong: dict[str, str] = {}
    for place, has, ought in _compare_sums(booked, postings, PLACE):
        wrong.setdefault(place[0], _describe(place, has, ought))
    dated = booked.filter(pl.col("session").is_not_null())
    known = postings.join(dated.select("reference").unique(), on="reference", how="semi")
    undated = booked.filter(pl.col("session").is_null()).select("reference").unique()
    dated, known = (frame.join(undated, on="reference", how="anti") for frame in (dated, known))
    for place, _, _ in _compare_sums(booked, postings, (*PLACE, "currency")):
        wrong.setdefault(place[0], f"what it did to {place[1]} is not stated in the currency of {place[2]}")
    for place, _, _ in _compare_sums(dated, known, (*PLACE, "session")):
        wrong.setdefault(place[0], f"what it did to {place[1]} does not count for the session it should")
    claims, owed = (frame.filter(pl.col("account") == "receivable") for frame in (booked, postings))
    for place, _, _ in _compare_sums(claims, owed, (*PLACE, "due")):
        wrong.setdefault(place[0], f"it is owed for {place[3]}, and by its action for another day")
    yield from (Difference(reference, what) for reference, what in wrong.items())


def _compare_sums(
    booked: pl.DataFrame, postings: pl.DataFrame, by: tuple[str, ...]
) -> Iterator[tuple[tuple[Any, ...], Moved, Moved]]:
    """Each place whose sums differ, shares before money: the place, and what was moved there by either side."""
    sides = [frame.group_by(by).agg(pl.col("shares", "cents", "quoted").sum()) for frame in (booked, postings)]
    both = sides[0].join(sides[1], on=list(by), how="full", coalesce=True, nulls_equal=True, suffix="_right")
    numbers = ("shares", "cents", "quoted", "shares_right", "cents_right", "quoted_right")
    both = both.with_columns(pl.col(numbers).fill_null(0))
    off = pl.col("shares") != pl.col("shares_right")
    amounts = (pl.col("cents") != pl.col("cents_right")) | (pl.col("quoted") != pl.col("quoted_right"))
    differing = both.filter(off | amounts).sort("reference", ~off, *by[1:], nulls_last=True)
    for row in differing.select(*by, *numbers).iter_rows():
        yield row[: len(by)], Moved(*row[-6:-3]), Moved(*row[-3:])


def _describe(place: tuple[Any, ...], has: Moved, ought: Moved) -> str:
    if has.shares != ought.shares:
        return f"{counted(has.shares, 'share')} of {place[2]} in the ledger, {ought.shares:,} by fills and actions"
    own = has.cents != ought.cents
    sides = (has.cents, ought.cents) if own else (has.quoted, ought.quoted)
    booked, right = (Decimal(amount).scaleb(-2) for amount in sides)
    what = place[1] if own else f"{place[1]} in the currency of {place[2]}"
    return f"{booked:,} on {what} in the ledger, {right:,} by fills and actions"
