"""Reads bars from delivered text and checks each one, by itself, against the rules of a bar."""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from lake.contract import UTC
from lake.tables.market import MARKET_PRICES
from lake.tables.vocabulary import SYMBOL
from pipeline.ingestion.decode_payloads import decode
from pipeline.ingestion.parse_values import day, first_broken, instant, naive, number, present, whole
from pipeline.ingestion.prices.minor_units import add_currency
from pipeline.ingestion.sources.payloads import CONVERTED
from pipeline.ingestion.sources.source import MINUTES
from pipeline.market.sessions import Sessions

FIELDS = ("ticker", "session", "ts", "open", "high", "low", "close", "volume", "available_at")
PRICES = ("open", "high", "low", "close")
VALUES = (*PRICES, "volume")
TIMES = ("session_text", "ts_text")
"""The columns, as delivered, that say when a bar was."""
COMPARED = (*VALUES, "volume_rounding")
"""What makes a bar another one."""
DIGITS = 9
"""Decimals of a volume that count: beyond them lies the rounding of a vendor's own arithmetic."""
ROUNDING = 1e-6
"""Relative; how far open and close may lie outside high and low and still be the same price, rounded elsewhere."""
OF_THE_CONTRACT = (
    "prices are positive",
    "high is not below low",
    "open lies within the range",
    "close lies within the range",
    "volume is not negative",
)
READ = (
    *("ticker", "interval", "session", "ts", "open", "high", "low", "close", "volume", "currency", "source"),
    *("volume_rounding", "payload_id", "line", "text", "landed", "fetched_at", "history", "stated", "position", "rule"),
)


def read_bars(
    raw_prices: pl.DataFrame, instruments: pl.DataFrame, calendar: Sessions, lines: pl.DataFrame | None = None
) -> pl.DataFrame:
    """One row per delivered line of bars, with the first rule it breaks by itself.

    Daily bars carry a date, or a time with an offset whose date at the exchange is taken. Intraday bars carry a time:
    the start of the bar unless the request says `"stamp": "end"`. Open and close outside the range by at most 1e-6 of
    the price widen it. Volume is rounded to whole shares, and what that takes from it is kept beside it. Prices in a
    unit such as pence become whole currency.

    Args:
        raw_prices: landed rows; those that are not bars are passed over.
        instruments: what is listed; an empty frame leaves that rule out.
        calendar: the exchange's sessions.
        lines: payload_id and line of those that are wanted; all where None.

    Returns:
        The contract's columns of a bar; text (the line as delivered), landed (Date), fetched_at (UTC), history
        (Boolean), stated (UTC: the availability that the vendor states), position (Int64: the session's number) and
        rule (String, null for a sound bar).
    """
    found = decode(raw_prices.filter(pl.col("kind") == "bars"), FIELDS)
    if lines is not None:  # each line is judged by itself
        found = found.join(lines, on=["payload_id", "line"], how="semi", maintain_order="left")
    return judge_bars(found, instruments, calendar)


