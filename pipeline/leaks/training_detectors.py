"""Do trainings know the future? Later rows are altered, labels shuffled, and spans of labels laid beside each other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

import numpy as np

from lake.tables.predictions import QUANTILES
from pipeline.engine.executor import Executor
from pipeline.features.feature_set import feature_set
from pipeline.leaks.detection import PLANTED, Detection, Leak, judge
from pipeline.leaks.planted import MEMBERS as PLANTED_MEMBERS
from pipeline.models import train
from pipeline.models.dataset import Examples, Floats, Index, label_examples
from pipeline.models.evaluation import mean_rank_correlation
from pipeline.models.folds import Fold, SessionSpan, split_inner, walk_forward
from pipeline.models.members import list_members, ridge
from pipeline.models.members.member import FitTask, Fitted, Member, fit_members
from pipeline.models.params import ModelParams
from pipeline.text_format import counted

MIDDLE = QUANTILES.index(0.5)
SURE = 4.0
"""Standard errors beyond which a rank correlation on shuffled labels is no chance."""
LEAST_IC = 0.05
"""Below it a leak of labels would not matter, and a short test block cannot tell."""
BLOCKS = 60
"""Of the line's cross-validation where its gaps are tried: short blocks lie all beside their neighbours."""
TWIN = 0.9
"""Rank correlation from which an input is called the label; what can be known of returns comes to a tenth of it."""
NO_TRUST = 0.1
"""Trust that cross-validation may come to have in what cannot be known."""


@dataclass(frozen=True)
class TrainingProbe:
    """A training as it would be now, of which the first fold is done again and again."""

    examples: Examples
    members: tuple[Member, ...]
    params: ModelParams
    seed: int

    @staticmethod
    def read(executor: Executor, session: date) -> TrainingProbe:
        """What the stage would learn from at a session, and its members."""
        frames, moment = executor.read_now(train.STAGE, session, session)
        params: ModelParams = executor.settings.models
        examples = label_examples(
            frames["feature_rows"],
            frames["market_prices"],
            frames["corporate_actions"],
            frames["ticker_universe"],
            moment.calendar,
            params,
            feature_set(moment.extensions),
        )
        return TrainingProbe(examples, list_members(moment.extensions.members), params, moment.seed)

    @cached_property
    def folds(self) -> list[Fold]:
        """The training's folds; none where history is too short."""
        if not len(self.examples):
            return []
        return walk_forward(SessionSpan(int(self.examples.session[0]), int(self.examples.session[-1])), self.params)

    def find_later(self) -> Detection:
        """Alter every window and label after a fold's span: what its members forecast must stand."""
        span, test = self.folds[0].train, self._test
        windows = self.examples.windows(test)
        as_is, altered = (self._fit(one) for one in (self.examples, alter_after(self.examples, span.last)))
        found = {}
        for member in (*self.members, *PLANTED_MEMBERS):
            one, two = (member.quantiles(fits[member.name].arrays, windows) for fits in (as_is, altered))
            moved = int((one != two).any(axis=(1, 2)).sum())
            if moved:
                first = f"{moved} of {len(test)} forecasts of the test block move when what lies after the span does"
                found[member.name] = Leak(member.name, moved, first)
        return judge("later rows", "members learn from rows after their span", self._names(*PLANTED_MEMBERS), found)

    def find_shuffled(self) -> Detection:
        """Shuffle labels within each session and train: nothing can be known of the test block's, and must not be."""
        shuffled, test = shuffle_labels(self.examples, self.seed), self._test
        fitted, windows = self._fit(shuffled), self.examples.windows(test)
        found: dict[str, Leak] = {}
        for member in (*self.members, PLANTED_MEMBERS[1]):
            point = member.quantiles(fitted[member.name].arrays, windows)[:, :, MIDDLE]
            for number, horizon in enumerate(self.params.horizons):
                ic, error = mean_rank_correlation(
                    point[:, number], shuffled.outcome[test, number], shuffled.session[test], horizon
                )
                if ic > max(SURE * error, LEAST_IC):
                    told = f"rank correlation {ic:.3f} +- {error:.3f} with shuffled labels over {horizon} sessions"
                    found.setdefault(member.name, Leak(member.name, len(test), told))
        names = self._names(PLANTED_MEMBERS[1])
        return judge("shuffled labels", "skill is left on labels shuffled within sessions", names, found)

    def find_twins(self) -> Detection:
        """Hold every input against every label over all examples: none may be the label under another name."""
        inputs = self.examples.last_rows(np.arange(len(self.examples), dtype=np.int64)).astype(np.float64)
        label = f"{PLANTED}label"
        values = {name: inputs[:, number] for number, name in enumerate(self.examples.features)}
        values[label] = 1 + 2 * self.examples.clipped[:, 0]
        found = {name: leak for name, one in values.items() if (leak := self._twin(name, one)) is not None}
        return judge("twins", "inputs are a label under another name", values, found)

    def _twin(self, name: str, values: Floats) -> Leak | None:
        """A rank correlation so close to 1 that only the label itself has it (shobhit727/trade#21)."""
        for number, horizon in enumerate(self.params.horizons):
            for labels in (self.examples.clipped, self.examples.relative):
                alike = rank_alike(values, labels[:, number])
                if abs(alike) > TWIN:
                    told = f"rank correlation {alike:+.3f} with the return of the next {counted(horizon, 'session')}"
                    return Leak(name, len(values), told)
        return None

    def find_overlap(self) -> Detection:
        """Lay the labels of each fold's span, and of what is held back in it, beside what they are tested on."""
        spans = {f"fold {number}": fold for number, fold in enumerate(self.folds, start=1)}
        spans |= {f"{name}, held back": split_inner(fold.train, self.params) for name, fold in list(spans.items())}
        touching = self.folds[-1]
        spans[f"{PLANTED}fold"] = Fold(SessionSpan(touching.train.first, touching.test.first - 1), touching.test)
        found = {name: leak for name, fold in spans.items() if (leak := self._overlap(name, fold)) is not None}
        return judge("purge", "labels of a fold's span reach into its test block", spans, found)

    def find_cross_validation(self) -> Detection:
        """Give the line labels that can be known from overlapping ones alone: it must not come to trust itself."""
        shocks = overlapping_shocks(self.examples, max(self.params.horizons))
        params = replace(self.params, ridge=replace(self.params.ridge, blocks=BLOCKS))
        task = self._task(shocks, params)
        rows = shocks.thin(task.rows, params.ridge.max_rows)
        learned = shocks.last_rows(rows), shocks.relative[rows], shocks.session[rows]
        touching = ridge.cross_validate(*learned, params.horizons, params.ridge.penalties, BLOCKS, gap=0)
        trusts = {"ridge": ridge.choose_strength(task).trust, f"{PLANTED}gap": touching.trust}
        found = {
            name: Leak(name, 1, f"trust of {max(trust):.2f} in what only overlapping labels can tell")
            for name, trust in trusts.items()
            if max(trust) > NO_TRUST
        }
        return judge("cross-validation", "the line's own cross-validation sees labels that overlap", trusts, found)

    @property
    def _test(self) -> Index:
        return self.examples.between(self.folds[0].test.first, self.folds[0].test.last)

    def _names(self, *planted: Member) -> list[str]:
        return [one.name for one in (*self.members, *planted)]

    def _task(self, examples: Examples, params: ModelParams) -> FitTask:
        span = self.folds[0].train
        return FitTask(examples=examples, span=span, quantiles=QUANTILES, params=params, seed=(self.seed, 0))

    def _fit(self, examples: Examples) -> Mapping[str, Fitted]:
        return fit_members((*self.members, *PLANTED_MEMBERS), self._task(examples, self.params), [])

    def _overlap(self, name: str, fold: Fold) -> Leak | None:
        """A label counts from the close of its session to that of the last of its horizon."""
        session = self.examples.session[self.examples.between(fold.train.first, fold.train.last)]
        reach = session + max(self.params.horizons)
        late = int((reach > fold.test.first).sum())
        if not late:
            return None
        days, first = self.examples.calendar.days, int(session[reach > fold.test.first][0])
        told = f"{late} labels of {days[first]} and later reach beyond {days[fold.test.first]}, where the test starts"
        return Leak(name, late, told)


