"""Turns landed corporate actions into dated facts: a correction, and what is taken back, is a further revision."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl

from lake.contract import UTC
from lake.tables.market import CORPORATE_ACTIONS, FX_RATES, INSTRUMENTS, RAW_PRICES
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.ingestion.actions.action_coverage import COVERAGE, EVERY_TICKER, OPERATOR, read_coverage
from pipeline.ingestion.actions.actions_from_adjusted_closes import KIND
from pipeline.ingestion.actions.foreign_amounts import Conversion
from pipeline.ingestion.actions.operator_word import (
    bring_forward,
    drop_spoken_of,
    find_denied,
    follow_word,
    last_words,
    read_words,
)
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.params import IngestionParams

ANNOUNCED = 63
"""Sessions, a quarter: how long an action that is announced ahead is remembered until its ex-date comes."""
CONTENT = (
    *("numerator", "denominator", "amount", "pay_date", "successor"),
    *("nature", "currency", "cash", "cost_share"),
)
GROUP = ("ticker", "ex_date", "kind")
SAME = (*GROUP, *CONTENT, "copy")
"""What makes two statements one: of equal ones in one answer, the first, the second, ..."""


def actions(
    raw_prices: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    instruments: pl.DataFrame,
    fx_rates: pl.DataFrame,
    moment: Moment,
    params: IngestionParams,
) -> pl.DataFrame:
    """Keep the actions that have reached their ex-date and are new or differ from what is known.

    Several of one kind on one day are numbered by content. An action without a stated announcement is known at the open
    of its ex-date, or at the landing that brought it late. Of a source whose landings say which ex-dates they cover,
    the newest counts alone: what it leaves out is taken back, what it states unsoundly stays as it was. What the
    operator states stands against every source. Works on a range of sessions: landings in order.
    """
    known = corporate_actions.select(*CORPORATE_ACTIONS.columns)
    raw_prices = bring_forward(raw_prices, moment.since)
    rates = Conversion(fx_rates, moment.session, params.max_rate_age_days)
    parts = validate_actions(raw_prices, instruments, _standing(_last(known)), moment.calendar, rates)
    lines = _number_copies(parts.good)
    landings, words = _list_landings(raw_prices), read_words(raw_prices)
    due = _due(lines, moment)
    new = [known.clear()]
    for session in _days_of_work(due, pl.concat([landings["landed"], words["landed"]]), moment):
        public = moment.calendar.close_at(session) + params.publication_lag(moment.calendar)
        last = _last(known.filter(pl.col("available_at") <= public))
        said = last_words(words, session)
        stated = _drop_superseded(due.filter(pl.col("due") == session), landings.filter(pl.col("landed") <= session))
        fresh = _number_revisions(follow_word(stated, said, last), last)
        left_out = _left_out(last, fresh, lines, landings.filter(pl.col("landed") == session))
        left_out = drop_spoken_of(_drop_unsound(left_out, parts.bad), said, last)
        denied = _denied(last, stated, fresh, lines, said)
        dated = _add_availability(fresh, moment, params.publication_lag(moment.calendar))
        gone = _withdraw(pl.concat([left_out, denied]), session, moment, params.publication_lag(moment.calendar))
        new += [dated.select(*CORPORATE_ACTIONS.columns), gone]
        known = pl.concat([known, *new[-2:]])
    rows = pl.concat(new).join(corporate_actions, on=CORPORATE_ACTIONS.key, how="anti")
    return rows.sort(CORPORATE_ACTIONS.key)


def _number_copies(lines: pl.DataFrame) -> pl.DataFrame:
    """Add copy (UInt32): 0 for the first of equal lines in one payload, then 1, ...

    Two equal dividends of one day are two payments. But a payload of which every line is there as often is one that was
    written twice, and one without coverage is read as it always was: a line given twice counts once.
    """
    alike = ["payload_id", *GROUP, *CONTENT]
    numbered = lines.sort("payload_id", "line").with_columns(
        copy=pl.int_range(pl.len(), dtype=pl.UInt32).over(alike), copies=pl.len().over(alike)
    )
    doubled = (pl.col("copies").min() > 1).over("payload_id") & (pl.struct(alike).n_unique() > 1).over("payload_id")
    single = (doubled & (pl.col("source") != OPERATOR)) | pl.col(COVERAGE[0]).is_null()
    return numbered.filter(~single | (pl.col("copy") == 0)).drop("copies")


def _list_landings(raw_prices: pl.DataFrame) -> pl.DataFrame:
    """payload_id, source, landed, fetched_at, coverage and asked (ticker, or *) of sources' landings that cover any."""
    told = raw_prices.select("payload_id", "source", "fetched_at", landed="session")
    told = told.filter(pl.col("source") != OPERATOR)
    return told.join(read_coverage(raw_prices), on="payload_id", how="inner", maintain_order="left")