def judge_bars(lines: pl.DataFrame, instruments: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """The same of lines that are decoded: FIELDS as text, and what their landing says of them."""
    lines = add_currency(lines, instruments).rename({"asked_interval": "interval"})
    bars = _parse_values(_add_session(lines, calendar))
    rules = {
        **_identity_rules(instruments),
        **_time_rules(),
        **_value_rules(),
        **{name: MARKET_PRICES.rules[name].holds for name in OF_THE_CONTRACT},
    }
    return bars.with_columns(_name_broken(bars, rules)).select(READ)


def _name_broken(bars: pl.DataFrame, rules: Mapping[str, pl.Expr]) -> pl.Series:
    """The first rule that each bar breaks; the rules are gone through one by one for bars only that break any."""
    met = [holds.fill_null(True) for holds in rules.values()]
    is_broken = bars.select(~pl.all_horizontal(pl.col("fault").is_null(), *met)).to_series()
    none = pl.Series("rule", [None], pl.String).new_from_index(0, bars.height)
    if not is_broken.any():
        return none
    names = bars.filter(is_broken).select(rule=pl.coalesce("fault", first_broken(rules))).to_series()
    return none.scatter(is_broken.arg_true(), names)


def _add_session(lines: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """Add session (Date), its position, open_at and close_at, and ts (UTC), the end of the bar."""
    timed = lines.rename({"session": "session_text", "ts": "ts_text"})
    dated = timed.join(_read_times(timed, calendar), on=TIMES, how="left", maintain_order="left", nulls_equal=True)
    length = pl.duration(minutes=pl.col("interval").replace_strict(MINUTES, default=0))
    started = pl.col("at") + length
    # The last bar of a session is shorter where the length does not divide the session: an hour's ends with the close.
    within = pl.when(pl.col("at") < pl.col("close_at")).then(pl.min_horizontal(started, "close_at")).otherwise(started)
    end = pl.when(pl.col("asked_stamp") == "end").then(pl.col("at")).otherwise(within)
    dated = dated.with_columns(daily=pl.col("interval") == "1d")
    return dated.with_columns(ts=pl.when("daily").then(pl.col("close_at")).otherwise(end).cast(UTC))


def _read_times(timed: pl.DataFrame, calendar: Sessions) -> pl.DataFrame:
    """What each way of writing a time means, read once however many bars have it."""
    written = timed.select(TIMES).unique().with_columns(at=instant("ts_text"))
    local_day = pl.col("at").dt.convert_time_zone(calendar.zone).dt.date()
    dated = written.with_columns(session=pl.coalesce(day("session_text"), local_day))
    first, last = dated["session"].min(), dated["session"].max()
    days = calendar.frame(first, last) if first is not None else calendar.frame(*calendar.days[:1] * 2)  # type: ignore[arg-type]
    return dated.join(days, on="session", how="left", maintain_order="left")


def _parse_values(bars: pl.DataFrame) -> pl.DataFrame:
    """Add the numbers beside their text, and widen the range to an open or close that is off by rounding only."""
    bars = bars.rename({name: f"{name}_text" for name in VALUES}).with_columns(
        stated=instant("available_at"),
        volume=whole("volume_text"),
        volume_number=number("volume_text"),
        **{name: number(f"{name}_text") / pl.col("per") for name in PRICES},
    )
    rest = (pl.col("volume_number") - pl.col("volume")).round(DIGITS)
    exact = (pl.col("asked_units") == CONVERTED) & (rest != 0)
    top, bottom = pl.max_horizontal("open", "close"), pl.min_horizontal("open", "close")
    high, low = pl.col("high"), pl.col("low")
    return bars.with_columns(
        high=pl.when(top.is_between(high, high * (1 + ROUNDING))).then(top).otherwise(high),
        low=pl.when(bottom.is_between(low * (1 - ROUNDING), low)).then(bottom).otherwise(low),
        volume_rounding=pl.when(exact).then(rest),
    )


def _identity_rules(instruments: pl.DataFrame) -> dict[str, pl.Expr]:
    rules = {"ticker is well-formed": is_well_formed("ticker")}
    if not instruments.is_empty():
        rules["ticker is listed"] = pl.col("ticker").is_in(instruments["ticker"].implode())
    return rules


def is_well_formed(name: str) -> pl.Expr:
    """Whether the column holds a ticker as we write it."""
    return pl.col(name).str.contains(f"^(?:{SYMBOL})$").fill_null(False)


def _time_rules() -> dict[str, pl.Expr]:
    untimed = ~present("session_text") & ~present("ts_text")
    daily_by_date = pl.col("daily") & present("session_text")
    return {
        "interval is known": pl.col("interval").is_in(list(MINUTES)).fill_null(False),
        "currency is known": pl.col("currency").str.contains("^[A-Z]{3}$").fill_null(False),
        "session is present": ~untimed,
        "the time has a zone": daily_by_date | ~naive("ts_text"),
        "session is readable": pl.col("session").is_not_null() & (pl.col("daily") | pl.col("at").is_not_null()),
        "the exchange trades that day": pl.col("position").is_not_null(),
        "the bar lies within the session": pl.col("daily")
        | ((pl.col("ts") > pl.col("open_at")) & (pl.col("ts") <= pl.col("close_at"))),
        "the bar has ended": (pl.col("session") <= pl.col("landed")) & (pl.col("ts") <= pl.col("fetched_at")),
        "available_at is a time with a zone": ~present("available_at") | pl.col("stated").is_not_null(),
    }


def _value_rules() -> dict[str, pl.Expr]:
    rules = {f"{name} is present": present(f"{name}_text") for name in VALUES}
    for name in PRICES:
        rules[f"{name} is a number"] = pl.col(name).is_not_null()
        rules[f"{name} is a finite number"] = pl.col(name).is_finite()
    rules["volume is a number"] = pl.col("volume_number").is_not_null()
    rules["volume is a finite number"] = pl.col("volume").is_not_null()
    return rules
