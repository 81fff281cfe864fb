"""An amount in another currency than the listing's becomes one in it, exactly, or is refused in words."""

from __future__ import annotations

import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS, FX_RATES
from pipeline.ingestion.actions.corporate_actions import actions
from pipeline.ingestion.actions.foreign_amounts import Conversion
from pipeline.ingestion.actions.validate_actions import validate_actions
from pipeline.ingestion.params import IngestionParams
from tests.frames.market import CALENDAR, DAY, instruments, landing, moment, rates
from tests.loopback.yahoo import chart

BEFORE, NEXT = CALENDAR.previous(DAY), CALENDAR.next(DAY)
LISTED = instruments("AAA")
KNOWN = rates({"session": BEFORE, "rate": Decimal("1.1")}, {"session": DAY, "rate": Decimal("1.3")})


def stated(session: date = DAY, **values: object) -> pl.DataFrame:
    line = {"ticker": "AAA", "ex_date": DAY, "kind": "dividend", "amount": "0.35", "currency": "EUR"} | values
    texts = {name: None if value is None else str(value) for name, value in line.items()}
    covers = {"covers": {"since": str(CALENDAR.offset(session, -60)), "until": None}, "units": "converted"}
    return landing([texts], kind="actions", session=session, request=covers)


def kept(
    raw: pl.DataFrame, by: pl.DataFrame = KNOWN, known: pl.DataFrame | None = None, session: date = DAY
) -> pl.DataFrame:
    before = CORPORATE_ACTIONS.empty() if known is None else known
    return CORPORATE_ACTIONS.check(actions(raw, before, LISTED, by, moment(session), IngestionParams()))


def refusals(raw: pl.DataFrame, by: pl.DataFrame) -> list[str]:
    assert kept(raw, by).is_empty()
    judged = validate_actions(raw, LISTED, CORPORATE_ACTIONS.empty(), CALENDAR, Conversion(by, DAY, 7))
    return judged.bad["rule"].to_list()


def test_an_amount_is_converted_at_the_last_rate_before_the_ex_date() -> None:
    row = kept(stated()).row(0, named=True)
    assert (row["amount"], row["stated_amount"], row["currency"]) == (0.385, 0.35, "EUR")
    assert (row["rate"], row["rate_session"]) == (Decimal("1.1"), BEFORE)


def test_an_amount_in_the_listings_own_currency_is_left_alone() -> None:
    row = kept(stated(currency="USD"), FX_RATES.empty()).row(0, named=True)
    assert [row[name] for name in ("amount", "stated_amount", "rate")] == [0.35, None, None]


def test_an_amount_in_pence_is_converted_as_pounds() -> None:
    pounds = rates({"session": BEFORE, "rate": Decimal("1.25"), "base": "GBP"})
    row = kept(stated(currency="GBX", amount="80"), pounds).row(0, named=True)
    assert (row["amount"], row["currency"]) == (1.0, "GBP")


def test_both_parts_of_a_merger_are_converted() -> None:
    terms: dict[str, Any] = {"kind": "merger", "amount": "52", "cash": "2", "successor": "ACQ"}
    listed = instruments("AAA", "ACQ")
    raw = stated(**terms, numerator=1, denominator=2)
    (row,) = actions(raw, CORPORATE_ACTIONS.empty(), listed, KNOWN, moment(), IngestionParams()).iter_rows(named=True)
    assert [row[name] for name in ("amount", "stated_amount", "cash", "stated_cash")] == [57.2, 52.0, 2.2, 2.0]


def test_a_converted_amount_is_rounded_to_a_millionth_half_to_even() -> None:
    half = rates({"session": BEFORE, "rate": Decimal("0.5")})
    amounts = [kept(stated(amount=text), half)["amount"].item() for text in ("0.000005", "0.000007")]
    assert amounts == [0.000002, 0.000004]


@pytest.mark.parametrize(
    "known",
    [
        FX_RATES.empty(),
        rates({"session": DAY, "rate": Decimal("1.1")}),
        rates({"session": DAY - timedelta(days=8), "rate": Decimal("1.1")}),
        rates({"session": BEFORE, "rate": Decimal("1.1"), "base": "CHF"}),
    ],
    ids=["no rate", "none before the ex-date", "too old", "another pair"],
)
def test_an_amount_without_a_rate_is_refused_in_words(known: pl.DataFrame) -> None:
    assert refusals(stated(), known) == ["a rate of EUR in USD is known, at most 7 days before the ex-date"]


