"""Finds series that are no daily bars, or whose columns are exchanged: what no single row shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars, PriceFiles
from pipeline.market.currencies import EXCHANGES

SUFFIXES = {
    "DE": "XETR",
    "F": "XFRA",
    "L": "XLON",
    "PA": "XPAR",
    "AS": "XAMS",
    "MI": "XMIL",
    "MC": "XMAD",
    "BR": "XBRU",
    "LS": "XLIS",
    "VI": "XWBO",
    "SW": "XSWX",
    "T": "XTKS",
    "HK": "XHKG",
    "AX": "XASX",
    "NS": "XNSE",
    "BO": "XBOM",
    "TO": "XTSE",
    "ST": "XSTO",
    "CO": "XCSE",
    "HE": "XHEL",
    "OL": "XOSL",
    "KS": "XKRX",
    "TW": "XTAI",
    "SA": "BVMF",
    "SS": "XSHG",
    "SI": "XSES",
    "NZ": "XNZE",
    "JO": "XJSE",
    "MX": "XMEX",
    "WA": "XWAR",
    "IS": "XIST",
}
"""What Yahoo writes behind a ticker -> the exchange that it means."""
APART = 4
"""Days between bars, on average, that daily ones never are."""
SPARSE = 10
"""Bars from which the distance between them tells something."""
TELLING = 60
"""Bars from which the order of columns shows."""
SINGLE = 2e-7
"""Relative; what single precision leaves of a price."""
WIDEST = 2.0
"""High over low that no security has on most of its days."""
_LONGER = {"ticker": pl.String, "bars": pl.UInt32, "weekly": pl.Float64, "monthly": pl.Float64}
SURE = 5
"""Standard deviations of chance beyond which columns are taken to be exchanged."""


@dataclass(frozen=True)
class SeriesShape:
    """What the series of a block's tickers look like."""

    longer: pl.DataFrame
    """ticker, bars, and the shares of them that are weekly and monthly, of tickers whose bars lie far apart."""
    several: tuple[tuple[str, str, int] | None, int, int]
    """Ticker, day and number of the first of the days with several bars; how many such bars there are, and bars."""
    exchanged: pl.DataFrame
    """ticker, right (the share of bars that speak against it) and count, where open and close look exchanged."""
    wide: pl.DataFrame
    """ticker and range, the median of high over low, where it is beyond belief."""
    quoted: tuple[int, int, int, int]
    """Closes, those with no more decimals than exchanges quote, and both of the tickers' newest bars."""


def look_at_series(bars: Bars) -> SeriesShape:
    """Return what the series of a block look like; every ticker in it is there whole."""
    numbers = [bars.numbers[name] for name in ("open", "high", "low", "close")]
    rows = pl.DataFrame([bars.symbol.alias("ticker"), bars.day.alias("day"), *numbers]).drop_nulls(["ticker", "day"])
    rows = _put_in_order(rows)
    return SeriesShape(
        longer=_find_longer(rows),
        several=_find_several(rows, bars),
        exchanged=_find_exchanged(rows),
        wide=_find_wide(rows),
        quoted=_count_quoted(rows),
    )


