"""Keep the ledger true to the facts as known now: post what was learned late, reverse and repeat what was wrong."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date, datetime
from fractions import Fraction
from typing import NamedTuple

import polars as pl

from pipeline.market.sessions import Sessions
from pipeline.trading.books.action_postings import Morning
from pipeline.trading.books.actions import select_actions, select_concerning
from pipeline.trading.books.book import (
    ACTION_KINDS,
    FINANCING_KINDS,
    Book,
    LedgerEvent,
    Leg,
    build_entries,
    fold,
)
from pipeline.trading.books.history import rebuild_events
from pipeline.trading.books.quotes import Quotes
from pipeline.trading.books.trades import TRADE_KINDS, sort_fills
from pipeline.trading.currencies.session_rates import NO_FOREIGN, Local, SessionRates

Place = tuple[str, str | None, date | None, str | None]
"""Account, ticker, for a claim the day on which it is paid, and of a foreign name its currency."""
Sums = dict[Place, tuple[int, int, int]]
"""Cents, shares and hundredths of that currency at each place; places with none of them are left out."""


class Key(NamedTuple):
    """What one event is, whichever session posted it."""

    kind: str
    reference: str


class Settled(NamedTuple):
    """The book just before a session's fills, and the events that brought it there from the close before."""

    book: Book
    events: list[LedgerEvent]


def settle(
    book: Book,
    ledger_entries: pl.DataFrame,
    executed_trades: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    market_prices: pl.DataFrame,
    session: date,
    calendar: Sessions,
    rates: SessionRates = NO_FOREIGN,
    *,
    is_known: bool = False,
) -> Settled:
    """Correct what the ledger has of the past by the facts as known now, then post the session's own actions.

    Only names whose past may look otherwise than posted are gone through again, each from its first fill.

    Args:
        book: folded from `ledger_entries` (and the funding of a new book); it is changed.
        ledger_entries: all entries before the session.
        executed_trades: all fills before the session (later ones are passed over).
        corporate_actions: all that is known, last revisions.
        market_prices: daily bars of the session and some before, and around earlier sessions that left fractions.
        calendar: the sessions.
        rates: how amounts of foreign names are converted, as known now.
        is_known: whether nothing was learned of the past since it was posted, so that nothing of it is looked at: then
            the entries may be the balances of the session before.
    """
    previous = calendar.previous(session)
    names = ledger_entries["ticker"].drop_nulls().unique()  # ever held, or held now
    known = select_concerning(corporate_actions, names).filter(pl.col("ex_date") <= session)
    past = known.filter(pl.col("ex_date") <= previous)
    events: list[LedgerEvent] = []
    if doubtful := set() if is_known else find_doubtful(ledger_entries, past, calendar, rates):
        fills = sort_fills(executed_trades.filter(pl.col("ticker").is_in(sorted(doubtful))))
        concerned = select_actions(past.filter(pl.col("ticker").is_in(sorted(doubtful))), None, previous)
        quotes = Quotes(market_prices, doubtful)
        wanted = rebuild_events(fills, concerned, quotes, previous, calendar, rates)
        posted = _read_posted(ledger_entries, doubtful)
        events = list(_differences(posted, wanted, session, calendar.open_at(session)))
    if events:
        book = fold(pl.concat([ledger_entries, build_entries(events, session)]))
    today = select_actions(known, previous, session)
    tickers = {name for a in today for name in (a.ticker, a.successor) if name}
    mine = select_actions(known.filter(pl.col("ticker").is_in(sorted(tickers))), None, session)
    morning = Morning(book, mine, Quotes(market_prices, tickers), session, calendar, rates)
    return Settled(book, events + morning.apply_all(today))


# ---- which names have to be gone through again


REFERENCE = pl.format("{}:{}:{}:{}", "ticker", "ex_date", "kind", "sequence")
"""How the ledger names a row of corporate_actions; as `Action.reference`."""


