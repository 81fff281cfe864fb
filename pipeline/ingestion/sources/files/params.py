"""What can be set about the operator's files."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import (
    DISTINCT,
    AnyText,
    CurrencyOrUnit,
    Exchange,
    FilePath,
    TickerOrNone,
    Zone,
)
from pipeline.ingestion.sources.source import Interval, Intervals
from pipeline.market.currencies import WITHOUT_PAUSE

ColumnMapping = Annotated[
    str, Field(pattern=r"^[a-z_]+=.{1,200}$", description="a field and its column, such as close=LAST")
]


DateError = Literal["right", "day_late", "day_early", "weekday_late", "weekday_early"]
"""How a file's dates may be off."""


@dataclass(frozen=True, kw_only=True)
class FilesParams:
    """Files the operator has: CSV (also .tsv, .csv.gz) or Parquet, taken as they are."""

    prices: Annotated[tuple[FilePath, ...], Field(max_length=10_000), DISTINCT] = ()
    """Files with bars, or folders with one file per ticker (the file's name is the ticker)."""
    actions: FilePath = ""
    """File with splits, dividends, delistings, renames; none if empty."""
    listings: FilePath = ""
    """File that lists the instruments; if empty they are taken from the price files."""
    news: FilePath = ""
    """File with news; none if empty."""
    constituents: FilePath = ""
    """File with membership intervals (ticker, start, end) of the index that alone may be traded; none if empty."""
    fx: FilePath = ""
    """File with exchange rates (date, base, quote, rate; or pair, such as EURUSD, for the two); none if empty."""
    identities: FilePath = ""
    """File with listing intervals (symbol, ticker, start, end; the end no longer in it): which company a symbol of the
    price files meant when. Two companies that shared a symbol, or one that changed its own, so get one ticker each."""
    ticker_history: FilePath = ""
    """File that says which company had which ticker when, by an identifier that it keeps: figi, permno, isin or cusip,
    and ticker, start, end; or LEAN's map files in one (file, date, mapped_ticker). Renames follow from it, and that a
    ticker became another company's; a column with such identifiers in the listings or price files tells the same."""
    benchmark: FilePath = ""
    """File with the benchmark's bars; if empty the benchmark is looked for among the prices."""
    benchmark_ticker: TickerOrNone = "SPY"
    """The benchmark: compared with, never traded."""
    columns: Annotated[tuple[ColumnMapping, ...], Field(max_length=100), DISTINCT] = ()
    """Columns that are not recognised: `field=column of the file`, for instance `close=LAST`."""
    date_format: Annotated[
        str, Field(max_length=100), AnyText("a format that fits no date is refused beside the dates it does not fit")
    ] = ""
    """strptime format of the dates, for instance %d/%m/%Y; if empty it is detected."""
    decimal: Literal["", ".", ","] = ""
    """Decimal mark of the numbers, . or , ; if empty it is detected."""
    dates: DateError = "right"
    """How the dates of the bars are off: right, day_late, day_early; or by a weekday: weekday_late, weekday_early."""
    max_set_aside: Annotated[float, Field(ge=0, le=1)] = 0.05
    """Fraction of the rows that one rule may set aside when a lake is made; beyond it nothing is made. Of one ticker's
    days three times as many may be no sessions."""
    interval: Interval = "1d"
    """Length of the bars in `prices`: 1d, 1h, 5m or 1m. Shorter ones than a day are summed up to daily bars, by which
    everything is decided."""
    intervals: Intervals = ("1d",)
    """Lengths of bars that are taken: 1d by cycles, the shorter ones, 1h, 5m and 1m, by snapshots of `intraday`."""
    intraday: Annotated[tuple[FilePath, ...], Field(max_length=10_000), DISTINCT] = ()
    """Files, or folders with one file per ticker, with the bars within sessions that snapshots take; the length of a
    file's bars is the shortest time between two of one ticker."""
    stamp: Literal["start", "end"] = "start"
    """What the time of an intraday bar marks: start or end."""
    exchange: Exchange | None = None
    """Set by older files; the market's exchange counts, and this may only repeat it."""
    currency: CurrencyOrUnit | None = None
    """ISO 4217 code of the prices' currency, or a unit of it (GBX, ZAC or ILA, hundredths); unless set, the currency of
    the market's exchange; at 24/7, which has none, `market.currency`, else USD."""
    zone: Zone | None = None
    """Time zone in which a timestamp's trading day is read; unless set, that of the market's exchange."""

    def at(self, exchange: str, currency: str) -> FilesParams:
        """These, with the book's currency where neither they nor the exchange say one: trade without pause has none."""
        if self.currency is not None or exchange not in WITHOUT_PAUSE or not currency:
            return self
        return replace(self, currency=currency)
