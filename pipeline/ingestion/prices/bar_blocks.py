"""Reads landed bars a block of payloads at a time, and keeps the text of those lines only that are told about."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import polars as pl

from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.parse_values import normalize_ticker

MAX_BYTES = 2**23
"""Of a block's payloads, the last ticker's aside: some 75,000 daily bars."""
LINE = ("payload_id", "line")
"""What names a delivered line."""


class BarBlock(NamedTuple):
    """The bars of a block of payloads."""

    sound: pl.DataFrame
    """Those that break no rule by themselves; their `text` is null."""
    broken: pl.DataFrame
    """The columns of SET_ASIDE of the others."""


@dataclass(frozen=True)
class TickerRows:
    """A frame in the order of its tickers, and where each ticker's rows are: none is copied before it is asked for."""

    rows: pl.DataFrame
    places: Mapping[str, tuple[int, int]]
    """Ticker -> its first row, and how many there are."""

    @classmethod
    def find(cls, frame: pl.DataFrame) -> TickerRows:
        """Look where each ticker's rows are."""
        rows = frame if frame["ticker"].is_sorted() else frame.sort("ticker", maintain_order=True)
        runs = rows["ticker"].rle().struct.unnest()
        first = runs["len"].cum_sum() - runs["len"]
        return cls(rows, {name: (at, length) for at, length, name in zip(first, *runs, strict=True)})

    def select(self, tickers: Collection[str]) -> pl.DataFrame:
        """The rows of some tickers, those of each in the order they came."""
        found = [self.rows.slice(*self.places[ticker]) for ticker in sorted(tickers) if ticker in self.places]
        return pl.concat([self.rows.clear(), *found], rechunk=True)


def read_blocks(raw_prices: pl.DataFrame, read: Callable[[pl.DataFrame], pl.DataFrame]) -> Iterator[BarBlock]:
    """Yield the bars of landed payloads, all payloads of a ticker in one block.

    Args:
        raw_prices: landed rows.
        read: gives the bars of some of them: their `text`, and the `rule` that each breaks.
    """
    for block in _cut(raw_prices):
        bars = read(block)
        sound = bars.filter(pl.col("rule").is_null()).with_columns(text=pl.lit(None, pl.String))
        yield BarBlock(sound, bars.filter(pl.col("rule").is_not_null()).select(*SET_ASIDE))


def _cut(raw_prices: pl.DataFrame) -> Iterator[pl.DataFrame]:
    """Blocks of payloads in the order of their tickers; where one is enough, the rows as they are."""
    size = pl.col("payload").str.len_bytes().cast(pl.Int64)
    if int(raw_prices.select(size.sum()).item()) <= MAX_BYTES:
        yield raw_prices
        return
    ordered = raw_prices.with_columns(of=normalize_ticker("ticker")).sort("of", "payload_id")
    begun = ordered.select("of", block=(size.cum_sum() - size) // MAX_BYTES)
    blocks = begun.select(pl.col("block").first().over("of")).to_series().rle().struct.field("len")
    start = 0
    for rows in blocks:  # slices: no block's texts are copied
        yield ordered.slice(start, rows).drop("of")
        start += rows


def join_blocks(blocks: Sequence[Collection[str]], linked: Collection[str]) -> list[list[int]]:
    """Return the numbers of the blocks that share a ticker, or have tickers that are linked, group by group.

    Args:
        blocks: the tickers of each.
        linked: tickers that have to be looked at together.
    """
    joined: list[tuple[set[str], list[int]]] = []
    for number, block in enumerate(blocks):
        tickers, numbers = set(block), [number]
        if not tickers.isdisjoint(linked):
            tickers.update(linked)
        apart = []
        for group in joined:
            if group[0].isdisjoint(tickers):
                apart.append(group)
            else:
                tickers, numbers = tickers | group[0], group[1] + numbers
        joined = [*apart, (tickers, numbers)]
    return [numbers for _, numbers in joined]


def recall_text(bars: pl.DataFrame, raw_prices: pl.DataFrame) -> pl.DataFrame:
    """Return the bars with the text of each line, read once more from the payloads they are of."""
    if bars.is_empty():
        return bars
    wanted = bars.select(*LINE)
    landed = raw_prices.join(wanted, on="payload_id", how="semi")
    texts = [
        decode(block, ("ticker",)).select(*LINE, "text").join(wanted, on=LINE, how="semi") for block in _cut(landed)
    ]
    told = bars.drop("text").join(pl.concat(texts), on=LINE, how="left", maintain_order="left")
    return told.select(bars.columns)
