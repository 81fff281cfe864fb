"""Agreement: what prices rebuild is confirmed, what they do not is refused by name, and examples keep to the rule."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipeline.models.tasks.labels import ThresholdClasses
from pipeline.models.tasks.splits import DatedSplit
from pipeline.models.tasks.studies.agreement import Agreement, agree
from pipeline.models.tasks.studies.examples import cut_examples, split_examples
from pipeline.models.tasks.studies.files import FEATURES, StudyError, read_prices, read_reference
from tests.frames import studies

BARS = studies.prices(tickers=6, days=400)
TOLD = studies.reference(BARS)
DAYS = TOLD["date"].unique().sort()


def compare(folder: Path, bars: pl.DataFrame = BARS, told: pl.DataFrame = TOLD) -> Agreement:
    prices, reference = studies.write(folder, bars, told)
    return agree(read_prices(prices), read_reference(reference), ThresholdClasses())


def at(ticker: str, day: date) -> pl.Expr:
    return (pl.col("ticker") == ticker) & (pl.col("date") == day)


def alter(column: str, by: float, where: pl.Expr) -> pl.DataFrame:
    return TOLD.with_columns(pl.when(where).then(pl.col(column) + by).otherwise(pl.col(column)).alias(column))


def test_a_study_that_its_prices_rebuild_agrees_in_every_value(tmp_path: Path) -> None:
    found = compare(tmp_path)
    assert found.refused == found.not_rebuilt == found.left_out == found.on_threshold == 0
    assert {one.differing for one in found.columns} == {0}
    assert all(one.compared == 6 * (400 - 29) for one in found.columns)
    assert found.sentences()[0] == "0 of 24,486 values of features differ by more than 0.001, 0 of 2,226 labels"
    assert found.close_is == "the adjusted close"


def test_a_few_wrong_rows_are_refused_by_name_and_are_no_examples(tmp_path: Path) -> None:
    wrong = alter("ma10", 0.002, at("T02", DAYS[100]))
    flipped = TOLD.filter(at("T03", DAYS[200]))["label"][0]
    wrong = wrong.with_columns(
        pl.when(at("T03", DAYS[200])).then(1.0 - abs(flipped)).otherwise(pl.col("label")).alias("label")
    )
    found = compare(tmp_path, told=wrong)
    assert found.refused == 2
    told = "\n".join(found.sentences())
    assert f"ma10: 2,226 rows compared, 1 difference, the largest 0.002; the first is T02 at {DAYS[100]}" in told
    assert f"label: 2,226 rows compared, 1 difference, the largest 1; the first is T03 at {DAYS[200]}" in told
    assert "refused: 2 rows of 2,400" in told
    assert found.rows.filter(at("T02", DAYS[100]))["ma5"].to_list() == [None]
    before, after = (cut_examples(rows, FEATURES, 5) for rows in (compare(tmp_path).rows, found.rows))
    assert 0 < len(before) - len(after) <= 2 * (5 + 1), "the windows over a row, and its own label"


def test_a_tolerable_difference_is_none(tmp_path: Path) -> None:
    assert compare(tmp_path, told=alter("ma10", 0.0009, at("T02", DAYS[100]))).refused == 0


@pytest.mark.parametrize("column", [*FEATURES, "close"])
def test_a_column_made_otherwise_is_refused_whole(tmp_path: Path, column: str) -> None:
    with pytest.raises(StudyError, match=rf"not made of these prices(.|\n)*{column}: 2,226 rows compared, 2,226 diff"):
        compare(tmp_path, told=TOLD.with_columns(pl.col(column) + 0.01))


def test_shifted_labels_are_refused_whole(tmp_path: Path) -> None:
    shifted = TOLD.with_columns(pl.col("label").shift(-1).over("ticker"))
    with pytest.raises(StudyError, match=r"label: .* differences(.|\n)*more than 1 % of the rows do not agree"):
        compare(tmp_path, told=shifted)


def test_the_open_is_the_one_that_fits_high_low_and_close(tmp_path: Path) -> None:
    """As where a vendor restated the open alone for a later split."""
    later = pl.when((pl.col("ticker") == "T01") & (pl.col("date") < DAYS[300])).then(7).otherwise(1)
    original = pl.when(pl.col("ticker") == "T01").then(pl.col("open")).alias("original_open")
    found = compare(tmp_path, bars=BARS.with_columns(original, open=pl.col("open") / later))
    assert found.original_opens == ("T01",)
    assert found.refused == 0
    assert "the open of 1 ticker is 'original_open', which fits high, low and close: T01" in found.sentences()


def test_a_restated_open_beside_the_studys_own_is_left_alone(tmp_path: Path) -> None:
    found = compare(tmp_path, bars=BARS.with_columns(original_open=pl.col("open") * 7))
    assert found.original_opens == () and found.refused == 0


def test_a_label_on_its_threshold_may_fall_on_either_side(tmp_path: Path) -> None:
    """40.00 to 39.80 is -0.50 % to anybody but a computer."""
    series = [40.0] * 100
    series[50:] = [39.8] * 50
    days = studies.CALENDAR.days[:100]
    flat = pl.DataFrame({"ticker": "X", "date": pl.Series(days, dtype=pl.Date), "adj_close": series})
    flat = flat.with_columns(pl.col("adj_close").alias(name) for name in ("open", "high", "low", "close"))
    bars = pl.concat([BARS.drop("volume"), flat.select(BARS.drop("volume").columns)])
    told = studies.reference(bars)
    side = told.filter(at("X", days[50]))["label"][0]
    other = pl.when(at("X", days[50])).then(-1.0 - side).otherwise(pl.col("label")).alias("label")
    found = compare(tmp_path, bars=bars, told=told.with_columns(other))
    assert (found.on_threshold, found.refused) == (1, 0)
    assert found.rows.filter(at("X", days[50]))["label"].to_list() == [-1.0 - side], "the study's own is kept"


def test_rows_the_prices_do_not_give_are_refused_and_rows_left_out_are_told(tmp_path: Path) -> None:
    gone = compare(tmp_path, bars=BARS.filter(~at("T05", DAYS[399])))
    assert (gone.refused, gone.not_rebuilt) == (1, 1)
    holes = TOLD.with_columns(pl.when(~at("T05", DAYS[399])).then(pl.col("ma30")).alias("ma30"))
    assert compare(tmp_path, told=holes).left_out == 1


def test_the_files_of_two_studies_are_refused(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"the prices lack 2 tickers of the reference, the first is T04"):
        compare(tmp_path, bars=BARS.filter(pl.col("ticker") < "T04"))
    with pytest.raises(StudyError, match=r"with no day in common"):
        compare(tmp_path, bars=BARS.with_columns(pl.col("date").dt.offset_by("10y")))


def test_examples_are_the_windows_before_a_label_without_a_missing_value(tmp_path: Path) -> None:
    """Counted and cut again day by day; a missing day of a ticker is a gap in its windows."""
    gap = TOLD.filter(~at("T01", DAYS[150]))
    rows = compare(tmp_path, told=gap.with_columns(pl.when(~at("T02", DAYS[222])).then("ma5").alias("ma5"))).rows
    found = cut_examples(rows, FEATURES, 5)
    known = {(row["ticker"], row["date"]): row for row in rows.iter_rows(named=True)}
    expected = []
    for number in range(5, 400):
        for ticker in sorted(set(TOLD["ticker"])):
            window = [known.get((ticker, day)) for day in DAYS[number - 5 : number]]
            label = (known.get((ticker, DAYS[number])) or {"label": None})["label"]
            whole = all(row is not None and None not in row.values() for row in window)
            if label in (1.0, -1.0) and whole:
                expected.append((number, label, [[row[name] for name in FEATURES] for row in window if row]))
    assert found.session.tolist() == [one[0] for one in expected]
    assert found.label.tolist() == [one[1] for one in expected]
    assert np.array_equal(found.windows, np.array([one[2] for one in expected], dtype=np.float32))


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        ((0, 300, 399), None),
        ((0, 10, 300), "the train part is empty"),
        ((0, 300, 500), "the test part is empty: no example from .*; the study has days from 2014-01-01"),
    ],
)
def test_empty_parts_are_refused_by_name(tmp_path: Path, dates: tuple[int, int, int], words: str | None) -> None:
    rows = compare(tmp_path).rows
    split = DatedSplit(*(studies.CALENDAR.days[number] for number in dates))
    if words is None:
        parts = split_examples(cut_examples(rows, FEATURES, 5), rows, split)
        assert sum(map(len, parts.values())) == len(cut_examples(rows, FEATURES, 5))
        return
    with pytest.raises(StudyError, match=words):
        split_examples(cut_examples(rows, FEATURES, 5), rows, split)


def test_a_part_of_one_class_is_refused(tmp_path: Path) -> None:
    rows = compare(tmp_path).rows.with_columns(
        pl.when(pl.col("date") < DAYS[300]).then(pl.col("label")).otherwise(pl.col("label").abs()).alias("label")
    )
    with pytest.raises(StudyError, match=r"the test part has labels of one class only: \d+ examples, all up"):
        split_examples(cut_examples(rows, FEATURES, 5), rows, DatedSplit(DAYS[40], DAYS[200], DAYS[320]))


def test_a_window_longer_than_the_study_gives_no_example(tmp_path: Path) -> None:
    assert len(cut_examples(compare(tmp_path).rows, FEATURES, 400)) == 0
