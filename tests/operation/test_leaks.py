"""What becomes public after T changes not one bit of what was computed at T."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from lake.fingerprint import fingerprint
from lake.runs import Recipe, Run, find_done_runs
from lake.store import Lake
from lake.tables.control import RUNS
from lake.tables.market import CORPORATE_ACTIONS, MARKET_PRICES, TICKER_UNIVERSE
from lake.tables.news import NEWS_SENTIMENT
from pipeline.engine.runner import Runner
from pipeline.engine.session_order import find_stage
from tests.copies import copy_lake
from tests.operation.conftest import Operation

JUDGED = ("universe", "features", "windows", "priorities", "predict", "strategy", "plan")


class Poisoned:
    """A copy of the operation in which everything public after a moment is nonsense."""

    def __init__(self, operation: Operation, folder: Path, session: date) -> None:
        copy_lake(operation.lake.path, folder)
        self.lake = Lake.open(folder)
        self.runner = Runner(self.lake, operation.settings)
        self.session = session
        self.after = self.runner.decision_time(session) + timedelta(minutes=1)
        with self.lake.lock("poison"):
            self._restate_bars()
            self._invent_splits()
            self._shout_news()
            self._turn_the_universe_round()

    def newest(self, recipe: Recipe) -> dict[str, int]:
        """The recipe's inputs at their newest versions, poison included."""
        return {read.table.name: self.lake.newest(read.table) for read in find_stage(recipe.stage).reads}

    def _restate_bars(self) -> None:
        """Every bar, past ones too, times a thousand or upside down, as a restatement published after the moment."""
        bars = self.lake.read(MARKET_PRICES, every_revision=False).drop("run_id")
        wild = pl.when(pl.col("session").dt.day() % 2 == 0).then(1000.0).otherwise(0.001)
        poison = bars.with_columns(
            *(pl.col(name) * wild for name in ("open", "high", "low", "close")),
            volume=pl.col("volume") * 1000,
            revision=pl.col("revision") + 50,
            available_at=pl.max_horizontal("available_at", pl.lit(self.after)).cast(
                MARKET_PRICES.schema["available_at"]
            ),
        )
        self._write(MARKET_PRICES, poison)

    def _invent_splits(self) -> None:
        tickers = self.lake.read(MARKET_PRICES, columns=("ticker",))["ticker"].unique().sort()
        rows = [
            {
                "ticker": ticker,
                "ex_date": day,
                "kind": "split",
                "sequence": 7,
                "revision": 0,
                "numerator": 7,
                "denominator": 1,
                "source": "poison",
                "available_at": self.after,
                "payload_id": "f" * 64,
            }
            for ticker in tickers
            for day in (self.session, self.runner.calendar.offset(self.session, -30))
        ]
        self._write(CORPORATE_ACTIONS, pl.DataFrame(rows, schema=CORPORATE_ACTIONS.schema))

    def _shout_news(self) -> None:
        news = self.lake.read(NEWS_SENTIMENT).drop("run_id").tail(200)
        shouting = news.with_columns(
            score=pl.lit(-1.0), strength=pl.lit(1.0), prompt_version=pl.lit("poison"), available_at=pl.lit(self.after)
        )
        self._write(NEWS_SENTIMENT, shouting.cast(dict(NEWS_SENTIMENT.schema)))

    def _turn_the_universe_round(self) -> None:
        later = self.lake.read(TICKER_UNIVERSE).drop("run_id").filter(pl.col("session") > self.session)
        self._write(TICKER_UNIVERSE, later.with_columns(member=~pl.col("member"), reason=pl.lit("poison")))

    def _write(self, table: object, rows: pl.DataFrame) -> None:
        self.lake.commit(table, rows, "poison", {})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield tmp_path_factory.mktemp("poisoned")


def test_decisions_stand_whatever_becomes_public_later(operation: Operation, copies: Path) -> None:
    tickers = operation.lake.read(MARKET_PRICES, columns=("ticker",))["ticker"].n_unique()
    sessions = operation.sessions[1:-1]
    assert check_decisions(operation, copies, sessions) >= len(JUDGED) * len(sessions)
    assert len(sessions) * tickers >= 50


def check_decisions(operation: Operation, copies: Path, sessions: Sequence[date]) -> int:
    """Decide each session again beside nonsense that becomes public a minute later; give how many runs were judged."""
    judged = 0
    for session in sessions:
        poisoned = Poisoned(operation, copies / str(session), session)
        runs = operation.lake.read(RUNS, where=(pl.col("session") == session) & pl.col("stage").is_in(JUDGED))
        for run in map(Run.from_row, runs.iter_rows(named=True)):
            recipe = Recipe(**{**vars_of(run.recipe), "inputs": poisoned.newest(run.recipe)})
            rows = poisoned.runner.compute(find_stage(recipe.stage), recipe)
            table = find_stage(recipe.stage).writes.for_columns(rows.columns)
            again = fingerprint(rows, table.key, table.content_columns)
            assert again == run.fingerprint, f"{recipe.stage} of {session} sees what came later"
            judged += 1
    return judged


@pytest.mark.parametrize("sessions", [4, pytest.param(50, marks=pytest.mark.slow)])
def test_features_of_any_past_session_stand_too(operation: Operation, copies: Path, sessions: int) -> None:
    middle = operation.runner.calendar.offset(operation.sessions[0], -20)
    poisoned = Poisoned(operation, copies / f"past {sessions}", middle)
    history = operation.runner.calendar.between(operation.runner.calendar.offset(middle, -200), middle)
    for session in random.Random(5).sample(history, sessions):
        assert _features(poisoned.runner, session).equals(_features(operation.runner, session)), session
    after = operation.runner.calendar.offset(middle, 2)
    assert not _features(poisoned.runner, after).equals(_features(operation.runner, after)), "the poison is not there"


def _features(runner: Runner, session: date) -> pl.DataFrame:
    """The features stage computed for one past session from the newest versions there are."""
    features = find_stage("features")
    newest = {read.table.name: runner.lake.newest(read.table) for read in features.reads}
    past = next(run.recipe for run in reversed(find_done_runs(runner.lake)) if run.recipe.stage == features.name)
    as_of = runner.decision_time(session)
    rows = runner.compute(features, replace(past, session=session, since=session, as_of=as_of, inputs=newest))
    assert rows.height > 0
    return rows


def vars_of(recipe: Recipe) -> dict[str, object]:
    return {name: getattr(recipe, name) for name in recipe.__dataclass_fields__}
