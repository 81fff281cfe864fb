"""Where data comes from, and what each source needs to know."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass(frozen=True, kw_only=True)
class Strengths:
    """How strongly the simulated market can be forecast, before `signal` scales all of it."""

    momentum: float = 0.0078
    """Per session and unit of the idiosyncratic return summed over sessions t-60..t-6: drift that follows it."""
    reversal: float = 0.036
    """Per session and unit of the idiosyncratic return summed over the last 5 sessions: drift against it."""
    news: float = 0.55
    """Idiosyncratic sigmas of drift that follow one unit of a news impulse over the next 5 sessions in all."""
    regime: float = 1.0
    """How far the market's drift differs between regimes; 0 gives all regimes the mean drift."""


@dataclass(frozen=True, kw_only=True)
class FaultRates:
    """How often the simulated vendor errs: probability per ticker and session."""

    nan_price: float = 0.0002
    """The close is the text NaN, in every delivery."""
    text_price: float = 0.0002
    """A price is text no number can be read from, in every delivery."""
    negative_price: float = 0.0002
    """A price has lost its meaning and is negative, in every delivery."""
    high_below_low: float = 0.0002
    """High and low are swapped, in every delivery."""
    duplicate: float = 0.0004
    """The same line comes twice, in every delivery."""
    conflict: float = 0.0002
    """A second line gives the same session another close, in every delivery."""
    off_session: float = 0.0001
    """One more bar, dated on a day without a session, in every delivery."""
    unit_error: float = 0.0002
    """All prices in cents instead of dollars (x100), in every delivery."""
    fat_finger: float = 0.0002
    """The close misses by a decimal place (x10 or x0.1), in every delivery."""
    halt: float = 0.0004
    """No bar for one to three sessions, in every delivery."""
    stranger: float = 0.0001
    """A bar of a ticker that was never listed, or whose text is hostile, in every delivery."""
    restated: float = 0.002
    """The first delivery has a slightly wrong close; every later one is right."""
    late: float = 0.0005
    """The first delivery lacks the bar; every later one has it."""
    backfilled: float = 0.0005
    """The first delivery has NaN for the prices; every later one is right."""


@dataclass(frozen=True, kw_only=True)
class SimulatedParams:
    """The seeded market: a longer or later simulation never changes what it said about earlier sessions."""

    seed: int = 7
    """Seed of every draw, 0 or more; two seeds are two markets."""
    names: int = 64
    """Stocks, those listed or delisted on the way included; from 4 to 2,000."""
    first_session: str = "2018-01-02"
    """First session of the simulation (ISO date); the next one, if the exchange is closed that day."""
    history_sessions: int = 1040
    """Sessions before the first daily fetch: a little over four years."""
    exchange: str = "XNYS"
    """ISO 10383 code of the exchange whose calendar it trades on."""
    signal: float = 1.0
    """Scale of everything planted for a learner to find; 0 makes returns unforecastable beyond a constant drift."""
    strengths: Strengths = field(default_factory=Strengths)
    """What is planted, at signal 1."""
    drift: float = 0.00035
    """Mean market return per session (about 9 % a year), the part nobody has to learn."""
    market_volatility: float = 0.0085
    """Standard deviation of the market's return per session in a normal regime (13 % a year)."""
    news_rate: float = 0.09
    """Chance per name and session of a news impulse."""
    news_reliability: float = 0.85
    """Chance that an article's wording has the sign of its impulse."""
    sessions_between_listings: int = 150
    """Mean distance between two new listings; one name in twelve, at least three of 64, is listed late."""
    sessions_between_delistings: int = 200
    """Distance between two delistings, bankruptcies and takeovers in turn; at most a third of the names go."""
    faults: FaultRates = field(default_factory=FaultRates)
    """The vendor's errors."""


@dataclass(frozen=True, kw_only=True)
class FilesParams:
    """Files the operator has: CSV (also .tsv, .csv.gz) or Parquet, taken as they are."""

    prices: tuple[str, ...] = ()
    """Files with bars, or folders with one file per ticker (the file's name is the ticker)."""
    actions: str = ""
    """File with splits, dividends, delistings, renames; none if empty."""
    listings: str = ""
    """File that lists the instruments; if empty they are taken from the price files."""
    news: str = ""
    """File with news; none if empty."""
    constituents: str = ""
    """File with membership spells (ticker, start, end) of the index that alone may be traded; none if empty."""
    identities: str = ""
    """File with listing spells (symbol, ticker, start, end; the end no longer in it): which company a symbol of the
    price files meant when. Two companies that shared a symbol, or one that changed its own, so get one ticker each."""
    benchmark: str = ""
    """File with the benchmark's bars; if empty the benchmark is looked for among the prices."""
    benchmark_ticker: str = "SPY"
    """The benchmark: compared with, never traded."""
    columns: tuple[str, ...] = ()
    """What cannot be recognised: `canonical=column of the file`, for instance `close=LAST`."""
    date_format: str = ""
    """strptime format of the dates, for instance %d/%m/%Y; if empty it is found out."""
    interval: str = "1d"
    """Bar length: 1d, 1h, 5m or 1m."""
    stamp: str = "start"
    """What the time of an intraday bar marks: start or end."""
    exchange: str = "XNYS"
    """ISO 10383 code of the exchange."""
    currency: str = "USD"
    """ISO 4217 code of the prices' currency."""
    zone: str = "America/New_York"
    """Time zone in which a timestamp's trading day is read."""


