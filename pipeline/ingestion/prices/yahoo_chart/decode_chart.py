"""Turns chart answers into lines: bars as they were traded, splits and dividends, and what the instrument is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import polars as pl

from pipeline.ingestion.prices.yahoo_chart.answer import CURRENCY, REPAIRED, ChartAnswer, read_answer, read_question
from pipeline.ingestion.prices.yahoo_chart.bars import bar_lines, shares_since
from pipeline.ingestion.prices.yahoo_chart.findings import DIVIDEND_CURRENCY, DividendFinding
from pipeline.ingestion.prices.yahoo_chart.parse_chart import MINOR_UNITS, Split, UnreadableChartError
from pipeline.market.currencies import main_currency

__all__ = ["CURRENCY", "REPAIRED", "yahoo_chart"]

SHOWN = 2_000
"""Characters of an unreadable answer that are kept beside the rule it breaks."""


def yahoo_chart(payloads: pl.DataFrame, fields: Mapping[str, str | None]) -> pl.DataFrame:
    """Decode chart answers into the lines of what the fields belong to: bars, actions or listings.

    Prices come split-adjusted as of the download: every split after a bar is undone, on price and volume, so that the
    bar is as it was traded. Pence and other hundredths become the whole currency. Bars after the last day asked for
    are passed over: they were fetched for the splits among them. Where the answer contradicts itself the line as
    delivered carries the rule as its fault, and its repair, if there is one, follows as line REPAIRED + n.

    Args:
        payloads: payload_id, ticker (the vendor's symbol), request and payload.
        fields: our names of the fields wanted.

    Returns:
        payload_id, line (Int64), text, fault, said_currency and the fields, all String but the line.
    """
    schema: dict[str, pl.DataType] = {"payload_id": pl.String(), "line": pl.Int64(), "text": pl.String()}
    schema |= {"fault": pl.String(), CURRENCY: pl.String(), **dict.fromkeys(fields, pl.String())}
    answers: list[tuple[str, ChartAnswer]] = []
    rows: list[dict[str, object]] = []
    for identity, symbol, request, payload in payloads.select("payload_id", "ticker", "request", "payload").iter_rows():
        try:
            answers.append((identity, read_answer(payload, symbol, request)))
        except UnreadableChartError as error:
            ticker = read_question(request).get("ticker") or symbol
            text = f"{error.detail} | {payload[:SHOWN]}"
            rows.append({"payload_id": identity, "line": 0, "text": text, "fault": error.rule, "ticker": ticker})
    if "ex_date" in fields:
        rows += [{"payload_id": identity} | line for identity, answer in answers for line in _actions(answer)]
    elif "listed_on" in fields:
        rows += [{"payload_id": identity} | _listing(answer) for identity, answer in answers]
    unread = pl.DataFrame([{name: row.get(name) for name in schema} for row in rows], schema=schema)
    if "ex_date" in fields or "listed_on" in fields:
        return unread
    return pl.concat([_fill_schema(bar_lines(answers), schema), unread])


def _fill_schema(lines: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    missing = [pl.lit(None, dtype=kind).alias(name) for name, kind in schema.items() if name not in lines.columns]
    return lines.with_columns(missing).select(*schema)


# ---- actions


def _actions(answer: ChartAnswer) -> Iterator[dict[str, object]]:
    """Splits and dividends up to the last day asked for, as they were per share of their day."""
    yield from _split_lines(answer)
    yield from _dividend_lines(answer)


def _split_lines(answer: ChartAnswer) -> Iterator[dict[str, object]]:
    for number, split in enumerate(answer.chart.splits):
        ex_date = answer.chart.day(split.stamp)
        if ex_date <= answer.until:
            yield {
                "line": number,
                "text": _split_text(split),
                "ticker": answer.ticker,
                "ex_date": ex_date.isoformat(),
                "kind": "split",
                "numerator": str(split.ratio.numerator),
                "denominator": str(split.ratio.denominator),
            }


def _split_text(split: Split) -> str:
    return json.dumps({"date": split.stamp, "numerator": split.ratio.numerator, "denominator": split.ratio.denominator})


def _dividend_lines(answer: ChartAnswer) -> Iterator[dict[str, object]]:
    first = len(answer.chart.splits)
    for number, found in enumerate(answer.findings.dividends, start=first):
        if answer.chart.day(found.stated.stamp) > answer.until:
            continue
        if found.rule == DIVIDEND_CURRENCY and answer.converts:
            yield _dividend_line(answer, found, found.stated.amount) | {"line": number}
            continue
        if found.is_stated or found.amount is None:
            stated = _dividend_line(answer, found, found.stated.amount)
            yield stated | {"line": number, "fault": found.rule}
        if found.rule is not None and found.amount is not None:
            repaired = _dividend_line(answer, found, found.amount)
            yield repaired | {"line": number + REPAIRED, "text": f"repaired: {found.rule}"}


def _dividend_line(answer: ChartAnswer, found: DividendFinding, amount: float) -> dict[str, object]:
    """A dividend as it was paid: Yahoo's are adjusted for later splits like its prices."""
    chart, stated = answer.chart, found.stated
    ex_date = chart.day(stated.stamp)
    unit = stated.currency or chart.unit
    paid = amount / (100.0 if unit in MINOR_UNITS else 1.0) * float(shares_since(chart, [ex_date])[0])
    told: dict[str, object] = {"date": stated.stamp, "amount": stated.amount, "currency": stated.currency}
    if found.readings:
        told["readings"] = found.readings
    return {
        "text": json.dumps(told),
        "ticker": answer.ticker,
        "ex_date": ex_date.isoformat(),
        "kind": "dividend",
        "amount": repr(paid),
        "currency": None if main_currency(unit) == chart.currency else main_currency(unit),
        CURRENCY: chart.currency,
    }


# ---- listings


def _listing(answer: ChartAnswer) -> dict[str, object]:
    chart = answer.chart
    return {
        "line": 0,
        "text": json.dumps({"symbol": chart.symbol, "name": chart.name, "currency": chart.unit}),
        CURRENCY: chart.currency,
        "ticker": answer.ticker,
        "name": chart.name,
        "currency": chart.currency,
        "listed_on": None if chart.first_trade is None else chart.first_trade.isoformat(),
    }