def find_doubtful(
    ledger_entries: pl.DataFrame, past: pl.DataFrame, calendar: Sessions, rates: SessionRates = NO_FOREIGN
) -> set[str]:
    """Return the tickers whose past may look otherwise than it is posted, with all that were ever one with them.

    These are: held when an action took effect that is not posted in this revision; an action posted that is known no
    more; fractions paid out, whose price may have been restated; converted at another rate than is known now. Before
    the ledger knows revisions, all ever traded.

    Args:
        ledger_entries: all entries before the session.
        past: rows of corporate_actions with an ex-date before it, last revisions.
        calendar: the sessions.
        rates: as known now.
    """
    moves = ledger_entries.filter(pl.col("account") == "positions")
    if moves.is_empty():
        return set()
    if ledger_entries["effective"].null_count() == ledger_entries.height:
        doubtful = set(moves["ticker"].to_list())
    else:
        known = past.with_columns(reference=REFERENCE)
        doubtful = _find_unposted(ledger_entries, moves, known, calendar) | _find_in_vain(ledger_entries, known)
        doubtful |= _find_converted_otherwise(ledger_entries, rates)
    return _join_successors(doubtful, past, moves) if doubtful else doubtful


def _find_unposted(
    ledger_entries: pl.DataFrame, moves: pl.DataFrame, known: pl.DataFrame, calendar: Sessions
) -> set[str]:
    """Tickers of which shares were there when an action took effect that is not posted as it is known now."""
    followed = pl.col("revision").is_not_null() | pl.col("kind").is_in(ACTION_KINDS)
    marks = ledger_entries.filter(followed).sort("session", "sequence").unique("reference", keep="last")
    marks = marks.select("reference", pl.col("revision").fill_null(0))
    days = pl.DataFrame({"when": calendar.days}, schema={"when": pl.Date})
    missing = (
        known.join(marks, on=["reference", "revision"], how="anti")
        .sort("ex_date")
        .join_asof(days, left_on="ex_date", right_on="when", strategy="forward", coalesce=False)
        .select("ticker", "when")
        .drop_nulls()
    )
    if missing.is_empty():
        return set()
    counted = moves.with_columns(when=pl.coalesce("effective", "session"))
    daily = counted.group_by("ticker", "when").agg(pl.col("shares").sum()).sort("when")
    daily = daily.with_columns(before=pl.col("shares").cum_sum().over("ticker")).drop("shares")
    # What the actions of that same day brought counts as well; its fills came after.
    same_day = counted.filter(~pl.col("kind").is_in(TRADE_KINDS)).select("ticker", "when").unique()
    held = missing.join_asof(daily, on="when", by="ticker", allow_exact_matches=False, check_sortedness=False)
    found = set(held.filter(pl.col("before") != 0)["ticker"].to_list())
    return found | set(missing.join(same_day, on=["ticker", "when"], how="semi")["ticker"].to_list())


def _find_in_vain(ledger_entries: pl.DataFrame, known: pl.DataFrame) -> set[str]:
    """Tickers of actions that are posted and known no more, and of fractions paid out."""
    of_actions = ledger_entries.filter(pl.col("kind").is_in(ACTION_KINDS))
    gone = of_actions.select("reference").unique().join(known, on="reference", how="anti")
    standing = (
        ledger_entries.join(gone, on="reference", how="semi")
        .group_by("reference", "account", "ticker")
        .agg(pl.col("amount", "shares").sum())
        .filter((pl.col("amount") != 0) | (pl.col("shares") != 0))
    )
    fractions = of_actions.filter(pl.col("kind") == "cash_in_lieu")
    return {*standing["ticker"].drop_nulls().to_list(), *fractions["ticker"].drop_nulls().to_list()}


def _find_converted_otherwise(ledger_entries: pl.DataFrame, rates: SessionRates) -> set[str]:
    """Tickers of actions that were converted at another rate than the one known now for their session."""
    if ledger_entries["currency"].null_count() == ledger_entries.height:
        return set()
    followed = (pl.col("revision").is_not_null() | pl.col("kind").is_in(ACTION_KINDS)) & pl.col("rate").is_not_null()
    posted = ledger_entries.filter(followed).sort("session", "sequence").with_columns(
        when=pl.coalesce("effective", "session")
    )  # fmt: skip
    last = posted.unique(["reference", "ticker", "currency"], keep="last", maintain_order=True)
    return {
        ticker
        for ticker, currency, when, rate in last.select("ticker", "currency", "when", "rate").iter_rows()
        if (now := rates.of_currency(currency, when)) is None or now.rate != Fraction(rate)
    }


