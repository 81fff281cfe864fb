"""Every setting there is: one section per domain, and what concerns them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pipeline.alerts.params import AlertParams
from pipeline.config.setting_types import DISTINCT, CalendarChangeList, CurrencyOrNone, DayOrNone, Exchange, Seed
from pipeline.execution.params import ExecutionParams
from pipeline.features.params import FeatureParams
from pipeline.feedback.params import FeedbackParams
from pipeline.health.params import HealthParams
from pipeline.ingestion.intraday.params import IntradayParams
from pipeline.ingestion.params import IngestionParams
from pipeline.ingestion.sources.registry import SourceParams
from pipeline.market.calendar_changes import CalendarChanges
from pipeline.market.currencies import CURRENCIES, main_currency
from pipeline.models.params import ModelParams
from pipeline.prediction.params import PredictionParams
from pipeline.trading.params import TradingParams

FeatureSetName = Literal[
    "residual_moves",
    "alpha158",
    "news_residuals",
    "pure_momentum",
    "market_state",
    "volume_surprise",
    "day_parts",
    "intraday_bars",
    "earnings_days",
    "sector_leads",
]
"""A named set of features, as `pipeline.features.catalogue` has them."""
PluginFile = Annotated[
    str, Field(pattern=r"^[^\x00-\x1f]{1,4000}\.py$", description="the path of a Python file, ending in .py")
]


@dataclass(frozen=True, kw_only=True)
class MarketParams:
    """Where and when decisions are made."""

    exchange: Exchange = "XNYS"
    """ISO 10383 code of the exchange whose sessions everything follows."""
    currency: CurrencyOrNone = ""
    """ISO 4217 code of the currency the book is kept in; unless set, that of the files where they say one, else that of
    the exchange (US dollars where it has none of its own). What is quoted in another is no member."""
    closures: CalendarChangeList = ()
    """Days on which the exchange does not trade though its calendar says so, each with the day since when that is known
    (its own day where nothing is said). Runs whose moment lies before that do without."""
    extra_sessions: CalendarChangeList = ()
    """Days on which the exchange trades though its calendar has none, at the hours of the session before; stated in the
    same way."""
    decision_lag_minutes: Annotated[int, Field(ge=0, le=960)] = 20
    """Minutes from a session's close to the decision; what becomes public later counts for the next session. A decision
    falls before the next open: where a market pauses for less, as 24/7 does, after its shortest pause."""

    @property
    def changes(self) -> CalendarChanges:
        """What the operator knows of the calendar."""
        return CalendarChanges(self.closures, self.extra_sessions)

    def contradictions(self) -> Iterator[str]:
        """A day that is a closure and a session."""
        closed, extra = ({text[:10] for text in texts} for texts in (self.closures, self.extra_sessions))
        for day in sorted(closed & extra):
            yield f"{day} is among closures and among extra_sessions; take it out of one of them"


@dataclass(frozen=True, kw_only=True)
class RuntimeParams:
    """What makes a run repeatable."""

    seed: Seed = 20_260_105
    """Root of every random draw; two lakes with the same seed and data are identical to the last bit."""
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Threads a model trains with. Results are identical only for the same number, so each run records it."""
    durable: bool = True
    """Force every publication onto the disk before it counts; off only for a lake you can afford to lose."""
    access: Literal["unchanged", "private", "group"] = "unchanged"
    """Who may read the lake's files: its owner alone, or the group of its folder too, which then may write as well. A
    new lake is private; another's files stay as they are until this says something else."""


@dataclass(frozen=True, kw_only=True)
class PluginParams:
    """What is added to the program: files of the operator that declare features, rules and members, and named sets."""

    files: Annotated[tuple[PluginFile, ...], Field(max_length=100), DISTINCT] = ()
    """Python files (.py), relative to the lake's folder or absolute; their code is part of every run that uses them."""
    feature_sets: Annotated[tuple[FeatureSetName, ...], DISTINCT] = ("residual_moves",)
    """Sets of features that come with the program, computed beside its own: residual_moves, what the market leaves of a
    return in its own deviations, by span and after news; alpha158, the 158 factors of price and volume known by that
    name; news_residuals, pure_momentum, market_state, volume_surprise, day_parts, intraday_bars, earnings_days,
    sector_leads: what each has is listed by nextgen features. Those of intraday_bars are null where no bars of five
    minutes or one are taken."""

    def paths(self, lake: Path) -> tuple[Path, ...]:
        """The files, those given by a relative path taken from the lake's folder; they may not exist."""
        return tuple(lake / name for name in self.files)


