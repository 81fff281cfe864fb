"""What models look through: windows by reference, and the tensors gathered from them."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest

from lake.tables.features import FEATURE_WINDOWS
from lake.tables.market import CORPORATE_ACTIONS
from pipeline.features.catalogue import BUILT_IN
from pipeline.features.params import FeatureParams
from pipeline.features.tensors import training_windows, window_tensor
from pipeline.features.windows import windows
from tests.frames.features import CALENDAR, feature_rows, moment, universe

NAMES = [feature.name for feature in BUILT_IN]
DAYS = list(CALENDAR.days[100:108])
TICKERS = ["AAA", "BBB", "CCC"]
PARAMS = FeatureParams(window=5)


def made(rows: pl.DataFrame, members: pl.DataFrame | None = None, last: date = DAYS[-1]) -> pl.DataFrame:
    universe_rows = universe(TICKERS, [last]) if members is None else members
    return FEATURE_WINDOWS.check(windows(rows, universe_rows, CORPORATE_ACTIONS.empty(), moment(last), PARAMS))


def test_a_window_refers_to_consecutive_sessions_that_end_at_the_session() -> None:
    row = made(feature_rows(TICKERS, DAYS)).row(0, named=True)
    assert (row["first_session"], row["session"], row["length"]) == (DAYS[-5], DAYS[-1], 5)
    assert (row["present"], row["usable"], row["feature_rows_version"]) == (5, True, 7)


def test_only_members_of_the_universe_get_a_window() -> None:
    members = pl.concat([universe(["AAA", "CCC"], DAYS[-1:]), universe(["BBB"], DAYS[-1:], member=False)])
    assert made(feature_rows(TICKERS, DAYS), members)["ticker"].to_list() == ["AAA", "CCC"]


def test_without_members_there_are_no_windows() -> None:
    assert made(feature_rows(TICKERS, DAYS), universe(TICKERS, DAYS[-1:], member=False)).is_empty()


def test_a_missing_session_makes_a_window_unusable() -> None:
    rows = feature_rows(TICKERS, DAYS).filter((pl.col("ticker") != "BBB") | (pl.col("session") != DAYS[-2]))
    found = made(rows)
    assert found["present"].to_list() == [5, 4, 5]
    assert found["usable"].to_list() == [True, False, True]


def test_an_incomplete_row_makes_a_window_unusable() -> None:
    hole = (pl.col("ticker") == "CCC") & (pl.col("session") == DAYS[-5])
    rows = feature_rows(TICKERS, DAYS).with_columns(
        complete=~hole, rsi_14=pl.when(hole).then(None).otherwise(pl.col("rsi_14"))
    )
    assert made(rows)["usable"].to_list() == [True, True, False]


def test_a_member_without_any_row_has_an_unusable_window() -> None:
    found = made(feature_rows(["AAA"], DAYS), universe(["AAA", "NEW"], DAYS[-1:]))
    assert found.select("ticker", "present", "usable").rows() == [("AAA", 5, True), ("NEW", 0, False)]


def test_at_the_start_of_the_calendar_windows_are_unusable() -> None:
    days = list(CALENDAR.days[:3])
    assert made(feature_rows(TICKERS, days), universe(TICKERS, days[-1:]), days[-1])["usable"].to_list() == [False] * 3


def test_the_batch_is_named_by_its_values_and_not_by_the_table_version() -> None:
    rows = feature_rows(TICKERS, DAYS)
    found = made(rows)
    inside = (pl.col("ticker") == "BBB") & (pl.col("session") == DAYS[-3])
    changed = made(
        rows.with_columns(pl.when(inside).then(pl.col("gap_1") + 1e-3).otherwise(pl.col("gap_1")).alias("gap_1"))
    )
    outside = made(
        rows.with_columns(gap_1=pl.when(pl.col("session") < DAYS[-5]).then(9.0).otherwise(pl.col("gap_1"))).cast(
            {"gap_1": pl.Float32}
        )
    )
    assert found["features_id"][0].startswith(f"f1-{DAYS[-1]:%Y%m%d}-")
    assert found["features_id"].n_unique() == 1
    assert outside.equals(found)
    assert made(rows.sample(fraction=1, shuffle=True, seed=3)).equals(found)
    assert changed["features_id"][0] != found["features_id"][0]
    same = changed["window_hash"] == found["window_hash"]
    assert same.to_list() == [True, False, True]


def test_a_tensor_holds_the_windows_in_their_order_and_the_features_in_theirs() -> None:
    rows = feature_rows(TICKERS, DAYS)
    found = made(rows).reverse()
    tensor = window_tensor(rows, found, ["gap_1", "rsi_14"])
    assert (tensor.shape, tensor.dtype) == ((3, 5, 2), np.float32)
    for number, ticker in enumerate(["CCC", "BBB", "AAA"]):
        own = rows.filter((pl.col("ticker") == ticker) & (pl.col("session") >= DAYS[-5])).sort("session")
        assert tensor[number].tolist() == [list(values) for values in own.select("gap_1", "rsi_14").rows()]


def test_a_tensor_of_no_windows_is_empty() -> None:
    assert window_tensor(feature_rows(TICKERS, DAYS), FEATURE_WINDOWS.empty(), NAMES).shape == (0, 0, len(NAMES))


def test_an_unusable_window_is_refused_by_name() -> None:
    rows = feature_rows(TICKERS, DAYS).filter((pl.col("ticker") != "BBB") | (pl.col("session") != DAYS[-2]))
    with pytest.raises(ValueError, match="1 of 3 windows are not usable, the first is BBB"):
        window_tensor(rows, made(rows), NAMES)


@pytest.mark.parametrize("lost", [pl.col("ticker") == "BBB", pl.lit(True)])
def test_rows_that_a_window_refers_to_and_are_not_there_are_refused(lost: pl.Expr) -> None:
    rows = feature_rows(TICKERS, DAYS)
    with pytest.raises(ValueError, match=r"too few rows for . of 3 windows"):
        window_tensor(rows.filter(~(lost & (pl.col("session") == DAYS[-2]))), made(rows), NAMES)


def test_two_batches_are_not_mixed() -> None:
    rows = feature_rows(TICKERS, DAYS)
    both = pl.concat([made(rows), made(rows, universe(TICKERS, [DAYS[-2]]), DAYS[-2])])
    with pytest.raises(ValueError, match="mix 2 values of features_id"):
        window_tensor(rows, both, NAMES)


def test_training_windows_are_all_runs_of_complete_consecutive_rows() -> None:
    rows = _holed(feature_rows(TICKERS, DAYS, seed=4))
    index = training_windows(rows, CALENDAR, 3, NAMES)
    expected = _slow_windows(rows, 3)
    assert index.keys.rows() == list(expected)
    gathered = index.gather(np.arange(len(index)))
    assert gathered.dtype == np.float32
    for number, values in enumerate(expected.values()):
        np.testing.assert_array_equal(gathered[number], values)
        np.testing.assert_array_equal(index.last_rows(np.array([number]))[0], values[-1])


def test_training_windows_are_gathered_in_any_order_and_share_their_rows() -> None:
    index = training_windows(feature_rows(TICKERS, DAYS), CALENDAR, 4, NAMES)
    which = np.array([7, 0, 7])
    np.testing.assert_array_equal(index.gather(which), index.gather(np.arange(len(index)))[which])
    assert np.shares_memory(index.view, index.base)
    assert not index.view.flags.writeable


def test_training_windows_do_not_depend_on_the_order_of_the_rows() -> None:
    rows = feature_rows(TICKERS, DAYS)
    one, two = (training_windows(frame, CALENDAR, 4, NAMES) for frame in (rows, rows.sample(fraction=1, shuffle=True)))
    assert one.keys.equals(two.keys)
    assert one.base.tobytes() == two.base.tobytes()


@pytest.mark.parametrize("days", [0, 1, 3])
def test_too_little_history_gives_no_training_windows(days: int) -> None:
    index = training_windows(feature_rows(TICKERS, DAYS[:days]), CALENDAR, 4, NAMES)
    assert len(index) == 0
    assert index.gather(np.arange(0)).shape == (0, 4, len(NAMES))


def test_feature_sets_are_not_mixed_in_training() -> None:
    rows = feature_rows(TICKERS, DAYS)
    mixed = pl.concat([rows, rows.with_columns(feature_set=pl.lit("f0"))])
    with pytest.raises(ValueError, match="mix 2 values of feature_set, the first are f0 and f1"):
        training_windows(mixed, CALENDAR, 4, NAMES)


def _holed(rows: pl.DataFrame) -> pl.DataFrame:
    """AAA misses a session, BBB has an incomplete row, CCC starts late."""
    at = {"AAA": DAYS[3], "BBB": DAYS[5]}
    rows = rows.filter((pl.col("ticker") != "AAA") | (pl.col("session") != at["AAA"]))
    rows = rows.filter((pl.col("ticker") != "CCC") | (pl.col("session") >= DAYS[2]))
    return rows.with_columns(complete=(pl.col("ticker") != "BBB") | (pl.col("session") != at["BBB"]))


def _slow_windows(rows: pl.DataFrame, length: int) -> dict[tuple[str, date], np.ndarray]:
    complete = {
        (row["ticker"], row["session"]): [row[name] for name in NAMES]
        for row in rows.iter_rows(named=True)
        if row["complete"]
    }
    found = {}
    for ticker in TICKERS:
        for end in range(length - 1, len(DAYS)):
            run = [complete.get((ticker, day)) for day in DAYS[end - length + 1 : end + 1]]
            if all(run):
                found[ticker, DAYS[end]] = np.array(run, dtype=np.float32)
    return found
