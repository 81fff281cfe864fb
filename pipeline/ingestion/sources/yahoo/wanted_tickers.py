"""Whom Yahoo is asked about: the tickers of the configuration, its constituents and a screener's."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date
from functools import cached_property

from lake.tables.vocabulary import SYMBOL
from pipeline.ingestion.prices.yahoo_chart.screener import screened_symbols
from pipeline.ingestion.prices.yahoo_chart.symbols import our_ticker, vendor_symbol
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.memberships import Memberships, read_memberships
from pipeline.ingestion.sources.yahoo.params import YahooParams


class WantedTickers:
    """The tickers that the parameters name in one way or another."""

    def __init__(self, params: YahooParams, exchange: str) -> None:
        """Check the tickers that stand in the configuration.

        Raises:
            SourceError: if one is not well-formed, or there is none and nothing that would name one.
        """
        wrong = sorted(ticker for ticker in params.tickers if not _is_well_formed(ticker))
        if wrong:
            raise SourceError(
                f"{len(wrong)} tickers are not well-formed, the first is {wrong[0]!r}; write them like BRK.B"
            )
        if not params.tickers and not params.constituents and not params.screener:
            raise SourceError(
                "the source 'yahoo' has no tickers; name them with `nextgen init --tickers AAPL,BRK.B`, "
                "or set tickers, constituents or screener under [source.yahoo]"
            )
        self.params = params
        self.exchange = exchange

    @cached_property
    def memberships(self) -> Memberships | None:
        """The file with the constituents; None where there is none."""
        return read_memberships(self.params.constituents) if self.params.constituents else None

    def list_tickers(self, low: date, session: date, screened: Iterable[str] = ()) -> list[str]:
        """Our tickers: those of the configuration, whoever was a constituent in these days, the screener's.

        Args:
            low: first day.
            session: last day.
            screened: answers of the screener, as they came.
        """
        found = {ticker for answer in screened for ticker in self._read_screened(answer)}
        members = self.memberships.within(low, session) if self.memberships else ()
        return sorted({*self.params.tickers, *members, *found, *({self.params.benchmark_ticker} - {""})})

    def name_symbols(self, tickers: Iterable[str]) -> dict[str, str]:
        """Yahoo's symbol -> our ticker."""
        return {vendor_symbol(ticker, self.exchange): ticker for ticker in tickers}

    def _read_screened(self, answer: str) -> list[str]:
        found = (our_ticker(symbol, self.exchange) for symbol in screened_symbols(answer))
        return [ticker for ticker in found if _is_well_formed(ticker)]


def _is_well_formed(ticker: str) -> bool:
    return re.fullmatch(SYMBOL, ticker) is not None
