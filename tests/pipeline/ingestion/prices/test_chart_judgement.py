"""Values of a chart are rewritten only where two witnesses say so; true but strange series stay as they are stated."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.chart_repair import score_fault, score_true
from pipeline.ingestion.prices.yahoo_chart.consistency import check_consistency
from pipeline.ingestion.prices.yahoo_chart.decode_chart import REPAIRED, yahoo_chart
from pipeline.ingestion.prices.yahoo_chart.findings import (
    DIVIDEND_ADJUSTED,
    DIVIDEND_DATED,
    DIVIDEND_ONCE,
    DIVIDEND_STATED,
    DIVIDEND_UNIT,
    ONE_UNIT,
    SPLIT_APPLIED,
    Findings,
)
from pipeline.ingestion.prices.yahoo_chart.parse_chart import Chart, Dividend, Split, read_chart
from tests.frames.chart_faults import FAULTS, plant
from tests.frames.charts import TRUE, true_chart
from tests.loopback.yahoo import chart

DAY, START = 86_400, 1_704_205_800
BARS, ACTIONS = (
    {name: name for name in names}
    for names in (
        ("ticker", "session", "ts", "open", "high", "low", "close", "volume"),
        ("ticker", "ex_date", "kind", "numerator", "denominator", "amount"),
    )
)


def stamps(count: int) -> list[int]:
    return [START + (n // 5 * 7 + n % 5) * DAY for n in range(count)]


def payload(
    closes: list[float],
    *,
    dividends: Mapping[int, float] | None = None,
    stated: Mapping[int, float] | None = None,
    splits: Mapping[int, tuple[int, int]] | None = None,
    volumes: list[float] | None = None,
    adjusted_for: Mapping[int, float] | None = None,
    gains: Mapping[int, float] | None = None,
    unit: str = "USD",
) -> str:
    """A chart of daily bars; the adjusted closes follow the dividends (bar -> amount), which are stated unless told."""
    at, paid = stamps(len(closes)), dict(dividends or {})
    adjusted = np.array(closes)
    for bar, amount in (adjusted_for if adjusted_for is not None else paid).items():
        adjusted[:bar] *= 1 - amount / closes[bar - 1]
    quotes = {name: list(closes) for name in ("open", "high", "low", "close")}
    return chart(
        "X",
        at,
        quotes | {"volume": volumes or [1_000_000.0] * len(closes)},
        adjusted=adjusted.tolist(),
        splits={at[bar]: ratio for bar, ratio in (splits or {}).items()},
        dividends={at[bar]: amount for bar, amount in (paid if stated is None else stated).items()},
        gains={at[bar]: amount for bar, amount in (gains or {}).items()},
        currency=unit,
    ).body


def judged(text: str) -> tuple[Chart, Findings]:
    read = read_chart(text, "X")
    return read, check_consistency(read)


def amounts(findings: Findings) -> list[float | None]:
    return [one.amount for one in findings.dividends]


def noise(count: int, start: float, seed: int = 1, size: float = 0.01) -> list[float]:
    moves = np.random.default_rng(seed).normal(0, size, count)
    return np.round(start * np.exp(np.cumsum(moves)), 3).tolist()


def after_dividends(closes: list[float], paid: Mapping[int, float]) -> list[float]:
    """The closes, lower by each dividend from its bar on."""
    values = np.array(closes)
    for bar, amount in paid.items():
        values[bar:] *= 1 - amount / values[bar - 1]
    return values.tolist()


# ---- what is true stays


def test_a_true_rise_days_before_a_split_of_about_its_size_is_no_unapplied_split() -> None:
    _, found = judged(payload([80.0] * 40 + [99.0] * 40, splits={47: (6, 5)}))
    assert found.rules == frozenset()


def test_a_fall_that_trades_through_the_bar_at_a_split_is_no_fault_of_the_vendor() -> None:
    closes = [*noise(50, 60.0), *noise(50, 30.0, seed=2)]
    text = payload(closes, splits={50: (2, 1)}, volumes=np.random.default_rng(3).lognormal(13, 0.4, 100).tolist())
    opened = json.loads(text)
    quotes = opened["chart"]["result"][0]["indicators"]["quote"][0]
    quotes["open"][50], quotes["high"][50] = closes[49], closes[49] * 1.01
    assert judged(json.dumps(opened))[1].rules == frozenset()


@pytest.mark.parametrize("felt", [0.25, 0.6, 1.0])
def test_a_large_special_dividend_that_the_price_feels_in_part_stands(felt: float) -> None:
    closes = [200.0] * 30 + [200.0 - 40.0 * felt] * 30
    _, found = judged(payload(closes, dividends={30: 40.0}))
    assert (found.rules, amounts(found)) == (frozenset(), [40.0])


@pytest.mark.parametrize(
    ("unit", "price", "paid"), [("GBp", 3_000.0, 1.5), ("GBP", 18.0, 0.0037), ("ZAc", 9_000.0, 4.0)]
)
def test_tiny_dividends_that_the_adjusted_close_holds_stand(unit: str, price: float, paid: float) -> None:
    _, found = judged(payload([price] * 70, dividends={10: paid, 31: paid, 52: paid}, unit=unit))
    assert (found.rules, amounts(found)) == (frozenset(), [paid] * 3)


def test_a_payer_that_turns_from_monthly_to_weekly_keeps_every_dividend() -> None:
    paid = dict.fromkeys(range(21, 252, 21), 0.3) | dict.fromkeys(range(252, 330, 5), 0.07)
    _, found = judged(payload(after_dividends(noise(335, 40.0), paid), dividends=paid))
    assert found.rules == frozenset() and len(found.dividends) == len(paid)


def test_a_regular_and_a_special_dividend_a_session_apart_are_two() -> None:
    paid = {30: 2.0, 31: 1.9}
    _, found = judged(payload(after_dividends([90.0] * 60, paid), dividends=paid))
    assert (found.rules, amounts(found)) == (frozenset(), [2.0, 1.9])


def test_capital_gains_beside_a_dividend_explain_the_adjusted_close() -> None:
    closes = after_dividends(noise(80, 50.0), {40: 3.2})
    _, found = judged(payload(closes, dividends={40: 0.2}, gains={40: 3.0}, adjusted_for={40: 3.2}))
    assert (found.rules, amounts(found)) == (frozenset(), [0.2])


@settings(max_examples=60, deadline=None)
@given(kind=st.sampled_from(sorted(TRUE)), seed=st.integers(0, 2**32))
def test_nothing_of_a_true_series_is_rewritten(kind: str, seed: int) -> None:
    score = score_true(true_chart(kind, np.random.default_rng(seed)))
    assert score.right + score.wrong == 0


# ---- what two witnesses contradict is put right


@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_a_planted_fault_is_told_by_its_rule_and_no_value_becomes_wrong(kind: str) -> None:
    scores = [score_fault(plant(kind, np.random.default_rng([7, number]))) for number in range(4)]
    assert sum(one.flagged for one in scores) == len(scores)
    assert sum(one.wrong for one in scores) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(FAULTS))
def test_of_each_kind_of_fault_nearly_all_are_told_and_no_value_becomes_wrong(kind: str) -> None:
    scores = [score_fault(plant(kind, np.random.default_rng([8, number]))) for number in range(300)]
    assert sum(one.flagged for one in scores) >= 0.99 * len(scores)
    assert sum(one.wrong for one in scores) == 0


@pytest.mark.slow
@pytest.mark.parametrize("kind", sorted(TRUE))
def test_of_a_thousand_true_series_nothing_is_rewritten(kind: str) -> None:
    scores = [score_true(true_chart(kind, np.random.default_rng([9, number]))) for number in range(1_000)]
    assert sum(one.right + one.wrong for one in scores) == 0


def test_prices_of_days_before_a_split_get_back_their_level_and_their_volumes() -> None:
    true = noise(60, 20.0)
    closes = [value * (4 if bar < 30 else 1) for bar, value in enumerate(true)]
    volumes = [1_000.0 if bar < 30 else 4_000.0 for bar in range(60)]
    _, found = judged(payload(closes, splits={30: (4, 1)}, volumes=volumes))
    assert found.rules == {SPLIT_APPLIED} and found.bar_rules.count(SPLIT_APPLIED) == 30
    assert found.repaired.series["close"].tolist() == pytest.approx(true)
    assert found.repaired.series["volume"].tolist() == [4_000.0] * 60


def test_a_single_price_in_pence_among_pounds_is_put_right_and_the_others_stay() -> None:
    text = json.loads(payload(noise(50, 7.0), unit="GBP"))
    quotes = text["chart"]["result"][0]["indicators"]["quote"][0]
    quotes["low"][20] /= 100
    read, found = judged(json.dumps(text))
    assert [bar for bar, rule in enumerate(found.bar_rules) if rule == ONE_UNIT] == [20]
    assert found.repaired.series["low"][20] == pytest.approx(100 * read.series["low"][20])
    assert found.repaired.series["open"][20] == read.series["open"][20]


def test_fils_are_a_thousandth_of_a_dinar() -> None:
    true = noise(60, 0.5)
    _, found = judged(
        payload([1_000 * value if 20 <= bar < 30 else value for bar, value in enumerate(true)], unit="KWD")
    )
    assert found.rules == {ONE_UNIT}
    assert found.repaired.series["close"].tolist() == pytest.approx(true)


def test_a_dividend_in_the_wrong_unit_is_put_right_where_adjusted_close_and_price_say_so() -> None:
    paid = {40: 0.3}
    closes = after_dividends(noise(80, 25.0), paid)
    _, found = judged(payload(closes, dividends=paid, stated={40: 30.0}, unit="GBP"))
    assert (found.rules, amounts(found)) == ({DIVIDEND_UNIT}, [pytest.approx(0.3)])


def test_a_right_dividend_stands_where_only_the_adjusted_close_is_in_the_wrong_unit() -> None:
    paid = dict.fromkeys((30, 60, 90, 120), 0.5)
    closes = after_dividends(noise(150, 20.0, size=0.005), paid)
    wrong = dict.fromkeys(paid, 0.005)
    _, found = judged(payload(closes, dividends=paid, adjusted_for=wrong, unit="GBP"))
    assert (found.rules, amounts(found)) == ({DIVIDEND_ADJUSTED}, [0.5] * 4)


def test_a_dividend_in_the_shares_before_a_split_is_put_right() -> None:
    paid = {20: 0.2}
    closes = after_dividends(noise(80, 30.0, size=0.003), paid)
    _, found = judged(payload(closes, dividends=paid, stated={20: 2.0}, splits={50: (10, 1)}))
    assert (found.rules, amounts(found)) == ({DIVIDEND_UNIT}, [pytest.approx(0.2)])


def test_of_a_dividend_stated_twice_the_one_that_no_price_felt_is_dropped() -> None:
    paid = {30: 2.0, 95: 2.0, 160: 2.0}
    closes = after_dividends(noise(200, 50.0, size=0.004), paid)
    both = paid | {94: 2.0}
    _, found = judged(payload(closes, dividends=paid, stated=both, adjusted_for=both))
    assert found.rules == {DIVIDEND_ONCE} and amounts(found) == [2.0, None, 2.0, 2.0]


def test_a_missing_dividend_that_adjusted_close_and_price_show_is_added() -> None:
    paid = {30: 1.0, 60: 1.0, 90: 1.0}
    closes = after_dividends(noise(120, 50.0, size=0.005), paid)
    read, found = judged(payload(closes, dividends=paid, stated={30: 1.0, 90: 1.0}))
    assert found.rules == {DIVIDEND_STATED}
    assert [one.stated.stamp for one in found.dividends] == [read.stamps[bar] for bar in paid]
    assert amounts(found) == pytest.approx([1.0] * 3)


def test_a_dividend_on_a_wrong_date_moves_to_where_price_and_adjusted_close_fell() -> None:
    paid = {30: 1.5, 90: 1.5}
    closes = after_dividends(noise(120, 50.0, size=0.005), paid)
    read, found = judged(payload(closes, dividends=paid, stated={30: 1.5, 80: 1.5}))
    assert found.rules == {DIVIDEND_DATED}
    final = {one.stated.stamp: one.amount for one in found.dividends if one.amount is not None}
    assert final == {read.stamps[30]: 1.5, read.stamps[90]: 1.5}


# ---- what cannot be decided is set aside with both readings


def undecided() -> str:
    """Prices step by a split's ratio days before it, and the volumes tell nothing."""
    closes = [value * (2 if bar < 45 else 1) for bar, value in enumerate(noise(100, 30.0))]
    return payload(closes, splits={50: (2, 1)}, volumes=[0.0] * 100)


