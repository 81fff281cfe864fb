"""Tells splits and dividends from the columns of a price file: stated ones, else the steps of its adjusted closes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from fractions import Fraction
from math import ceil, log

import polars as pl

from pipeline.ingestion.actions.split_ratios import everyday_ratio, rare_ratio
from pipeline.text_format import percent

ACTION = {
    **dict.fromkeys(("ticker", "ex_date", "kind", "numerator", "denominator", "amount"), pl.String),
    "confidence": pl.String,
}
MOST_DECIMALS = 6
"""Vendors work their adjusted closes out to six decimals, however many a file writes."""
ARITHMETIC = 3e-7
"""Relative; what is left of single precision in an adjusted close, whatever decimals are written."""
SINGLE = 2e-7
"""Relative; what single precision leaves of a price."""
LEAST_QUOTES = 20
"""Closes before a dividend from which their decimals say anything."""
WELL_BEYOND = 1.5
"""Times the rounding of two neighbours: a step of the adjusted close below it may be nothing."""
STATED, DERIVED = 1.0, 0.99
"""Confidence in what a column states and the price confirms, and in a split told by adjusted closes."""
UNCONFIRMED = 0.5
"""Confidence in a stated split that the file's first bar leaves without a price before it."""


@dataclass(frozen=True)
class ToldActions:
    """What price files say of actions."""

    lines: pl.DataFrame
    """ticker, ex_date, kind, numerator, denominator, amount and confidence (a fraction), all String."""
    later_splits: pl.DataFrame | None
    """ticker, ex (Date) and later (Float64): the shares that one of before `ex` became by this and all later splits,
    where the files' prices are adjusted for them. None where prices are as traded."""
    doubts: tuple[str, ...]
    """What was said and is not believed, in words."""
    twice: str = ""
    """Why the dividends would count twice, where the prices look adjusted for them already; empty otherwise."""
    to_come: Mapping[str, float] | None = None
    """Ticker -> what a share of its last row has become since, by splits of which the files have no row any more; known
    only where the files state closes as they were traded beside adjusted ones."""
    decimals: int = 0
    """Most decimals of the closes as they were traded, where the files state them."""

    def later_ratio(self, rows: pl.DataFrame) -> pl.Series:
        """Return the shares that one of each row's became by all later splits (Float64); null without any.

        Args:
            rows: ticker and day, of files whose prices are adjusted.
        """
        assert self.later_splits is not None
        found = later_ratios(rows, self.later_splits)
        if self.to_come is None:
            return found
        since = rows["ticker"].replace_strict(dict(self.to_come), default=1.0, return_dtype=pl.Float64)
        return found.fill_null(1.0) * since


def tell_actions(portions: Iterable[pl.DataFrame]) -> ToldActions | None:
    """Return the actions that rows of prices tell, known at their ex-dates; None where they tell nothing.

    Stated splits show whether the prices are as traded or adjusted for them: then the close goes on over the ex-date as
    if nothing had been. Adjusted closes are read only where neither splits nor dividends are stated. A step of
    adjusted close over close is the action that went ex with the later bar: a ratio of shares if one explains it and
    the price moved with it, else cash, worth the last close x (1 - step), in the fewest decimals that the rounding of
    the file's numbers allows.

    Args:
        portions: each with all rows of some tickers: ticker, day (Date), close (Float64), and split, dividend and
            adjusted (String, null where the file has no such column).
    """
    parts = [_read_series(rows) for rows in portions]
    if any(part.states for part in parts):
        return _join_stated(parts)
    steps = [part.steps for part in parts if part.steps is not None]
    return explain_steps(pl.concat(steps).sort("ticker", "day")) if steps else None


