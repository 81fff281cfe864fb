"""Attends the training that a run makes: its passes go into the lake as they come, its standing beside the lake."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from os import getpid
from pathlib import Path
from threading import Lock
from typing import Any

import polars as pl

from lake.runs import Recipe
from lake.store import Lake
from lake.tables.models import TRAINING_PROGRESS
from pipeline.models.jobs.training_job import Attendance, Pass, attend

log = logging.getLogger(__name__)
FOLDER = Path("control") / "trainings"
"""Within the lake: where trainings keep where they stand."""
BATCH = 5.0
"""Seconds between two commits of passes: a training of an hour makes some 700."""


@contextmanager
def attend_training(lake: Lake, recipe: Recipe, say: Callable[[str], None]) -> Iterator[None]:
    """Attend what a run trains within the block.

    Args:
        lake: where its passes go, and beside which it keeps where it stands.
        recipe: the run's.
        say: told each pass in words, from any thread.
    """
    told = ProgressLog(lake, recipe, say)
    # What a run was called decides nothing: the same training that is begun again takes up where it stood.
    salt = json.dumps([recipe.code, recipe.libraries, recipe.plugins, recipe.params], sort_keys=True, default=str)
    try:
        with attend(Attendance(lake.path / FOLDER / name_job(recipe), salt, told)):
            yield
    finally:
        told.flush()


def name_job(recipe: Recipe) -> str:
    """The folder of what a training keeps: one for each work, whichever attempt it is."""
    return recipe.cycle_id


class ProgressLog:
    """Gathers passes and commits them every few seconds; what shows a training never ends it."""

    def __init__(self, lake: Lake, recipe: Recipe, say: Callable[[str], None]) -> None:
        self._lake, self._recipe, self._say = lake, recipe, say
        self._lock = Lock()
        self._rows: list[dict[str, Any]] = []
        self._committed = time.monotonic()
        self._last = datetime.min.replace(tzinfo=UTC)

    def __call__(self, told: Pass) -> None:
        """Take a pass."""
        with self._lock:
            self._last = max(datetime.now(UTC), self._last + timedelta(microseconds=1))
            self._rows.append(self._row(told))
            due = time.monotonic() - self._committed >= BATCH
        self._say(describe_pass(told))
        if due:
            self.flush()

    def flush(self) -> None:
        """Commit what was gathered."""
        with self._lock:
            rows, self._rows, self._committed = self._rows, [], time.monotonic()
            if not rows:
                return
            try:
                frame = TRAINING_PROGRESS.check(pl.DataFrame(rows, schema=TRAINING_PROGRESS.schema))
                self._lake.commit(TRAINING_PROGRESS, frame, f"passes-{getpid()}-{self._last.isoformat()}", {})
            except Exception:  # a full disk, a damaged log: the training tells it itself if it cannot go on
                log.warning("%d passes of the training could not be recorded", len(rows), exc_info=True)

    def _row(self, told: Pass) -> dict[str, Any]:
        return {
            "job": told.job,
            "at": self._last,
            "cycle_id": self._recipe.cycle_id,
            "session": self._recipe.session,
            "fit": told.fit,
            "part": told.part,
            "pass": told.number,
            "passes": told.of,
            "loss": told.loss,
            "held_loss": told.held_loss,
            "best": told.best,
        }


def describe_pass(told: Pass) -> str:
    """A pass in a few words."""
    where = f"{told.fit}, {told.part}"
    if told.loss is None:
        return f"{where} done"
    held = "" if told.held_loss is None else f", held back {told.held_loss:.4f}"
    return f"{where}: pass {told.number} of {told.of}, loss {told.loss:.4f}{held}"
