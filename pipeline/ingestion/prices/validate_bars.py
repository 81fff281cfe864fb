"""Separates sound bars from those that are set aside, each with the rule it breaks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

import polars as pl

from lake.contract import UTC
from lake.engine import collect, hold_once, join_parts, put_in_order
from lake.tables.market import MARKET_PRICES
from pipeline.engine.stage import Moment
from pipeline.ingestion.decode_payloads import SET_ASIDE
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.prices.bar_blocks import TickerRows, join_blocks, recall_text
from pipeline.ingestion.prices.bar_rules import COMPARED, read_bars
from pipeline.ingestion.prices.jumps import BAR, MEMORY, SUSPENDED, JumpVerdicts, judge_jumps
from pipeline.ingestion.prices.known_bars import compare_with_known, stand_as_known
from pipeline.ingestion.prices.read_once import BarQuestion, KeptBlock, read_once
from pipeline.ingestion.prices.waiting_bars import keep_waiting, read_waiting, select_waiting
from pipeline.market.securities.following import Securities

LOOKBACK = 30
"""Sessions before the first one computed whose known bars are read: MEMORY and what a daily fetch asks for again."""
REACH = LOOKBACK - MEMORY
"""Sessions before the first one computed from which a daily fetch may still bring bars."""
REPEAT = "a repeat of another row"
TWO_VALUES = "one bar has two values"
SUPERSEDED = "a later answer of the same session replaced it"
TOO_OLD = f"the bar is at most {REACH} sessions old; load older ones as history"


NOT_YET = "the bar was available by the landing"
COLUMNS = tuple(MARKET_PRICES.columns)
KNOWN = tuple(name for name in COLUMNS if name not in ("currency", "payload_id", "line"))
"""What is looked at of known bars."""


class ValidatedBars(NamedTuple):
    """The two parts of what was delivered; together they are all of it. What waited and was settled is in both."""

    good: pl.DataFrame
    """The contract's columns of market_prices, and `new`: False where the bar was known with these values."""
    bad: pl.DataFrame
    """payload_id, line, ticker, source, landed, text (the line as delivered) and rule."""