def _days_of_work(due: pl.DataFrame, landings: pl.Series, moment: Moment) -> list[date]:
    """The sessions at which something is due or was landed, in order."""
    landed = landings.filter(landings.is_between(moment.since, moment.session))
    return pl.concat([due["due"], landed]).unique().sort().to_list()


def _due(actions: pl.DataFrame, moment: Moment) -> pl.DataFrame:
    """The actions to take now, with due (Date): the landing, or the ex-date where that comes later.

    Of one landing session's answers and older announcements the latest counts; a line given twice counts once. The
    operator's lines are reckoned by themselves.
    """
    # An ex-date outside the calendar has no session; it is held within it, and the future is left for later.
    last = moment.calendar.days[-1]
    taken = actions.filter(pl.col("ex_date") <= moment.session)
    days = taken.select(day=pl.max_horizontal("landed", "ex_date").clip(moment.calendar.days[0], last))["day"]
    due = pl.Series("due", [moment.calendar.at_or_after(day) for day in days], dtype=pl.Date)
    return (
        taken.with_columns(due, spoken=pl.col("source") == OPERATOR)
        .filter((pl.col("due") >= moment.since) & (pl.col("due") <= moment.session))
        .filter(pl.col("landed") == pl.col("landed").max().over(*GROUP, "due", "spoken"))
        .filter(pl.col("fetched_at") == pl.col("fetched_at").max().over(*GROUP, "due", "spoken"))
        .sort("due", *SAME, "spoken", "payload_id", "line", nulls_last=True)
        .unique(["due", *SAME, "spoken"], keep="first", maintain_order=True)
        .drop("spoken")
    )


