"""What a fit may learn from: whole windows of members, with outcomes that are known."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest

from lake.tables.market import CORPORATE_ACTIONS
from pipeline.features.catalogue import NAMED_SETS, choose
from pipeline.features.feature_set import extend, feature_set
from pipeline.models.dataset import Examples, label_examples, list_input_features, session_means
from tests.frames.models import CALENDAR, FEATURES, SMALL, Market, market


def examples(at: Market) -> Examples:
    return label_examples(
        at.feature_rows, at.market_prices, at.corporate_actions, at.ticker_universe, at.calendar, SMALL
    )


def pairs(built: Examples) -> set[tuple[date, str]]:
    return {(CALENDAR.days[at], name) for at, name in zip(built.session, built.ticker, strict=True)}


def test_a_window_holds_the_last_sessions_in_order() -> None:
    world = market(tickers=3, sessions=40)
    built = examples(world)
    row = 50
    day, ticker = CALENDAR.days[built.session[row]], built.ticker[row]
    own = world.feature_rows.filter((pl.col("ticker") == ticker) & (pl.col("session") <= day)).sort("session")
    expected = own.select(FEATURES).tail(SMALL.window).to_numpy()
    assert np.array_equal(built.windows(np.array([row]))[0], expected)
    assert np.array_equal(built.last_rows(np.array([row]))[0], expected[-1])


def test_the_outcome_is_the_total_return_in_units_of_the_volatility_known_then() -> None:
    world = market(tickers=2, sessions=30)
    built = examples(world)
    day, ticker = CALENDAR.days[built.session[0]], built.ticker[0]
    close = dict(world.market_prices.filter(pl.col("ticker") == ticker).select("session", "close").iter_rows())
    row = world.feature_rows.filter((pl.col("ticker") == ticker) & (pl.col("session") == day))
    volatility = row["volatility_20"][0]
    for number, horizon in enumerate(SMALL.horizons):
        earned = close[CALENDAR.offset(day, horizon)] / close[day] - 1
        assert built.outcome[0, number] == pytest.approx(earned / (volatility * horizon**0.5), rel=1e-6)


def test_every_window_with_a_missing_row_or_value_is_left_out() -> None:
    world = market(tickers=2, sessions=30)
    gap, hole = CALENDAR.days[10], CALENDAR.days[20]
    at_hole = (pl.col("session") == hole) & (pl.col("ticker") == "T001")
    rows = world.feature_rows.filter((pl.col("session") != gap) | (pl.col("ticker") != "T000")).with_columns(
        complete=~at_hole, rsi_14=pl.when(~at_hole).then("rsi_14")
    )
    lost = pairs(examples(world)) - pairs(examples(replace(world, feature_rows=rows)))
    assert lost == {(CALENDAR.days[10 + step], "T000") for step in range(5)} | {
        (CALENDAR.days[20 + step], "T001") for step in range(5) if 20 + step < 25
    }


def test_only_members_of_a_session_teach_and_later_leavers_are_kept() -> None:
    world = market(tickers=2, sessions=30)
    left = CALENDAR.days[15]
    stays = (pl.col("ticker") != "T000") | (pl.col("session") < left)
    universe = world.ticker_universe.with_columns(member=stays)
    kept = pairs(examples(replace(world, ticker_universe=universe)))
    assert {day for day, name in kept if name == "T000"} == set(CALENDAR.days[4:15])
    assert len({day for day, name in kept if name == "T001"}) == 21


def test_a_delisted_ticker_counts_with_its_final_value() -> None:
    world = market(tickers=2, sessions=30)
    last, gone = CALENDAR.days[20], CALENDAR.days[21]
    prices = world.market_prices.filter((pl.col("ticker") != "T000") | (pl.col("session") <= last))
    delisting = {"ticker": "T000", "ex_date": gone, "kind": "delisting", "amount": 0.0}
    actions = pl.DataFrame([delisting], schema_overrides=CORPORATE_ACTIONS.schema)
    actions = pl.concat([CORPORATE_ACTIONS.empty(), actions.cast({"ex_date": pl.Date})], how="diagonal")
    built = examples(replace(world, market_prices=prices, corporate_actions=actions))
    row = [(CALENDAR.days[s], t) for s, t in zip(built.session, built.ticker, strict=True)].index((last, "T000"))
    assert built.outcome[row, 1] * built.sigma[row] * 5**0.5 == pytest.approx(-1.0)


def test_windows_and_outcomes_go_on_through_a_rename() -> None:
    world = market(tickers=2, sessions=40)
    day = CALENDAR.days[20]

    def renamed(frame: pl.DataFrame) -> pl.DataFrame:
        later = (pl.col("ticker") == "T000") & (pl.col("session") >= day)
        return frame.with_columns(ticker=pl.when(later).then(pl.lit("Z")).otherwise("ticker"))

    row = {"ticker": "T000", "ex_date": day, "kind": "rename", "successor": "Z"}
    frames = {name: renamed(getattr(world, name)) for name in ("feature_rows", "market_prices", "ticker_universe")}
    actions = pl.DataFrame([row], schema={name: CORPORATE_ACTIONS.schema[name] for name in CORPORATE_ACTIONS.columns})
    built = examples(replace(world, **frames, corporate_actions=actions))
    usual = examples(world)
    assert built.outcome.tolist() == usual.outcome.tolist()
    every = np.arange(len(usual), dtype=np.int64)
    assert np.array_equal(built.windows(every), usual.windows(every))


def test_an_outcome_that_is_not_known_yet_is_no_example() -> None:
    built = examples(market(tickers=2, sessions=30))
    assert CALENDAR.days[built.session.max()] == CALENDAR.days[30 - 1 - max(SMALL.horizons)]


def test_what_happens_later_changes_no_earlier_example() -> None:
    world = market(tickers=3, sessions=60)
    known = examples(world.until(CALENDAR.days[39]))
    poisoned = replace(
        world,
        market_prices=world.market_prices.with_columns(
            close=pl.when(pl.col("session") > CALENDAR.days[39]).then(pl.col("close") * 1_000).otherwise("close")
        ),
    )
    later = examples(poisoned)
    assert len(known) > 0
    assert np.array_equal(later.outcome[: len(known)], known.outcome)
    assert np.array_equal(later.relative[: len(known)], known.relative)


def test_relative_targets_have_no_common_move() -> None:
    built = examples(market(tickers=4, sessions=40))
    assert np.abs(session_means(built.relative, built.session)).max() < 1e-12
    assert np.abs(session_means(built.clipped, built.session)).max() > 0.1


def test_targets_are_clipped_for_fitting_and_kept_whole_for_scoring() -> None:
    world = market(tickers=2, sessions=40)
    jump = world.market_prices.with_columns(
        close=pl.when((pl.col("ticker") == "T000") & (pl.col("session") >= CALENDAR.days[20]))
        .then(pl.col("close") * 3)
        .otherwise("close")
    )
    built = examples(replace(world, market_prices=jump))
    assert built.clipped.max() == SMALL.clip
    assert built.outcome.max() > 50


def test_session_means_are_those_of_each_session() -> None:
    values = np.array([[1.0], [3.0], [10.0]])
    assert session_means(values, np.array([4, 4, 9])).tolist() == [[2.0], [10.0]]


@pytest.mark.parametrize("columns", ["some", "none"])
def test_a_history_too_short_for_any_feature_row_has_no_example(columns: str) -> None:
    world = market(tickers=2, sessions=40)
    rows = world.feature_rows.clear()
    if columns == "none":  # those of further features are not there before one of them was computed
        rows = rows.drop(FEATURES)
    built = examples(replace(world, feature_rows=rows))
    assert (len(built.session), built.windows(np.arange(0)).shape[0]) == (0, 0)
    assert list_input_features(SMALL, feature_set(extend(choose(["pure_momentum"]))), rows)


@pytest.mark.parametrize("value", [None, float("nan")])
def test_a_feature_without_a_value_in_a_complete_row_is_named(value: float | None) -> None:
    world = market(tickers=2, sessions=40)
    hit = (pl.col("ticker") == "T001") & (pl.col("session") == CALENDAR.days[12])
    rows = world.feature_rows.with_columns(
        rsi_14=pl.when(hit).then(pl.lit(value, dtype=pl.Float32)).otherwise("rsi_14")
    )
    first = f"1 of 80 complete feature rows lack a value of 'rsi_14', the first is T001 at {CALENDAR.days[12]}; compute"
    with pytest.raises(ValueError, match=first):
        examples(replace(world, feature_rows=rows))


def test_what_this_lake_knows_too_seldom_of_a_named_set_is_not_learned_from_unless_it_is_named() -> None:
    chosen = feature_set(extend(choose(["pure_momentum"])))
    names = [feature.name for feature in NAMED_SETS["pure_momentum"]]
    rows = market(tickers=2, sessions=40).feature_rows
    often, seldom = (pl.int_range(pl.len()) % 10 < share for share in (8, 7))
    known = [pl.when(seldom if name == "pure_return_5" else often).then(1.0).alias(name) for name in names]
    rows = rows.with_columns(known)
    inputs = list_input_features(replace(SMALL, features=()), chosen, rows)
    assert set(chosen.names) - set(inputs) == {"pure_return_5"}
    named = replace(SMALL, features=("return_1", "pure_return_5"))
    assert list_input_features(named, chosen, rows) == named.features