def _join_successors(doubtful: set[str], past: pl.DataFrame, moves: pl.DataFrame) -> set[str]:
    """The tickers with all that they ever became, came from or gave shares of, by the facts and by the ledger."""
    neighbours: dict[str, set[str]] = defaultdict(set)
    of_actions = moves.filter(~pl.col("kind").is_in(TRADE_KINDS))
    together = of_actions.group_by("reference").agg(pl.col("ticker").unique()).filter(pl.col("ticker").list.len() > 1)
    pairs = [(names[0], other) for names in together["ticker"].to_list() for other in names[1:]]
    pairs += past.filter(pl.col("successor").is_not_null()).select("ticker", "successor").rows()
    for one, other in pairs:
        neighbours[one].add(other)
        neighbours[other].add(one)
    found, open_ends = set(doubtful), list(doubtful)
    while open_ends:
        new = neighbours[open_ends.pop()] - found
        found |= new
        open_ends += new
    return found


# ---- what to post


def _read_posted(ledger_entries: pl.DataFrame, tickers: Iterable[str]) -> dict[Key, tuple[str, date, Sums]]:
    """Each event of the ledger with its corrections: what was posted first, the session it counts for, the sums."""
    of_facts = ~pl.col("kind").is_in(FINANCING_KINDS)  # what was charged stands, whatever was learned since
    entries = ledger_entries.filter(pl.col("ticker").is_in(sorted(tickers)), of_facts).sort("session", "sequence")
    entries = entries.with_columns(
        first=pl.coalesce("corrects", "event_id"),
        cents=pl.col("amount").to_physical().cast(pl.Int64),
        quoted=pl.col("local_amount").to_physical().cast(pl.Int64).fill_null(0),
    )
    event = ("first", "kind", "reference", "session", "effective")
    leg = ("account", "ticker", "due", "currency", "cents", "shares", "quoted")
    posted: dict[Key, tuple[str, date, Sums]] = {}
    key_of: dict[str, Key] = {}
    for first, kind, reference, session, effective, *moved in entries.select(*event, *leg).iter_rows():
        key = key_of.setdefault(first, Key(kind, reference))
        root, counts, sums = posted.get(key, (first, effective or session, {}))
        # A correction may count for another session than what it corrects; what stands is the last of them.
        posted[key] = (root, counts if kind == "reversal" else effective or session, sums)
        _add(sums, (moved[0], moved[1], moved[2], moved[3]), (moved[4], moved[5], moved[6]))
    return posted


def _sum_up(legs: Iterable[Leg]) -> Sums:
    sums: Sums = {}
    for leg in legs:
        currency, quoted = (leg.local.currency, leg.local.amount) if leg.local else (None, 0)
        _add(sums, (leg.account, leg.ticker, leg.due, currency), (leg.amount, leg.shares, quoted))
    return sums


def _add(sums: Sums, place: Place, moved: tuple[int, int, int]) -> None:
    before = sums.get(place, (0, 0, 0))
    after = before[0] + moved[0], before[1] + moved[1], before[2] + moved[2]
    if after == (0, 0, 0):
        sums.pop(place, None)
    else:
        sums[place] = after


def _differences(
    posted: Mapping[Key, tuple[str, date, Sums]], wanted: Iterable[LedgerEvent], session: date, ts: datetime
) -> Iterator[LedgerEvent]:
    """Reverse what should not stand as it does, then post what should; each beside the other, in the order of then."""
    rightful = {Key(event.kind, event.reference): event for event in wanted}
    for key, (first, effective, sums) in posted.items():
        if sums and key not in rightful:
            yield _reversal(key, first, effective, sums, session, ts)
    for key, event in rightful.items():
        if key not in posted:
            yield event._replace(event_id=f"{session}:{key.kind}:{key.reference}", ts=ts)
            continue
        first, effective, sums = posted[key]
        if sums == _sum_up(event.legs):
            continue
        if sums:
            yield _reversal(key, first, effective, sums, session, ts)
        yield event._replace(event_id=f"{session}:correction:{first}", kind="correction", ts=ts, corrects=first)


def _reversal(key: Key, first: str, effective: date, sums: Sums, session: date, ts: datetime) -> LedgerEvent:
    legs = tuple(
        Leg(account, -cents, name, -shares, due, Local(-quoted, currency, None) if currency else None)
        for (account, name, due, currency), (cents, shares, quoted) in sums.items()
    )
    return LedgerEvent(f"{session}:reversal:{first}", "reversal", ts, key.reference, legs, effective, None, first)