def decoded(text: str, fields: dict[str, str], **asked: object) -> pl.DataFrame:
    request = json.dumps({"ticker": "X", "interval": "1d", "until": "2030-01-01", **asked})
    frame = {"payload_id": ["p"], "ticker": ["X"], "request": [request], "payload": [text]}
    return yahoo_chart(pl.DataFrame(frame), fields)


def test_bars_that_nobody_can_decide_on_are_set_aside_with_both_readings() -> None:
    lines = decoded(undecided(), BARS, judgement=2)
    aside = lines.filter(pl.col("fault") == SPLIT_APPLIED)
    assert aside.height == 45 and lines.filter(pl.col("line") >= REPAIRED).is_empty()
    read = json.loads(aside["text"][0])
    assert read["as stated"]["close"] == pytest.approx(2 * read["as put right"]["close"])


def test_a_dividend_that_may_be_one_stated_twice_is_set_aside_with_both_readings() -> None:
    paid = {30: 0.2, 95: 0.2, 160: 0.2}
    both = paid | {94: 0.2}
    closes = after_dividends(noise(200, 50.0, size=0.02), paid)
    lines = decoded(payload(closes, dividends=paid, stated=both, adjusted_for=both), ACTIONS, judgement=2)
    aside = lines.filter(pl.col("fault") == DIVIDEND_ONCE)
    assert json.loads(aside["text"][0])["readings"] == [0.2, 0.0]
    assert lines.filter(pl.col("fault").is_null())["amount"].to_list() == ["0.2"] * 3


