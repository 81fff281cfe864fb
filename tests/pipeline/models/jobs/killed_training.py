"""Trains in processes that are killed at given moments, and prints what each training that reached its end came to.

`python -m tests.pipeline.models.jobs.killed_training FOLDER ROUND...`: each round is a list of passes by commas, as
`3,1`: the training is killed after its third pass, taken up and killed after one pass more, and then left to its end.
`0` kills before the first. The processes are forked, so that libraries are imported once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from hashlib import sha256
from pathlib import Path

from lake.tables.predictions import QUANTILES
from pipeline.models.dataset import label_examples
from pipeline.models.jobs.training_job import Attendance, Pass, attend
from pipeline.models.serialization import encode
from pipeline.models.training import TrainingResult, run_training
from tests.frames.models import SMALL, market


def digest(trained: TrainingResult) -> str:
    """Of all weights, all choices and all forecasts of test blocks."""
    total = sha256()
    for name, one in trained.members.items():
        total.update(encode(one.arrays) + repr((name, one.choices)).encode())
    for fold in trained.tested:
        total.update(repr(fold.choices).encode())
        for _, forecast in sorted(fold.forecasts.items()):
            total.update(forecast.tobytes())
    return total.hexdigest()


def train(folder: Path | None, out: int) -> None:
    """Train, attended or not; a line for each pass, and at the end one with the digest."""

    def tell(told: Pass) -> None:
        os.write(out, f"{told.fit}/{told.part}/{told.number}\n".encode())

    # Made after the fork: the threads of polars, once started, would not come along.
    at = market(tickers=8, sessions=150, signal=0.3, stirring=0.5)
    frames = (at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe)
    examples = label_examples(*frames, at.calendar, SMALL)
    if folder is None:
        trained = run_training(examples, QUANTILES, SMALL, 7, workers=2)
    else:
        with attend(Attendance(folder, "same", tell)):
            trained = run_training(examples, QUANTILES, SMALL, 7, workers=2)
    assert trained is not None
    os.write(out, f"digest {digest(trained)}\n".encode())


def run_child(folder: Path | None, kill_after: int | None) -> list[str]:
    """Fork a training; kill it after so many lines, or let it end. What it printed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        train(folder, writing)
        os._exit(0)
    os.close(writing)
    lines = []
    with os.fdopen(reading) as stream:
        while kill_after != len(lines) and (line := stream.readline()):
            lines.append(line.strip())
        if kill_after == len(lines):
            os.kill(child, signal.SIGKILL)
        lines += [line.strip() for line in stream]
    os.waitpid(child, 0)
    return lines


def main() -> None:
    """Print one JSON line: what an uninterrupted training came to, and each round's digest and passes."""
    # Before the forks: libraries that each would import for itself, for longer than so small a training takes.
    import safetensors.torch  # noqa: F401
    import scipy.special  # noqa: F401

    import pipeline.models.members.forward_pass
    import pipeline.models.members.location_network
    import pipeline.models.members.lstm_network  # noqa: F401

    folder = Path(sys.argv[1])
    whole = run_child(None, None)
    rounds = []
    for number, moments in enumerate(sys.argv[2:]):
        own = folder / f"job-{number}"
        killed = [run_child(own, int(moment)) for moment in moments.split(",")]
        ended = run_child(own, None)
        rounds.append({"digest": ended[-1], "killed": killed, "ended": ended[:-1], "left": own.exists()})
    sys.stdout.write(json.dumps({"whole": whole[-1], "rounds": rounds}) + "\n")


if __name__ == "__main__":
    main()
