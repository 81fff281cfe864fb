"""Every knob of the models, each with its unit and its reason."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class RidgeParams:
    """Linear regression on the last row of the window."""

    penalties: tuple[float, ...] = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 100.0)
    """Penalties tried, per training row, on inputs of unit variance; cross-validation picks one per horizon."""
    blocks: int = 5
    """Blocks of sessions in the cross-validation: fewer leave too little to fit, more leave gaps around each."""
    most_rows: int = 120_000
    """Windows per fit; a larger set is thinned by whole sessions. 80 inputs need no more, and a fit takes a second."""


@dataclass(frozen=True, kw_only=True)
class LstmParams:
    """The recurrent network and how it is trained."""

    hidden: int = 32
    """Hidden units; 32 train at some 25,000 windows a second on one core, and daily data holds no signal for more."""
    layers: int = 1
    """Stacked layers."""
    epochs: int = 6
    """Most passes; the inner validation picks how many of them are kept, 0 included."""
    patience: int = 2
    """Passes without improvement on the inner validation after which training stops."""
    windows_per_epoch: int = 16_000
    """Windows seen in a pass. A larger set is thinned by whole sessions, another stride of them each pass: labels of
    neighbouring sessions overlap, so that little is lost."""
    batch: int = 512
    """Windows per step; the shape is fixed so that the arithmetic is."""
    learning_rate: float = 0.002
    """Step size of AdamW."""
    weight_decay: float = 0.01
    """Decoupled weight decay of AdamW."""
    location_weight: float = 0.25
    """Weight of the squared error of the location beside the pinball loss of the spread."""
    gradient_norm: float = 1.0
    """Longest gradient; a crash in the data moves the weights no further than a quiet day."""


@dataclass(frozen=True, kw_only=True)
class ModelParams:
    """What is trained, on what, and what it has to prove."""

    features: tuple[str, ...] = ()
    """Input features in their order; empty means the whole catalogue. They have to include
    volatility_20 and volatility_60."""
    window: int = 20
    """Sessions the models look back; equals the length of the feature windows."""
    horizons: tuple[int, ...] = (1, 5, 20)
    """Sessions ahead: a day, a week, a month."""
    folds: int = 3
    """Consecutive test blocks at the end of history; fewer where history is short."""
    test_sessions: int = 60
    """Sessions per test block: a quarter."""
    validation_sessions: int = 60
    """Sessions at the end of each training span held back to choose penalty, epochs and shrinkage; at most a quarter
    of the span."""
    embargo: int = 5
    """Sessions dropped before each test block beyond the purge: slow moves carry over past the label itself."""
    least_train_sessions: int = 120
    """Sessions a fold has to train on; a fold with fewer is not run."""
    least_sessions: int = 250
    """Labelled sessions below which nothing is trained: a year."""
    least_rows: int = 1_000
    """Training windows below which nothing is trained."""
    clip: float = 8.0
    """Largest standardised return a fit sees, in standard deviations: one merger must not outweigh a year."""
    weight_step: float = 0.1
    """Step of the grid of ensemble weights, as a share."""
    naive_preference: float = 1.0
    """Standard errors of loss given up for more of the naive spread, which is less of the network (the
    one-standard-error rule)."""
    least_paired: int = 20
    """Test sessions needed before a challenger is compared at all."""
    naive_z: float = 1.0
    """Standard errors by which a challenger has to beat the naive forecast; 1 is about 84 % one-sided confidence."""
    champion_z: float = 0.0
    """Standard errors by which it has to beat the champion; 0 asks for a lower mean loss: it has seen newer data."""
    lstm: LstmParams = field(default_factory=LstmParams)
    """The recurrent member."""
    ridge: RidgeParams = field(default_factory=RidgeParams)
    """The linear member."""

    def __post_init__(self) -> None:
        if not self.horizons or list(self.horizons) != sorted(set(self.horizons)) or self.horizons[0] < 1:
            raise ValueError(f"horizons are {self.horizons}; give distinct positive sessions in rising order")
        if not 0 < self.weight_step <= 1 or abs(round(1 / self.weight_step) * self.weight_step - 1) > 1e-9:
            raise ValueError(f"weight_step is {self.weight_step}; give a share that divides 1, such as 0.1")
        if self.folds < 1 or self.test_sessions < 1 or self.window < 1:
            raise ValueError("folds, test_sessions and window have to be at least 1")

    @property
    def purge(self) -> int:
        """Sessions before a test block whose labels would reach into it: the longest horizon."""
        return max(self.horizons)
