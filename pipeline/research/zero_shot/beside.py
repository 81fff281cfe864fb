"""Scores the lake's forecasts and those of a pretrained model on the same names, sessions and horizons."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from lake.store import Lake
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES
from lake.tables.predictions import PREDICTIONS
from pipeline.config.settings import Settings
from pipeline.engine.work import Progress, silent
from pipeline.market.endings import daily_company_returns, forward_company_returns
from pipeline.market.sessions import Sessions
from pipeline.models.pretrained.fracast_model import (
    CONTEXT,
    LEVELS,
    MAX_HORIZON,
    MIN_CONTEXT,
    Floats,
    forecast_zero_shot,
)
from pipeline.research import ResearchError
from pipeline.research.holdout import last_to_compare, refuse_holdout
from pipeline.research.paired import PairedDifference, compare_pairs

SESSIONS = 60
"""Sessions that are compared unless others are named: a quarter."""
MIN_NAMES = 5
"""Names of a session below which a rank correlation says nothing."""
AT = ("session", "ticker", "horizon")
OURS, NAIVE, THEIRS = "champion", "naive", "zero-shot"
FORECASTERS = (OURS, NAIVE, THEIRS)
HALVES = ("low", "middle", "high")
"""A forecast's quantiles at `LEVELS`."""


@dataclass(frozen=True, kw_only=True)
class ForecasterStanding:
    """How good one forecaster was at a horizon, on the pairs of name and session that all of them forecast."""

    forecaster: str
    pinball: float
    """Mean over the quantiles of 10, 50 and 90 %, fraction of price; less is better."""
    rank_correlation: float | None
    """Mean over sessions, of the median and what came; None where it told no names apart."""
    held: float
    """Share of outcomes within the interval of 80 %."""


@dataclass(frozen=True, kw_only=True)
class HorizonBeside:
    """All forecasters at one horizon, and how the lake's compares with the pretrained one's."""

    horizon: int
    sessions: int
    forecasts: int
    standings: tuple[ForecasterStanding, ...]
    pinball: PairedDifference
    """The pretrained model's loss, session by session, and the champion's."""


def compare_with_zero_shot(
    lake: Lake,
    settings: Settings,
    calendar: Sessions,
    first: date | None = None,
    last: date | None = None,
    progress: Progress = silent,
) -> list[HorizonBeside]:
    """Return for each horizon how the lake's forecasts did beside the pretrained model's.

    Of the sessions whose outcomes are known; prices are those known now, which may have been restated since.

    Args:
        lake: it is read alone.
        settings: its own; what `research.holdout` puts aside is left out, outcomes within it too, unless it was opened.
        calendar: the sessions.
        first: first session of forecasts; the last quarter of those with outcomes where None.
        last: the last one.
        progress: told of each session.

    Raises:
        ResearchError: if nothing that was forecast has come out yet, or sessions are put aside.
        PretrainedModelError: if the model's package is not installed.
    """
    shown = last_to_compare(lake, settings, None)
    if last is not None and shown is not None and last > shown:
        refuse_holdout(settings, last, "the comparison")
    bars, actions = _read_prices(lake, shown)
    told = _read_forecasts(lake, bars, actions, calendar, first, last)
    if told.is_empty():
        raise ResearchError(
            "no forecast of these sessions has come out yet; run more sessions, or name others with --from and --to"
        )
    days = told["session"].unique().sort().to_list()
    days = days if first is not None else days[-SESSIONS:]
    paths = _Paths(daily_company_returns(bars, actions))
    parts = []
    for number, day in enumerate(days):
        progress(f"session {day}", number, len(days))
        parts.append(_add_theirs(told.filter(pl.col("session") == day), paths))
    progress("done", len(days), len(days))
    return list(_compare(pl.concat(parts)))