def test_a_dividend_on_prices_that_a_split_may_not_be_applied_to_is_set_aside_with_both_readings() -> None:
    closes = after_dividends(noise(200, 90.0, size=0.015), {40: 8.0})
    closes[118:] = [close * 0.92 for close in closes[118:]]
    halved = [close / 2 for close in closes[:118]] + closes[118:]  # of the step up by two the fall has hidden a part
    read, found = judged(payload(halved, stated={40: 8.0}, adjusted_for={40: 4.0}, splits={130: (1, 2)}))
    assert not any(found.bar_rules), "the step is no certain one"
    assert [(one.amount, one.readings) for one in found.dividends] == [(None, (8.0, 4.0))]
    assert read.dividends[0].amount == 8.0


def test_a_landing_that_names_no_judgement_is_read_as_it_was() -> None:
    text = undecided()
    before, now = decoded(text, BARS), decoded(text, BARS, judgement=2)
    assert before.filter(pl.col("line") >= REPAIRED).height == 45
    assert now.filter(pl.col("line") >= REPAIRED).height == 0


def test_a_short_or_empty_chart_is_judged_without_a_guess() -> None:
    whole = read_chart(payload(noise(10, 30.0), splits={5: (3, 1)}), "X")
    for count in range(4):
        series = {name: values[:count] for name, values in whole.series.items()}
        part = replace(whole, stamps=whole.stamps[:count], series=series)
        assert check_consistency(part).rules == frozenset()
    assert whole.splits[0].ratio == Fraction(3)