@dataclass(frozen=True, kw_only=True)
class YahooParams:
    """What is asked of Yahoo, and how gently."""

    tickers: tuple[str, ...] = ()
    """Tickers as we write them, such as BRK.B; those of `constituents` and `screener` come on top."""
    constituents: str = ""
    """File with membership spells (ticker, start, end): its members are asked for, and they alone may be traded."""
    screener: str = ""
    """One of Yahoo's own screeners, such as most_actives or day_gainers; none if empty."""
    screener_size: int = 100
    """Symbols a screener is asked for, at most 250."""
    benchmark_ticker: str = "SPY"
    """The benchmark: compared with, never traded; none if empty."""
    first_session: str = "2018-01-02"
    """First session of a load of history (ISO date)."""
    news: str = "stream"
    """stream (each ticker's newest articles), search (those beside a search for it) or none; a request per ticker."""
    news_count: int = 10
    """Articles a ticker is asked for, at most 100."""
    interval: str = "1d"
    """Bar length: 1d; or 1h, 5m and 1m, of which Yahoo keeps two years, two months and a week."""
    exchange: str = "XNYS"
    """ISO 10383 code of the exchange whose sessions the tickers follow."""
    requests_per_minute: float = 60.0
    """Requests of all processes of this user together; above 1 or 2 a second Yahoo begins to refuse."""
    timeout_seconds: float = 10.0
    """Seconds until a request counts as unanswered."""
    patience_minutes: float = 30.0
    """Minutes of waiting, in ever longer pauses, until a visit makes do with what it has."""
    reuse_minutes: float = 120.0
    """Minutes within which the same question is the same visit: one cut short asks only for what is missing."""

    def __post_init__(self) -> None:
        positive = (self.requests_per_minute, self.timeout_seconds, self.reuse_minutes)
        if min(positive) <= 0 or self.patience_minutes < 0 or not 1 <= self.screener_size <= 250:
            raise ValueError(
                "requests_per_minute, timeout_seconds and reuse_minutes have to be above 0, patience_minutes 0 or"
                f" more and screener_size from 1 to 250, not {self}"
            )
        if self.news not in ("stream", "search", "none") or not 1 <= self.news_count <= 100:
            raise ValueError(
                f"news is {self.news!r} and news_count is {self.news_count};"
                " choose stream, search or none, and 1 to 100 articles"
            )
        if self.interval not in ("1d", "1h", "5m", "1m"):
            raise ValueError(f"interval is {self.interval!r}; Yahoo is asked for 1d, 1h, 5m or 1m")


@dataclass(frozen=True, kw_only=True)
class Feed:
    """One RSS or Atom feed."""

    name: str
    """Short name, small letters, digits and hyphens; its articles come from the source rss-<name>."""
    url: str
    """Address, http or https, without user name, password or key: it stands in the lake."""
    tickers: tuple[str, ...] = ()
    """What every article is about, for a feed of one company; if empty, the titles are searched for companies."""


@dataclass(frozen=True, kw_only=True)
class RssParams:
    """News feeds, read beside whichever source brings the prices."""

    feeds: tuple[Feed, ...] = ()
    """The feeds; none if empty."""
    timeout_seconds: float = 20.0
    """Seconds for a whole answer, however slowly it drips."""
    most_bytes: int = 5_000_000
    """Bytes of a feed, unpacked; a larger one is refused."""
    reuse_minutes: float = 5.0
    """Minutes within which a feed is not asked for again; after them only whether it has changed."""

    def __post_init__(self) -> None:
        if self.timeout_seconds <= 0 or self.reuse_minutes < 0 or not 1_000 <= self.most_bytes <= 40_000_000:
            raise ValueError(
                "timeout_seconds has to be above 0, reuse_minutes 0 or more, and most_bytes from 1,000 to 40,000,000;"
                f" got {self.timeout_seconds}, {self.reuse_minutes} and {self.most_bytes}"
            )
        for feed in self.feeds:
            parts = urlsplit(feed.url)
            if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
                raise ValueError(f"feed {feed.name!r} needs a plain http or https address, not {feed.url[:80]!r}")
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,20}", feed.name):
                raise ValueError(f"a feed's name is small letters, digits and hyphens, at most 21, not {feed.name!r}")
        names = [feed.name for feed in self.feeds]
        if len(set(names)) < len(names):
            raise ValueError(f"{len(names)} feeds have {len(set(names))} names; give each its own")


@dataclass(frozen=True, kw_only=True)
class SourceParams:
    """Which source is in use, with the parameters of each."""

    name: str = "simulated"
    """simulated, files or yahoo."""
    simulated: SimulatedParams = field(default_factory=SimulatedParams)
    """The seeded market."""
    files: FilesParams = field(default_factory=FilesParams)
    """The operator's own files."""
    yahoo: YahooParams = field(default_factory=YahooParams)
    """Yahoo's charts."""
    cross_check: str = ""
    """A second source whose bars are compared with those of the first and used for nothing else; none if empty."""

    def __post_init__(self) -> None:
        if self.cross_check and self.cross_check == self.name:
            raise ValueError(
                f"cross_check is {self.cross_check!r}, the source itself; name another one or leave it empty"
            )

    rss: RssParams = field(default_factory=RssParams)
    """Feeds of news that join whichever source is in use."""
