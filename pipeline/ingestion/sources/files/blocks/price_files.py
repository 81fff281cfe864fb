"""Looks through files with equal columns once, and cuts them into blocks that hold all bars of their tickers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import polars as pl

from pipeline.ingestion.actions.actions_in_price_files import tell_actions
from pipeline.ingestion.actions.unadjusted_closes import tell_from_unadjusted
from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.ingestion.sources.files.blocks.rows import FILE, NUMBERS, RowReader
from pipeline.ingestion.sources.files.blocks.spool import Place, Spool
from pipeline.ingestion.sources.files.blocks.survey import survey_rows
from pipeline.ingestion.sources.files.columns import TOLD_ACTIONS, recognise
from pipeline.ingestion.sources.files.dates import is_iso, no_dates, refuse_two_forms
from pipeline.ingestion.sources.files.distinct_cells import DistinctCells
from pipeline.ingestion.sources.files.layouts.number_forms import read_numbers
from pipeline.ingestion.sources.files.layouts.price_file import DAY, LINE

BLOCK = 250_000
"""Bars in memory at a time; a ticker that has more is a block by itself."""
BATCH = "\0batch"
Portion = tuple[int, Place]
"""The number of a file, and where some of its rows lie."""


def read_price_files(reader: RowReader, spool: Spool) -> PriceFiles:
    """Return what the reader's files hold.

    Raises:
        SourceError: if none of their days can be read, or day and month cannot be told apart.
    """
    whole = _look_through(reader, spool)
    moved = not is_iso(whole.days["written"]) or reader.params.dates != "right"
    reader = replace(reader, adds_day=moved, adds_numbers=frozenset(whole.respelt))
    blocks = _tell(_Blocks(reader, spool, _arrange(reader, spool, whole)))
    head, group = blocks.head, reader.group
    return PriceFiles(
        files=whole.files,
        columns=tuple(head.lines.columns),
        fields=head.fields,
        tickers=whole.tickers,
        days=whole.days,
        read_blocks=blocks.read,
        layout=group.members[0].layout,
        day_form=group.day_form,
        written={name: column for name, column in group.fields.items() if head.fields[name] != column},
        told=blocks.reader.told,
        told_by=tuple(blocks.reader.told_by.values()),
    )


def _tell(blocks: _Blocks) -> _Blocks:
    """The blocks with the actions that their columns tell, of daily bars that do not say when each was seen."""
    head, reader = blocks.head, blocks.reader
    found = recognise(head.lines.columns, TOLD_ACTIONS, {}, required=(), file="", strict=False)
    if "adj_close" in head.fields:
        found["adjusted"] = head.fields["adj_close"]
    if not found or not reader.daily or "available_at" in head.fields:
        return blocks
    telling = replace(reader, told_by=found)
    if "unadjusted" in found:
        told = tell_from_unadjusted(telling.tell(bars) for bars in blocks.read())
        if told is not None:
            return replace(blocks, reader=replace(telling, told=told))
        found.pop("unadjusted")
        telling = replace(reader, told_by=found)
    told = tell_actions(telling.tell(bars) for bars in blocks.read())
    return replace(blocks, reader=replace(telling, told=told))


@dataclass
class _Whole:
    """What was seen of all rows."""

    files: Sequence[str]
    batches: list[_Batch] = field(default_factory=list)
    """Portions that fit into a block together."""
    counted: list[pl.DataFrame] = field(default_factory=list)
    """The days of each batch."""
    respelt: set[str] = field(default_factory=set)
    """Fields with numbers that are not written plainly."""

    @cached_property
    def tickers(self) -> pl.DataFrame:
        """The tickers of all batches, as `PriceFiles` has them."""
        found = pl.concat(batch.tickers for batch in self.batches).group_by("ticker", maintain_order=True)
        summed = found.agg(pl.col("rows").sum(), pl.col("first").min(), pl.col("last").max(), pl.col("file").first())
        return summed.with_columns(file=pl.Series(self.files)[summed["file"]])

    @cached_property
    def days(self) -> pl.DataFrame:
        """The days of all batches, as `PriceFiles` has them."""
        found = pl.concat(self.counted).group_by("written", "benchmark", maintain_order=True)
        return found.agg(pl.col("day").first(), pl.col("rows").sum())


def _look_through(reader: RowReader, spool: Spool) -> _Whole:
    """Put together what was seen of the portions; what was not, or depends on all of them, is looked at now."""
    group = reader.group
    whole = _Whole([member.file for member in group.members])
    where = _where(whole.files, reader.clock)
    held: list[Portion] = []
    height = 0
    for number, place, rows, seen in group.portions:
        known = seen is not None and seen.day_form == group.day_form and not group.mark
        if held and (known or height + rows > BLOCK):
            _look_at(whole, reader, spool, held, where)
            held, height = [], 0
        if known and seen is not None:
            tickers = seen.tickers.with_columns(file=pl.lit(number, pl.UInt32))
            whole.batches.append(_Batch([(number, place)], tickers, seen.place))
            whole.counted.append(seen.days)
        else:
            held.append((number, place))
            height += rows
    if held:
        _look_at(whole, reader, spool, held, where)
    if whole.days["day"].is_null().all():
        raise no_dates(whole.days["written"], int(whole.days["rows"].sum()), reader.params.date_format, where)
    return whole


def _look_at(whole: _Whole, reader: RowReader, spool: Spool, batch: list[Portion], where: str) -> None:
    """Take in what a batch holds."""
    rows = reader.stack([(number, spool.get(place)) for number, place in batch])
    form = reader.group.day_form
    if not reader.params.date_format:
        refuse_two_forms(form, rows[reader.clock], where)
    cells = DistinctCells.of(rows[reader.clock])
    days = reader.read_days(cells)
    day = cells.spread(days).alias(DAY)
    lines, fields, _ = reader.date(rows.with_columns(day))
    seen = lines.select(day.alias("day"), ticker=fields["ticker"], file=FILE)
    survey = survey_rows(seen, cells, days, form=form, benchmark=reader.params.benchmark_ticker)
    whole.batches.append(_Batch(batch, survey.tickers, spool.put(day.to_frame())))
    whole.counted.append(survey.days)
    whole.respelt |= _find_respelt(reader, rows)


def _find_respelt(reader: RowReader, rows: pl.DataFrame) -> set[str]:
    """The fields with numbers that are not written plainly; a typed file has some as text and others as numbers."""
    mark, fields = reader.group.mark, reader.group.fields
    texts = {name: rows[fields[name]] for name in NUMBERS if mark and name in fields}
    return {
        name
        for name, text in texts.items()
        if text.dtype == pl.String and not read_numbers(text, mark).equals(text, null_equal=True)
    }


def _arrange(reader: RowReader, spool: Spool, whole: _Whole) -> list[_Batch]:
    """The batches in which the rows are read, so that those of tickers which go on in a later one are few."""
    batches = whole.batches
    seen = pl.concat(
        batch.tickers.select("ticker", "rows", batch=pl.lit(number)) for number, batch in enumerate(batches)
    ).with_columns(last=pl.col("batch").max().over("ticker"))
    waiting = seen.filter(pl.col("batch") < pl.col("last"))
    if waiting.is_empty():
        return batches
    steps = pl.concat(
        [waiting.select("batch", "rows"), waiting.select(batch="last", rows=-pl.col("rows").cast(pl.Int64))],
        how="vertical_relaxed",
    )
    held = steps.group_by("batch").agg(pl.col("rows").sum()).sort("batch")["rows"].cum_sum()
    if int(held.max() or 0) > BLOCK:  # type: ignore[arg-type]
        return _sort_by_ticker(reader, spool, whole)
    goes_on = [
        waiting.filter((pl.col("batch") <= number) & (pl.col("last") > number))["ticker"].unique()
        for number in range(len(batches))
    ]
    return [replace(batch, goes_on=later) for batch, later in zip(batches, goes_on, strict=True)]


@dataclass(frozen=True)
class _Batch:
    portions: Sequence[Portion]
    tickers: pl.DataFrame = field(default_factory=pl.DataFrame)
    """Those of its rows, as `Survey` has them."""
    days: Place | None = None
    """Where the trading day of each row lies; None where the rows have it, or it is read of them."""
    goes_on: pl.Series = field(default_factory=lambda: pl.Series(dtype=pl.String))
    """Tickers so far whose further rows come in later batches."""


def _sort_by_ticker(reader: RowReader, spool: Spool, whole: _Whole) -> list[_Batch]:
    """Lay the rows down again, those of some tickers together."""
    before = pl.col("rows").cum_sum().shift(1, fill_value=0)
    batch_of = whole.tickers.select("ticker", batch=before // BLOCK)
    batches: dict[int, list[Portion]] = {batch: [] for batch in batch_of["batch"].unique(maintain_order=True)}
    for one in whole.batches:
        rows = _read_rows(reader, spool, one)
        named = pl.DataFrame([reader.symbols(rows).alias("ticker")]).join(
            batch_of, on="ticker", how="left", nulls_equal=True, maintain_order="left"
        )
        numbered = rows.with_columns(named["batch"].alias(BATCH))
        parts = numbered.partition_by(BATCH, include_key=False, maintain_order=True, as_dict=True)
        for (batch,), part in parts.items():
            batches[batch].append((0, spool.put(part)))
    return [_Batch(portions) for portions in batches.values()]


@dataclass(frozen=True)
class _Blocks:
    reader: RowReader
    spool: Spool
    batches: Sequence[_Batch]

    @cached_property
    def head(self) -> Bars:
        """No bars, with the columns and fields that all have."""
        texts = dict.fromkeys(self.reader.group.columns, pl.String)
        return self.reader.read(pl.DataFrame(schema={**texts, LINE: pl.UInt32, FILE: pl.UInt32}))

    @cached_property
    def _only(self) -> Bars:
        return self.reader.read(self._rows(self.batches[0], None))

    def read(self) -> Iterator[Bars]:
        """The bars of each block; a single one is read once."""
        if len(self.batches) == 1:
            yield self._only
            return
        waiting: pl.DataFrame | None = None
        for batch in self.batches:
            rows, waiting = self._rows(batch, waiting), None
            if len(batch.goes_on):
                waits = self.reader.symbols(rows).is_in(batch.goes_on.implode(), nulls_equal=True)
                rows, waiting = rows.filter(~waits), rows.filter(waits)
            if not rows.is_empty():
                yield self.reader.read(rows)

    def _rows(self, batch: _Batch, waiting: pl.DataFrame | None) -> pl.DataFrame:
        """The rows of a batch, behind those that waited for it."""
        rows = _read_rows(self.reader, self.spool, batch)
        return rows if waiting is None else self.reader.stack([(0, waiting), (0, rows)])


def _read_rows(reader: RowReader, spool: Spool, batch: _Batch) -> pl.DataFrame:
    """The rows of a batch, with DAY where it is known."""
    rows = reader.stack([(number, spool.get(place)) for number, place in batch.portions])
    return rows if batch.days is None else rows.with_columns(spool.get(batch.days).to_series())


def _where(files: Sequence[str], clock: str) -> str:
    more = "" if len(files) == 1 else f" and {len(files) - 1} more files"
    return f"column {clock!r} of {files[0]}{more}"
