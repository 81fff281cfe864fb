"""Where data comes from, and what each source needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import (
    DISTINCT,
    AnyText,
    Currency,
    Day,
    Exchange,
    FilePath,
    Formerly,
    Seed,
    Share,
    Ticker,
    TickerOrNone,
    WebAddress,
    Zone,
)

Interval = Literal["1d", "1h", "5m", "1m"]
SourceName = Literal["simulated", "files", "yahoo"]
ColumnMapping = Annotated[
    str, Field(pattern=r"^[a-z_]+=.{1,200}$", description="a field and its column, such as close=LAST")
]


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How strongly the simulated market can be forecast, before `signal` scales all of it."""

    momentum: Annotated[float, Field(ge=0, le=10)] = 0.0078
    """Per session and unit of the idiosyncratic return summed over sessions t-60..t-6: drift that follows it."""
    reversal: Annotated[float, Field(ge=0, le=10)] = 0.036
    """Per session and unit of the idiosyncratic return summed over the last 5 sessions: drift against it."""
    news: Annotated[float, Field(ge=0, le=10)] = 0.55
    """Idiosyncratic sigmas of drift that follow one unit of a news impulse over the next 5 sessions in all."""
    regime: Annotated[float, Field(ge=0, le=10)] = 1.0
    """How far the market's drift differs between regimes; 0 gives all regimes the mean drift."""


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """How often the simulated vendor errs: probability per ticker and session."""

    nan_price: Share = 0.0002
    """The close is the text NaN, in every delivery."""
    text_price: Share = 0.0002
    """A price is text no number can be read from, in every delivery."""
    negative_price: Share = 0.0002
    """A price has lost its meaning and is negative, in every delivery."""
    high_below_low: Share = 0.0002
    """High and low are swapped, in every delivery."""
    duplicate: Share = 0.0004
    """The same line comes twice, in every delivery."""
    conflict: Share = 0.0002
    """A second line gives the same session another close, in every delivery."""
    off_session: Share = 0.0001
    """One more bar, dated on a day without a session, in every delivery."""
    unit_error: Share = 0.0002
    """All prices in cents instead of dollars (x100), in every delivery."""
    fat_finger: Share = 0.0002
    """The close misses by a decimal place (x10 or x0.1), in every delivery."""
    halt: Share = 0.0004
    """No bar for one to three sessions, in every delivery."""
    stranger: Share = 0.0001
    """A bar of a ticker that was never listed, or whose text is hostile, in every delivery."""
    restated: Share = 0.002
    """The first delivery has a slightly wrong close; every later one is right."""
    late: Share = 0.0005
    """The first delivery lacks the bar; every later one has it."""
    backfilled: Share = 0.0005
    """The first delivery has NaN for the prices; every later one is right."""


@dataclass(frozen=True, kw_only=True)
class SimulatedParams:
    """The seeded market: a longer or later simulation never changes what it said about earlier sessions."""

    seed: Seed = 7
    """Seed of every draw, 0 or more; two seeds are two markets."""
    names: Annotated[int, Field(ge=4, le=2_000)] = 64
    """Stocks, those listed or delisted on the way included; from 4 to 2,000."""
    first_session: Day = "2018-01-02"
    """First session of the simulation (ISO date); the next one, if the exchange is closed that day."""
    history_sessions: Annotated[int, Field(ge=1, le=20_000)] = 1040
    """Sessions before the first daily fetch: a little over four years."""
    exchange: Exchange | None = None
    """Set by older files; the market's exchange counts, and this may only repeat it."""
    signal: Annotated[float, Field(ge=0, le=2)] = 1.0
    """Scale of everything planted for a learner to find; 0 makes returns unforecastable beyond a constant drift."""
    strengths: Strengths = field(default_factory=Strengths)
    """What is planted, at signal 1."""
    drift: Annotated[float, Field(ge=-0.01, le=0.01)] = 0.00035
    """Mean market return per session (about 9 % a year), the part nobody has to learn."""
    market_volatility: Annotated[float, Field(gt=0, le=0.2)] = 0.0085
    """Standard deviation of the market's return per session in a normal regime (13 % a year)."""
    news_rate: Share = 0.09
    """Chance per name and session of a news impulse."""
    news_reliability: Share = 0.85
    """Chance that an article's wording has the sign of its impulse."""
    sessions_between_listings: Annotated[int, Field(ge=20, le=10_000)] = 150
    """Mean distance between two new listings; one name in twelve, at least three of 64, is listed late."""
    sessions_between_delistings: Annotated[int, Field(ge=40, le=10_000)] = 200
    """Distance between two delistings, bankruptcies and takeovers in turn; at most a third of the names go."""
    faults: FaultRates = field(default_factory=FaultRates)
    """The vendor's errors."""


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
    """File with membership spells (ticker, start, end) of the index that alone may be traded; none if empty."""
    identities: FilePath = ""
    """File with listing spells (symbol, ticker, start, end; the end no longer in it): which company a symbol of the
    price files meant when. Two companies that shared a symbol, or one that changed its own, so get one ticker each."""
    benchmark: FilePath = ""
    """File with the benchmark's bars; if empty the benchmark is looked for among the prices."""
    benchmark_ticker: TickerOrNone = "SPY"
    """The benchmark: compared with, never traded."""
    columns: Annotated[tuple[ColumnMapping, ...], Field(max_length=100), DISTINCT] = ()
    """What cannot be recognised: `canonical=column of the file`, for instance `close=LAST`."""
    date_format: Annotated[
        str, Field(max_length=100), AnyText("a format that fits no date is refused beside the dates it does not fit")
    ] = ""
    """strptime format of the dates, for instance %d/%m/%Y; if empty it is found out."""
    interval: Interval = "1d"
    """Bar length: 1d, 1h, 5m or 1m."""
    stamp: Literal["start", "end"] = "start"
    """What the time of an intraday bar marks: start or end."""
    exchange: Exchange | None = None
    """Set by older files; the market's exchange counts, and this may only repeat it."""
    currency: Currency | None = None
    """ISO 4217 code of the prices' currency; unless set, the currency of the market's exchange."""
    zone: Zone | None = None
    """Time zone in which a timestamp's trading day is read; unless set, that of the market's exchange."""


