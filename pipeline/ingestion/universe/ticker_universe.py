"""Says who could be traded at each session, and of the others the first filter that kept them out."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from lake.tables.market import (
    CONSTITUENTS,
    CORPORATE_ACTIONS,
    FX_RATES,
    INSTRUMENTS,
    MARKET_PRICES,
    TICKER_UNIVERSE,
)
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.universe.companies import split_by_knowledge, trace_companies
from pipeline.ingestion.universe.foreign_listings import OTHER_CURRENCY, add_quoted, convert_foreign, find_rates
from pipeline.ingestion.universe.membership import find_members
from pipeline.ingestion.universe.params import UniverseParams
from pipeline.market.securities.following import Securities

HISTORY = 280
"""Sessions of bars that are read and counted: a bound on the work, far above what any filter asks for."""
LIQUIDITY = 20
"""Sessions whose median says how much is traded."""
Floats = NDArray[np.float64]
Counts = NDArray[np.int64]


def universe(
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    constituents: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Judge every instrument that ever had a bar, at each of the moment's sessions.

    Filters in order: compared with only (a benchmark), quoted in another currency than the book's that no rate converts
    into it, not a constituent at the session (where an index is followed), delisted, stale, history, close, dollar
    volume, rank. The limits are in the book's currency, and so is the dollar volume; the close is as quoted. A
    session's verdict uses what was public by its decision alone, on a range of sessions too: a late or restated bar
    counts from the first decision that could know it, and so does a rename.
    A ticker has the history of its company, under any name it had. One without a bar in reach keeps its last close
    from the verdict before.
    """
    before, parts = ticker_universe, [TICKER_UNIVERSE.empty()]
    if params.universe.securities == 1:
        corporate_actions = corporate_actions.filter(pl.col("kind") == "delisting")
    for facts, part in split_by_knowledge(corporate_actions, moment, _decisions(moment, params), params.universe):
        companies = trace_companies(facts, market_prices, moment.calendar, params.universe)
        frames = (market_prices, before, instruments, facts, constituents, fx_rates)
        parts.append(_judge(*frames, companies, part, params))
        before = parts[-1]
    return pl.concat(parts)


