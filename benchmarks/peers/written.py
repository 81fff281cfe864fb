"""Factors of several histories, one after the other, each block written to Parquet and dropped."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.peers.measuring import measure_peak, read, spend
from benchmarks.peers.ours import Ours
from pipeline.features.engine.blocks import BlockSpan, compute_blocks


class Stopwatch:
    """Processor seconds of each kind of work."""

    def __init__(self) -> None:
        self.seconds = dict.fromkeys(("load", "cpu", "write"), 0.0)
        self._last = spend()

    def note(self, kind: str) -> None:
        """What was spent since the last note was for this."""
        now = spend()
        self.seconds[kind] += now - self._last
        self._last = now


def main() -> None:
    """Compute the histories that the command line names; print figures as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("histories", type=Path, nargs="+")
    parser.add_argument("--factors", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True, help="the file that is written")
    asked = parser.parse_args()
    engine = Ours(asked.factors)
    engine.prepare()
    watch = Stopwatch()
    types = [("ticker", pa.int32()), ("session", pa.int32()), *((name, pa.float32()) for name in asked.factors)]
    options = {"compression": "zstd", "compression_level": 1, "use_dictionary": ["ticker", "session"]}
    with pq.ParquetWriter(asked.out, pa.schema(types), **options) as file:
        for number, history in enumerate(asked.histories):
            _write(file, engine, history, number, watch)
    size = asked.out.stat().st_size / 1e9
    sys.stdout.write(json.dumps({**watch.seconds, "peak": measure_peak(), "size": size}) + "\n")


def _write(file: pq.ParquetWriter, engine: Ours, history: Path, number: int, watch: Stopwatch) -> None:
    """A row group for each block."""
    facts = read(history)
    ahead = number * facts["close"].shape[1]
    watch.note("load")
    for span, values in compute_blocks(engine.factors, facts):
        watch.note("cpu")
        file.write_batch(_stack(span, values, ahead, file.schema.names))
        watch.note("write")


def _stack(span: BlockSpan, values: npt.NDArray[np.floating], ahead: int, names: Sequence[str]) -> pa.RecordBatch:
    """Rows by ticker and session."""
    tickers, sessions = np.arange(span.left, span.right) + ahead, np.arange(span.start, span.end)
    places = [np.repeat(tickers, len(sessions)), np.tile(sessions, len(tickers))]
    columns = [*(place.astype(np.int32) for place in places), *(one.T.ravel() for one in values)]
    return pa.record_batch([pa.array(one) for one in columns], names=names)


if __name__ == "__main__":
    main()
