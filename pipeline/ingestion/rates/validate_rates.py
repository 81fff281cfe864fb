"""Parts landed exchange rates into sound ones and those that break a rule, which is named."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, NamedTuple

import polars as pl

from lake.contract import RATE, UTC
from pipeline.ingestion.decode_payloads import SET_ASIDE, decode
from pipeline.ingestion.parse_values import day, first_broken, instant, present
from pipeline.ingestion.rates.pairs import BOUND, is_code, read_rate, read_unit, scale_rate, split_pair
from pipeline.ingestion.rates.rates_of_chart import ChartLine, read_rates

FIELDS = ("session", "base", "quote", "pair", "rate", "available_at")
CHART = "yahoo-chart"
TYPED: dict[str, Any] = {"base": pl.String, "quote": pl.String, "rate": RATE, "rule": pl.String}
"""What is read out of the texts of a line."""
ENTITY = ("base", "quote", "session")


class ValidatedRates(NamedTuple):
    """The two parts of what was delivered."""

    good: pl.DataFrame
    """base, quote, session, rate; stated (UTC, when it was public by its own words) and ended (UTC, the end of its day
    where the source knows it), either null; source, landed, fetched_at, payload_id and line."""
    bad: pl.DataFrame
    """payload_id, line, ticker (the pair), source, landed, text and rule."""


def validate_rates(raw_prices: pl.DataFrame) -> ValidatedRates:
    """Part the delivered rates; a rate of a unit such as pence becomes one of its currency, exactly."""
    landed = raw_prices.filter(pl.col("kind") == "rates")
    charts = pl.col("format") == CHART
    lines = pl.concat([decode(landed.filter(~charts), FIELDS).pipe(_as_lines), _chart_lines(landed.filter(charts))])
    typed = pl.concat([lines.drop("base", "quote", "rate"), _read_texts(lines)], how="horizontal")
    typed = typed.with_columns(day=day("session"), stated=instant("available_at"))
    rules = {
        "day is readable": pl.col("day").is_not_null(),
        "day is not after the landing": pl.col("day") <= pl.col("landed"),
        "available_at is readable": ~present("available_at") | pl.col("stated").is_not_null(),
    }
    typed = typed.with_columns(rule=pl.coalesce("fault", "rule", first_broken(rules))).with_columns(session="day")
    judged = typed.with_columns(rule=pl.coalesce("rule", _contradicts()))
    bad = judged.filter(pl.col("rule").is_not_null()).with_columns(ticker=_name_pair())
    return ValidatedRates(judged.filter(pl.col("rule").is_null()), bad.select(*SET_ASIDE))


def _as_lines(decoded: pl.DataFrame) -> pl.DataFrame:
    nothing = {"unit": pl.lit(None, pl.String), "ended": pl.lit(None, UTC)}
    told = ("payload_id", "line", "text", "fault", *FIELDS, "source", "landed", "fetched_at")
    return decoded.select(*told).with_columns(**nothing)


def _chart_lines(landed: pl.DataFrame) -> pl.DataFrame:
    """The same columns of the landed charts."""
    told = landed.select("payload_id", "source", "fetched_at", landed="session")
    asked = landed.select("payload_id", "ticker", "request", "payload").iter_rows()
    read = [(identity, *line) for identity, *answer in asked for line in read_rates(*answer)]
    schema: dict[str, Any] = {"payload_id": pl.String, **dict.fromkeys(ChartLine._fields, pl.String)}
    rows = pl.DataFrame(read, schema=schema | {"line": pl.Int64, "ended": UTC}, orient="row")
    nothing = [pl.lit(None, pl.String).alias(name) for name in FIELDS if name not in rows.columns]
    whole = rows.with_columns(nothing).join(told, on="payload_id", how="left", maintain_order="left")
    return whole.select(*_as_lines(decode(landed.clear(), FIELDS)).columns)


def _read_texts(lines: pl.DataFrame) -> pl.DataFrame:
    """Base, quote, rate and the first rule that these break."""
    texts = lines.select("base", "quote", "pair", "rate", "unit").iter_rows()
    return pl.DataFrame([_read_line(*line) for line in texts], schema=TYPED, orient="row")


def _read_line(
    base: str | None, quote: str | None, pair: str | None, text: str | None, unit: str | None
) -> tuple[str | None, str | None, Decimal | None, str | None]:
    if base is None or quote is None:
        base, quote = split_pair(pair or "") or (None, None)
    if base is None or quote is None:
        return None, None, None, "base and quote are currencies"
    (base, base_units), (quote, quote_units) = read_unit(base), read_unit(unit or quote)
    if not (is_code(base) and is_code(quote)):
        return base, quote, None, "base and quote are currencies"
    if base == quote:
        return base, quote, None, "a pair has two currencies"
    rate = read_rate(text or "")
    if rate is None:
        return base, quote, None, "rate is a number"
    if rate <= 0:
        return base, quote, None, "a rate is positive"
    exact = scale_rate(rate, base_units, quote_units) if rate < BOUND else BOUND
    if exact >= BOUND or not exact:
        return base, quote, None, "rate is from 1e-12 to 1e12"
    return base, quote, exact, None


def _contradicts() -> pl.Expr:
    """The rule that a second, other rate of a day breaks in one answer that does not say when each was public."""
    once = ["payload_id", *ENTITY, "stated"]
    sound = pl.col("rule").is_null()
    first = pl.col("rate").filter(sound).first().over(once)
    return pl.when(sound & (pl.col("rate") != first)).then(pl.lit("a day has one rate of a pair"))


def _name_pair() -> pl.Expr:
    both = pl.concat_str("base", "quote")
    return pl.coalesce(both, "pair", pl.lit(""))
