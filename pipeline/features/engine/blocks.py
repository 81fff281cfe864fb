"""Whole histories computed block by block: some sessions of some tickers at a time, so that memory stays bounded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.features.engine.cross_sections import Members
from pipeline.features.engine.elementwise import lay
from pipeline.features.engine.evaluation import LayOut, Program, Results
from pipeline.features.engine.expressions import Expression
from pipeline.features.engine.layers import arrange, compute_layers, split_sessions, uses_comparisons
from pipeline.features.engine.windows.window_kernels import Block

ROWS = 256
"""Sessions in a block, besides those its windows look back on."""
TICKERS = 64
"""Tickers in a block: their values of one session and of its windows stay in the processor's nearest cache."""


class BlockSpan(NamedTuple):
    """The part of a history that a block computes: rows and tickers, ends excluded."""

    start: int
    end: int
    left: int
    right: int


def compute(
    expressions: Sequence[Expression],
    facts: Mapping[str, Block],
    *,
    first: int = 0,
    precision: npt.DTypeLike = np.float32,
    rows: int = ROWS,
    tickers: int = TICKERS,
    threads: int = 1,
    members: Members | None = None,
) -> Results:
    """Compute expressions for every session and ticker of a history.

    The values are the same, to the bit, whatever the sizes of the blocks and the number of threads, and wherever the
    history begins, as long as it holds the sessions that an expression looks back on.

    Args:
        expressions: what to compute.
        facts: [sessions, tickers] float64 for each fact that they use; NaN where unknown.
        first: the first session to compute; those before it are looked back on.
        precision: of the result.
        rows: sessions in a block.
        tickers: tickers in a block.
        threads: how many blocks are computed at a time.
        members: who is compared with whom, where an expression compares.

    Returns:
        [expressions, sessions - first, tickers]; NaN where a value cannot be known.

    Raises:
        ValueError: a fact that is missing, facts of different shapes, or members that are not told.
    """
    cut = {"rows": rows, "tickers": tickers}
    if uses_comparisons(expressions):
        parts = _compare_spans(expressions, facts, members, first, precision, {**cut, "threads": threads})
        return np.concatenate([values for _, values in parts], axis=1)
    program = Program(expressions)
    shape = _check(facts, program)
    out = np.empty((len(expressions), shape[0] - first, shape[1]), dtype=precision)

    def run(span: BlockSpan) -> None:
        fill, tickers = _lay_out(facts, span, program.warm_up), span.right - span.left
        program.evaluate(fill, tickers, out, span.end - span.start, span.start - first, span.left)

    spans = split(shape, first, **cut)
    if threads == 1:
        for span in spans:
            run(span)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(run, spans))
    return out


def compute_blocks(
    expressions: Sequence[Expression],
    facts: Mapping[str, Block],
    *,
    first: int = 0,
    precision: npt.DTypeLike = np.float32,
    rows: int = ROWS,
    tickers: int = TICKERS,
    members: Members | None = None,
) -> Iterator[tuple[BlockSpan, Results]]:
    """Compute the same values block by block, for results that are too large to be held together.

    Where tickers are compared, a block has all of them, and as many sessions as keep its memory bounded.

    Args:
        expressions, facts, first, precision, rows, tickers, members: as `compute` takes them.

    Yields:
        Each block with its values, [expressions, its sessions, its tickers].

    Raises:
        ValueError: a fact that is missing, facts of different shapes, or members that are not told.
    """
    if uses_comparisons(expressions):
        cut = {"rows": rows, "tickers": tickers}
        yield from _compare_spans(expressions, facts, members, first, precision, cut)
        return
    program = Program(expressions)
    for span in split(_check(facts, program), first, rows, tickers):
        out = np.empty((len(expressions), span.end - span.start, span.right - span.left), dtype=precision)
        program.evaluate(_lay_out(facts, span, program.warm_up), span.right - span.left, out)
        yield span, out


def _compare_spans(
    expressions: Sequence[Expression],
    facts: Mapping[str, Block],
    members: Members | None,
    first: int,
    precision: npt.DTypeLike,
    cut: Mapping[str, int],
) -> Iterator[tuple[BlockSpan, Results]]:
    """The values of expressions that compare, some sessions of all tickers at a time."""
    if members is None:
        raise ValueError(f"{expressions[0].text} and others compare tickers; tell the members")
    layers = arrange(tuple(expressions))
    shape = members.counted.shape
    for base, start, end in split_sessions(max(one.warm_up for one in expressions), first, shape):
        here = {name: values[base:end] for name, values in facts.items()}

        def evaluate(
            wanted: Sequence[Expression],
            held: Mapping[str, Block],
            at: int,
            kind: npt.DTypeLike,
            here: Mapping[str, Block] = here,
        ) -> Results:
            return compute(wanted, {**here, **held}, first=at, precision=kind, **cut)  # type: ignore[arg-type]

        values = compute_layers(layers, members.cut(base, end), start - base, evaluate, precision)
        yield BlockSpan(start, end, 0, shape[1]), values


def split(shape: tuple[int, int], first: int, rows: int = ROWS, tickers: int = TICKERS) -> Iterator[BlockSpan]:
    """Yield the blocks of a history, all sessions of the first tickers before those of the next."""
    for left in range(0, shape[1], tickers):
        for start in range(first, shape[0], rows):
            yield BlockSpan(start, min(start + rows, shape[0]), left, min(left + tickers, shape[1]))


def _check(facts: Mapping[str, Block], program: Program) -> tuple[int, int]:
    if missing := sorted(set(program.facts) - set(facts)):
        raise ValueError(f"the facts lack {', '.join(missing)}; they have {', '.join(sorted(facts))}")
    shapes = {facts[name].shape for name in program.facts}
    if len(shapes) != 1:
        raise ValueError(f"the facts have {len(shapes)} shapes, {sorted(shapes)}; give one of [sessions, tickers]")
    return shapes.pop()


def _lay_out(facts: Mapping[str, Block], span: BlockSpan, warm_up: int) -> LayOut:
    """What fills a plane with a block's part of a fact, and what it looks back on as far as the history has it."""
    before = max(span.start - warm_up, 0)
    return lambda name, plane, _row: lay(facts[name][before : span.end, span.left : span.right], plane)
