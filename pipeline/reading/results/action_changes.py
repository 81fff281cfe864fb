"""What changed of corporate actions: what was stated, took effect and was corrected, and which names are on hold."""

from __future__ import annotations

import json
from datetime import date

import polars as pl

from lake.contract import UTC
from pipeline.control.operator.state_actions import describe_terms
from pipeline.trading.books.book import CORRECTING
from pipeline.trading.planning.rules import unexplained_price

STATEMENT_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = (
    {
        "payload_id": pl.String, "stated_at": UTC, "session": pl.Date, "verb": pl.String,
        "ticker": pl.String, "ex_date": pl.Date, "kind": pl.String, "reason": pl.String, "origin": pl.String,
        "state": pl.String,
    }
)  # fmt: skip


def read_statements(raw_prices: pl.DataFrame, session: date) -> pl.DataFrame:
    """Return STATEMENT_SCHEMA of what the operator stated, the newest first.

    state (String) is pending where a session after the last one learns it, else learned.

    Args:
        raw_prices: rows of the source `operator`: payload_id, session, fetched_at and request.
        session: the last session.
    """
    rows = []
    for identity, learns, at, text in raw_prices.select("payload_id", "session", "fetched_at", "request").iter_rows():
        said = json.loads(text)
        about = said["verb"], said["ticker"], date.fromisoformat(said["covers"]["since"]), said["kind"]
        state = "pending" if learns > session else "learned"
        rows.append((identity, at, learns, *about, said["reason"], said["origin"], state))
    return pl.DataFrame(rows, schema=STATEMENT_SCHEMA, orient="row").sort("stated_at", "payload_id", descending=True)


def read_changes(corporate_actions: pl.DataFrame, session: date) -> pl.DataFrame:
    """Return the last revision of each action with `state`, `what` and `terms` in words, the newest ex-date first.

    state (String) is withdrawn, corrected (a later revision than the first), learned late (after its ex-date) or in
    effect.

    Args:
        corporate_actions: every revision.
        session: the last session.
    """
    last = corporate_actions.sort("revision").unique(
        ["ticker", "ex_date", "kind", "sequence"], keep="last", maintain_order=True
    )
    withdrawn, late = pl.col("withdrawn").fill_null(False), (pl.col("learned_on") > pl.col("ex_date")).fill_null(False)
    state = (
        pl.when(withdrawn)
        .then(pl.lit("withdrawn"))
        .when(pl.col("revision") > 0)
        .then(pl.lit("corrected"))
        .when(late)
        .then(pl.lit("learned late"))
        .otherwise(pl.lit("in effect"))
    )
    shown = last.filter(pl.col("ex_date") <= session).with_columns(state=state, what=pl.coalesce("nature", "kind"))
    shown = shown.with_columns(terms=pl.Series([describe_terms(one) for one in shown.to_dicts()], dtype=pl.String))
    return shown.sort("ex_date", "ticker", "kind", "sequence", descending=[True, False, False, False])


def read_corrections(ledger_entries: pl.DataFrame) -> pl.DataFrame:
    """Return each reversal and correction of the ledger with what it moved, the newest first.

    event_id, session, kind, reference, effective, corrects, ticker, shares (Int64) and money: cash and what is owed
    (Decimal, currency of the book).
    """
    mine = ledger_entries.filter(pl.col("kind").is_in(CORRECTING) | (pl.col("effective") < pl.col("session")))
    moved = pl.col("amount").filter(pl.col("account").is_in(["cash", "receivable"])).sum()
    event = ("event_id", "session", "kind", "reference", "effective", "corrects")
    events = mine.sort("session", "sequence").group_by(event, maintain_order=True)
    told = events.agg(pl.col("ticker").drop_nulls().first(), pl.col("shares").sum(), money=moved)
    return told.reverse()


def read_holds(trade_plans: pl.DataFrame) -> pl.DataFrame:
    """Return ticker, close and reason of the names that a session's plans keep on hold."""
    held = trade_plans.filter(pl.col("blocked_by") == unexplained_price.name).sort("ticker")
    rulings = held.select("ticker", "close", "verdicts").explode("verdicts").unnest("verdicts")
    return rulings.filter(pl.col("rule") == unexplained_price.name).select("ticker", "close", "reason")
