"""A published study done again by its command: counts, figures, choices by validation alone, refusals in words."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest

from benchmarks.published import main
from tests.frames import studies
from tests.real_data import REAL_DATA

PRICES = REAL_DATA / "stocknet_acl18" / "price_raw.parquet"
REFERENCE = REAL_DATA / "adv_alstm_acl18" / "acl18_features_labels.parquet"
QUICK = ("--lstm-window", "5", "--lstm-units", "6", "--lstm-penalty", "0.01", "--alstm-penalty", "0.01")
BARS = studies.prices()


def run(
    files: tuple[Path, Path], capsys: pytest.CaptureFixture[str], *options: str, dates: tuple[object, ...] = ()
) -> list[str]:
    """The lines that the command prints."""
    train, validate, test = dates or (studies.TRAIN, studies.VALIDATE, studies.TEST)
    parts = ["--train", str(train), "--validate", str(validate), "--test", str(test)]
    main(["--prices", str(files[0]), "--reference", str(files[1]), *parts, "--window", "5", *options])
    return capsys.readouterr().out.splitlines()


def figures(lines: list[str]) -> dict[str, float]:
    """Model -> accuracy in percent, of the printed table."""
    rows = [re.match(r"\| ([a-z ]+) \| ([\d.]+) ", line) for line in lines]
    return {row[1]: float(row[2]) for row in rows if row}


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return studies.write(tmp_path_factory.mktemp("study"), BARS)


def test_a_planted_study_is_learned_and_told(planted: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    """Each day goes as the third day before it, with certainty 0.85: the last sign knows nothing of that."""
    lines = run(planted, capsys, *QUICK, "--seeds", "1", "--epochs", "60")
    found = figures(lines)
    assert min(found["lstm"], found["alstm"], found["ridge line"]) > 65, "seven standard errors above chance"
    assert all(abs(found[name] - 50) < 10 for name in ("last sign", "last sign reversed", "majority"))
    last = re.fullmatch(r"published: lstm acc=([\d.]+) mcc=([\d.]+) alstm acc=([\d.]+) mcc=([\d.]+)", lines[-1])
    assert last and float(last[1]) == found["lstm"] and float(last[3]) == found["alstm"]
    assert min(float(last[2]), float(last[4])) > 0.3
    counts = next(line for line in lines if line.startswith("examples with window 5"))
    assert re.search(r": 1,\d\d\d / \d\d\d / \d\d\d; share of ups 0\.\d+", counts)
    assert lines[0] == "0 of 44,110 values of features differ by more than 0.001, 0 of 4,010 labels"


def test_a_study_without_a_rule_is_not_learned(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = studies.write(tmp_path, studies.prices(certainty=0.5))
    found = figures(run(files, capsys, *QUICK, "--seeds", "1", "--epochs", "25"))
    assert max(found["lstm"], found["alstm"], found["ridge line"]) < 58, "some 600 test examples: 4 standard errors"


def test_the_test_part_decides_nothing(
    planted: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = studies.prices(seed=6, certainty=0.3).with_columns(pl.col("adj_close", "close", "open", "high", "low") * 2)
    later = pl.concat([BARS.filter(pl.col("date") < studies.TEST), other.filter(pl.col("date") >= studies.TEST)])
    files = studies.write(tmp_path, later.sort("ticker", "date"))
    options = (*QUICK, "--seeds", "2", "--epochs", "5", "--workers", "1")
    told = [run(one, capsys, *options) for one in (planted, files)]
    chosen = [[line for line in lines if "kept, validation accuracy" in line] for lines in told]
    assert len(chosen[0]) == 4
    assert chosen[0] == chosen[1]
    assert told[0][-1] != told[1][-1]


def test_sizes_may_be_chosen_by_validation_and_are_counted(
    planted: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--lstm-window", "5", "--seeds", "1", "--epochs", "1")
    lines = run(planted, capsys, *options, "--choose")
    assert sum("validation accuracy" in line and "units, penalty" in line for line in lines) == 2 * 9
    assert sum("chosen among 9 by the validation part" in line for line in lines) == 2
    assert sum("an epoch of 1 for each of 1 seeds, and a size of 9" in line for line in lines) == 2
    assert not any("a size of" in line for line in run(planted, capsys, *options))


def test_workers_do_not_change_a_figure(planted: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    one, two = (
        run(planted, capsys, *QUICK, "--seeds", "2", "--epochs", "3", "--workers", count) for count in ("1", "2")
    )
    assert one[-1] == two[-1]


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (("2014-03-03", "2015-05-04", "2015-01-05"), "'test' starts at 2015-01-05, which is not after 'validate'"),
        (("2015-06-01", "2015-01-05", "2015-05-04"), "'validate' starts at 2015-01-05, which is not after 'train'"),
        (("2014-03-03", "2015-01-05", "2015-01-05"), "would overlap or be empty"),
        (("2014-03-03", "2015-01-05", "2030-01-01"), "the test part is empty"),
        (("2010-03-03", "2014-01-06", "2015-05-04"), "the train part is empty"),
    ],
)
def test_dates_that_cannot_be_meant_are_refused_in_words(
    planted: tuple[Path, Path], capsys: pytest.CaptureFixture[str], dates: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit, match=f"^refused: .*{words}"):
        run(planted, capsys, "--seeds", "1", "--epochs", "1", dates=dates)


def test_files_that_cannot_be_meant_are_refused_in_words(
    planted: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^refused: .*lacks \d+ columns: c_open"):
        run((planted[0], planted[0]), capsys)
    with pytest.raises(SystemExit, match=r"^refused: the reference is not made of these prices"):
        run((studies.write(tmp_path, studies.prices(seed=9))[0], planted[1]), capsys)


@pytest.mark.skipif(not REFERENCE.exists(), reason="the real study is not on this machine")
def test_the_real_study_rebuilds_and_counts_as_published(capsys: pytest.CaptureFixture[str]) -> None:
    """Counts and baselines as published; the networks train for two epochs only."""
    dates = ("2014-01-02", "2015-08-03", "2015-10-01")
    lines = run((PRICES, REFERENCE), capsys, "--seeds", "1", "--epochs", "2", dates=dates)
    assert lines[0] == "0 of 615,626 values of features differ by more than 0.001, 0 of 55,966 labels"
    assert not any("refused" in line for line in lines)
    counts = next(line for line in lines if line.startswith("examples with window 5"))
    assert "20,315 / 2,555 / 3,720; share of ups 0.5071 / 0.4458 / 0.5129" in counts
    found = figures(lines)
    assert (found["last sign"], found["last sign reversed"]) == (50.94, 48.92)
    assert "| 0.0181 |" in next(line for line in lines if line.startswith("| last sign |"))