def test_a_rate_is_carried_over_the_bound_and_the_action_says_of_which_day_it_is() -> None:
    week = DAY - timedelta(days=7)
    assert kept(stated(), rates({"session": week, "rate": Decimal(2)}))["rate_session"].to_list() == [week]


def test_an_action_waits_for_its_rate_and_is_learned_with_it() -> None:
    raw = stated()
    assert kept(raw, FX_RATES.empty()).is_empty()
    row = kept(stated(NEXT), known=CORPORATE_ACTIONS.empty(), session=NEXT).row(0, named=True)
    assert (row["amount"], row["learned_on"]) == (0.385, NEXT)


def test_a_corrected_rate_corrects_the_amount_in_a_further_revision() -> None:
    first = kept(stated())
    again = rates({"session": BEFORE, "rate": Decimal("1.2"), "revision": 1})
    row = kept(stated(NEXT), again, first, NEXT).row(0, named=True)
    assert (row["revision"], row["amount"]) == (1, 0.42)


@pytest.mark.parametrize("amount", ["1e308", "NaN", "Infinity", "-1"])
def test_a_wild_amount_is_told_by_its_own_rule(amount: str) -> None:
    (rule,) = refusals(stated(amount=amount), KNOWN)
    assert "rate" not in rule.split()


def test_a_split_in_another_currency_has_nothing_to_convert() -> None:
    row = kept(stated(kind="split", amount=None, numerator=2, denominator=1), FX_RATES.empty()).row(0, named=True)
    assert (row["numerator"], row["rate"]) == (2, None)


def test_an_amount_that_names_whole_currency_is_in_it_whatever_the_listings_unit() -> None:
    in_pence = instruments("AAA", currency="GBP", unit="GBX")
    for currency, amount in (("GBP", 50.0), ("GBX", 0.5), (None, 0.5)):
        raw = stated(currency=currency, amount="50")
        assert judged(raw, in_pence)["amount"].item() == 0.5, "landings of before did not say that they do so"
        asked = json.loads(raw["request"][0]) | {"amounts": "by line"}
        assert judged(raw.with_columns(request=pl.lit(json.dumps(asked))), in_pence)["amount"].item() == amount


def judged(raw: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
    return validate_actions(raw, listed, CORPORATE_ACTIONS.empty(), CALENDAR, Conversion(KNOWN, DAY, 7)).good


@pytest.mark.parametrize(("unit", "said", "amount"), [("USD", "EUR", 0.5), ("GBp", "EUR", 0.5), ("USD", "GBp", 0.005)])
def test_a_charts_dividend_in_another_currency_is_passed_on_in_it(unit: str, said: str, amount: float) -> None:
    listed = instruments("AAA", currency="GBP" if unit == "GBp" else unit)
    terms = {"base": said.upper(), "quote": listed["currency"][0], "session": BEFORE}
    known = rates(terms | {"rate": Decimal(2)})
    raw = chart_of(unit, said)
    (row,) = actions(raw, CORPORATE_ACTIONS.empty(), listed, known, moment(), IngestionParams()).to_dicts()
    assert (row["stated_amount"], row["amount"], row["currency"]) == (amount, 2 * amount, terms["base"])
    old = raw.with_columns(pl.col("request").str.replace("by line", ""))
    assert actions(old, CORPORATE_ACTIONS.empty(), listed, known, moment(), IngestionParams()).is_empty()
    bad = validate_actions(raw, listed, CORPORATE_ACTIONS.empty(), CALENDAR, Conversion(FX_RATES.empty(), DAY, 7)).bad
    assert bad["rule"].item().startswith(f"a rate of {terms['base']} in {terms['quote']} is known")


def chart_of(unit: str, said: str) -> pl.DataFrame:
    """A landed chart of forty sessions with a dividend of 0.5 on the last of them."""
    days = CALENDAR.between(CALENDAR.offset(DAY, -39), DAY)
    stamps = [int(CALENDAR.open_at(day).timestamp()) for day in days]
    steady = dict.fromkeys(("open", "high", "low", "close"), [100.0] * 40) | {"volume": [1_000] * 40}
    answer = chart("AAA", stamps, steady, dividends={stamps[-1]: 0.5}, currency=unit)
    told = json.loads(answer.body)
    told["chart"]["result"][0]["events"]["dividends"][str(stamps[-1])]["currency"] = said
    covers = {"since": str(days[0]), "until": str(DAY)}
    asked = {"ticker": "AAA", "until": str(DAY), "covers": covers, "judgement": 2, "amounts": "by line"}
    lines = [json.dumps(told)]
    return landing(lines, kind="actions", ticker="AAA", form="yahoo-chart", request=asked, source="yahoo")
