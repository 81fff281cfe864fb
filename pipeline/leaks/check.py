"""Asks every detector of leaks about a lake: its facts, who reads them, features, members and folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from pipeline.engine.executor import Executor
from pipeline.leaks.detection import Detection
from pipeline.leaks.fact_detectors import FactProbe
from pipeline.leaks.feature_detectors import FeatureProbe
from pipeline.leaks.training_detectors import TrainingProbe

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and of how many."""
OF_FACTS = ("bar clock", "news clock", "hindsight", "reads", "survival")
OF_FEATURES = ("poison", "truncation", "actions", "warm-up")
OF_TRAINING = ("purge", "cross-validation", "later rows", "shuffled labels", "twins")
DETECTORS = (*OF_FACTS, *OF_FEATURES, *OF_TRAINING)


def find_leaks(executor: Executor, session: date, draws: int, progress: Progress) -> Iterator[Detection]:
    """Yield each detector's verdict; nothing is written.

    Args:
        executor: of the lake, with its configuration and plugins.
        session: the last session that is looked at.
        draws: sessions after which the future is altered or cut off.
        progress: is told what comes next.
    """
    facts = FactProbe(executor, session)
    features = FeatureProbe(executor, session, draws)
    asked: list[Callable[[], Detection]] = [
        *(facts.find_early_bars, facts.find_early_news, facts.find_hindsight),
        *(facts.find_greedy_reads, facts.find_survivors),
        *(features.find_poison, features.find_truncation, features.find_actions, features.find_warm_up),
    ]
    for number, (name, ask) in enumerate(zip((*OF_FACTS, *OF_FEATURES), asked, strict=True)):
        progress(f"asking about {name}", number, len(DETECTORS))
        yield ask()
    training = TrainingProbe.read(executor, session)
    if not training.folds:
        lacking = "a fold" if len(training.examples) else "the features as they are now; a cycle computes them"
        for name in OF_TRAINING:
            yield Detection(name, "", 0, (), False, f"there is too little history of {lacking}")
        return
    asked = [training.find_overlap, training.find_cross_validation, training.find_later]
    asked += [training.find_shuffled, training.find_twins]
    for number, (name, ask) in enumerate(zip(OF_TRAINING, asked, strict=True), start=len(OF_FACTS + OF_FEATURES)):
        progress(f"asking about {name}", number, len(DETECTORS))
        yield ask()
