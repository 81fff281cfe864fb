"""The operation that is tortured: everything real, as small as still trades, in a session where much happens."""

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Any

from pipeline.config.settings import RuntimeParams, Settings
from pipeline.ingestion.news.params import NewsParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.ingestion.sources.simulated.params import SimulatedParams
from pipeline.models.params import LstmParams, ModelParams, RidgeParams
from pipeline.trading.params import Costs, Regimes, Rules, Sizing, TradingParams

CYCLES = 4
"""Sessions traded before the one that is tortured."""
EVENTFUL = (191, 395)
"""Seed of a simulated market, and how many of its sessions lie before one in which the book below buys, sells twice, is
split and earns a dividend. If the market is ever drawn otherwise, look for another:
`test_the_tortured_session_moves_every_part_of_the_books` says when."""


def tortured_settings(*, durable: bool = False) -> Settings:
    """A model is promoted whatever little it knows, and its book turns over within days."""
    seed, position = EVENTFUL
    return Settings(
        runtime=RuntimeParams(durable=durable),
        source=SourceParams(
            simulated=SimulatedParams(seed=seed, names=8, history_sessions=position - CYCLES, signal=2.0, drift=0.002)
        ),
        # The first rules of lexicon and line stay as they are, and with them what the session is eventful for.
        ingestion=IngestionParams(news=NewsParams(lexicon=1)),
        models=ModelParams(
            folds=2,
            test_sessions=20,
            validation_sessions=20,
            min_train_sessions=40,
            min_sessions=60,
            min_rows=200,
            naive_z=-100.0,
            lstm=LstmParams(hidden=4, epochs=1, sessions=3, location_hidden=4, networks=2, location_epochs=1),
            min_deflated=0.0,
            ridge=RidgeParams(version=1),
        ),
        trading=TradingParams(
            horizon=1,
            costs=Costs(multiple=0.05),
            regimes=Regimes(unproven_risk=1.0, target_volatility=1.0),
            sizing=Sizing(kelly=5.0),
            rules=Rules(
                position_loss=1.0,
                cool_down=0,
                min_holding=0,
                name_weight=0.12,
                sector_weight=1.0,
                full_confidence=0.01,
                wide_interval=100.0,
                cost_margin=0.0,
                turnover=0.4,
            ),
        ),
    )


def as_items(settings: Settings) -> Iterator[tuple[str, Any]]:
    """What differs from the defaults, as a lake's configuration file has it: dotted name and value."""
    yield from _differing("", settings, Settings())


def _differing(prefix: str, mine: Any, usual: Any) -> Iterator[tuple[str, Any]]:
    for field in fields(mine):
        value, default = getattr(mine, field.name), getattr(usual, field.name)
        if is_dataclass(value):
            yield from _differing(f"{prefix}{field.name}.", value, default)
        elif value != default:
            yield f"{prefix}{field.name}", value
