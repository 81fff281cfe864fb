"""The operator's own files as a source: landed as they are, cut to the sessions asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial

import polars as pl

from lake.tables.market import RAW_PRICES
from pipeline.ingestion.actions.actions_from_adjusted_closes import FIELDS as FACTOR_FIELDS
from pipeline.ingestion.actions.actions_from_adjusted_closes import LEAST, RATIOS
from pipeline.ingestion.sources.errors import SourceError
from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.blocks.session_bars import find_cut_off, sum_to_sessions
from pipeline.ingestion.sources.files.checks.judged_rows import Asked
from pipeline.ingestion.sources.files.checks.understanding import Understanding, understand
from pipeline.ingestion.sources.files.content import Content, Dated, paths_of, read_content
from pipeline.ingestion.sources.files.dates import read_instants
from pipeline.ingestion.sources.files.fx_file import cut_rates
from pipeline.ingestion.sources.files.memberships import cut_memberships
from pipeline.ingestion.sources.files.params import FilesParams
from pipeline.ingestion.sources.payloads import (
    ACTIONS,
    ACTIONS_REFETCHED,
    ALL_TICKERS,
    BY_LINE,
    FACTORS,
    FETCH_LAG,
    LISTINGS,
    MEMBERS,
    RATES,
    REFETCHED,
    Fetch,
    as_kind,
    bar_rows,
    news_rows,
    payload_text,
    price_rows,
)
from pipeline.market.currencies import currency_of
from pipeline.market.sessions import Sessions

__all__ = ["FilesSource"]

DAILY = "1d"


class FilesSource:
    """Bars, actions, listings and news from files; they are read at the first question and again when they change."""

    name = "files"

    def __init__(self, params: FilesParams, calendar: Sessions) -> None:
        if not params.prices:
            raise SourceError("the source 'files' has no price file; name one or more with --prices PATH")
        self.params = params
        self.calendar = calendar
        self.currency = params.currency or currency_of(calendar.exchange)
        self.zone = params.zone or calendar.zone
        self._seen: tuple[tuple[str, int, int], ...] = ()
        self._content: Content | None = None
        self._understood: tuple[Content, Understanding] | None = None
        self._summed: tuple[Content, list[Bars]] | None = None

    def coverage(self) -> tuple[date, date]:
        """The first and last session the price files have bars for, the benchmark's own aside.

        Raises:
            SourceError: if none of their days lies within the calendar.
        """
        found = pl.concat([self._stock_days(files) for files in self._read().bars]).drop_nulls("day")
        opening, closing = self.calendar.days[0], self.calendar.days[-1]
        days = found["day"]
        inside = days.filter(days.is_between(opening, closing))
        first, last = inside.min(), inside.max()
        if not isinstance(first, date) or not isinstance(last, date):
            shown = ", ".join(str(day) for day in days.sort().head(1)) or "missing"
            raise SourceError(
                f"the price files have no day of a stock from {opening} to {closing}, the calendar of "
                f"{self.calendar.exchange}; the first of their {found['rows'].sum()} days is {shown}: "
                "check date_format and exchange"
            )
        start, end = self.calendar.at_or_after(first), self.calendar.at_or_before(last)
        if end in self._find_cut_off():
            end = self.calendar.previous(end)
        return min(start, end), end

    def _stock_days(self, files: PriceFiles) -> pl.DataFrame:
        """The days that bound what can be learned: a benchmark often goes back further than the stocks."""
        return files.days.filter(~pl.col("benchmark")).select("day", "rows")

    def check_reachable(self) -> None:
        """Make sure that the files are what they seem, before a lake is begun with them.

        Raises:
            SourceError: if not, with everything that was found and the setting that mends it.
        """
        problems = self.understand().problems
        if problems:
            raise SourceError("; and ".join(problems))

    def understand(self) -> Understanding:
        """Return what was understood of the files, and what a load of them would do."""
        first, last = self.coverage()
        content = self._read()
        if self._understood is None or self._understood[0] is not content:
            asked = self._asked(first, last)
            as_landed = {} if self.params.interval == DAILY else {"as_landed": partial(sum_to_sessions, asked=asked)}
            self._understood = content, understand(content, self.params, asked, self.zone, **as_landed)
        return self._understood[1]

    def _asked(self, first: date, last: date) -> Asked:
        return Asked(self.calendar, first, last, self.currency, self.params.interval, self.params.stamp)

    def _find_cut_off(self) -> set[date]:
        """The last session of the files where they end within it: of bars within sessions a day is summed up whole."""
        if self.params.interval == DAILY:
            return set()
        days = self.calendar.days
        found = (find_cut_off(files, self._asked(days[0], days[-1]), self.zone) for files in self._read().bars)
        last = max((end for files in self._read().bars if (end := files.tickers["last"].max())), default=None)
        return {day for day in found if day is not None and day == last}

    def prices(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_PRICES rows of the files' lines; history also lands the lines whose day cannot be read."""
        return pl.concat([RAW_PRICES.empty(), *self.read_blocks(since, session, history=history)])

    def read_blocks(self, since: date, session: date, *, history: bool) -> Iterator[pl.DataFrame]:
        """Yield what `prices` returns, a block at a time."""
        seen: set[str] = set()  # a file named twice is landed once
        for rows in self._read_parts(since, session, history):
            identities = list(rows["payload_id"])
            if len(set(identities)) < len(identities) or not seen.isdisjoint(identities):
                rows = rows.unique("payload_id", keep="first", maintain_order=True)
                rows = rows.filter(~pl.col("payload_id").is_in(list(seen)))
            seen.update(identities)
            yield rows

    def _read_parts(self, since: date, session: date, history: bool) -> Iterator[pl.DataFrame]:
        content, fetch = self._read(), self._fetch(since, session, history)
        low = since if history else self.calendar.offset(since, 1 - REFETCHED)
        yield from (_cut_bars(bars, fetch, low) for bars in self._daily_bars(content))
        for files in content.bars if content.actions is None else ():
            if _tells_actions(files):
                yield from (_cut_factors(bars, fetch, low) for bars in files.blocks())
        if (actions := _with_told_actions(content)) is not None:
            yield self._land_actions(actions, content.listings, fetch, _first_told(content))
        others = [(LISTINGS, _cut_listings(content.listings, fetch, low))]
        if content.members is not None:
            others.append((MEMBERS, _cut_members(content.members, fetch, low)))
        if content.rates is not None:
            others.append((RATES, self._cut_rates(content.rates, fetch, low)))
        payloads = [
            (kind, ALL_TICKERS, fetch.request(dated.fields), payload_text(dated.lines))
            for kind, dated in others
            if dated.lines.height
        ]
        yield price_rows(fetch, payloads)

    def _daily_bars(self, content: Content) -> Iterator[Bars]:
        """All bars, a block at a time; shorter ones than a day are summed up to it once, which leaves few."""
        if self.params.interval == DAILY:
            for files in content.bars:
                yield from files.blocks()
            return
        if self._summed is None or self._summed[0] is not content:
            asked, cut_off = self._asked(self.calendar.days[0], self.calendar.days[-1]), self._find_cut_off()
            daily = [sum_to_sessions(bars, asked) for files in content.bars for bars in files.blocks()]
            self._summed = content, [bars.filter(~bars.day.is_in(list(cut_off))) for bars in daily]
        yield from self._summed[1]

    def news(self, since: date, session: date, *, history: bool) -> pl.DataFrame:
        """Return RAW_NEWS rows; history also lands the lines whose time cannot be read, a daily fetch never does."""
        content, fetch = self._read(), self._fetch(since, session, history)
        if content.news is None:
            return news_rows(fetch, [])
        lines, _ = self._cut_news(content.news, since, self.calendar.close_at(session) + FETCH_LAG, history)
        if lines.is_empty():
            return news_rows(fetch, [])
        return news_rows(fetch, [(fetch.request(content.news.fields), payload_text(lines))])

    def news_so_far(self, session: date, as_of: datetime) -> pl.DataFrame:
        """Return RAW_NEWS rows: the lines since the close before, by the hour of their publication."""
        content, fetch = self._read(), self._fetch(session, session, False)
        if content.news is None:
            return news_rows(fetch, [])
        lines, at = self._cut_news(content.news, session, as_of, False)
        hours = lines.with_columns(hour=at.dt.truncate("1h")).partition_by("hour", maintain_order=True)
        request = fetch.request(content.news.fields)
        return news_rows(fetch, [(request, payload_text(part.drop("hour"))) for part in hours])

    def _cut_news(self, news: Dated, since: date, until: datetime, history: bool) -> tuple[pl.DataFrame, pl.Series]:
        """The lines published from the fetch before `since` until a moment, and when each was."""
        at = read_instants(news.lines[news.fields["published_at"]], zone=self.zone)
        after = self.calendar.close_at(self.calendar.previous(since)) + FETCH_LAG
        wanted = ((at > after) & (at <= until)).fill_null(history)
        return news.lines.filter(wanted), at.filter(wanted)

    def _fetch(self, since: date, session: date, history: bool) -> Fetch:
        return Fetch(
            source=self.name,
            since=since,
            session=session,
            fetched_at=datetime.now(UTC),
            history=history,
            exchange=self.calendar.exchange,
            currency=self.currency,
            stamp=self.params.stamp,
        )

    def _cut_rates(self, rates: Dated, fetch: Fetch, low: date) -> Dated:
        before = self.calendar.close_at(self.calendar.previous(fetch.since)) + FETCH_LAG
        closings = (before, self.calendar.close_at(fetch.session) + FETCH_LAG)
        lines = cut_rates(rates.lines, rates.fields, (low, fetch.session), closings, fetch.history, self.zone)
        return Dated(lines, rates.fields)

    def _read(self) -> Content:
        """The files' content, read again if any of them was changed since."""
        stamp = tuple(
            (str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in paths_of(self.params) if path.exists()
        )
        if self._content is None or stamp != self._seen:
            self._content, self._seen = read_content(self.params, self.calendar), stamp
        return self._content

    def _land_actions(self, actions: Dated, listings: Dated, fetch: Fetch, first: date | None = None) -> pl.DataFrame:
        """The statements about a quarter of ex-dates, or all, as far as they were public; also none, which says so.

        History also lands what precedes its ticker's listing, so that it is told as wrong instead of passed over.
        What price files tell is covered from `first` on, if that is later.
        """
        low = fetch.since if fetch.history else self.calendar.offset(fetch.session, 1 - ACTIONS_REFETCHED)
        since = low if first is None or fetch.history else min(max(low, first), fetch.session)
        covers = {"since": since.isoformat(), "until": None}
        lines = self._cut_actions(actions, fetch, low)
        if fetch.history:
            lines = pl.concat([lines, _find_premature(actions, listings, low)])
        request = fetch.request(actions.fields, covers=covers, amounts=BY_LINE)
        return price_rows(fetch, [(ACTIONS, ALL_TICKERS, request, payload_text(lines))])

    def _cut_actions(self, actions: Dated, fetch: Fetch, low: date) -> pl.DataFrame:
        """Actions ex from then on, later ones if they are announced, and any older one that was announced just now."""
        ex = actions.lines[actions.fields["ex_date"]].str.to_date("%Y-%m-%d", strict=False)
        inside = ex.is_between(low, fetch.session).fill_null(fetch.history)
        if "available_at" not in actions.fields:
            return actions.lines.filter(inside)
        announced = read_instants(actions.lines[actions.fields["available_at"]], zone=self.zone)
        by = self.calendar.close_at(fetch.session) + FETCH_LAG
        before = self.calendar.close_at(self.calendar.previous(fetch.since)) + FETCH_LAG
        public = (announced <= by).fill_null(False)
        told_late = (ex < low).fill_null(False) & public & (announced > before).fill_null(False)
        unknown = (announced > by).fill_null(False)
        return actions.lines.filter((inside & ~unknown) | ((ex > fetch.session).fill_null(False) & public) | told_late)


def _cut_bars(bars: Bars, fetch: Fetch, low: date) -> pl.DataFrame:
    wanted = bars.day.is_between(low, fetch.session).fill_null(fetch.history)
    kept = bars.filter(wanted)
    return bar_rows(fetch, kept.fields, kept.text, kept.symbol)


def _find_premature(actions: Dated, listings: Dated, low: date) -> pl.DataFrame:
    """The lines with an ex-date before all that is asked for and before the ticker was listed."""
    ex = actions.lines[actions.fields["ex_date"]].str.to_date("%Y-%m-%d", strict=False)
    ticker, listed_on = (listings.fields[name] for name in ("ticker", "listed_on"))
    first = listings.lines.select(symbol=ticker, first=pl.col(listed_on).str.to_date("%Y-%m-%d", strict=False)).unique(
        "symbol", keep="first", maintain_order=True
    )
    symbols = actions.lines.select(symbol=actions.fields["ticker"])
    listed = symbols.join(first, on="symbol", how="left", maintain_order="left")["first"]
    return actions.lines.filter(((ex < low) & (ex < listed)).fill_null(False))


def _with_told_actions(content: Content) -> Dated | None:
    """The file of actions, or what the columns of the price files tell; and beside it what identifiers tell.

    Not where actions are read off adjusted closes as they were seen: those come as landings that cover nothing, and one
    that covers everything would take them back.
    """
    if content.actions is not None:
        return content.actions if content.renames is None else _with_renames(content.actions, content.renames)
    if any(_tells_actions(files) for files in content.bars):
        return None
    told = [files.told.lines for files in content.bars if files.told is not None]
    frames = [frame for frame in (*told, content.renames) if frame is not None]
    if not frames:
        return None
    lines = pl.concat(frames, how="diagonal")
    return Dated(lines, {name: name for name in lines.columns})


def _with_renames(actions: Dated, told: pl.DataFrame) -> Dated:
    if told.is_empty():
        return actions
    lines, fields = actions.lines, dict(actions.fields)
    for name in told.columns:
        fields.setdefault(name, name)
    renamed = told.rename({name: fields[name] for name in told.columns})
    given = [fields[name] for name in told.columns if fields[name] in lines.columns]
    untold = renamed.join(lines, on=given, how="anti", nulls_equal=True)
    return Dated(pl.concat([lines, untold], how="diagonal"), fields)


def _first_told(content: Content) -> date | None:
    """The first day of whose actions price files that tell them can speak: that of the ticker which begins last.

    A file that was cut to its last days says nothing of what was before, so that nothing is taken back.
    """
    if content.actions is not None:
        return None
    firsts = [files.tickers["first"].max() for files in content.bars if files.told is not None]
    days = [first for first in firsts if isinstance(first, date)]
    return max(days) + timedelta(days=1) if days else None


def _tells_actions(files: PriceFiles) -> bool:
    """Whether the file says when it saw each adjusted close: only then does a change of one date an action."""
    return {"adj_close", "available_at"} <= files.fields.keys()


def _cut_factors(bars: Bars, fetch: Fetch, low: date) -> pl.DataFrame:
    """The lines whose adjusted close has left the close, and the ticker's next ones, whose price confirms it."""
    fields = {name: bars.fields[name] for name in FACTOR_FIELDS}
    close, adjusted = (bars.lines[bars.fields[name]].cast(pl.Float64, strict=False) for name in ("close", "adj_close"))
    lines = bars.lines.select(fields.values()).with_columns(
        symbol_of_line=bars.symbol,
        day_of_line=bars.day,
        left=((adjusted / close - 1).abs() > LEAST).fill_null(False),
    )
    wanted = lines.filter(bars.day.is_between(low, fetch.session).fill_null(False))
    moved = wanted.filter("left").select("symbol_of_line", "day_of_line")
    following = pl.concat([moved.with_columns(pl.col("day_of_line").dt.offset_by(f"{n}d")) for n in range(5)])
    kept = wanted.join(following.unique(), on=["symbol_of_line", "day_of_line"], how="semi", maintain_order="left")
    texts = kept.select(pl.col(list(fields.values())).cast(pl.String))
    landed = bar_rows(fetch, fields, texts, kept["symbol_of_line"], **{RATIOS: 2})
    return as_kind(landed, FACTORS)


def _cut_members(members: Dated, fetch: Fetch, low: date) -> Dated:
    return Dated(
        cut_memberships(members.lines, members.fields, low, fetch.session, history=fetch.history), members.fields
    )


def _cut_listings(listings: Dated, fetch: Fetch, low: date) -> Dated:
    """History: whoever was listed by the session. Daily: who was listed within the sessions asked for."""
    listed = listings.lines[listings.fields["listed_on"]].str.to_date("%Y-%m-%d", strict=False)
    wanted = (listed <= fetch.session) & (pl.lit(fetch.history) | (listed >= low))
    return Dated(listings.lines.filter(wanted.fill_null(fetch.history)), listings.fields)