def _read_prices(lake: Lake, last: date | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    where, columns = pl.col("interval") == "1d", (*MARKET_PRICES.key, "session", "close")
    bars = lake.read(MARKET_PRICES, until=last, where=where, columns=columns, every_revision=False)
    return bars, lake.read(CORPORATE_ACTIONS, until=last, every_revision=False)


def _read_forecasts(
    lake: Lake,
    bars: pl.DataFrame,
    actions: pl.DataFrame,
    calendar: Sessions,
    first: date | None,
    last: date | None,
) -> pl.DataFrame:
    """session, ticker, horizon, what came, and quantiles of the champion (the naive forecast without one) and naive."""
    quantiles = ("q10", "point", "q90")
    made = lake.read(
        PREDICTIONS,
        since=first,
        until=last,
        where=pl.col("role").is_in(["champion", "naive"]) & (pl.col("horizon") <= MAX_HORIZON),
        columns=(*PREDICTIONS.key, *quantiles, "role", "members"),
    )
    made = made.sort(*AT, "role", "model_id").unique(AT, keep="first", maintain_order=True)
    naive = pl.col("members").list.filter(pl.element().struct.field("member") == "naive").list.first()
    rows = made.select(
        *AT,
        *(pl.col(name).alias(f"{OURS} {half}") for name, half in zip(quantiles, HALVES, strict=True)),
        *(naive.struct.field(name).alias(f"{NAIVE} {half}") for name, half in zip(quantiles, HALVES, strict=True)),
    )
    horizons = tuple(rows["horizon"].unique().sort())
    if not horizons:
        return rows
    came = forward_company_returns(bars, actions, horizons, calendar).select(*AT, came="forward_return")
    return rows.join(came, on=AT, how="inner").drop_nulls().sort(*AT)


class _Paths:
    """What each name was worth, fully reinvested, session by session."""

    def __init__(self, returns: pl.DataFrame) -> None:
        grid = returns.sort("session").pivot("ticker", index="session", values="total_return")
        self._row_of = {day: at for at, day in enumerate(grid["session"])}
        self._column_of = {name: at for at, name in enumerate(grid.columns[1:])}
        moves = np.log1p(grid.drop("session").to_numpy())
        begun = np.isfinite(moves).cumsum(axis=0) > 0
        self._levels = np.where(begun, np.nan_to_num(moves).cumsum(axis=0), np.nan)

    def until(self, session: date, tickers: Sequence[str]) -> Floats:
        """Of so many names up to a session: [n, T], NaN where a name was not there yet."""
        end = self._row_of[session] + 1
        columns = [self._column_of[name] for name in tickers]
        paths: Floats = self._levels[max(end - CONTEXT, 0) : end, columns].T
        return paths


def _add_theirs(told: pl.DataFrame, paths: _Paths) -> pl.DataFrame:
    """A session's rows with the pretrained model's quantiles; names whose paths are too short are left out."""
    (session,) = told["session"].unique()
    tickers = told["ticker"].unique().sort().to_list()
    seen = paths.until(session, tickers)
    enough = np.isfinite(seen).sum(axis=1) >= MIN_CONTEXT
    horizons = told["horizon"].unique().sort().to_list()
    known = [name for name, one in zip(tickers, enough, strict=True) if one]
    found = forecast_zero_shot(seen[enough], horizons) if known else np.empty((0, len(horizons), len(LEVELS)))
    flat = found.reshape(-1, len(LEVELS))
    theirs = pl.DataFrame(
        {
            "ticker": np.repeat(np.array(known, dtype=object), len(horizons)),
            "horizon": np.tile(np.array(horizons), len(known)),
            **{f"{THEIRS} {half}": flat[:, at] for at, half in enumerate(HALVES)},
        },
        schema_overrides={"ticker": pl.String, "horizon": told.schema["horizon"]},
    )
    return told.join(theirs, on=["ticker", "horizon"], how="inner", maintain_order="left")


def _compare(told: pl.DataFrame) -> Iterator[HorizonBeside]:
    for (horizon,), rows in told.group_by("horizon", maintain_order=True):
        losses = {name: _session_losses(rows, name) for name in (OURS, THEIRS)}
        yield HorizonBeside(
            horizon=int(str(horizon)),
            sessions=rows["session"].n_unique(),
            forecasts=rows.height,
            standings=tuple(_stand(rows, name) for name in FORECASTERS),
            pinball=compare_pairs(
                "pinball loss", losses[THEIRS], losses[OURS], unit="of price", better=-1, overlap=int(str(horizon))
            ),
        )


def _stand(rows: pl.DataFrame, forecaster: str) -> ForecasterStanding:
    low, high = (pl.col(f"{forecaster} {half}") for half in ("low", "high"))
    held = rows.select(pl.col("came").is_between(low, high).mean()).item()
    return ForecasterStanding(
        forecaster=forecaster,
        pinball=float(np.mean(_session_losses(rows, forecaster))),
        rank_correlation=_rank_correlation(rows, f"{forecaster} middle"),
        held=float(held),
    )


def _session_losses(rows: pl.DataFrame, forecaster: str) -> list[float]:
    """The mean pinball loss of each session, the oldest first (Koenker and Bassett, 1978)."""
    came = pl.col("came")
    parts = []
    for level, half in zip(LEVELS, HALVES, strict=True):
        missed = came - pl.col(f"{forecaster} {half}")
        parts.append(pl.max_horizontal(level * missed, (level - 1) * missed))
    loss = pl.mean_horizontal(parts).mean().alias("loss")
    return rows.group_by("session").agg(loss).sort("session")["loss"].to_list()


def _rank_correlation(rows: pl.DataFrame, column: str) -> float | None:
    """Spearman's, the mean over the sessions in which there are names enough and not all are forecast alike."""
    usable = (pl.len() >= MIN_NAMES) & (pl.col(column).n_unique() > 1)
    found = rows.group_by("session").agg(pl.corr(column, "came", method="spearman").alias("ic"), usable.alias("told"))
    mean = found.sort("session").filter("told")["ic"].drop_nans().mean()
    return mean if isinstance(mean, float) else None