def later_ratios(rows: pl.DataFrame, later_splits: pl.DataFrame) -> pl.Series:
    """Return the product of the splits of each row's ticker after its day (Float64); null without any.

    Args:
        rows: ticker and day.
        later_splits: as `ToldActions` has them.
    """
    numbered = rows.select("ticker", "day").with_row_index("row").sort("day", nulls_last=True)
    placed = numbered.filter(pl.col("day").is_not_null()).join_asof(
        later_splits.sort("ex"),
        left_on="day",
        right_on="ex",
        by="ticker",
        strategy="forward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    return numbered.select("row").join(placed.select("row", "later"), on="row", how="left").sort("row")["later"]


@dataclass(frozen=True)
class _Series:
    """What the rows of some tickers show."""

    states: bool
    """Whether splits or dividends are stated."""
    splits: tuple[ToldSplit, ...]
    unread: tuple[tuple[str, date, str], ...]
    """ticker, day and text of what is no ratio."""
    cash: pl.DataFrame
    """ticker, day, dividend (as stated) and paid."""
    quotes: dict[bool, pl.DataFrame]
    """Whether prices are as traded -> before (whether before the last dividend), rows and quoted: how many of the
    closes have no more decimals than exchanges quote."""
    steps: pl.DataFrame | None
    """Of adjusted closes, where nothing is stated; None where there are none."""


def order_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with a ticker, a day and a close, in their order; with before, the last close."""
    return (
        rows.filter(pl.col("ticker").is_not_null() & pl.col("day").is_not_null() & (pl.col("close") > 0))
        .unique(["ticker", "day"], keep="first", maintain_order=True)
        .sort("ticker", "day")
        .with_columns(before=pl.col("close").shift(1).over("ticker"))
    )


def _read_series(rows: pl.DataFrame) -> _Series:
    ordered = order_rows(rows)
    states = bool(ordered["split"].count() or ordered["dividend"].count())
    splits, unread = _stated_splits(ordered)
    cash = ordered.with_columns(paid=pl.col("dividend").cast(pl.Float64, strict=False)).filter(pl.col("paid") > 0)
    adjusted = [split for split in splits if _agrees(split, traded=False)]
    quotes = {True: _count_quotes(ordered, cash, None)}
    quotes[False] = _count_quotes(ordered, cash, join_splits(adjusted)) if adjusted else quotes[True]
    steps = find_steps(ordered) if not states and ordered["adjusted"].count() else None
    return _Series(
        states, tuple(splits), tuple(unread), cash.select("ticker", "day", "dividend", "paid"), quotes, steps
    )


def _join_stated(parts: Sequence[_Series]) -> ToldActions:
    splits = sorted((split for part in parts for split in part.splits), key=lambda split: (split.ticker, split.day))
    unread = sorted(case for part in parts for case in part.unread)
    traded = _is_as_traded(splits)
    followed = [split for split in splits if _agrees(split, traded)]
    doubts = [f"{ticker} {day}: {text!r} is no ratio of a split" for ticker, day, text in unread]
    doubts += [
        f"{split.ticker} {split.day}: a split of {split.ratio} is stated, and the close goes from {split.before:g} to "
        f"{split.close:g}, as it does at no other split of the file"
        for split in splits
        if not _agrees(split, traded)
    ]
    told = [split.action() for split in followed]
    later = None if traded else join_splits(followed)
    cash = pl.concat([part.cash for part in parts])
    if later is not None:
        factors = later_ratios(cash, later).fill_null(1.0)
        paid = (cash["paid"] * factors).round(MOST_DECIMALS)
        cash = cash.with_columns(
            dividend=pl.when(pl.Series(factors != 1.0)).then(paid.cast(pl.String)).otherwise("dividend")
        )
    told += [
        (ticker, str(day), "dividend", None, None, amount, str(STATED))
        for ticker, day, amount in cash.select("ticker", "day", "dividend").iter_rows()
    ]
    return ToldActions(action_frame(told), later, tuple(doubts), _tell_twice([part.quotes[traded] for part in parts]))


def _count_quotes(ordered: pl.DataFrame, cash: pl.DataFrame, later: pl.DataFrame | None) -> pl.DataFrame:
    """How many closes are prices that were quoted, before a ticker's last stated dividend and after it.

    Exchanges quote in four decimals. What a vendor's single precision leaves beyond them does not count, and splits
    that the file has adjusted for are undone first.
    """
    last = cash.group_by("ticker").agg(ex=pl.col("day").max())
    ratio = pl.lit(1.0) if later is None else later_ratios(ordered, later).fill_null(1.0)
    close = pl.col("close") * pl.col("ratio")
    quoted = (close - close.round(4)).abs() <= close * SINGLE
    return (
        ordered.with_columns(ratio=ratio)
        .join(last, on="ticker")
        .group_by(before=pl.col("day") < pl.col("ex"))
        .agg(rows=pl.len(), quoted=quoted.sum())
    )


def _tell_twice(quotes: Sequence[pl.DataFrame]) -> str:
    """What is said where closes before dividends are no prices that were quoted, and those after them are."""
    sums = pl.concat(quotes).group_by("before").agg(pl.col("rows", "quoted").sum())
    found = {before: (rows, quoted / rows) for before, rows, quoted in sums.iter_rows()}
    (many, odd), (_, plain) = found.get(True, (0, 1.0)), found.get(False, (0, 0.0))
    if many < LEAST_QUOTES or odd > 0.5 or plain < 0.9:
        return ""
    return (
        f"{percent(1 - odd, 0)} of the closes before a dividend have more decimals than exchanges quote, those after "
        "the last one have not: the prices are adjusted for dividends that are stated beside them, which would count "
        "twice; download prices as they were traded (yfinance: auto_adjust=False)"
    )


@dataclass(frozen=True)
class ToldSplit:
    """A split that prices tell of, with the closes around it."""

    ticker: str
    day: date
    ratio: Fraction
    """New shares for each old one."""
    before: float | None
    close: float

    def action(self) -> tuple[str | None, ...]:
        """Its row of ACTION."""
        sure = UNCONFIRMED if self.before is None else STATED
        new, old = str(self.ratio.numerator), str(self.ratio.denominator)
        return (self.ticker, str(self.day), "split", new, old, None, str(sure))


def _stated_splits(ordered: pl.DataFrame) -> tuple[list[ToldSplit], list[tuple[str, date, str]]]:
    value = pl.col("split").cast(pl.Float64, strict=False)
    told = ordered.filter(
        pl.col("split").is_not_null() & ~value.is_in([0.0, 1.0]).fill_null(False) & ~value.is_nan().fill_null(False)
    )
    splits, unread = [], []
    for ticker, day, text, before, close in told.select("ticker", "day", "split", "before", "close").iter_rows():
        ratio = _read_ratio(text)
        if ratio is None and text.strip():
            unread.append((ticker, day, text))
        elif ratio is not None and ratio != 1:
            splits.append(ToldSplit(ticker, day, ratio, before, close))
    return splits, unread


def _read_ratio(text: str) -> Fraction | None:
    """4, 4.0, 4:1, 4/1, 0.3333 and the like; None for anything else."""
    new, _, old = text.strip().replace("/", ":").replace("-for-", ":").partition(":")
    try:
        stated = Fraction(new.strip()) / Fraction(old.strip() or "1")
    except (ValueError, ZeroDivisionError):
        return None
    if not 1e-6 <= stated <= 1e6:
        return None
    decimals = len(new.strip().rpartition(".")[2]) if "." in new else 0
    simple = stated.limit_denominator(100)
    return (
        simple
        if decimals >= 4 and abs(simple - stated) <= Fraction(1, 2 * 10 ** min(decimals, MOST_DECIMALS))
        else stated
    )


def _is_as_traded(splits: list[ToldSplit]) -> bool:
    """Whether the closes fell with the splits, by all of them together."""
    seen = [(log(split.close / split.before), log(split.ratio)) for split in splits if split.before is not None]
    return sum(abs(move + ratio) for move, ratio in seen) <= sum(abs(move) for move, _ in seen)


def _agrees(split: ToldSplit, traded: bool) -> bool:
    """Whether this split's close did what the closes at all splits did; a small ratio shows nothing."""
    if split.before is None or abs(log(split.ratio)) < 0.05:
        return True
    move, ratio = log(split.close / split.before), log(split.ratio)
    return (abs(move + ratio) < abs(move)) == traded


def join_splits(splits: Iterable[ToldSplit]) -> pl.DataFrame:
    """Return the splits as `ToldActions.later_splits` has them."""
    product: dict[str, Fraction] = {}
    steps = []
    for split in sorted(splits, key=lambda split: split.day, reverse=True):
        product[split.ticker] = product.get(split.ticker, Fraction(1)) * split.ratio
        steps.append((split.ticker, split.day, float(product[split.ticker])))
    return pl.DataFrame(steps, schema={"ticker": pl.String, "ex": pl.Date, "later": pl.Float64}, orient="row")


def explain_steps(steps: pl.DataFrame) -> ToldActions:
    """What the steps of adjusted closes over closes tell."""
    doubts = []
    told: list[tuple[str | None, ...]] = []
    for ticker, day, before, close, step, precision in steps.iter_rows():
        found = explain_step(ticker, str(day), before, close, step, precision)
        if isinstance(found, str):
            doubts.append(found)
        else:
            told.append(found)
    return ToldActions(action_frame(told), None, tuple(doubts))


def find_steps(ordered: pl.DataFrame) -> pl.DataFrame:
    """ticker, day, before, close, step and its precision (relative), of each bar whose factor differs from the last.

    Between two steps the factor is one number: what all its bars, each rounded in its own way, allow of it together.
    """
    value, factor = pl.col("value"), pl.col("factor")
    decimals = pl.col("adjusted").str.extract(r"\.(\d+)$").str.len_chars().fill_null(0).max().over("ticker")
    half = 0.5 / 10.0 ** decimals.clip(0, MOST_DECIMALS)
    seen = ordered.with_columns(value=pl.col("adjusted").cast(pl.Float64, strict=False), half=half)
    seen = seen.filter((value > 0) & value.is_finite()).with_columns(
        factor=value / pl.col("close"), off=pl.col("half") / value
    )
    least = pl.max_horizontal("off", pl.lit(ARITHMETIC))
    moved = (factor / factor.shift(1).over("ticker") - 1).abs() > WELL_BEYOND * (least + least.shift(1).over("ticker"))
    levels = (
        seen.with_columns(level=moved.fill_null(True).cast(pl.Int64).cum_sum().over("ticker"))
        .group_by("ticker", "level", maintain_order=True)
        .agg(
            pl.col("day", "before", "close").first(),
            low=(factor * (1 - pl.col("off"))).max(),
            high=(factor * (1 + pl.col("off"))).min(),
            middle=factor.median(),
            off=least.max(),
        )
        .pipe(_narrow)
    )
    last = pl.col("middle").shift(1).over("ticker"), pl.col("off").shift(1).over("ticker")
    steps = levels.with_columns(step=last[0] / pl.col("middle"), precision=pl.col("off") + last[1])
    steps = steps.filter(pl.col("step").is_not_null() & pl.col("before").is_not_null())
    return steps.select("ticker", "day", "before", "close", "step", "precision")


def _narrow(levels: pl.DataFrame) -> pl.DataFrame:
    """The factor and its precision where all bars of a level allow of one; else the median, as exact as single bars."""
    sound, both = pl.col("low") <= pl.col("high"), (pl.col("low") + pl.col("high")) / 2
    width = ((pl.col("high") - pl.col("low")) / 2 / both).clip(1e-9)
    return levels.with_columns(
        middle=pl.when(sound).then(both).otherwise("middle"), off=pl.when(sound).then(width).otherwise("off")
    )


def explain_step(
    ticker: str, day: str, before: float, close: float, step: float, precision: float
) -> tuple[str | None, ...] | str:
    """The action that a step of the adjusted close is, or why it can be none."""
    ratio = _split_of(before, step, precision)
    if ratio is not None and _price_followed(close / before, step):
        new, old = str(ratio.numerator), str(ratio.denominator)
        return (ticker, day, "split", new, old, None, str(DERIVED))
    if step >= 1 or (ratio is not None and not step > 0.5):
        return (
            f"{ticker} {day}: the adjusted close steps by {1 / step:.6g} and the close goes from {before:g} to "
            f"{close:g}, which no split and no dividend explains"
        )
    amount, off = before * (1 - step), before * precision * step
    sure = max(UNCONFIRMED, min(DERIVED, 1 - off / amount))
    return (ticker, day, "dividend", None, None, _fewest_decimals(amount, off), f"{sure:.3f}")


def _split_of(before: float, step: float, precision: float) -> Fraction | None:
    ratio = everyday_ratio(step) or rare_ratio(before, step, precision)
    if ratio is not None or 0.8 < step < 1.2:
        return ratio
    simple = Fraction(1 / step).limit_denominator(20)
    fits = simple > 0 and abs(float(simple) * step - 1) <= max(precision, ARITHMETIC)
    return simple if fits and simple.numerator * simple.denominator * precision <= 0.01 else None


def _price_followed(change: float, step: float) -> bool:
    """Whether a price change is nearer to the step than to none; one too small to tell is taken to be."""
    return abs(log(step)) < 0.05 or abs(log(change) - log(step)) < abs(log(step)) / 2


def _fewest_decimals(amount: float, off: float) -> str:
    """The number with the fewest decimals within `off` of the amount, the nearest of those."""
    for decimals in range(2, MOST_DECIMALS + 1):
        near = round(amount, decimals)
        if near > 0 and abs(near - amount) <= off:
            return f"{near:.{decimals}f}"
    return f"{amount:.{MOST_DECIMALS}f}" if ceil(amount * 10**MOST_DECIMALS) > 0 else repr(amount)


def action_frame(told: list[tuple[str | None, ...]]) -> pl.DataFrame:
    """Rows of ACTION, in order."""
    return pl.DataFrame(told, schema=ACTION, orient="row").sort("ex_date", "ticker", "kind")
