"""Every setting there is: one section per domain, and what concerns them all."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from pipeline.features.params import FeatureParams
from pipeline.feedback.params import FeedbackParams
from pipeline.health.params import HealthParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.params import SourceParams
from pipeline.models.params import ModelParams
from pipeline.prediction.params import PredictionParams
from pipeline.trading.params import TradingParams


@dataclass(frozen=True, kw_only=True)
class MarketParams:
    """Where and when decisions are made."""

    exchange: str = "XNYS"
    """ISO 10383 code of the exchange whose sessions everything follows."""
    decision_lag_minutes: int = 20
    """Minutes from a session's close to the decision; what becomes public later counts for the next one."""

    def __post_init__(self) -> None:
        if not 0 <= self.decision_lag_minutes <= 16 * 60:
            raise ValueError(
                f"decision_lag_minutes has to lie in 0..960, so that a decision falls between a close and "
                f"the next open; got {self.decision_lag_minutes}"
            )


@dataclass(frozen=True, kw_only=True)
class RuntimeParams:
    """What makes a run repeatable."""

    seed: int = 20_260_105
    """Root of every random draw; two lakes with the same seed and data agree bit for bit."""
    threads: int = 1
    """Threads a model trains with; bits are promised per thread count, so a run records it."""
    durable: bool = True
    """Force every publication onto the disk before it counts; switch off only for a lake that may be lost."""

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed has to be 0 or more, got {self.seed}")
        if not 1 <= self.threads <= 256:
            raise ValueError(f"threads has to lie in 1..256, got {self.threads}")


@dataclass(frozen=True, kw_only=True)
class PluginParams:
    """Python files of the operator that declare features, rules and model members of their own."""

    files: tuple[str, ...] = ()
    """Python files (.py), relative to the lake's folder or absolute; their code is part of every run that uses them."""

    def __post_init__(self) -> None:
        for name in self.files:
            if not name.endswith(".py"):
                raise ValueError(f"plugins.files names {name!r}; a plugin is a Python file, so its name ends in .py")
        if len(set(self.files)) < len(self.files):
            raise ValueError(f"plugins.files names a file twice: {', '.join(self.files)}; name each once")

    def paths(self, lake: Path) -> tuple[Path, ...]:
        """The files, those given by a relative path taken from the lake's folder; they may not exist."""
        return tuple(lake / name for name in self.files)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration, resolved: what a stage receives is one of these sections."""

    market: MarketParams = field(default_factory=MarketParams)
    runtime: RuntimeParams = field(default_factory=RuntimeParams)
    source: SourceParams = field(default_factory=SourceParams)
    ingestion: IngestionParams = field(default_factory=IngestionParams)
    features: FeatureParams = field(default_factory=FeatureParams)
    models: ModelParams = field(default_factory=ModelParams)
    prediction: PredictionParams = field(default_factory=PredictionParams)
    feedback: FeedbackParams = field(default_factory=FeedbackParams)
    trading: TradingParams = field(default_factory=TradingParams)
    health: HealthParams = field(default_factory=HealthParams)
    plugins: PluginParams = field(default_factory=PluginParams)

    def __post_init__(self) -> None:
        own = getattr(getattr(self.source, self.source.name, None), "exchange", self.market.exchange)
        if own != self.market.exchange:
            raise ValueError(
                f"market.exchange is {self.market.exchange} but source.{self.source.name}.exchange is {own}; "
                "a lake follows one exchange: set both to the same"
            )

    def section(self, name: str) -> Any:
        """The parameters of a section, as a stage names it.

        Raises:
            KeyError: if there is no such section.
        """
        if name not in {one.name for one in fields(self)}:
            raise KeyError(f"there is no configuration section {name!r}")
        return getattr(self, name)