def _judge(
    market_prices: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    constituents: pl.DataFrame,
    fx_rates: pl.DataFrame,
    companies: Securities,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """The verdicts of sessions that know the same of who is who."""
    sessions = _decisions(moment, params)
    market_prices = companies.name_companies(market_prices, "session")
    last_traded = _date_last_bars(ticker_universe, sessions)
    ticker_universe = companies.name_companies(last_traded, "last_traded").drop("last_traded")
    stated = corporate_actions if params.universe.securities == 2 else corporate_actions.clear()
    corporate_actions = companies.name_actions(corporate_actions)
    observed = _call_by_ticker(_observe(market_prices, ticker_universe, sessions, moment), companies)
    listed = instruments.select("ticker", "sector", "role", "currency", "unit")
    observed = observed.join(listed, on="ticker", how="inner", maintain_order="left")
    if moment.currency:
        quoted = add_quoted(observed, market_prices, moment.currency)
        rates = find_rates(fx_rates, sessions, moment.currency, params.max_rate_age_days)
        observed = convert_foreign(quoted, rates, params.max_rate_age_days)
    else:  # a run of a program that did not ask
        nothing = {"foreign": pl.lit(None, dtype=pl.String), "unconverted": pl.lit(""), "rate": pl.lit(1.0)}
        observed = observed.with_columns(**nothing)
    drawn = observed.with_columns(constituent=find_members(observed, constituents, stated, companies))
    ended = _near_delisting(drawn, corporate_actions, sessions)
    return (
        _add_verdict(ended, params.universe, moment.currency).select(*TICKER_UNIVERSE.columns).sort(TICKER_UNIVERSE.key)
    )


def _date_last_bars(ticker_universe: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Add last_traded (Date): the session of each row's last bar, or the first in reach: that is when its close was."""
    rows = ticker_universe.join(sessions.select("session", "row"), on="session", how="left", maintain_order="left")
    last = (rows["row"] - rows["stale"]).clip(lower_bound=0)
    return ticker_universe.with_columns(last_traded=sessions["session"].gather(last))


def _call_by_ticker(observed: pl.DataFrame, companies: Securities) -> pl.DataFrame:
    """Add company, with the ticker of the session in its place; of several companies one has the row of a ticker.

    That is who has the ticker at the session, else the one that traded last.
    """
    named = observed.with_columns(company="ticker")
    called = companies.name_tickers(named, "session")
    holders = companies.name_companies(called, "session")["ticker"]
    ranked = called.with_columns(other=holders != called["company"], number=pl.int_range(pl.len()))
    first = ranked.sort("other", "stale", "number").unique(["session", "ticker"], keep="first", maintain_order=True)
    return first.sort("number").drop("other", "number")


def _decisions(moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """row (Int64, from 0), session and decided_at (UTC) of all sessions in reach."""
    calendar = moment.calendar
    first = calendar.offset(calendar.at_or_after(moment.since), -HISTORY)
    frame = calendar.frame(first, moment.session).with_columns(row=pl.int_range(pl.len()))
    return frame.select("row", "session", decided_at=pl.col("close_at") + params.decision_lag(calendar))


def _observe(bars: pl.DataFrame, before: pl.DataFrame, sessions: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """session, ticker, close, dollar_volume, history, stale and last_bar (Date): what each decision could see."""
    before = before.filter(pl.col("session") == pl.col("session").max())
    tickers = pl.concat([bars["ticker"], before["ticker"]]).unique().sort()
    columns = pl.DataFrame({"ticker": tickers}).with_columns(column=pl.int_range(pl.len()))
    events = _events(bars, sessions, columns)
    board = _Board(sessions, before.join(columns, on="ticker"), len(tickers))
    wanted = sessions.filter(pl.col("session") >= moment.since)["row"].to_list()
    ends = events["known"].search_sorted(pl.Series(wanted, dtype=pl.Int64), side="right")
    parts, done = [], 0
    for row, end in zip(wanted, ends, strict=True):
        board.learn(events[done:end])
        parts.append(board.seen_at(row))
        done = end
    seen = pl.concat([_Board.nothing(), *parts])
    return seen.join(columns, on="column", how="left", maintain_order="left").drop("column")


def _events(bars: pl.DataFrame, sessions: pl.DataFrame, columns: pl.DataFrame) -> pl.DataFrame:
    """row, column, close, dollars and known (the row of the first decision that could use it), in order of known."""
    days, row = _place(sessions["session"], bars["session"])
    decisions, known = _place(sessions["decided_at"], bars["available_at"])
    of_a_session = days[np.minimum(row, len(days) - 1)] == bars["session"].to_physical().to_numpy()
    in_reach = np.flatnonzero(of_a_session & (known < len(decisions)))
    column = bars["ticker"].cast(pl.Enum(columns["ticker"])).to_physical().cast(pl.Int64).to_numpy()
    known = np.maximum(known, row)
    order = np.lexsort([by[in_reach] for by in (bars["revision"].to_numpy(), row, column, known)])
    chosen = pl.Series(in_reach[order])
    traded = bars["volume"] + bars["volume_rounding"].fill_null(0.0)
    events = {"row": row, "column": column, "close": bars["close"], "dollars": bars["close"] * traded, "known": known}
    return pl.DataFrame(events)[chosen]


def _place(rising: pl.Series, values: pl.Series) -> tuple[Counts, Counts]:
    """Days or instants as whole numbers, and of each value the place of the first that is not before it."""
    steps = rising.to_physical().to_numpy()
    return steps, np.searchsorted(steps, values.to_physical().to_numpy())


class _Board:
    """Closes and traded money by session and ticker, as far as they are known while time goes on."""

    def __init__(self, sessions: pl.DataFrame, before: pl.DataFrame, tickers: int) -> None:
        self._days = sessions["session"]
        self._close: Floats = np.full((sessions.height, tickers), np.nan)
        self._dollars: Floats = np.full((sessions.height, tickers), np.nan)
        self._last: Counts = np.full(tickers, np.iinfo(np.int64).min)
        self._last_close: Floats = np.full(tickers, np.nan)
        if not before.is_empty():
            seen = before.join(sessions.select("session", "row"), on="session").drop_nulls("close")
            column = seen["column"].to_numpy()
            self._last[column] = (seen["row"] - seen["stale"]).to_numpy()
            self._last_close[column] = seen["close"].to_numpy()

    def learn(self, events: pl.DataFrame) -> None:
        """Take in what has become known; of several values for one bar the last one stays."""
        row, column = events["row"].to_numpy(), events["column"].to_numpy()
        self._close[row, column] = events["close"].to_numpy()
        self._dollars[row, column] = events["dollars"].to_numpy()
        np.maximum.at(self._last, column, row)
        column = np.unique(column)
        self._last_close[column] = self._close[self._last[column], column]

    def seen_at(self, row: int) -> pl.DataFrame:
        """What the decision of the row's session sees of every ticker that ever had a bar."""
        ever = np.flatnonzero(self._last > np.iinfo(np.int64).min)
        history = (~np.isnan(self._close[max(row - HISTORY + 1, 0) : row + 1])).sum(axis=0)
        dollars = _median(self._dollars[max(row - LIQUIDITY + 1, 0) : row + 1])
        stale = row - self._last[ever]
        frame = pl.DataFrame(
            {
                "column": ever,
                "close": self._last_close[ever],
                "dollar_volume": dollars[ever],
                "history": history[ever].astype(np.int64),
                "stale": stale,
            },
            schema_overrides={"column": pl.Int64},
        )
        return frame.with_columns(
            pl.col("dollar_volume").fill_nan(None), session=pl.lit(self._days[row], dtype=pl.Date)
        )

    @staticmethod
    def nothing() -> pl.DataFrame:
        """What is seen of no ticker."""
        return pl.DataFrame(
            schema={
                "column": pl.Int64,
                "close": pl.Float64,
                "dollar_volume": pl.Float64,
                "history": pl.Int64,
                "stale": pl.Int64,
                "session": pl.Date,
            }
        )


def _median(values: Floats) -> Floats:
    """The median of each column's numbers; NaN where it has none."""
    ordered = np.sort(values, axis=0)  # NaN goes last
    count = (~np.isnan(values)).sum(axis=0)
    column = np.arange(values.shape[1])
    middle: Floats = (ordered[(count - 1) // 2, column] + ordered[np.minimum(count // 2, len(values) - 1), column]) / 2
    return np.where(count > 0, middle, np.nan)


def _near_delisting(observed: pl.DataFrame, actions: pl.DataFrame, sessions: pl.DataFrame) -> pl.DataFrame:
    """Add delisted (Date): the ex-date of a delisting known by the decision, with no bar since."""
    decisions = sessions.select(available_at="decided_at", known="session")
    ends = (
        actions.filter(pl.col("kind") == "delisting")
        .sort("available_at")
        .join_asof(decisions, on="available_at", strategy="forward")
        .select(company="ticker", delisted="ex_date", session=pl.max_horizontal("ex_date", "known"))
        .sort("session", "company", "delisted")
    )
    positions = sessions.select("session", "row")
    rows = observed.sort("session", "ticker").join_asof(
        ends, on="session", by="company", strategy="backward", check_sortedness=False
    )
    ex_rows = positions.select(delisted="session", ex_row="row")
    return rows.join(positions, on="session", how="left", maintain_order="left").join(
        ex_rows, on="delisted", how="left", maintain_order="left"
    )


def _add_verdict(rows: pl.DataFrame, params: UniverseParams, currency: str) -> pl.DataFrame:
    """Add member and reason."""
    # A delisting whose ex-date lies before the sessions in reach has no row: nothing in reach can have traded since.
    last_row = pl.col("row") - pl.col("stale")
    gone = pl.col("delisted").is_not_null() & (last_row < pl.col("ex_row").fill_null(pl.col("row")))
    unlike = f"quoted in {{}}, {OTHER_CURRENCY} {currency}"
    close = pl.col("close") * pl.col("rate")
    reason = pl.coalesce(
        _failing(
            (pl.col("role") == "benchmark") & pl.col("unconverted").is_not_null(),
            f"a benchmark that is not compared with: {unlike}{{}}",
            "foreign",
            "unconverted",
        ),
        _failing(pl.col("role") == "benchmark", "a benchmark: compared with, never traded"),
        _failing(pl.col("unconverted").is_not_null(), f"{unlike}{{}}", "foreign", "unconverted"),
        _failing(~pl.col("constituent"), "no constituent of the index at this session"),
        _failing(gone, "delisted on {}", pl.col("delisted")),
        _failing(pl.col("stale") > params.max_stale, f"no bar for {{}} sessions (at most {params.max_stale})", "stale"),
        _failing(
            pl.col("history") < params.min_history, f"{{}} of {params.min_history} sessions of history", "history"
        ),
        _failing(
            close < params.min_close,
            f"close {{}} below {params.min_close}",
            close.round(4),
        ),
        _failing(pl.col("dollar_volume").is_null(), f"nothing traded for {LIQUIDITY} sessions"),
        _failing(
            pl.col("dollar_volume") < params.min_dollar_volume,
            f"dollar volume {{}} below {params.min_dollar_volume:.0f}",
            pl.col("dollar_volume").round(0).cast(pl.Int64),
        ),
    )
    passed = rows.with_columns(reason=reason).sort(
        "session", pl.col("reason").is_null(), "dollar_volume", "ticker", descending=[False, True, True, False]
    )
    rank = pl.int_range(1, pl.len() + 1).over("session", "passes")
    ranked = passed.with_columns(passes=pl.col("reason").is_null()).with_columns(rank=rank)
    least = f"rank {{}} by dollar volume (at most {params.max_members})"
    beyond = _failing(pl.col("passes") & (pl.col("rank") > params.max_members), least, "rank")
    reason = pl.coalesce("reason", beyond, pl.lit("member"))
    return ranked.with_columns(reason=reason).with_columns(member=pl.col("reason") == "member")


def _failing(fails: pl.Expr, words: str, *figures: pl.Expr | str) -> pl.Expr:
    return pl.when(fails).then(pl.format(words, *figures) if figures else pl.lit(words))


STAGE = Stage(
    name="universe",
    function=universe,
    reads=(
        Read(
            MARKET_PRICES,
            lookback=HISTORY,
            every_revision=True,
            where=pl.col("interval") == "1d",
            columns=(*MARKET_PRICES.key, "session", "close", "volume", "volume_rounding", "currency", "available_at"),
        ),
        Read(TICKER_UNIVERSE, lookback=1, upto="previous"),
        Read(INSTRUMENTS, lookback=None),
        Read(CORPORATE_ACTIONS, lookback=None, where=pl.col("kind").is_in(["delisting", "rename"])),
        Read(CONSTITUENTS, lookback=None),
        Read(FX_RATES, lookback=HISTORY, every_revision=True, columns=(*FX_RATES.key, "rate", "available_at")),
    ),
    writes=TICKER_UNIVERSE,
    params=IngestionParams(),
    section="ingestion",
    catches_up=True,
    keeps_currency=True,
)
