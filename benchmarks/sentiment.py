"""Scores the lexicon on labelled sentences: `python -m benchmarks.sentiment FILE` (CSV or Parquet: sentence, label)."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from pipeline.ingestion.news.lexicon import opinion
from pipeline.ingestion.news.params import NewsParams

LABELS = ("negative", "neutral", "positive")
NEUTRAL_WITHIN = 0.25
"""A score nearer to 0 than this counts as neutral."""


def predicted(sentence: str) -> str:
    """The label of a sentence by its score."""
    score = opinion(sentence, None, NewsParams()).score
    if score is None or abs(score) < NEUTRAL_WITHIN:
        return "neutral"
    return "positive" if score > 0 else "negative"


def report(truth: Sequence[str], guesses: Sequence[str]) -> dict[str, float]:
    """Accuracy, the F1 of each label, and their mean, macro_f1."""
    pairs = list(zip(truth, guesses, strict=True))
    found = {"accuracy": sum(true == guess for true, guess in pairs) / len(pairs)}
    for label in LABELS:
        hit = sum(true == guess == label for true, guess in pairs)
        named = sum(label in pair for pair in pairs) + hit
        found[f"f1_{label}"] = 2 * hit / named if named else 0.0
    return found | {"macro_f1": sum(found[f"f1_{label}"] for label in LABELS) / len(LABELS)}


def main(path: str) -> None:
    """Print the report, and the time a sentence takes."""
    file = Path(path)
    frame = pl.read_parquet(file) if file.suffix == ".parquet" else pl.read_csv(file)
    started = time.perf_counter()
    guesses = [predicted(sentence) for sentence in frame["sentence"]]
    seconds = time.perf_counter() - started
    for name, value in report(frame["label"].to_list(), guesses).items():
        print(f"{name:12} {value:.3f}")
    print(f"{frame.height} sentences, {1e6 * seconds / frame.height:.0f} microseconds each")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m benchmarks.sentiment FILE.csv|FILE.parquet")
    main(sys.argv[1])
