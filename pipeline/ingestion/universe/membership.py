"""Whether a company belonged to the index at a session, under whatever ticker the list of members calls it by."""

from __future__ import annotations

import polars as pl

from pipeline.market.securities.following import Securities


def find_members(
    rows: pl.DataFrame, constituents: pl.DataFrame, corporate_actions: pl.DataFrame, companies: Securities
) -> pl.Series:
    """Return whether each row's company was a member at its session; True for all where no index is followed.

    A list calls a member by the ticker of its day, or by today's. A spell is that of the company which had its ticker
    when it began, and goes on through renames; it is also that of whoever has the ticker at the session, unless the one
    who had it when the spell began has left it since: another company that got the ticker is no member.

    Args:
        rows: session, ticker and company.
        constituents: ticker, start and end (exclusive; null: still) of spells.
        corporate_actions: renames and delistings, their tickers as the facts state them.
        companies: who had which ticker when.
    """
    if constituents.is_empty():
        return pl.repeat(True, rows.height, eager=True)
    spells = constituents.select("ticker", "start", "end")
    own = companies.name_companies(spells, "start").rename({"ticker": "company"})
    left = corporate_actions.filter(pl.col("kind").is_in(["rename", "delisting"])).select("ticker", gone="ex_date")
    until = spells.join(left, on="ticker", how="left").filter((pl.col("gone") >= pl.col("start")).fill_null(True))
    until = until.group_by("ticker", "start", "end").agg(pl.col("gone").min())
    called = spells.join(until, on=["ticker", "start", "end"], how="left", nulls_equal=True)
    called = called.with_columns(end=pl.min_horizontal("end", "gone")).select("ticker", "start", "end")
    return _is_within(rows, own, "company") | _is_within(rows, called, "ticker")


def _is_within(rows: pl.DataFrame, spells: pl.DataFrame, by: str) -> pl.Series:
    """Whether one of the spells, which do not overlap, has begun and not ended: the last begun one decides."""
    placed = rows.select(by, "session").with_row_index("number").sort("session", by)
    beside = placed.join_asof(
        spells.sort("start", by), left_on="session", right_on="start", by=by, strategy="backward",
        check_sortedness=False,
    )  # fmt: skip
    inside = pl.col("start").is_not_null() & (pl.col("end").is_null() | (pl.col("end") > pl.col("session")))
    return beside.sort("number").select(inside).to_series()
