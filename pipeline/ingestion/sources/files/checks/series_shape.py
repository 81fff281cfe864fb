"""Finds series that are no daily bars, or whose columns are exchanged: what no single row shows."""

from __future__ import annotations

import polars as pl

from pipeline.ingestion.sources.files.bars import Bars
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
SURE = 5
"""Standard deviations of chance beyond which columns are taken to be exchanged."""


def find_longer_bars(bars: Bars) -> tuple[str, str, int] | None:
    """Return the first ticker whose bars are weekly or monthly, which of the two, and how many bars it has."""
    rows = pl.DataFrame({"ticker": bars.symbol, "day": bars.day}).drop_nulls()
    span = (pl.col("day").max() - pl.col("day").min()).dt.total_days()
    wide = rows.group_by("ticker").agg(apart=span / (pl.col("day").n_unique() - 1)).filter(pl.col("apart") >= APART)
    if wide.is_empty():
        return None
    gaps = (
        rows.join(wide, on="ticker", how="semi", maintain_order="left")
        .unique(maintain_order=True)
        .sort("ticker", "day")
        .with_columns(gap=pl.col("day").diff().over("ticker").dt.total_days())
        .drop_nulls()
        .group_by("ticker", maintain_order=True)
        .agg(
            bars=pl.len() + 1,
            weekly=pl.col("gap").is_between(5, 9).mean(),
            monthly=pl.col("gap").is_between(26, 34).mean(),
        )
        .filter(pl.col("bars") >= SPARSE)
    )
    for kind in ("weekly", "monthly"):
        found = gaps.filter(pl.col(kind) >= 0.9)
        if not found.is_empty():
            return found["ticker"][0], kind, found["bars"][0]
    return None


def find_shorter_bars(bars: Bars) -> tuple[str, str, int, float] | None:
    """Return ticker and day of the first of many days with several bars, how many, and the share of such bars.

    Equal rows are one bar: a file that is there twice does no harm.
    """
    keys = pl.DataFrame({"ticker": bars.symbol.cast(pl.Categorical), "day": bars.day}).drop_nulls()
    if keys.n_unique() == keys.height:
        return None
    values = [bars.lines[bars.fields[name]].alias(name) for name in ("open", "high", "low", "close", "volume")]
    rows = pl.DataFrame([bars.symbol.alias("ticker"), bars.day.alias("day"), *values]).drop_nulls(["ticker", "day"])
    counts = rows.unique(maintain_order=True).group_by("ticker", "day", maintain_order=True).len()
    several = counts.filter(pl.col("len") > 1)
    if several.is_empty():
        return None
    ticker, day, count = several.row(0)
    return ticker, str(day), count, float(int(several["len"].sum()) / int(counts["len"].sum()))


def find_exchanged_columns(bars: Bars) -> tuple[str, float, int, int] | None:
    """Return the first ticker whose open and close look exchanged: the share of its bars that speak against it, how
    many it has, and how many such tickers there are.

    An open is nearer to the close before it than a close is to the open before it: between the latter lie two days of
    trading, between the former one night. What lies as near the one way as the other says nothing.
    """
    numbers = {name: bars.lines[bars.fields[name]].cast(pl.Float64, strict=False) for name in ("open", "close")}
    opened, closed = pl.col("open").log(), pl.col("close").log()
    night = (opened - closed.shift(1).over("ticker")).abs()
    other = (closed - opened.shift(1).over("ticker")).abs()
    shares = (
        pl.DataFrame({"ticker": bars.symbol, "day": bars.day, **numbers})
        .drop_nulls()
        .filter((pl.col("open") > 0) & (pl.col("close") > 0))
        .sort("ticker", "day")
        .select("ticker", night=night, other=other)
        .drop_nulls()
        .filter((pl.col("night") - pl.col("other")).abs() > 1e-12)
        .group_by("ticker", maintain_order=True)
        .agg(count=pl.len(), right=(pl.col("night") < pl.col("other")).mean())
        .filter((pl.col("count") >= TELLING) & (pl.col("right") < 0.5 - SURE * 0.5 / pl.col("count").sqrt()))
    )
    return (*shares.select("ticker", "right", "count").row(0), shares.height) if not shares.is_empty() else None


def find_wide_ranges(bars: Bars) -> tuple[str, float] | None:
    """Return the first ticker whose high is beyond belief, and the median of high over low: it is no price at all."""
    numbers = {name: bars.lines[bars.fields[name]].cast(pl.Float64, strict=False) for name in ("high", "low")}
    ranges = (
        pl.DataFrame({"ticker": bars.symbol, **numbers})
        .filter((pl.col("low") > 0) & pl.col("high").is_finite())
        .group_by("ticker", maintain_order=True)
        .agg(count=pl.len(), range=(pl.col("high") / pl.col("low")).median())
        .filter((pl.col("count") >= SPARSE) & (pl.col("range") > WIDEST))
    )
    return ranges.select("ticker", "range").row(0) if not ranges.is_empty() else None


def find_adjusted_closes(bars: Bars) -> float:
    """Return the share of closes with more decimals than exchanges quote, where the newest have not; else 0.

    So look prices that a vendor adjusted for what came after them: the newest bars alone are as they were traded.
    """
    close = bars.lines[bars.fields["close"]].cast(pl.Float64, strict=False)
    rows = pl.DataFrame({"ticker": bars.symbol, "day": bars.day, "close": close}).drop_nulls()
    quoted = ((pl.col("close") - pl.col("close").round(4)).abs() <= pl.col("close") * SINGLE).alias("quoted")
    newest = rows.select("ticker", "day", quoted).filter(pl.col("day") == pl.col("day").max().over("ticker"))
    share = float(rows.select(~quoted).to_series().mean() or 0.0)  # type: ignore[arg-type]
    last = float(newest["quoted"].mean() or 0.0)  # type: ignore[arg-type]
    return share if rows.height >= TELLING and share > 0.5 and last > 0.9 else 0.0


def find_foreign_tickers(bars: Bars, exchange: str, listed: frozenset[str]) -> tuple[str, str, int] | None:
    """Return the first ticker whose ending names another exchange, that exchange, and how many there are.

    An ending of one letter is a class of shares unless most tickers have it.

    Args:
        bars: the files' bars.
        exchange: of the lake.
        listed: tickers whose exchange a file of listings states.
    """
    tickers = bars.symbol.drop_nulls().unique().sort()
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