def validate_bars(
    quarantined_rows: pl.DataFrame,
    raw_prices: pl.DataFrame,
    market_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> ValidatedBars:
    """Judge all bars landed in the moment's sessions, one session of arrival after the other.

    A bar arrives with its landing, or at the availability that the vendor states: what was restated in a load of
    history then comes out as the revision it was. Each arrival sees only what was public by its own session's
    publication, so that judging many landings at once, or once more, ends as judging them day by day. A bar that waits
    for its explanation waits in the arrivals after its own as well, and counts as known at the one that settles it.

    Args:
        quarantined_rows: what earlier landings left waiting.
        raw_prices: landed rows; those that are not bars are passed over, and those of landings before the moment's
            first session but for the bars that wait.
        market_prices: known bars, every revision, from LOOKBACK sessions before the moment's first.
        instruments: what is listed.
        corporate_actions: for the splits, and for renames and delistings, which say whose bar follows which.
        moment: the sessions, and their calendar.
        params: lags and limits.
    """
    judged = _judge_bars(quarantined_rows, raw_prices, market_prices, instruments, corporate_actions, moment, params)
    good: list[pl.DataFrame] = []
    bad: list[pl.DataFrame] = []
    for stand, set_aside in judged:
        good.append(hold_once(stand))
        bad.append(set_aside)
    return ValidatedBars(put_in_order(join_parts(good), MARKET_PRICES.key), pl.concat(bad).sort("payload_id", "line"))


def set_aside_bars(
    quarantined_rows: pl.DataFrame,
    raw_prices: pl.DataFrame,
    market_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Return what `validate_bars` sets aside, and hold no more of what it does not than a block."""
    tables = (quarantined_rows, raw_prices, market_prices, instruments, corporate_actions)
    judged = _judge_bars(*tables, moment, params, told_only=True)
    return pl.concat([bad for _, bad in judged]).sort("payload_id", "line")


def _judge_bars(
    quarantined_rows: pl.DataFrame,
    raw_prices: pl.DataFrame,
    market_prices: pl.DataFrame,
    instruments: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
    *,
    told_only: bool = False,
) -> Iterator[tuple[pl.DataFrame, pl.DataFrame]]:
    """Yield the two parts of `ValidatedBars`, bit by bit, each in the order it comes.

    All bars are judged together; where all arrive at once, those of some companies, so that no more are in memory.
    Where only what is set aside is asked for, bars that stand as they are known are gone past.
    """
    landed = raw_prices.filter(pl.col("kind") == "bars", pl.col("session") >= moment.since)
    nothing = MARKET_PRICES.empty().with_columns(new=pl.lit(False))
    blocks = read_once(
        BarQuestion(landed, instruments, moment, params),
        lambda rows: _add_arrival(read_bars(rows, instruments, moment.calendar), moment, params),
    )
    yield nothing, pl.concat(block.broken for block in blocks)
    waiting = read_waiting(quarantined_rows, raw_prices, instruments, moment, params)
    linked = _linked_tickers(corporate_actions)
    oldest = _oldest_of_arrivals(blocks)
    together = oldest.height > 1 or not waiting.is_empty()
    groups = [list(range(len(blocks)))] if together else join_blocks([block.tickers for block in blocks], linked)
    known = None if len(groups) == 1 else TickerRows.find(market_prices)
    for numbers in groups:
        group = put_in_order(pl.concat(blocks[number].load() for number in numbers), ("arrival", *BAR))
        concerned = {*group["ticker"].unique(), *linked}
        bars = market_prices if known is None else known.select(concerned)
        if told_only and waiting.is_empty() and stand_as_known(group, bars, moment, params):
            continue
        group = _add_landing(group, oldest, moment, params)
        single = drop_repeats(group, partial(recall_text, raw_prices=landed))
        left = single.filter(pl.col("rule").is_null()).sort("arrival", maintain_order=True)
        repeats = single.filter(pl.col("rule").is_not_null())
        good, suspended = _walk_arrivals(left, waiting, bars, corporate_actions, moment, params)
        told = recall_text(suspended, landed).with_columns(rule=pl.lit(SUSPENDED))
        yield pl.concat([nothing, *good]), pl.concat([part.select(*SET_ASIDE) for part in (repeats, told)])


def _linked_tickers(corporate_actions: pl.DataFrame) -> set[str]:
    """Those that a bar may follow from another's."""
    facts = corporate_actions.filter(pl.col("kind").is_in(["rename", "delisting"]))
    return {*facts["ticker"], *facts["successor"].drop_nulls()}


def _oldest_of_arrivals(blocks: list[KeptBlock]) -> pl.DataFrame:
    """arrival, and oldest: the first session of all bars that arrive then."""
    firsts = pl.concat(block.load().group_by("arrival").agg(oldest=pl.col("session").min()) for block in blocks)
    return firsts.group_by("arrival").agg(pl.col("oldest").min())


def _walk_arrivals(
    left: pl.DataFrame,
    waiting: pl.DataFrame,
    market_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> tuple[list[pl.DataFrame], pl.DataFrame]:
    """The bars that stand, arrival by arrival, and those that are suspended at their own."""
    days = moment.calendar.frame(moment.calendar.days[0], moment.session).select("session", "position")
    known = market_prices.select(KNOWN).join(days, on="session", how="left", maintain_order="left")
    good, suspended = [], [left.clear()]
    for batch in left.partition_by("arrival", maintain_order=True):  # few steps for each: there may be thousands
        public = moment.calendar.close_at(batch["arrival"][0]) + params.publication_lag(moment.calendar)
        asked = select_waiting(waiting, batch, known, public, moment.calendar)
        recent = _last_known(known, asked, public, moment)
        stand, doubted = _validate_arrival(asked, recent, corporate_actions, public, moment, params)
        good.append(stand.select(*COLUMNS, "new"))
        suspended.append(doubted.filter(~pl.col("carried")).select(left.columns))
        waiting = keep_waiting(doubted, public, params.jump)
        known = pl.concat([known, stand.filter("new").select(known.columns)])
    return good, pl.concat(suspended)


def _add_arrival(bars: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Add arrival (Date), the first session whose publication could show the bar, and the rules about age."""
    calendar, since = moment.calendar, moment.calendar.at_or_after(moment.since)
    oldest = calendar.position(since) - REACH
    days = calendar.frame(calendar.offset(since, -REACH), moment.session)
    shown = days.select(arrival="session", stated=pl.col("close_at") + params.publication_lag(moment.calendar))
    stated = bars.filter(pl.col("stated").is_not_null()).select("payload_id", "line", "stated").sort("stated")
    arrivals = stated.join_asof(shown, on="stated", strategy="forward").drop("stated")
    timed = bars.join(arrivals, on=["payload_id", "line"], how="left", maintain_order="left")
    late = pl.col("stated").is_not_null() & (pl.col("arrival").is_null() | (pl.col("arrival") > pl.col("landed")))
    return timed.with_columns(
        pl.coalesce("arrival", "landed"),
        rule=pl.coalesce(
            "rule",
            pl.when(pl.col("position") < oldest).then(pl.lit(TOO_OLD)),
            pl.when(late).then(pl.lit(NOT_YET)),
        ),
    )


def _add_landing(sound: pl.DataFrame, oldest: pl.DataFrame, moment: Moment, params: IngestionParams) -> pl.DataFrame:
    """Add shown_at, when the landing could be known, and oldest, the first session of all that arrives with the bar."""
    lag = params.publication_lag(moment.calendar)
    landed = {day: moment.calendar.close_at(day) + lag for day in sound["landed"].unique().to_list()}
    shown = pl.col("landed").replace_strict(landed, return_dtype=UTC) if landed else pl.lit(None, dtype=UTC)
    return sound.join(oldest, on="arrival", how="left", maintain_order="left").with_columns(shown_at=shown)


def _last_known(known: pl.DataFrame, asked: pl.DataFrame, public: datetime, moment: Moment) -> pl.DataFrame:
    """The bars as they stood at the arrival, from MEMORY sessions before the oldest one asked about."""
    first = moment.calendar.offset(asked["oldest"].min(), -MEMORY)  # type: ignore[arg-type]
    recent = known.lazy().filter((pl.col("available_at") <= public) & (pl.col("session") >= first))
    ordered = collect(recent.sort(MARKET_PRICES.key), known.height)
    if ordered["revision"].max() == 0:  # no bar has another before it
        return ordered
    return ordered.unique(BAR, keep="last", maintain_order=True)


def _validate_arrival(
    asked: pl.DataFrame,
    known: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    public: datetime,
    moment: Moment,
    params: IngestionParams,
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The bars of one arrival that stand, and those that are suspended; what waits and is known by now is neither."""
    batch = compare_with_known(asked, known).filter(pl.col("new") | ~pl.col("carried"))
    verdicts = _judge_companies(batch.filter("new"), known, corporate_actions, public, moment, params)
    stand, suspended = batch.lazy(), asked.clear()
    if verdicts.suspended.is_empty() and verdicts.confirmed.is_empty():
        stand = stand.with_columns(confirmed_at=pl.lit(None, UTC))
    else:
        stand = stand.join(verdicts.suspended.lazy(), on=BAR, how="anti", maintain_order="left")
        stand = stand.join(verdicts.confirmed.lazy(), on=BAR, how="left", maintain_order="left")
        suspended = asked.join(verdicts.suspended, on=BAR, how="semi", maintain_order="left")
    available = _available_at(params.publication_lag(moment.calendar))
    settled_now = pl.when("carried").then(pl.lit(public, dtype=UTC))
    return collect(stand.with_columns(available_at=pl.max_horizontal(available, settled_now)), batch.height), suspended


def _judge_companies(
    new: pl.DataFrame,
    known: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    public: datetime,
    moment: Moment,
    params: IngestionParams,
) -> JumpVerdicts:
    """The verdicts, where a bar follows from the last one of its company and from no other's under its ticker."""
    splits = corporate_actions.filter(pl.col("kind") == "split")
    told = pl.col("kind").is_in(["rename", "delisting"]), pl.col("available_at") <= public
    facts = corporate_actions.filter(*told)
    if params.jump.securities == 1 or facts.is_empty():
        return _judge(new, known, splits, public, moment, params)
    companies = Securities.trace(facts, known)
    called = new.select(*BAR, "session")
    named = [companies.name_companies(frame, "session") for frame in (new, known, called)]
    verdicts = _judge(named[0], named[1], companies.name_actions(splits), public, moment, params)
    tickers = named[2].select(*BAR, called=called["ticker"])
    return JumpVerdicts(*(_call_by_ticker(frame, tickers) for frame in (verdicts.suspended, verdicts.confirmed)))


def _call_by_ticker(verdicts: pl.DataFrame, tickers: pl.DataFrame) -> pl.DataFrame:
    beside = verdicts.join(tickers, on=BAR, how="left", maintain_order="left")
    return beside.with_columns(ticker="called").select(verdicts.columns)


def _judge(
    new: pl.DataFrame,
    known: pl.DataFrame,
    splits: pl.DataFrame,
    public: datetime,
    moment: Moment,
    params: IngestionParams,
) -> JumpVerdicts:
    """The verdicts; what would be suspended is asked about again with the splits that became known since its end.

    Not where the bar is one of a load of history and was known before the split.
    """
    zone, jump = moment.calendar.zone, params.jump
    verdicts = judge_jumps(new, known, splits, zone, jump)
    if jump.waiting == 1 or verdicts.suspended.is_empty():
        return verdicts
    again = new.filter(pl.col("carried") | ~pl.col("history")).join(verdicts.suspended, on=BAR, how="semi")
    announced = splits.filter(pl.col("available_at") <= public)
    if announced.join(again, on="ticker", how="semi").is_empty():
        return verdicts
    return judge_jumps(new, known, announced, zone, jump, again.select(BAR))


def drop_repeats(
    sound: pl.DataFrame, recall: Callable[[pl.DataFrame], pl.DataFrame] = lambda bars: bars
) -> pl.DataFrame:
    """Set aside all but one of an arrival's identical rows, all conflicting ones, and what a later answer replaced.

    Args:
        sound: bars that break no rule by themselves.
        recall: gives bars their text where they come without.
    """
    bar = ["arrival", *BAR]
    twice = sound.select(bar).is_duplicated()
    if not twice.any():
        return sound
    asked_at = pl.coalesce("stated", "fetched_at")
    first = pl.int_range(pl.len()).over(bar, order_by=["text", "payload_id", "line"]) == 0
    repeats = recall(sound.filter(twice)).with_columns(replaced=asked_at < asked_at.max().over(bar))
    last = repeats.filter(~pl.col("replaced")).with_columns(
        rule=pl.when(pl.struct(COMPARED).n_unique().over(bar) > 1)
        .then(pl.lit(TWO_VALUES))
        .when(~first)
        .then(pl.lit(REPEAT))
    )
    replaced = repeats.filter("replaced").with_columns(rule=pl.lit(SUPERSEDED))
    return pl.concat([sound.filter(~twice), last.drop("replaced"), replaced.drop("replaced")])


def _available_at(lag: timedelta) -> pl.Expr:
    """When the bar, as it now stands, could first have been known.

    The first value of a load of history was public soon after its bar; what a daily fetch brings, and any change, no
    earlier than the landing; what the vendor states goes before both; a confirmed jump waits for its confirmation.
    """
    unstated = pl.when(pl.col("history") & (pl.col("revision") == 0)).then(None).otherwise(pl.col("shown_at"))
    return pl.max_horizontal(pl.col("ts") + lag, pl.coalesce("stated", unstated), pl.col("confirmed_at") + lag).cast(
        UTC
    )
