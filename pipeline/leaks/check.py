"""Asks every detector of leaks about a lake: its features, those of its plugins, its members and its folds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date

from pipeline.engine.executor import Executor
from pipeline.leaks.detection import Detection
from pipeline.leaks.feature_detectors import FeatureProbe
from pipeline.leaks.training_detectors import TrainingProbe

Progress = Callable[[str, int, int], None]
"""Told what is being done, how many steps are done, and of how many."""
DETECTORS = ("poison", "truncation", "warm-up", "purge", "cross-validation", "later rows", "shuffled labels")


def find_leaks(executor: Executor, session: date, draws: int, progress: Progress) -> Iterator[Detection]:
    """Yield each detector's verdict; nothing is written.

    Args:
        executor: of the lake, with its configuration and plugins.
        session: the last session that is looked at.
        draws: sessions after which the future is altered or cut off.
        progress: is told what comes next.
    """
    for number, name in enumerate(DETECTORS[:3]):
        progress(f"asking about {name}", number, len(DETECTORS))
        if number == 0:
            features = FeatureProbe(executor, session, draws)
        asked = (features.find_poison, features.find_truncation, features.find_warm_up)
        yield asked[number]()
    training = TrainingProbe.read(executor, session)
    if not training.folds:
        lacking = "a fold" if len(training.examples) else "the features as they are now; a cycle computes them"
        for name in DETECTORS[3:]:
            yield Detection(name, "", 0, (), False, f"there is too little history of {lacking}")
        return
    about = (training.find_overlap, training.find_cross_validation, training.find_later, training.find_shuffled)
    for number, (name, ask) in enumerate(zip(DETECTORS[3:], about, strict=True), start=3):
        progress(f"asking about {name}", number, len(DETECTORS))
        yield ask()