def rank_alike(one: Floats, other: Floats) -> float:
    """Pearson's correlation of ranks, ties as they come; 0 where either side is constant or unknown somewhere."""
    if np.ptp(one) == 0 or np.ptp(other) == 0 or np.isnan(one).any():
        return 0.0
    ranks = np.array([np.argsort(np.argsort(values, kind="stable"), kind="stable") for values in (one, other)])
    return float(np.corrcoef(ranks)[0, 1])


def alter_after(examples: Examples, last: int) -> Examples:
    """The same examples, with nonsense for every window that ends, and every label that counts, after a session."""
    random = np.random.default_rng(1)
    late = examples.session > last
    base = examples.index.base.copy()
    rows = examples.index.starts[examples.number[late]] + examples.index.length - 1
    base[rows] = 3 - 2 * base[rows]

    def nonsense(values: Floats) -> Floats:
        return np.where(late[:, None], random.normal(size=values.shape), values)

    return replace(
        examples,
        index=replace(examples.index, base=base),
        outcome=nonsense(examples.outcome),
        clipped=nonsense(examples.clipped),
        relative=nonsense(examples.relative),
    )


def shuffle_labels(examples: Examples, seed: int) -> Examples:
    """The same windows with the labels of another ticker of the session, by chance."""
    random = np.random.default_rng(seed)
    order = np.lexsort((random.random(len(examples)), examples.session))
    return replace(
        examples,
        outcome=examples.outcome[order],
        clipped=examples.clipped[order],
        relative=examples.relative[order],
    )


def overlapping_shocks(examples: Examples, horizon: int) -> Examples:
    """Labels of shocks, each shared by the `horizon` sessions whose labels hold its day, and an input for each shock.

    Half of the tickers gain by a shock and half lose, and its input says which. So a session's labels are known to
    whoever sees one that shares its shock, and to nobody else: then its input was 0 in all that was learned from.
    """
    base = np.zeros_like(examples.index.base)
    rows = examples.index.starts[examples.number] + examples.index.length - 1
    shock = (examples.session - examples.session[0]) // horizon
    told = shock < base.shape[1]
    side = np.where(examples.ticker.rank("dense").to_numpy() % 2 == 0, 1.0, -1.0)
    base[rows[told], shock[told]] = side[told]
    label = np.repeat(np.where(told, side, 0.0)[:, None], len(examples.horizons), axis=1)
    return replace(examples, index=replace(examples.index, base=base), relative=label, clipped=label)
