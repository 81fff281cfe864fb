"""Stage `windows`: reference, for every member of the universe, the feature rows a model looks through."""

from __future__ import annotations

from datetime import date
from hashlib import sha256

import polars as pl

from lake.tables.features import FEATURE_ROWS, FEATURE_WINDOWS
from lake.tables.market import CORPORATE_ACTIONS, TICKER_UNIVERSE
from pipeline.engine.stage import Moment, Read, Stage
from pipeline.features.feature_set import FeatureSet, feature_set
from pipeline.features.params import MAX_WINDOW, FeatureParams
from pipeline.features.tensors import Tensor, dense_windows
from pipeline.market.securities.following import Securities


def windows(
    feature_rows: pl.DataFrame,
    ticker_universe: pl.DataFrame,
    corporate_actions: pl.DataFrame,
    moment: Moment,
    params: FeatureParams,
) -> pl.DataFrame:
    """One window per universe member, ending at the session.

    Only the last session of a range gets windows: earlier ones were not asked for a forecast, and training finds
    its windows in feature_rows. A window is usable if all of its rows are there and complete; its rows are those of the
    member's company, under whatever ticker it traded at each session.
    """
    today = ticker_universe.filter((pl.col("session") == moment.session) & pl.col("member"))
    tickers = today["ticker"].sort().to_list()
    if not tickers:
        return FEATURE_WINDOWS.empty()
    chosen = feature_set(moment.extensions)
    sessions = _list_sessions(moment, params.window)
    rows = feature_rows.filter(pl.col("feature_set") == chosen.name)
    if params.securities == 2:
        rows = Securities.trace(corporate_actions, rows).follow_to(rows, "session", moment.session)
    values, complete = dense_windows(rows, tickers, sessions, chosen.names)
    hashes = [_hash_window(window) for window in values]
    present = complete.sum(axis=1)
    return pl.DataFrame(
        {
            "features_id": _name_batch(chosen, moment.session, tickers, hashes),
            "ticker": tickers,
            "session": moment.session,
            "feature_set": chosen.name,
            "length": params.window,
            "first_session": sessions[0],
            "present": present,
            "usable": present == params.window,
            "window_hash": hashes,
            "feature_rows_version": moment.versions["feature_rows"],
        },
        schema=FEATURE_WINDOWS.schema,
    )


def _list_sessions(moment: Moment, length: int) -> list[date]:
    """The window's exchange sessions; fewer where the calendar starts later."""
    return moment.calendar.between(moment.calendar.offset(moment.session, 1 - length), moment.session)


def _hash_window(window: Tensor) -> str:
    """Hash of the values, oldest row first, as little-endian singles; what is missing is NaN."""
    return sha256(window.astype("<f4", copy=False).tobytes()).hexdigest()


def _name_batch(chosen: FeatureSet, session: date, tickers: list[str], hashes: list[str]) -> str:
    """Name the batch by the values in it, ticker by ticker."""
    lines = "".join(f"{ticker} {value}\n" for ticker, value in zip(tickers, hashes, strict=True))
    return f"{chosen.base}-{session:%Y%m%d}-{sha256(lines.encode()).hexdigest()[:12]}"


STAGE = Stage(
    name="windows",
    function=windows,
    reads=(
        Read(FEATURE_ROWS, lookback=MAX_WINDOW - 1),
        Read(TICKER_UNIVERSE),
        Read(CORPORATE_ACTIONS, lookback=MAX_WINDOW),
    ),
    writes=FEATURE_WINDOWS,
    params=FeatureParams(),
    section="features",
    uses=("features",),
)