@dataclass(frozen=True, kw_only=True)
class ResearchParams:
    """What the research bench may look at."""

    holdout: DayOrNone = ""
    """First session of what is put aside: no experiment and no training reads anything from that day on, and
    comparisons end before it until somebody opens it (nextgen holdout open), which is counted. Empty puts nothing
    aside."""
    author_requests: Annotated[int, Field(ge=0, le=100)] = 4
    """Requests for factors to the language model of ingestion.news.model, retries included, that one search may make
    (nextgen propose --author); 0 to 100. They are taken from that model's budget of the day as well."""
    author_dollars: Annotated[float, Field(ge=0, le=1_000)] = 0.25
    """USD that the answers to one search may cost, by that model's prices; a request that might exceed it is not
    sent."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The whole configuration, resolved: what a stage receives is one of these sections."""

    market: MarketParams = field(default_factory=MarketParams)
    runtime: RuntimeParams = field(default_factory=RuntimeParams)
    source: SourceParams = field(default_factory=SourceParams)
    ingestion: IngestionParams = field(default_factory=IngestionParams)
    intraday: IntradayParams = field(default_factory=IntradayParams)
    features: FeatureParams = field(default_factory=FeatureParams)
    models: ModelParams = field(default_factory=ModelParams)
    prediction: PredictionParams = field(default_factory=PredictionParams)
    feedback: FeedbackParams = field(default_factory=FeedbackParams)
    trading: TradingParams = field(default_factory=TradingParams)
    health: HealthParams = field(default_factory=HealthParams)
    plugins: PluginParams = field(default_factory=PluginParams)
    alerts: AlertParams = field(default_factory=AlertParams)
    research: ResearchParams = field(default_factory=ResearchParams)
    execution: ExecutionParams = field(default_factory=ExecutionParams)

    @property
    def currency(self) -> str:
        """ISO 4217 code of the currency the book is kept in."""
        stated = self.source.files.currency if self.source.name == "files" else None
        return self.market.currency or main_currency(stated or CURRENCIES.get(self.market.exchange, "USD"))

    def contradictions(self) -> Iterator[str]:
        """What two sections say of the same thing."""
        yield from self._other_exchanges()
        if self.features.window != self.models.window:
            yield (
                f"features.window is {self.features.window} and models.window is {self.models.window}; a model is"
                " trained on windows as long as those it forecasts from, so set both to the same"
            )
        held, chosen = self.trading.max_gap, self.ingestion.universe.max_gap
        if held != chosen:
            yield (
                f"trading.max_gap is {held} and ingestion.universe.max_gap is {chosen}; whether a ticker went to"
                " another company is one question, so set both to the same"
            )
        for name, horizons in (("prediction", self.prediction.horizons), ("models", self.models.horizons)):
            if self.trading.horizon not in horizons:
                yield (
                    f"trading.horizon is {self.trading.horizon} and {name}.horizons are"
                    f" {', '.join(map(str, horizons))}; trades rest on a forecast, so choose a horizon that is forecast"
                )

    def _other_exchanges(self) -> Iterator[str]:
        for name in filter(None, (self.source.name, self.source.cross_check)):
            own = getattr(getattr(self.source, name), "exchange", None)
            if own not in (None, self.market.exchange):
                yield (
                    f"market.exchange is {self.market.exchange} and source.{name}.exchange is {own}; a lake follows one"
                    f" exchange: set market.exchange to the right one and remove source.{name}.exchange"
                )

    def section(self, name: str) -> Any:
        """The parameters of a section, as a stage names it.

        Raises:
            KeyError: if there is no such section.
        """
        if name not in {one.name for one in fields(self)}:
            raise KeyError(f"there is no configuration section {name!r}")
        if name == "models" and (days := sorted(filter(None, (self.models.test_from, self.research.holdout)))):
            return replace(self.models, test_from=days[0])  # what is put aside is a test window as well
        return getattr(self, name)
