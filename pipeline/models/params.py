"""The settings of the models, each with its unit and its reason."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field

from pipeline.config.setting_types import DISTINCT, DayOrNone, Earlier, Formerly, Horizons, Share

FeatureName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="the name of a feature")]


@dataclass(frozen=True, kw_only=True)
class RidgeParams:
    """Linear regression on the last row of the window."""

    version: Annotated[Literal[1, 2, 3], Earlier(1)] = 3
    """3 fits twice, the second time with a penalty of each input's own, the less the more the first fit made of it, and
    counts no outcome beyond two deviations in a fit; 2 counts them whole; 1 fits once, with one penalty for all, as in
    runs of earlier programs."""
    penalties: Annotated[
        tuple[Annotated[float, Field(gt=0, le=1_000_000)], ...], Field(min_length=1, max_length=100), DISTINCT
    ] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
    """Penalties tried, per training row, on inputs of unit variance; cross-validation picks one per horizon."""
    blocks: Annotated[int, Field(ge=2, le=100)] = 5
    """Blocks of sessions in the cross-validation: fewer leave too little to fit, more leave gaps around each."""
    max_rows: Annotated[int, Field(ge=100, le=100_000_000), Formerly("most_rows")] = 120_000
    """Windows per fit; a larger set is thinned by whole sessions. 80 inputs need no more, and a fit takes a second."""


@dataclass(frozen=True, kw_only=True)
class LstmParams:
    """The recurrent network and how it is trained."""

    hidden: Annotated[int, Field(ge=1, le=1_024)] = 32
    """Hidden units; 32 train at some 25,000 windows a second on one core, and daily data holds no signal for more."""
    layers: Annotated[int, Field(ge=1, le=8)] = 1
    """Stacked layers."""
    epochs: Annotated[int, Field(ge=0, le=1_000)] = 6
    """Passes over the data at most; the inner validation picks how many of them are kept, 0 included."""
    patience: Annotated[int, Field(ge=1, le=1_000)] = 2
    """Passes without improvement on the inner validation after which training stops."""
    windows_per_epoch: Annotated[int, Field(ge=1, le=100_000_000)] = 16_000
    """Windows seen in a pass. A larger set is thinned by whole sessions, another stride of them each pass: labels of
    neighbouring sessions overlap, so that little is lost."""
    batch: Annotated[int, Field(ge=1, le=65_536)] = 512
    """Windows per step; the shape is fixed so that the arithmetic is."""
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.002
    """Step size of AdamW."""
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    """Decoupled weight decay of AdamW."""
    location_weight: Annotated[float, Field(ge=0, le=1000)] = 0.25
    """Weight of the squared error of the location beside the pinball loss of the spread."""
    version: Annotated[Literal[1, 2], Earlier(1)] = 2
    """What learns where a return lies: 2 networks of their own, on inputs that are chosen; 1 the network of the spread
    on all of them, as in runs of earlier programs. The settings below are those of 2."""
    inputs: Annotated[int, Field(ge=1, le=200), Earlier(16)] = 16
    """Inputs the networks of the location see: those that stand out together with another, where a line is blind."""
    sessions: Annotated[int, Field(ge=1, le=20), Earlier(10)] = 10
    """Sessions of the window they see; inputs look back by themselves."""
    location_hidden: Annotated[int, Field(ge=1, le=1_024), Earlier(16)] = 16
    """Hidden units of each."""
    networks: Annotated[int, Field(ge=1, le=32), Earlier(3)] = 3
    """How many are averaged, each from a seed of its own: chance in one is as large as what there is to know."""
    dropout: Annotated[float, Field(ge=0, lt=1), Earlier(0.1)] = 0.1
    """Share of the values that each layer lacks in a step."""
    location_rate: Annotated[float, Field(gt=0, le=1), Earlier(0.003)] = 0.003
    """Step size of AdamW."""
    location_epochs: Annotated[int, Field(ge=0, le=1_000), Earlier(12)] = 12
    """Passes at most; the inner validation picks how many are kept, 0 included."""
    location_patience: Annotated[int, Field(ge=1, le=1_000), Earlier(3)] = 3
    """Passes without improvement after which training stops."""
    gradient_norm: Annotated[float, Field(gt=0, le=1_000)] = 1.0
    """Largest norm of a gradient; a crash in the data moves the weights no further than a quiet day."""


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """What is trained, on what, and what it has to prove."""

    features: Annotated[tuple[FeatureName, ...], Field(max_length=1_000), DISTINCT] = ()
    """Input features in their order; empty means all that are computed, but those of named sets that more than a
    quarter of the rows lack. They have to include
    volatility_20 and volatility_60."""
    window: Annotated[int, Field(ge=1, le=20)] = 20
    """Sessions the models look back; equals the length of the feature windows."""
    horizons: Horizons = (1, 5, 20)
    """Sessions ahead: a day, a week, a month."""
    outcomes: Annotated[Literal[1, 2], Earlier(1)] = 2
    """What windows and outcomes follow: 2 the company, under any ticker, to its end, also on a day without a session,
    and never into another company that got the ticker; 1 the ticker, as in runs of earlier programs."""
    folds: Annotated[int, Field(ge=1, le=20)] = 3
    """Consecutive test blocks at the end of history; fewer where history is short."""
    test_sessions: Annotated[int, Field(ge=1, le=1_000)] = 60
    """Sessions per test block: a quarter."""
    validation_sessions: Annotated[int, Field(ge=1, le=1_000)] = 60
    """Sessions at the end of each training span held back to choose penalty, epochs and shrinkage; at most a quarter
    of the span."""
    embargo: Annotated[int, Field(ge=0, le=250)] = 5
    """Sessions dropped before each test block beyond the purge: slow moves carry over past the label itself."""
    min_train_sessions: Annotated[int, Field(ge=1, le=10_000), Formerly("least_train_sessions")] = 120
    """Sessions a fold has to train on; a fold with fewer is not run."""
    min_sessions: Annotated[int, Field(ge=1, le=1_000_000), Formerly("least_sessions")] = 250
    """Labelled sessions below which nothing is trained: a year."""
    min_rows: Annotated[int, Field(ge=1, le=100_000_000), Formerly("least_rows")] = 1_000
    """Training windows below which nothing is trained."""
    clip: Annotated[float, Field(gt=0, le=1_000)] = 8.0
    """Largest standardised return a fit sees, in standard deviations: one merger must not outweigh a year."""
    weight_step: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Step of the grid of ensemble weights, as a share."""
    ensemble: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How members are combined: 2 weighs their medians and their widths apart, 1 together, as in runs of earlier
    programs."""
    naive_preference: Annotated[float, Field(ge=0, le=100)] = 1.0
    """Standard errors of loss given up for more of the naive spread, which is less of the network (the
    one-standard-error rule)."""
    min_paired: Annotated[int, Field(ge=1, le=10_000), Formerly("least_paired")] = 20
    """Test sessions needed before a challenger is compared at all."""
    naive_z: Annotated[float, Field(ge=-100, le=100)] = 1.0
    """Standard errors by which a challenger has to beat the naive forecast; 1 is about 84 % one-sided confidence."""
    champion_z: Annotated[float, Field(ge=-100, le=100)] = 0.0
    """Standard errors by which it has to beat the champion; 0 asks for a lower mean loss: it has seen newer data."""
    ledger: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whether a training tells what each member lost on each held-out session, for the ledger of trials: 2 it does, 1
    it does not, as in runs of earlier programs."""
    min_target_rows: Annotated[int, Field(ge=20, le=100_000_000), Earlier(300)] = 300
    """Windows of a target (a sector, a ticker, a group) in a fold below which no specialist is trained for it."""
    target_z: Annotated[float, Field(ge=-100, le=100), Earlier(1.0)] = 1.0
    """Standard errors by which a specialist has to beat the general model at least; more, where many were tried."""
    importance: Annotated[Literal[1, 2], Earlier(1)] = 2
    """Whether a training measures what each input is worth on its test blocks: 2 it does, 1 it does not, as in runs of
    earlier programs."""
    min_deflated: Annotated[Share, Earlier(0.0)] = 0.5
    """Probability that a challenger's advantage is real, given all that was ever tried, below which it is kept out."""
    deflation: Annotated[Literal["chance", "trials"], Earlier("trials")] = "chance"
    """How far the ratios of trials without skill are taken to lie apart. `trials` is as far as those on record do, and
    `chance` the same, but no further than chance alone makes them at the challenger's number of sessions: trials of
    other years lie apart for what these years were like."""
    test_from: Annotated[DayOrNone, Earlier("")] = ""
    """First session of the test window; empty for none. Training and promotion are refused every fact from that day
    on, until it is taken out: a test that was read while choosing is none."""
    search_space: Annotated[
        tuple[Annotated[str, Field(pattern=r"^(lstm|ridge)\.[a-z_]+=[-+.,eE0-9 ]+$")], ...],
        Field(max_length=20),
        DISTINCT,
        Earlier(()),
    ] = ()
    """What `nextgen train --search` tries: settings of the members with values, as `lstm.dropout=0,0.1,0.2`."""
    search_points: Annotated[int, Field(ge=2, le=1_000), Earlier(9)] = 9
    """Points of that space tried at most, the settings as they are among them; drawn, where there are more."""
    search_halving: Annotated[int, Field(ge=2, le=10), Earlier(3)] = 3
    """One in so many points is left after each round, and tried on so many times more windows."""
    lstm: LstmParams = field(default_factory=LstmParams)
    """The recurrent member."""
    ridge: RidgeParams = field(default_factory=RidgeParams)
    """The linear member."""

    def contradictions(self) -> Iterator[str]:
        """A grid of weights that misses 1."""
        if abs(round(1 / self.weight_step) * self.weight_step - 1) > 1e-9:
            yield f"weight_step is {self.weight_step}; it must divide 1, the sum of the ensemble weights, as 0.1 does"

    @property
    def purge(self) -> int:
        """Sessions before a test block whose labels would reach into it: the longest horizon."""
        return max(self.horizons)
