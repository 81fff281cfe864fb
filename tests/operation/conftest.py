"""One small operation, run once for all tests of this folder: 14 names, a year of history, a few weeks of cycles."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from lake.store import Lake
from pipeline.config.settings import RuntimeParams, Settings
from pipeline.engine.runner import Cycle, Runner
from pipeline.features.feature_set import FeatureSet, feature_set
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.models.params import LstmParams, ModelParams, RidgeParams
from pipeline.trading.params import Costs, Rules, TradingParams
from tests.new_lake import new_lake

HISTORY = 400
SESSIONS = 7


@dataclass(frozen=True)
class Operation:
    """A lake with what was run in it."""

    lake: Lake
    settings: Settings
    runner: Runner
    history: Cycle
    cycles: tuple[Cycle, ...]

    @property
    def sessions(self) -> list[date]:
        return [cycle.session for cycle in self.cycles]

    @property
    def features(self) -> FeatureSet:
        """The set of features that its settings choose."""
        return feature_set(self.runner.executor.plugins.extend(("features",)))


def small_settings(signal: float = 2.0) -> Settings:
    """Everything real, only less of it; a model is promoted and trades whatever little it knows."""
    return Settings(
        runtime=RuntimeParams(durable=False),
        source=SourceParams(simulated=SimulatedParams(names=14, history_sessions=HISTORY, signal=signal)),
        ingestion=IngestionParams(),
        models=ModelParams(
            folds=2,
            test_sessions=30,
            min_train_sessions=60,
            min_sessions=100,
            min_rows=500,
            naive_z=-100.0,
            ridge=RidgeParams(penalties=(0.1, 10.0), blocks=3),
            lstm=LstmParams(hidden=4, epochs=1, sessions=3, location_hidden=4, networks=2, location_epochs=1),
            min_deflated=0.0,
        ),
        trading=TradingParams(
            horizon=5, costs=Costs(multiple=0.05), rules=Rules(cost_margin=0.0, min_holding=1, full_confidence=0.01)
        ),
    )


def operate(path: Path, settings: Settings, sessions: int) -> Operation:
    return operate_in(new_lake(path), settings, sessions)


def operate_in(lake: Lake, settings: Settings, sessions: int) -> Operation:
    """Load the history into an empty lake, and run sessions after it."""
    runner = Runner(lake, settings)
    first, last = runner.source.coverage()
    history = runner.backfill(first, last)
    start = runner.calendar.next(last)
    cycles = tuple(runner.replay(start, runner.calendar.offset(start, sessions - 1)))
    return Operation(lake, settings, runner, history, cycles)


@pytest.fixture(scope="session")
def operation(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operation]:
    """The small operation. Tests only read it."""
    yield operate(tmp_path_factory.mktemp("operation") / "lake", small_settings(), SESSIONS)