def _drop_superseded(stated: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """The lines that no later landing of their source, which covers their ex-date, leaves out."""
    if landings.is_empty() or stated.is_empty():
        return stated
    newest = (
        stated.select("source", "ticker", "ex_date")
        .unique()
        .pipe(_join_covering, landings.rename({"payload_id": "current"}))
        .sort("landed", "fetched_at")
        .unique(["source", "ticker", "ex_date"], keep="last", maintain_order=True)
        .select("source", "ticker", "ex_date", "current")
    )
    beside = stated.join(newest, on=["source", "ticker", "ex_date"], how="left", maintain_order="left")
    stands = pl.col("current").is_null() | (pl.col("payload_id") == pl.col("current"))
    return beside.filter(stands).drop("current")


def _join_covering(rows: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """The rows once for each landing of their source that covers their ticker and ex-date, with its columns."""
    everybody = pl.col("asked") == EVERY_TICKER
    broad = rows.join(landings.filter(everybody).drop("asked"), on="source")
    own = rows.join(landings.filter(~everybody).rename({"asked": "ticker"}), on=["source", "ticker"])
    return pl.concat([broad, own.select(broad.columns)]).filter(pl.col("ex_date").is_between(*COVERAGE))


def _left_out(last: pl.DataFrame, fresh: pl.DataFrame, lines: pl.DataFrame, landings: pl.DataFrame) -> pl.DataFrame:
    """The facts that stand and that today's landings of their source cover and do not state."""
    if landings.is_empty() or last.is_empty():
        return last.clear()
    newest = landings.sort("fetched_at").unique(["source", "asked"], keep="last", maintain_order=True)
    speaking = newest.select("source", "asked", *COVERAGE, told_by="payload_id")
    covered = _join_covering(_add_copies(_standing(last)), speaking)
    told = lines.select(*SAME, told_by="payload_id")
    missing = covered.join(told, on=[*SAME, "told_by"], how="anti", nulls_equal=True)
    replaced = fresh.select(*CORPORATE_ACTIONS.entity)
    missing = missing.with_columns(payload_id=pl.col("told_by")).join(replaced, on=replaced.columns, how="anti")
    missing = missing.with_columns(pl.col("revision") + 1)
    return missing.select(*CORPORATE_ACTIONS.columns).unique(CORPORATE_ACTIONS.key, maintain_order=True)


def _drop_unsound(facts: pl.DataFrame, bad: pl.DataFrame) -> pl.DataFrame:
    """The facts to take back but those that the landing still speaks of, if in a line that breaks a rule."""
    unsound = bad.select("payload_id", said_of="ticker", said_for="ex_date")
    met = (pl.col("said_of").is_null() | (pl.col("said_of") == pl.col("ticker"))) & (
        pl.col("said_for").is_null() | (pl.col("said_for") == pl.col("ex_date"))
    )
    spoken_of = facts.join(unsound, on="payload_id").filter(met)
    return facts.join(spoken_of, on=CORPORATE_ACTIONS.key, how="anti", maintain_order="left")


def _denied(
    last: pl.DataFrame, stated: pl.DataFrame, fresh: pl.DataFrame, lines: pl.DataFrame, said: pl.DataFrame
) -> pl.DataFrame:
    """The facts that stand and that the operator leaves out, and the lines ahead of which he said that it is not so."""
    replaced, known = fresh.select(*CORPORATE_ACTIONS.entity), pl.concat([last.select(GROUP), fresh.select(GROUP)])
    facts = find_denied(_add_copies(_standing(last)), lines, said, SAME).with_columns(pl.col("revision") + 1)
    facts = facts.join(replaced, on=replaced.columns, how="anti", maintain_order="left")
    ahead = find_denied(stated, lines, said, SAME).join(known, on=GROUP, how="anti", maintain_order="left")
    numbered = _number_revisions(ahead, last).with_columns(pl.lit(None, UTC).alias("available_at"))
    return pl.concat([facts.select(*CORPORATE_ACTIONS.columns), numbered.select(*CORPORATE_ACTIONS.columns)])


def _withdraw(facts: pl.DataFrame, session: date, moment: Moment, lag: timedelta) -> pl.DataFrame:
    """The revisions that take facts back, as of the session's landing."""
    return facts.with_columns(
        withdrawn=pl.lit(True),
        learned_on=pl.lit(session),
        available_at=pl.lit(moment.calendar.close_at(session) + lag).cast(UTC),
    )


def _last(known: pl.DataFrame) -> pl.DataFrame:
    return known.sort(CORPORATE_ACTIONS.key).unique(CORPORATE_ACTIONS.entity, keep="last", maintain_order=True)


def _standing(last: pl.DataFrame) -> pl.DataFrame:
    return last.filter(~pl.col("withdrawn").fill_null(False))


def _add_copies(known: pl.DataFrame) -> pl.DataFrame:
    """Add copy: the facts of equal content, numbered as the lines of a payload are."""
    return known.with_columns(copy=pl.int_range(pl.len(), dtype=pl.UInt32).over([*GROUP, *CONTENT]))


def _number_revisions(landing: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The rows whose content does not stand, with sequence and revision (Int32).

    A changed row takes the number of a known one of its kind and day that the landing no longer holds, or that was
    taken back; a row too many gets the next number.
    """
    standing = _add_copies(_standing(known))
    rank = pl.int_range(pl.len()).over(GROUP).alias("rank")
    fresh = landing.join(standing, on=SAME, how="anti", nulls_equal=True, maintain_order="left").with_columns(rank)
    kept = standing.join(landing, on=SAME, how="semi", nulls_equal=True)
    gone = known.join(kept, on=CORPORATE_ACTIONS.entity, how="anti", maintain_order="left")
    gone = gone.select(*GROUP, "sequence", "revision", rank)
    counts = known.select(GROUP).with_columns(known=pl.len().over(GROUP)).unique()
    left = gone.select(GROUP).with_columns(gone=pl.len().over(GROUP)).unique()
    numbered = fresh.join(gone, on=[*GROUP, "rank"], how="left", maintain_order="left")
    numbered = numbered.join(counts, on=GROUP, how="left", maintain_order="left")
    numbered = numbered.join(left, on=GROUP, how="left", maintain_order="left")
    further = pl.col("known").fill_null(0) + pl.col("rank") - pl.col("gone").fill_null(0)
    return numbered.with_columns(
        sequence=pl.coalesce("sequence", further.cast(pl.Int32)), revision=(pl.col("revision") + 1).fill_null(0)
    )


def _add_availability(fresh: pl.DataFrame, moment: Moment, lag: timedelta) -> pl.DataFrame:
    """Add available_at (UTC): as announced, else the open of the ex-date, or the landing of what came late."""
    calendar = moment.calendar
    opens = {day: calendar.open_at(calendar.at_or_after(max(day, calendar.days[0]))) for day in fresh["ex_date"]}
    landings = {day: calendar.close_at(day) + lag for day in fresh["landed"]}
    if fresh.is_empty():
        return fresh.with_columns(available_at=pl.lit(None, dtype=UTC))
    at_open = pl.col("ex_date").replace_strict(opens, return_dtype=UTC)
    at_landing = pl.col("landed").replace_strict(landings, return_dtype=UTC)
    changed = pl.col("revision") > 0
    late = ~pl.col("history") & (pl.col("ex_date") < pl.col("landed"))
    first = pl.when(late).then(pl.max_horizontal(at_open, at_landing)).otherwise(at_open)
    return fresh.with_columns(
        available_at=pl.when(changed).then(at_landing).otherwise(pl.coalesce("stated", first)).cast(UTC)
    )


STAGE = Stage(
    name="actions",
    function=actions,
    reads=(
        Read(RAW_PRICES, lookback=ANNOUNCED, where=pl.col("kind").is_in(["actions", KIND])),
        Read(CORPORATE_ACTIONS, lookback=None, upto="previous", every_revision=True),
        Read(INSTRUMENTS, lookback=None),
        Read(FX_RATES, lookback=None),
    ),
    writes=CORPORATE_ACTIONS,
    params=IngestionParams(),
    section="ingestion",
)
