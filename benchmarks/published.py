"""A published study of daily directions, done again: `python -m benchmarks.published --prices FILE --reference FILE`.

Rebuilds the study's features and labels from its raw prices and says what does not agree, then trains an LSTM and one
with temporal attention with several seeds. The validation part alone chooses: the epoch, the line's penalty, and with
--choose the networks' sizes; each choice counts its trials. The test part is looked at once, after all is trained.
Feng et al., Enhancing Stock Movement Prediction with Adversarial Training (IJCAI 2019).
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from time import perf_counter
from typing import get_args, get_type_hints

import polars as pl

from pipeline.models.tasks.classification import ClassifierParams
from pipeline.models.tasks.splits import PARTS, DatedSplit
from pipeline.models.tasks.studies.agreement import agree
from pipeline.models.tasks.studies.files import read_prices, read_reference
from pipeline.models.tasks.studies.protocol import (
    PUBLISHED_ALSTM,
    PUBLISHED_LSTM,
    SIZES_TRIED,
    Contender,
    Standing,
    choose_contender,
    cut_parts,
    judge_baselines,
    judge_contender,
    state_task,
)
from pipeline.models.tasks.task import LearningTask


def main(arguments: Sequence[str] | None = None) -> None:
    """Do a study again and print what came of it."""
    asked = _parse(arguments)
    start = perf_counter()
    try:
        split = DatedSplit(asked.train, asked.validate, asked.test)
        lstm, alstm = _contenders(asked)
        task = state_task(split, asked.window)
        found = agree(read_prices(asked.prices), read_reference(asked.reference), task.label)
        _say("\n".join(found.sentences()))
        for window in sorted({asked.window, lstm.window, alstm.window}):
            _say_counts(found.rows, replace(task, window=window))
        if asked.choose:
            lstm, alstm = (choose_contender(found.rows, task, one, seed=0, told=_say) for one in (lstm, alstm))
        for one in (lstm, alstm):
            _say(_describe(one, asked.choose))
        seeds = range(asked.seeds)
        trained = [judge_contender(found.rows, task, one, seeds, asked.workers, _say) for one in (lstm, alstm)]
        outcomes = [*judge_baselines(found.rows, task), *trained]
    except ValueError as error:
        raise SystemExit(f"refused: {error}") from None
    _say_table(outcomes)
    spent = resource.getrusage(resource.RUSAGE_SELF)
    _say(f"{perf_counter() - start:.0f} s, {spent.ru_utime + spent.ru_stime:.0f} s of processor time")
    figures = [f"{one.name} acc={100 * one.judged.accuracy:.2f} mcc={one.judged.mcc:.4f}" for one in trained]
    _say(f"published: {' '.join(figures)}")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prices", type=Path, required=True, help="raw prices by ticker and date, Parquet or CSV")
    parser.add_argument("--reference", type=Path, required=True, help="the study's features, labels and close")
    for name in PARTS:
        parser.add_argument(f"--{name}", type=date.fromisoformat, required=True, help=f"first day of the {name} part")
    parser.add_argument(
        "--window", type=int, required=True, help="days L an example looks back; of the LSTM see --lstm-window"
    )
    parser.add_argument("--seeds", type=int, default=5, help="trainings of each network (default: 5)")
    for published in (PUBLISHED_LSTM, PUBLISHED_ALSTM):
        name, params = published.name, published.params
        told = f"of the {name} (published: %(default)s)"
        parser.add_argument(f"--{name}-units", type=int, default=params.units, help=f"hidden units {told}")
        parser.add_argument(
            f"--{name}-penalty", type=float, default=params.output_penalty, help=f"penalty of the output layer {told}"
        )
    parser.add_argument(
        "--lstm-window",
        type=int,
        default=PUBLISHED_LSTM.window,
        help="days the LSTM without attention looks back (published: %(default)s)",
    )
    parser.add_argument(
        "--initial",
        choices=get_args(get_type_hints(ClassifierParams)["initial"]),
        default=PUBLISHED_LSTM.params.initial,
        help="how weights start (default: %(default)s)",
    )
    parser.add_argument("--epochs", type=int, default=PUBLISHED_LSTM.params.epochs, help="(published: %(default)s)")
    parser.add_argument("--choose", action="store_true", help="let the validation part choose units and penalties")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="trainings at a time")
    asked = parser.parse_args(arguments)
    for name in ("window", "seeds", "lstm_window", "epochs", "workers"):
        if getattr(asked, name) < 1:
            parser.error(f"--{name.replace('_', '-')} is {getattr(asked, name)}; it has to be at least 1")
    return asked


def _contenders(asked: argparse.Namespace) -> tuple[Contender, Contender]:
    """The two networks, as published but for what was asked otherwise."""
    windows = {PUBLISHED_LSTM: asked.lstm_window, PUBLISHED_ALSTM: asked.window}
    lstm, alstm = (
        replace(
            one,
            window=window,
            params=replace(
                one.params,
                units=getattr(asked, f"{one.name}_units"),
                output_penalty=getattr(asked, f"{one.name}_penalty"),
                epochs=asked.epochs,
                initial=asked.initial,
            ),
        )
        for one, window in windows.items()
    )
    return lstm, alstm


def _describe(one: Contender, chosen: bool) -> str:
    published = one in (PUBLISHED_LSTM, PUBLISHED_ALSTM)
    origin = f"chosen among {len(SIZES_TRIED)} by the validation part" if chosen else "as asked"
    origin = "as published for ACL18" if published and not chosen else origin
    params = one.params
    return (
        f"{one.name}: window {one.window}, {params.units} units, penalty {params.output_penalty:g} ({origin}); "
        f"{params.epochs} epochs, batch {params.batch}, Adam {params.learning_rate:g}, "
        f"weights start as {params.initial}"
    )


def _say_counts(rows: pl.DataFrame, task: LearningTask) -> None:
    parts = cut_parts(rows, task)
    counts = " / ".join(f"{len(parts[name]):,}" for name in PARTS)
    shares = " / ".join(f"{(parts[name].label > 0).mean():.4f}" for name in PARTS)
    _say(f"examples with window {task.window} (train / validate / test): {counts}; share of ups {shares}")


def _say_table(outcomes: Sequence[Standing]) -> None:
    """Figures on the test part; intervals of 95 %."""
    judged = outcomes[0].judged
    _say(f"on the test part, {judged.examples:,} examples of {judged.days} days; intervals of 95 %:")
    _say("| model | accuracy % | binomial | days as draws | MCC | days as draws | chosen on validation |")
    _say("|---|---|---|---|---|---|---|")
    for one in outcomes:
        of = one.judged
        acc, mcc = f"{100 * of.accuracy:.2f}", f"{of.mcc:.4f}"
        if of.seeds > 1:
            acc, mcc = f"{acc} +- {100 * of.accuracy_spread:.2f}", f"{mcc} +- {of.mcc_spread:.4f}"
        _say(
            f"| {one.name} | {acc} | {_span(of.binomial, 100, 1)} | {_span(of.by_day, 100, 1)} | {mcc} "
            f"| {_span(of.mcc_by_day, 1, 3)} | {one.chosen} |"
        )


def _span(interval: tuple[float, float], scale: int, digits: int) -> str:
    low, high = interval
    return f"{scale * low:.{digits}f} to {scale * high:.{digits}f}"


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