HOSTILE = st.sampled_from(
    [0.0, -1.0, float("nan"), float("inf"), -float("inf"), 1e-300, 1e300, 5e-324, 1e18, 50.0, 5_000.0]
)


@settings(max_examples=40, deadline=None)
@given(
    data=st.data(), spacing=st.sampled_from([60, 3_600, DAY, 7 * DAY, 0]), unit=st.sampled_from(["USD", "GBp", "KWD"])
)
def test_numbers_that_are_no_prices_stop_no_judgement(data: st.DataObject, spacing: int, unit: str) -> None:
    count = data.draw(st.integers(0, 12))
    values = st.lists(HOSTILE, min_size=count, max_size=count).map(np.array)
    names = ("open", "high", "low", "close", "volume", "adjclose")
    series = {name: data.draw(values).astype(float) for name in names}
    at = tuple(START + spacing * n for n in range(count))
    when = st.integers(-3, 15).map(lambda n: START + n * max(spacing, 1))
    splits = sorted(data.draw(st.lists(st.tuples(when, st.fractions(min_value=Fraction(1, 10**9))), max_size=2)))
    paid = sorted(data.draw(st.lists(st.tuples(when, HOSTILE), max_size=4)), key=lambda one: one[0])
    whole = Chart(
        "X",
        unit,
        ZoneInfo("America/New_York"),
        None,
        None,
        None,
        at,
        series,
        tuple(Split(stamp, ratio) for stamp, ratio in splits),
        tuple(Dividend(stamp, amount, None) for stamp, amount in paid),
    )
    found = check_consistency(whole)
    assert len(found.bar_rules) == count and len(found.dividends) >= len(paid)
