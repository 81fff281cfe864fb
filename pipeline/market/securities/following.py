"""Names the rows of a frame by company instead of by ticker, and back: what links rows then follows the company."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import polars as pl

from lake.engine import collect
from pipeline.market.securities.spells import MAX_GAP, trace_spells
from pipeline.market.sessions import Sessions


@dataclass(frozen=True)
class Securities:
    """Who had each ticker when; a ticker without spells is one company's, whose id is the ticker."""

    spells: pl.DataFrame
    """As `trace_spells` returns them."""

    @classmethod
    def trace(
        cls, corporate_actions: pl.DataFrame, bars: pl.DataFrame | None = None, calendar: Sessions | None = None,
        max_gap: int = MAX_GAP,
    ) -> Securities:  # fmt: skip
        """Work them out; the arguments are those of `trace_spells`."""
        return cls(trace_spells(corporate_actions, bars, calendar, max_gap))

    @cached_property
    def _begun(self) -> pl.DataFrame:
        filled = self.spells.lazy().with_columns(pl.col("since").fill_null(date.min))
        return collect(filled.select("security_id", "ticker", "since").sort("since", "ticker"), self.spells.height)

    @cached_property
    def names(self) -> list[str]:
        """All that are the id or a ticker of a company with spells; what has another name is called by it always."""
        return sorted({*self.spells["security_id"], *self.spells["ticker"]})

    @cached_property
    def _tickers(self) -> dict[str, tuple[list[date], list[str]]]:
        """Company -> the days from which it had another ticker, and which."""
        found: dict[str, tuple[list[date], list[str]]] = {}
        for company, ticker, since in self._begun.iter_rows():
            days, tickers = found.setdefault(company, ([], []))
            days.append(since)
            tickers.append(ticker)
        return found

    def name_companies(self, frame: pl.DataFrame, day: str) -> pl.DataFrame:
        """Put the company's id in the place of each row's ticker, in the rows' order.

        Args:
            frame: with ticker and a day.
            day: the column (Date) that says when the ticker was the row's.
        """
        return self._replace(frame, day, "ticker", "security_id")

    def name_actions(self, corporate_actions: pl.DataFrame) -> pl.DataFrame:
        """The same of corporate actions: a rename and a delisting concern whoever had the ticker the day before.

        So does what takes effect on the very day on which a company has given its ticker up to nobody in particular.
        """
        if self.spells.is_empty() or corporate_actions.is_empty():
            return corporate_actions
        eve = pl.col("ex_date") - timedelta(days=1)
        given_up = self._begun.filter(pl.col("security_id") == pl.format("{}@{}", "ticker", "since"))
        keys = given_up.select("ticker", ex_date="since", given_up=pl.lit(True))
        marked = corporate_actions.join(keys, on=["ticker", "ex_date"], how="left", maintain_order="left")
        earlier = pl.col("kind").is_in(["rename", "delisting"]) | pl.col("given_up").fill_null(False)
        dated = marked.with_columns(concerned=pl.when(earlier).then(eve).otherwise("ex_date"))
        return self.name_companies(dated, "concerned").select(corporate_actions.columns)

    def name_tickers(self, frame: pl.DataFrame, day: str) -> pl.DataFrame:
        """Put back in the place of each company's id the ticker that it had on the row's day, or had last."""
        return self._replace(frame, day, "security_id", "ticker")

    def list_tickers(self, companies: Sequence[str], session: date) -> list[str]:
        """The ticker that each company had at a session, or had last."""
        return [self._ticker_at(one, session) if one in self._tickers else one for one in companies]

    def _ticker_at(self, company: str, session: date) -> str:
        days, tickers = self._tickers[company]
        at = bisect_right(days, session)
        return tickers[at - 1] if at else company

    def follow_to(self, frame: pl.DataFrame, day: str, session: date) -> pl.DataFrame:
        """Put the ticker of a later session in the place of the one that each row's company had on its day.

        Rows of companies that have no ticker then are left out: whoever has theirs is another company.
        """
        if self.spells.is_empty() or frame.is_empty():
            return frame
        return self._name_at(self.name_companies(frame, day), session)

    def follow_actions_to(self, corporate_actions: pl.DataFrame, session: date) -> pl.DataFrame:
        """The same of corporate actions, which concern whom `name_actions` says."""
        if self.spells.is_empty() or corporate_actions.is_empty():
            return corporate_actions
        return self._name_at(self.name_actions(corporate_actions), session)

    def _name_at(self, named: pl.DataFrame, session: date) -> pl.DataFrame:
        dated = named.with_columns(asked=pl.lit(session, dtype=pl.Date))
        tickers = self.name_tickers(dated, "asked")
        holders = self.name_companies(tickers, "asked")["ticker"]
        return tickers.filter(holders == named["ticker"]).select(named.columns)

    def _replace(self, frame: pl.DataFrame, day: str, given: str, wanted: str) -> pl.DataFrame:
        if self.spells.is_empty() or frame.is_empty():
            return frame
        spells = self._begun.lazy().select("since", given=given, wanted=wanted)
        concerned = pl.col("ticker").is_in(self._begun[given].to_list())
        rows = frame.lazy().select("ticker", asked=day).with_row_index("number").filter(concerned)
        found = rows.sort("asked", maintain_order=True).join_asof(
            spells, left_on="asked", right_on="since", by_left="ticker", by_right="given", check_sortedness=False
        )
        names = collect(found.select("number", ticker=pl.coalesce("wanted", "ticker")), frame.height)
        if names.is_empty():
            return frame
        tickers = frame["ticker"].scatter(names["number"], names["ticker"])
        return frame.clone().replace_column(frame.columns.index("ticker"), tickers)
