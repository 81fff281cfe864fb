"""A matured forecast is scored once, on what a holder earned, and never on what is not known."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from lake.tables.predictions import QUANTILE_COLUMNS, QUANTILES
from pipeline.feedback import validate, validation_events
from pipeline.feedback.params import FeedbackParams
from tests.frames.feedback import Tables, at, run, run_and_keep
from tests.frames.market import CALENDAR, DAY, actions, prices
from tests.frames.predictions import member, normal, predictions, universe


def day(after: int) -> date:
    return CALENDAR.offset(DAY, after)


def bars(*closes: float | None, ticker: str = "AAA") -> pl.DataFrame:
    """Bars from DAY on; None is a session without one."""
    rows = [
        {"ticker": ticker, "session": day(n), "close": close} for n, close in enumerate(closes) if close is not None
    ]
    return prices(*rows)


def lake(*closes: float | None, **others: pl.DataFrame) -> Tables:
    return {
        "predictions": predictions({}),
        "market_prices": bars(*closes),
        "ticker_universe": universe(*({"session": day(n), "stale": n} for n in range(10))),
    } | others


def play(tables: Tables, last: int, first: int = 0) -> pl.DataFrame:
    """Run both stages at every session, counted from DAY on; the scores."""
    for n in range(first, last + 1):
        run_and_keep(validate.STAGE, tables, at(day(n)))
        run_and_keep(validation_events.STAGE, tables, at(day(n)))
    return tables["prediction_accuracy"]


def events(tables: Tables) -> list[tuple[int, str]]:
    rows = tables["validation_events"].sort("session", "event")
    return [(CALENDAR.distance(DAY, row["session"]), row["event"]) for row in rows.to_dicts()]


def test_each_member_is_scored_alone_and_the_forecast_as_if_no_lesson_had_acted() -> None:
    wide, plain = normal(0.01, 0.03), normal(0.01, 0.02)
    told = {"ticker": "BBB", **wide, "without_lessons": list(plain.values()), "interval_scale": 1.2}
    made = predictions({}, told)
    closes = pl.concat([bars(100.0, 103.0), bars(100.0, 103.0, ticker="BBB")])
    one, other = play(lake(predictions=made, market_prices=closes), 1).sort("ticker").to_dicts()
    assert [entry["member"] for entry in one["member_pinball"]] == ["ridge"]
    assert one["member_pinball"][0]["pinball"] == pytest.approx(one["pinball"]), "the forecast is the member's"
    assert (one["pinball_without"], one["needed_without"]) == (None, None)
    assert other["pinball_without"] == pytest.approx(one["pinball"])
    assert other["needed_without"] == pytest.approx(1.2 * one["needed_scale"])
    assert other["needed_scale"] == pytest.approx(1.2 * one["needed_scale"] / 1.5)


def test_a_matured_forecast_is_scored_beside_the_naive_one() -> None:
    [score] = play(lake(100.0, 103.0), 1).to_dicts()
    assert score["realised"] == pytest.approx(0.03)
    assert score["error"] == pytest.approx(0.02)
    assert score["naive_absolute_error"] == pytest.approx(0.03)
    assert (score["session"], score["made_session"], score["target_session"]) == (day(1), DAY, day(1))
    assert (score["inside_50"], score["inside_80"], score["inside_90"]) == (False, True, True)
    assert score["needed_scale"] == pytest.approx(0.02 / (1.645 * 0.02))
    assert score["direction_hit"] is True
    assert score["sector"] == "tech"


def test_pinball_losses_are_the_means_over_all_stated_quantiles() -> None:
    [score] = play(lake(100.0, 103.0), 1).to_dicts()

    def by_hand(point: float) -> float:
        quantiles = normal(point, 0.02)
        losses = [
            q * (0.03 - quantiles[name]) if quantiles[name] <= 0.03 else (1 - q) * (quantiles[name] - 0.03)
            for name, q in zip(QUANTILE_COLUMNS, QUANTILES, strict=True)
        ]
        return sum(losses) / len(losses)

    assert score["pinball"] == pytest.approx(by_hand(0.01))
    assert score["naive_pinball"] == pytest.approx(by_hand(0.0))


def test_a_forecast_waits_for_its_target_session() -> None:
    tables = lake(100.0, 103.0, 104.0, predictions=predictions({"horizon": 2}))
    assert play(tables, 1).is_empty()
    assert events(tables) == []


def test_a_forecast_is_scored_once_however_often_and_however_late_stages_run() -> None:
    tables = lake(100.0, 103.0, 104.0, 105.0)
    first = play(tables, 1)
    again = run(validate.STAGE, tables, at(day(1)))
    assert again.equals(first)
    assert play(tables, 3).equals(first)
    assert events(tables) == [(1, "scored")]


def test_a_session_without_a_run_is_made_up_for_later() -> None:
    tables = lake(100.0, 103.0, 104.0)
    scored = run(validate.STAGE, tables, at(day(2)))
    assert scored["realised"].to_list() == pytest.approx([0.03])
    assert scored["session"].to_list() == [day(2)]


def test_a_split_between_the_two_closes_is_no_loss() -> None:
    tables = lake(100.0, 51.0, corporate_actions=actions({"ex_date": day(1), "numerator": 2, "denominator": 1}))
    assert play(tables, 1)["realised"].to_list() == pytest.approx([0.02])


def test_a_dividend_between_the_two_closes_counts_as_earned() -> None:
    dividend = {"kind": "dividend", "ex_date": day(1), "amount": 2.0, "numerator": None, "denominator": None}
    assert play(lake(100.0, 99.0, corporate_actions=actions(dividend)), 1)["realised"].to_list() == pytest.approx(
        [0.01]
    )


def test_a_late_bar_is_waited_for_and_scored() -> None:
    tables = lake(100.0)
    play(tables, 3)
    late = bars(100.0, 103.0, ticker="AAA").with_columns(available_at=pl.lit(at(day(4)).as_of))
    tables["market_prices"] = late
    run_and_keep(validate.STAGE, tables, at(day(4)))
    run_and_keep(validation_events.STAGE, tables, at(day(4)))
    assert events(tables) == [(1, "waiting"), (4, "scored")]
    assert tables["prediction_accuracy"]["session"].to_list() == [day(4)]


def test_a_target_without_a_bar_is_void_after_the_grace_and_stays_void() -> None:
    tables = lake(100.0)
    play(tables, 6)
    assert events(tables) == [(1, "waiting"), (6, "void")]
    assert "its last bar is 6 sessions old" in tables["validation_events"]["reason"][-1]
    tables["market_prices"] = bars(100.0, 103.0, 104.0)
    assert play(tables, 8, first=7).is_empty()
    assert events(tables) == [(1, "waiting"), (6, "void")]


def test_a_close_after_a_halt_is_not_taken_for_the_close_of_the_target() -> None:
    assert play(lake(100.0, None, 50.0, 50.0), 3).is_empty()


@pytest.mark.parametrize("ex_date", [1, 3])
def test_a_delisted_ticker_is_scored_at_its_final_value_also_if_it_was_halted_before(ex_date: int) -> None:
    delisting = {"kind": "delisting", "ex_date": day(ex_date), "amount": 10.0, "numerator": None, "denominator": None}
    scored = play(lake(100.0, corporate_actions=actions(delisting)), 4)
    assert scored["realised"].to_list() == pytest.approx([-0.9])
    assert scored["session"].to_list() == [day(ex_date)]


def test_a_forecast_without_an_opinion_has_no_direction() -> None:
    naive = predictions({"point": 0.0, "role": "naive", "model_id": "naive", "members": [member()]})
    assert play(lake(100.0, 103.0, predictions=naive), 1)["direction_hit"].to_list() == [None]


def test_what_happens_after_a_session_changes_no_score_of_it() -> None:
    tables = lake(100.0, 103.0)
    before = run(validate.STAGE, tables, at(day(1)))
    tables["market_prices"] = bars(100.0, 103.0, 9_999.0, 1.0)
    tables["corporate_actions"] = actions({"ex_date": day(2), "numerator": 7, "denominator": 1})
    assert run(validate.STAGE, tables, at(day(1))).equals(before)


def rename(old: str, new: str, session: date) -> dict[str, object]:
    return {"ticker": old, "ex_date": session, "kind": "rename", "successor": new, "amount": None}


def test_a_forecast_is_scored_by_its_company_under_the_name_it_has_at_the_target() -> None:
    given = lake(
        market_prices=pl.concat([bars(100.0), bars(None, None, 110.0, ticker="NEW"), bars(50.0, 50.0, ticker="AAB")]),
        corporate_actions=actions(rename("AAA", "NEW", day(1))),
        predictions=predictions({"horizon": 2}),
        ticker_universe=universe(*({"session": day(n), "ticker": "NEW", "sector": "energy"} for n in (1, 2))),
    )
    [score] = play(given, 2).to_dicts()
    assert (score["ticker"], score["sector"]) == ("AAA", "energy")
    assert score["realised"] == pytest.approx(0.10)


def test_a_forecast_is_never_scored_by_another_company_that_got_the_ticker() -> None:
    given = lake(100.0, None, 250.0, predictions=predictions({"horizon": 2}))
    given["corporate_actions"] = actions({"kind": "delisting", "ex_date": day(1), "amount": 40.0})
    [score] = play(given, 2).to_dicts()
    assert score["realised"] == pytest.approx(-0.6)


def test_runs_of_earlier_programs_followed_the_ticker() -> None:
    given = lake(100.0, None, 250.0, predictions=predictions({"horizon": 2}))
    given["corporate_actions"] = actions({"kind": "delisting", "ex_date": day(1), "amount": 40.0})
    [score] = run(validate.STAGE, given, at(day(2)), FeedbackParams(securities=1)).to_dicts()
    assert score["realised"] == pytest.approx(1.5)
