"""Do facts, and those who read them, know the future? Bars stamped too early, news before it was out, greedy reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property

import polars as pl

from lake.contract import Table
from lake.tables import TABLES
from lake.tables.intraday import INTRADAY_PRICES
from lake.tables.market import MARKET_PRICES
from lake.tables.news import NEWS_ARTICLES, NEWS_SENTIMENT, RAW_REPLIES
from pipeline.engine.executor import Executor
from pipeline.engine.session_order import CYCLE, load_stages
from pipeline.engine.stage import Moment, Stage
from pipeline.ingestion.universe import ticker_universe
from pipeline.leaks.detection import PLANTED, Detection, Leak, judge

SPAN = 60
"""Sessions of facts that are looked at."""
LENGTHS = {"1h": timedelta(hours=1), "5m": timedelta(minutes=5), "1m": timedelta(minutes=1)}
FORBIDDING = {"trading_switches", "model_choices"}
"""What the operator decides: it binds work that catches up on the past as well, and tells of no market."""
Frames = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class FactProbe:
    """The facts of the last sessions of a lake, and who reads them."""

    executor: Executor
    session: date
    """The last one."""

    @cached_property
    def _since(self) -> date:
        return self.executor.calendar.offset(self.session, -SPAN)

    def find_early_bars(self) -> Detection:
        """No bar may be known, or stamped, before it has ended: of a day its close, of an hour the hour."""
        daily, within = self._facts(MARKET_PRICES), self._facts(INTRADAY_PRICES)
        sessions = self.executor.calendar.frame(self._since, self.session).select("session", "open_at", "close_at")
        days = daily.filter(pl.col("interval") == "1d").join(sessions, on="session")
        hours = within.join(sessions, on="session")
        planted = {
            f"{PLANTED}at_open": find_unfinished_days(days.head(1).with_columns(ts=pl.col("open_at"))),
            f"{PLANTED}hour_at_its_start": find_unfinished_parts(_hour(days.head(1))),
        }
        found = {"market_prices": find_unfinished_days(days), "intraday_prices": find_unfinished_parts(hours)}
        question = "bars are stamped or known before they have ended"
        return self._judge_rows("bar clock", question, found | planted, MARKET_PRICES)

    def find_early_news(self) -> Detection:
        """No article or score may count for a session whose decision was over before it was known."""
        articles, scores = self._facts(NEWS_ARTICLES), self._facts(NEWS_SENTIMENT)
        early = articles.head(1).with_columns(available_at=pl.lit(self._decided(self.session)) + timedelta(days=30))
        undated = articles.head(1).with_columns(published_at=pl.col("available_at") + timedelta(days=1))
        found = {"news_articles": self._find_early(articles), "news_sentiment": self._find_early(scores)}
        planted = {f"{PLANTED}tomorrow": self._find_early(early), f"{PLANTED}undated": find_undated(undated)}
        found["news_articles"] = pl.concat([found["news_articles"], find_undated(articles)]).unique(NEWS_ARTICLES.key)
        question = "news counts for decisions that were over before it was known"
        return self._judge_rows("news clock", question, found | planted, NEWS_ARTICLES)

    def find_hindsight(self) -> Detection:
        """No model's score may count for an article that the model can have read about in training."""
        articles, scores = self._facts(NEWS_ARTICLES), self._facts(NEWS_SENTIMENT)
        replies = self.executor.lake.read(
            RAW_REPLIES, since=self._since, version=self.executor.lake.newest(RAW_REPLIES)
        )
        told = articles.head(1)
        scored = pl.DataFrame(
            {name: told[name] for name in ("article_id", "session")}
            | {"ticker": ["A"] * len(told), "scorer": ["planted"] * len(told), "score": [0.5] * len(told)}
        )
        cutoffs = pl.DataFrame({"scorer": ["planted"], "training_cutoff": [self.session]})
        found = {"news_sentiment": find_knowing_scores(scores, articles, replies.select("scorer", "training_cutoff"))}
        planted = {f"{PLANTED}model": find_knowing_scores(scored, articles, cutoffs)}
        question = "scores of models that can have known what followed"
        return self._judge_rows("hindsight", question, found | planted, NEWS_SENTIMENT)

    def find_greedy_reads(self) -> Detection:
        """Let every stage of a session in the past read: nothing dated or learned later may be in its frames."""
        at, reader = self.executor.calendar.previous(self.session), f"{PLANTED}reader"
        found = {stage.name: leak for stage in load_stages(CYCLE) if (leak := self._ask_reads(stage, at)) is not None}
        late = self._known_after(reader, self._facts(MARKET_PRICES), at, MARKET_PRICES)
        found |= {reader: late} if late is not None else {}
        names = [stage.name for stage in load_stages(CYCLE) if stage.kind == "pure"]
        return judge("reads", "stages are shown what comes after their session", [*names, reader], found)

    def find_survivors(self) -> Detection:
        """Take half of the tickers away after a session: who was a member at that session must stand."""
        at = self.executor.calendar.offset(self.session, -5)
        stage = ticker_universe.STAGE
        frames, moment = self.executor.read_now(stage, at, self.session)
        as_is, altered = (self._members(one, moment, at) for one in (frames, take_away(frames, at)))
        kept, left = (survivors(one["market_prices"], at, self.session) for one in (frames, take_away(frames, at)))
        planted = f"{PLANTED}survivors"
        pairs = {"universe": _find_changed("universe", as_is, altered), planted: _find_changed(planted, kept, left)}
        found = {name: leak for name, leak in pairs.items() if leak is not None}
        return judge("survival", "who was a member depends on who is still there later", pairs, found)

    def _members(self, frames: Frames, moment: Moment, at: date) -> pl.DataFrame:
        params = self.executor.settings.ingestion
        verdicts = ticker_universe.STAGE.function(**frames, moment=moment, params=params)
        return verdicts.filter(pl.col("session") <= at).select("session", "ticker", "member")

    def _facts(self, table: Table) -> pl.DataFrame:
        lake = self.executor.lake
        return lake.read(table, since=self._since, until=self.session, version=lake.newest(table))

    def _decided(self, session: date) -> datetime:
        return self.executor.decision_time(session)

    def _find_early(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Rows that became known after the decision of the session they count for."""
        days = rows["session"].unique().to_list()
        decided = pl.DataFrame(
            {"session": days, "decided": [self._decided(day) for day in days]},
            schema={"session": pl.Date, "decided": pl.Datetime("us", "UTC")},
        )
        late = rows.join(decided, on="session", how="left").filter(pl.col("available_at") > pl.col("decided"))
        return late.drop("decided")

    def _ask_reads(self, stage: Stage, at: date) -> Leak | None:
        """What a stage would be shown at a session of the past that is from after it."""
        if stage.kind == "landing":
            return None
        frames, _ = self.executor.read_now(stage, at, at)
        binding = {read.table.name for read in stage.reads if read.upto == "held"} | FORBIDDING
        shown = {name: frame for name, frame in frames.items() if name not in binding}
        leaks = (self._known_after(stage.name, frame, at, TABLES[name]) for name, frame in shown.items())
        return next((leak for leak in leaks if leak is not None), None)

    def _known_after(self, name: str, frame: pl.DataFrame, at: date, table: Table) -> Leak | None:
        late = pl.lit(value=False)
        if table.clock in frame.columns and frame.schema[table.clock] == pl.Date and table.clock != "ex_date":
            late = late | (pl.col(table.clock) > at)
        if table.available and table.available in frame.columns:
            late = late | (pl.col(table.available) > self._decided(at))
        rows = frame.filter(late)
        if rows.is_empty():
            return None
        first = {key: rows[key][0] for key in table.key if key in rows.columns}
        return Leak(
            name, rows.height, f"at {at} it is shown {rows.height} rows of {table.name} from after, first {first}"
        )

    def _judge_rows(self, detector: str, question: str, found: Frames, table: Table) -> Detection:
        leaks = {
            name: Leak(name, rows.height, f"first {_describe(rows, table)}")
            for name, rows in found.items()
            if not rows.is_empty()
        }
        return judge(detector, question, found, leaks)


def _describe(rows: pl.DataFrame, table: Table) -> str:
    row = rows.row(0, named=True)
    return ", ".join(f"{name} {row[name]}" for name in (*table.key, "session", "available_at") if name in row)


def find_unfinished_days(days: pl.DataFrame) -> pl.DataFrame:
    """Daily bars, with their session's close_at, that are stamped or known before it."""
    return days.filter((pl.col("ts") < pl.col("close_at")) | (pl.col("available_at") < pl.col("close_at")))


def find_unfinished_parts(bars: pl.DataFrame) -> pl.DataFrame:
    """Bars within sessions, with open_at, that end before one of their length can have, or are known before."""
    length = pl.col("interval").replace_strict(LENGTHS, default=None, return_dtype=pl.Duration("us"))
    too_early = pl.col("ts") < pl.col("open_at") + pl.min_horizontal(length, pl.col("close_at") - pl.col("open_at"))
    return bars.filter(too_early | (pl.col("available_at") < pl.col("ts")))


def _hour(days: pl.DataFrame) -> pl.DataFrame:
    """An hour's bar that is stamped when it begins."""
    return days.with_columns(interval=pl.lit("1h"), ts=pl.col("open_at"), available_at=pl.col("open_at"))


def find_undated(articles: pl.DataFrame) -> pl.DataFrame:
    """Articles without a publication, or known before it."""
    return articles.filter(pl.col("published_at").is_null() | (pl.col("published_at") > pl.col("available_at")))


def find_knowing_scores(scores: pl.DataFrame, articles: pl.DataFrame, replies: pl.DataFrame) -> pl.DataFrame:
    """Scores that count, of models, on articles up to the models' training cut-off, or of models that state none.

    Args:
        scores: article_id, scorer and score.
        articles: article_id and published_at.
        replies: scorer and training_cutoff of what models answered.
    """
    cutoffs = replies.group_by("scorer").agg(pl.col("training_cutoff").max())
    of_models = scores.filter((pl.col("scorer") != "lexicon") & pl.col("score").is_not_null())
    known = of_models.join(articles.select("article_id", "published_at"), on="article_id").join(
        cutoffs, on="scorer", how="left"
    )
    cutoff = pl.col("training_cutoff")
    return known.filter(cutoff.is_null() | (pl.col("published_at").dt.date() <= cutoff))


def take_away(frames: Frames, at: date) -> dict[str, pl.DataFrame]:
    """The frames without the later bars of every other ticker, as if these had gone."""
    bars = frames["market_prices"]
    gone = bars["ticker"].unique().sort().to_list()[::2]
    left = bars.filter(~((pl.col("session") > at) & pl.col("ticker").is_in(gone)))
    return {**frames, "market_prices": left}


def survivors(bars: pl.DataFrame, at: date, last: date) -> pl.DataFrame:
    """Who would be a member at a session if those were who still trade at the last one (FinRL#376)."""
    there = bars.filter(pl.col("session") == last)["ticker"].unique()
    then = bars.filter(pl.col("session") == at).select("session", "ticker").unique().sort("ticker")
    return then.with_columns(member=pl.col("ticker").is_in(there.implode()))


def _find_changed(name: str, as_is: pl.DataFrame, altered: pl.DataFrame) -> Leak | None:
    both = as_is.join(altered, on=["session", "ticker"], how="full", suffix="_altered", coalesce=True)
    changed = both.filter(pl.col("member").ne_missing(pl.col("member_altered"))).sort("session", "ticker")
    if changed.is_empty():
        return None
    row = changed.row(0, named=True)
    told = f"{row['ticker']} at {row['session']} was {row['member']}, and is {row['member_altered']}"
    return Leak(name, changed.height, f"{told} where later bars of others were taken away")