def _put_in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows by ticker and day, with the number of their series; looking costs little, sorting much."""
    same = pl.col("ticker") == pl.col("ticker").shift(1)
    rising = rows.select(((pl.col("day") >= pl.col("day").shift(1)) | ~same).all()).item()
    runs = rows["ticker"].rle().struct.field("value")
    ordered = rows if rising and runs.n_unique() == len(runs) else rows.sort("ticker", "day", maintain_order=True)
    return ordered.with_columns(pl.col("ticker").rle_id().alias("series").set_sorted())


def find_longer_bars(shapes: Sequence[SeriesShape]) -> tuple[str, str, int] | None:
    """Return the first ticker whose bars are weekly or monthly, which of the two, and how many bars it has."""
    gaps = pl.concat([shape.longer for shape in shapes]).sort("ticker")
    for kind in ("weekly", "monthly"):
        found = gaps.filter(pl.col(kind) >= 0.9)
        if not found.is_empty():
            return found["ticker"][0], kind, found["bars"][0]
    return None


def find_shorter_bars(shapes: Sequence[SeriesShape]) -> tuple[str, str, int, float] | None:
    """Return ticker and day of the first of many days with several bars, how many, and the share of such bars.

    Equal rows are one bar: a file that is there twice does no harm.
    """
    first = next((shape.several[0] for shape in shapes if shape.several[0] is not None), None)
    if first is None:
        return None
    return *first, sum(shape.several[1] for shape in shapes) / sum(shape.several[2] for shape in shapes)


def find_exchanged_columns(shapes: Sequence[SeriesShape]) -> tuple[str, float, int, int] | None:
    """Return the first ticker whose open and close look exchanged: the share of its bars that speak against it, how
    many it has, and how many such tickers there are.

    An open is nearer to the close before it than a close is to the open before it: between the latter lie two days of
    trading, between the former one night. What lies as near the one way as the other says nothing.
    """
    shares = pl.concat([shape.exchanged for shape in shapes]).sort("ticker")
    return (*shares.select("ticker", "right", "count").row(0), shares.height) if not shares.is_empty() else None


def find_wide_ranges(shapes: Sequence[SeriesShape]) -> tuple[str, float] | None:
    """Return the first ticker whose high is beyond belief, and the median of high over low: it is no price at all."""
    ranges = pl.concat([shape.wide for shape in shapes])
    return ranges.select("ticker", "range").row(0) if not ranges.is_empty() else None


def find_adjusted_closes(shapes: Sequence[SeriesShape]) -> float:
    """Return the share of closes with more decimals than exchanges quote, where the newest have not; else 0.

    So look prices that a vendor adjusted for what came after them: the newest bars alone are as they were traded.
    """
    rows, quoted, newest, newest_quoted = (sum(shape.quoted[n] for shape in shapes) for n in range(4))
    if rows < TELLING or not newest:
        return 0.0
    share = (rows - quoted) / rows
    return share if share > 0.5 and newest_quoted / newest > 0.9 else 0.0


def _find_longer(rows: pl.DataFrame) -> pl.DataFrame:
    span = (pl.col("day").last() - pl.col("day").first()).dt.total_days()
    days = rows.filter(~_follows("day"))
    wide = days.group_by("series").agg(apart=span / (pl.len() - 1)).filter(pl.col("apart") >= APART)
    if wide.is_empty():
        return pl.DataFrame(schema=_LONGER)
    return (
        days.join(wide, on="series", how="semi", maintain_order="left")
        .with_columns(gap=pl.col("day").diff().over("series").dt.total_days())
        .drop_nulls("gap")
        .group_by("ticker", maintain_order=True)
        .agg(
            bars=pl.len() + 1,
            weekly=pl.col("gap").is_between(5, 9).mean(),
            monthly=pl.col("gap").is_between(26, 34).mean(),
        )
        .filter(pl.col("bars") >= SPARSE)
    )


def _follows(*equal: str) -> pl.Expr:
    """Whether a row follows one of its series that has the same values."""
    return pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in ("series", *equal)).fill_null(False)


def _find_several(rows: pl.DataFrame, bars: Bars) -> tuple[tuple[str, str, int] | None, int, int]:
    if not rows.select(_follows("day").any()).item():
        return None, 0, rows.height
    values = [bars.lines[bars.fields[name]].alias(name) for name in ("open", "high", "low", "close", "volume")]
    rows = pl.DataFrame([bars.symbol.alias("ticker"), bars.day.alias("day"), *values]).drop_nulls(["ticker", "day"])
    counts = rows.unique(maintain_order=True).group_by("ticker", "day", maintain_order=True).len()
    several = counts.filter(pl.col("len") > 1)
    first = several.row(0) if not several.is_empty() else None
    whole = int(counts["len"].sum())
    return (str(first[0]), str(first[1]), int(first[2])) if first else None, int(several["len"].sum()), whole


def _find_exchanged(rows: pl.DataFrame) -> pl.DataFrame:
    opened, closed = pl.col("open").log(), pl.col("close").log()
    before = pl.when(_follows()).then(pl.struct(opened="opened", closed="closed").shift(1))
    night = (pl.col("opened") - before.struct.field("closed")).abs()
    other = (pl.col("closed") - before.struct.field("opened")).abs()
    return (
        rows.select("ticker", "series", "open", "close")
        .filter((pl.col("open") > 0) & (pl.col("close") > 0))
        .select("ticker", "series", opened=opened, closed=closed)
        .select("ticker", "series", night=night, other=other)
        .filter((pl.col("night") - pl.col("other")).abs() > 1e-12)
        .group_by("series", maintain_order=True)
        .agg(pl.col("ticker").first(), count=pl.len(), right=(pl.col("night") < pl.col("other")).mean())
        .filter((pl.col("count") >= TELLING) & (pl.col("right") < 0.5 - SURE * 0.5 / pl.col("count").sqrt()))
        .select("ticker", "count", "right")
    )


def _find_wide(rows: pl.DataFrame) -> pl.DataFrame:
    return (
        rows.filter((pl.col("low") > 0) & pl.col("high").is_finite())
        .group_by("series", maintain_order=True)
        .agg(pl.col("ticker").first(), count=pl.len(), range=(pl.col("high") / pl.col("low")).median())
        .filter((pl.col("count") >= SPARSE) & (pl.col("range") > WIDEST))
        .select("ticker", "count", "range")
    )


def _count_quoted(rows: pl.DataFrame) -> tuple[int, int, int, int]:
    close = pl.col("close")
    quoted = ((close - close.round(4)).abs() <= close * SINGLE).alias("quoted")
    seen = rows.lazy().drop_nulls("close").select("series", "day", quoted)
    days = seen.group_by("series").agg(pl.col("day").last())
    newest = seen.join(days, on=["series", "day"], how="semi").select(pl.len(), pl.col("quoted").sum())
    counts = [*pl.collect_all([seen.select(pl.len(), pl.col("quoted").sum()), newest])]
    (all_rows, all_quoted), (newest_rows, newest_quoted) = (count.row(0) for count in counts)
    return all_rows, all_quoted or 0, newest_rows, newest_quoted or 0


def find_foreign_tickers(files: PriceFiles, exchange: str, listed: frozenset[str]) -> tuple[str, str, int] | None:
    """Return the first ticker whose ending names another exchange, that exchange, and how many there are.

    An ending of one letter is a class of shares unless most tickers have it.

    Args:
        files: the files.
        exchange: of the lake.
        listed: tickers whose exchange a file of listings states.
    """
    tickers = files.tickers["ticker"].drop_nulls().sort()
    own = tickers.filter(~tickers.is_in(list(listed)))
    endings = own.str.extract(r"\.([A-Z]{1,2})$")
    named = endings.replace_strict(SUFFIXES, default=None, return_dtype=pl.String)
    frame = pl.DataFrame({"ticker": own, "ending": endings, "named": named}).drop_nulls()
    frame = frame.filter((pl.col("named") != exchange) & pl.col("named").is_in(list(EXCHANGES)))
    short = pl.col("ending").str.len_chars() == 1
    frame = frame.filter(~short | (short.sum() * 2 > max(len(own), 1)))
    # Two exchanges of one country and currency keep the same days: a German name is at home in Frankfurt and on Xetra.
    alike = (
        {"XFRA", "XETR"}
        if exchange in ("XFRA", "XETR")
        else {"XNSE", "XBOM"}
        if exchange in ("XNSE", "XBOM")
        else set()
    )
    frame = frame.filter(~pl.col("named").is_in(list(alike)))
    return (frame["ticker"][0], frame["named"][0], frame.height) if not frame.is_empty() else None