@dataclass(frozen=True, kw_only=True)
class YahooParams:
    """What is asked of Yahoo, and how gently."""

    tickers: Annotated[tuple[Ticker, ...], Field(max_length=20_000), DISTINCT] = ()
    """Tickers as we write them, such as BRK.B; those of `constituents` and `screener` come on top."""
    constituents: FilePath = ""
    """File with membership spells (ticker, start, end): its members are asked for, and they alone may be traded."""
    screener: Annotated[
        str,
        Field(
            pattern=r"^([a-z][a-z0-9_]{0,63})?$",
            description="the name of a screener, such as most_actives, or empty for none",
        ),
    ] = ""
    """One of Yahoo's own screeners, such as most_actives or day_gainers; none if empty."""
    screener_size: Annotated[int, Field(ge=1, le=250)] = 100
    """Symbols a screener is asked for, at most 250."""
    benchmark_ticker: TickerOrNone = "SPY"
    """The benchmark: compared with, never traded; none if empty."""
    first_session: Day = "2018-01-02"
    """First session of a load of history (ISO date)."""
    news: Literal["stream", "search", "none"] = "stream"
    """stream (each ticker's newest articles), search (those beside a search for it) or none; a request per ticker."""
    news_count: Annotated[int, Field(ge=1, le=100)] = 10
    """Articles a ticker is asked for, at most 100."""
    interval: Interval = "1d"
    """Bar length: 1d; or 1h, 5m and 1m, of which Yahoo keeps two years, two months and a week."""
    exchange: Exchange | None = None
    """Set by older files; the market's exchange counts, and this may only repeat it."""
    requests_per_minute: Annotated[float, Field(gt=0, le=1_000_000)] = 60.0
    """Requests of all processes of this user together; above 1 or 2 a second Yahoo begins to refuse."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 10.0
    """Seconds until a request counts as unanswered."""
    patience_minutes: Annotated[float, Field(ge=0, le=1_440)] = 30.0
    """Minutes of waiting, in ever longer pauses, until a visit makes do with what it has."""
    reuse_minutes: Annotated[float, Field(gt=0, le=10_080)] = 120.0
    """Minutes within which the same question is the same visit: one cut short asks only for what is missing."""


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One RSS or Atom feed."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,20}$")]
    """Short name, small letters, digits and hyphens; its articles come from the source rss-<name>."""
    url: WebAddress
    """Address, http or https, without user name, password or key: it stands in the lake."""
    tickers: Annotated[tuple[Ticker, ...], Field(max_length=1_000), DISTINCT] = ()
    """What every article is about, for a feed of one company; if empty, the titles are searched for companies."""


@dataclass(frozen=True, kw_only=True)
class RssParams:
    """News feeds, read beside whichever source brings the prices."""

    feeds: Annotated[tuple[Feed, ...], Field(max_length=1_000)] = ()
    """The feeds; none if empty."""
    timeout_seconds: Annotated[float, Field(gt=0, le=3_600)] = 20.0
    """Seconds for a whole answer, however slowly it drips."""
    max_bytes: Annotated[int, Field(ge=1_000, le=40_000_000), Formerly("most_bytes")] = 5_000_000
    """Bytes of a feed, unpacked; a larger one is refused."""
    reuse_minutes: Annotated[float, Field(ge=0, le=10_080)] = 5.0
    """Minutes within which a feed is not asked for again; after them only whether it has changed."""

    def contradictions(self) -> Iterator[str]:
        """Two feeds of one name."""
        names = [feed.name for feed in self.feeds]
        if len(set(names)) < len(names):
            yield f"{len(names)} feeds have {len(set(names))} names; give each feed its own name"


@dataclass(frozen=True, kw_only=True)
class SourceParams:
    """Which source is in use, with the parameters of each."""

    name: SourceName = "simulated"
    """simulated, files or yahoo."""
    simulated: SimulatedParams = field(default_factory=SimulatedParams)
    """The seeded market."""
    files: FilesParams = field(default_factory=FilesParams)
    """The operator's own files."""
    yahoo: YahooParams = field(default_factory=YahooParams)
    """Yahoo's charts."""
    cross_check: Literal["", SourceName] = ""
    """A second source whose bars are compared with those of the first and used for nothing else; none if empty."""
    rss: RssParams = field(default_factory=RssParams)
    """Feeds of news that join whichever source is in use."""

    def contradictions(self) -> Iterator[str]:
        """A source checked against itself."""
        if self.cross_check == self.name:
            yield (
                f"cross_check is {self.cross_check!r} and so is name, the source itself; name another one or leave"
                " cross_check empty"
            )
