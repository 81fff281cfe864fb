"""Do features know the future? What comes later is altered, or cut off, and nothing of before may move by one bit.

Features are computed as the stage computes them, of the lake's own bars, news and universe, those of plugins too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import cached_property

import numpy as np
import polars as pl

from pipeline.engine.executor import Executor
from pipeline.engine.stage import Moment
from pipeline.features import features
from pipeline.features.feature import Feature
from pipeline.features.feature_set import FeatureSet, feature_set
from pipeline.leaks.detection import Detection, Leak, judge
from pipeline.leaks.planted import CENTRED, HISTORY, LONGER, TOMORROW, WHOLE_RANGE, plant_features
from pipeline.leaks.planted import FEATURES as PLANTED_FEATURES

RANGE = 12
"""Sessions that are computed in one go: later ones lie in the frames of earlier ones."""
PRICES = ("open", "high", "low", "close")
Frames = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class FeatureProbe:
    """Features of the last sessions of a lake, computed again and again."""

    executor: Executor
    session: date
    """The last one."""
    draws: int
    """Sessions after which the future is altered."""
    seed: int = 0

    @property
    def chosen(self) -> FeatureSet:
        """The features asked about, and the planted ones."""
        return feature_set(self._whole[1].extensions)

    @cached_property
    def _whole(self) -> tuple[dict[str, pl.DataFrame], Moment]:
        return self._read(self.executor.calendar.offset(self.session, 1 - RANGE), self.session)

    @cached_property
    def _values(self) -> pl.DataFrame:
        return self._compute(*self._whole)

    def find_poison(self) -> Detection:
        """Alter all that is dated or learned after a session: its features and earlier ones must stand."""
        frames, moment = self._whole
        found: dict[str, Leak] = {}
        for at in self._draw(moment):
            after = self.executor.decision_time(at) + timedelta(minutes=1)
            dated = poison_dated(frames, at)
            # What is learned late parts the range at that session; so it is tried apart from what is only dated late.
            for told, how in ((dated, "rows after"), (restate(dated, frames, at, after), "rows learned after")):
                values = self._compute(told, moment).filter(pl.col("session") <= at)
                found |= self._compare(values, f"{how} {at} were altered", found)
        return self._judge(
            "poison", "features of a session move when later rows are altered", found, (TOMORROW, WHOLE_RANGE, CENTRED)
        )

    def find_truncation(self) -> Detection:
        """Compute a session as it was, with nothing after it in the lake: it must be what a longer range gives."""
        found: dict[str, Leak] = {}
        for at in self._draw(self._whole[1]):
            told = self._compute(*self._read(at, at))
            found |= self._compare(told, f"computed at {at} alone", found)
        return self._judge(
            "truncation", "features differ when later history is not there", found, (TOMORROW, HISTORY, CENTRED)
        )

    def find_actions(self) -> Detection:
        """State a split and a dividend of every ticker for the session after: its features and earlier ones must stand.

        Adjusted histories are written anew on every ex-date, and whoever reads them knows of it before (yfinance#2510).
        """
        frames, moment = self._whole
        found: dict[str, Leak] = {}
        for at in self._draw(moment):
            values = self._compute(state_actions(frames, moment.calendar.next(at)), moment)
            told = values.filter(pl.col("session") <= at)
            found |= self._compare(told, f"splits and dividends after {at} were stated", found)
        return self._judge("actions", "features of a session move with later corporate actions", found, (TOMORROW,))

    def find_warm_up(self) -> Detection:
        """Alter bars older than a feature says it looks back, and than a halt may be bridged: it must stand."""
        frames, moment = self._read(self.session, self.session)
        stale, found = self.executor.settings.features.stale_sessions, dict[str, Leak]()
        for reach in sorted({one.warm_up for one in self.chosen.features}):
            oldest = moment.calendar.offset(self.session, -reach - stale)
            wild = poison_bars(frames["market_prices"], pl.col("session") < oldest)
            told = self._compute({**frames, "market_prices": wild}, moment)
            names = [one.name for one in self.chosen.features if one.warm_up == reach]
            found |= self._compare(told, f"bars before {oldest} were altered", found, names)
        return self._judge("warm-up", "features look further back than they declare", found, (LONGER,))

    def _judge(
        self, detector: str, question: str, found: Mapping[str, Leak], planted: tuple[Feature, ...]
    ) -> Detection:
        """The verdict; planted leaks of another kind are left out."""
        others = {one.name for one in PLANTED_FEATURES if one not in planted}
        subjects = [name for name in self.chosen.names if name not in others]
        return judge(detector, question, subjects, {name: one for name, one in found.items() if name not in others})

    def _read(self, since: date, session: date) -> tuple[dict[str, pl.DataFrame], Moment]:
        frames, moment = self.executor.read_now(features.STAGE, since, session)
        return frames, replace(moment, extensions=plant_features(moment.extensions))

    def _compute(self, frames: Frames, moment: Moment) -> pl.DataFrame:
        return features.features(**frames, moment=moment, params=self.executor.settings.features)

    def _draw(self, moment: Moment) -> list[date]:
        """Sessions with some before and some after them in the range."""
        inner = moment.sessions[1:-1]
        random = np.random.default_rng(self.seed)
        return [inner[at] for at in sorted(random.permutation(len(inner))[: self.draws].tolist())]

    def _compare(
        self, told: pl.DataFrame, how: str, known: Mapping[str, Leak], names: list[str] | None = None
    ) -> dict[str, Leak]:
        """The features of which a value differs from what the whole range gave, that were not known to."""
        both = self._values.join(told, on=["session", "ticker"], suffix=" told").sort("session", "ticker")
        asked = [name for name in names or self.chosen.names if name not in known]
        return {name: leak for name in asked if (leak := _find_moved(both, name, how)) is not None}


def _find_moved(both: pl.DataFrame, name: str, how: str) -> Leak | None:
    moved = both.filter(pl.col(name).ne_missing(pl.col(f"{name} told")))
    if moved.is_empty():
        return None
    row = moved.row(0, named=True)
    first = f"{row['ticker']} at {row['session']} was {row[name]}, and is {row[f'{name} told']} where {how}"
    return Leak(name, moved.height, first)


def poison_dated(frames: Frames, session: date) -> dict[str, pl.DataFrame]:
    """Turn into nonsense all that is dated after a session."""
    told, later = dict(frames), pl.col("session") > session
    for name in ("market_prices", "intraday_prices"):
        told[name] = poison_bars(frames[name], later)
    told["ticker_universe"] = frames["ticker_universe"].with_columns(
        member=pl.when(later).then(~pl.col("member")).otherwise("member")
    )
    told["news_sentiment"] = frames["news_sentiment"].with_columns(
        score=pl.when(later).then(-pl.col("score") - 0.1).otherwise("score").clip(-1, 1)
    )
    return told


def state_actions(frames: Frames, ex_date: date) -> dict[str, pl.DataFrame]:
    """The frames with a split in two and a dividend of a twentieth of every ticker, known since its ex-date."""
    bars, actions = frames["market_prices"], frames["corporate_actions"]
    day = bars.filter(pl.col("session") == ex_date).unique("ticker", maintain_order=True).sort("ticker")
    blank = pl.DataFrame(schema=actions.schema)
    stated = day.select("ticker", "available_at", amount=pl.col("close") / 20).with_columns(
        ex_date=pl.lit(ex_date), revision=pl.lit(0), numerator=pl.lit(2), denominator=pl.lit(1)
    )
    kinds = [stated.with_columns(kind=pl.lit(kind), sequence=pl.lit(77)) for kind in ("dividend", "split")]
    added = pl.concat(
        [
            blank,
            *(
                one.select(pl.col(name).cast(actions.schema[name]) for name in one.columns if name in actions.columns)
                for one in kinds
            ),
        ],
        how="diagonal",
    )
    return {**frames, "corporate_actions": pl.concat([actions, added.select(actions.columns)])}


def restate(told: Frames, frames: Frames, session: date, after: datetime) -> dict[str, pl.DataFrame]:
    """The same, and every bar up to the session again, as a wild revision that became public after a moment."""
    bars = frames["market_prices"]
    public = pl.lit(after).cast(bars.schema["available_at"])
    revised = poison_bars(bars.filter(pl.col("session") <= session), pl.lit(True)).with_columns(
        revision=(pl.col("revision") + 50).cast(bars.schema["revision"]),
        available_at=pl.max_horizontal("available_at", public),
    )
    return {**told, "market_prices": pl.concat([told["market_prices"], revised])}


def poison_bars(bars: pl.DataFrame, which: pl.Expr) -> pl.DataFrame:
    """Bars times a thousand or a thousandth, by turns, where a condition holds."""
    wild = pl.when(pl.col("session").dt.day() % 2 == 0).then(1000.0).otherwise(0.001)
    altered = [pl.when(which).then(pl.col(name) * wild).otherwise(name).alias(name) for name in PRICES]
    volume = pl.when(which).then(pl.col("volume") * 1000).otherwise("volume").alias("volume")
    return bars.with_columns(*altered, volume.cast(bars.schema["volume"]))
