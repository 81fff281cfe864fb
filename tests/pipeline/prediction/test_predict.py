"""A forecast is the champion's, corrected and bounded; where there can be none, the log says why."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.features import FEATURE_WINDOWS
from lake.tables.learning import SLICE_LESSONS
from lake.tables.market import CORPORATE_ACTIONS
from lake.tables.models import SPECIALISTS, TARGETED_TRAININGS
from lake.tables.predictions import QUANTILE_COLUMNS, QUANTILES
from lake.tables.trading import STRATEGIC_PRIORITIES
from pipeline.features.tensors import window_tensor
from pipeline.models.ensemble import combine
from pipeline.models.inference import forecast_members
from pipeline.models.members.naive import default_z
from pipeline.models.registry import RegistryError, load_members
from pipeline.models.serialization import decode, digest, encode
from pipeline.prediction import inference_log, predict
from pipeline.prediction.params import PredictionParams
from pipeline.prediction.predict import predict_batch
from pipeline.text_format import counted
from tests.frames import models
from tests.frames.features import WITH_FEATURES
from tests.frames.feedback import Tables, at, flags, metric_rows, run, run_and_keep
from tests.frames.market import prices
from tests.frames.predictions import priorities, universe, windows

CALENDAR = models.CALENDAR


@dataclass
class Setting:
    """A trained champion and all else a session's forecasts are made from."""

    tables: Tables
    session: date
    model_id: str

    @property
    def tickers(self) -> list[str]:
        """Who has a window, in order."""
        return self.tables["feature_windows"]["ticker"].to_list()

    def forecasts(self, **changes: pl.DataFrame) -> pl.DataFrame:
        """Run the stage."""
        return run(predict.STAGE, self.tables | changes, at(self.session, calendar=CALENDAR))


@pytest.fixture(scope="module")
def trained() -> Setting:
    """A dozen tickers, a model that found a planted signal, and no feedback yet."""
    market = models.market(signal=0.4)
    session = market.sessions[-1]
    rows = market.feature_rows
    tickers = rows["ticker"].unique().sort().to_list()
    registry = models.trained(market)
    absent = [name for name in WITH_FEATURES.columns if name not in rows.columns]
    batch = f"f1-{session:%Y%m%d}-0123456789ab"
    bars = ({"ticker": t, "session": session, "close": 50.0 + n} for n, t in enumerate(tickers))
    first = CALENDAR.offset(session, -4)
    batched = windows(*tickers, session=session, first_session=first, features_id=batch)
    tables = {
        "feature_rows": rows.with_columns(**{name: pl.lit(None, pl.Float32) for name in absent}),
        "feature_windows": FEATURE_WINDOWS.check(batched),
        "ticker_priorities": priorities(*tickers, session=session),
        "market_prices": prices(*bars, calendar=CALENDAR),
        "ticker_universe": universe(*({"ticker": t, "session": session} for t in tickers)),
        "model_registry": registry,
        "model_promotions": models.promotions(registry["model_id"][0], session),
    }
    return Setting(tables, session, registry["model_id"][0])


def without(setting: Setting, *names: str) -> Setting:
    return replace(setting, tables={name: rows for name, rows in setting.tables.items() if name not in names})


def quantiles(rows: pl.DataFrame) -> np.ndarray[Any, Any]:
    return rows.select(QUANTILE_COLUMNS).to_numpy()


def test_the_forecast_is_the_weighted_mean_of_the_members_quantiles(trained: Setting) -> None:
    ensemble = load_members(trained.tables["model_registry"], trained.model_id)
    tensor = window_tensor(trained.tables["feature_rows"], trained.tables["feature_windows"], ensemble.features)
    expected = combine(forecast_members(ensemble, tensor), ensemble.weights, ensemble.locations)
    rows = trained.forecasts()
    assert rows["ticker"].to_list() == [ticker for ticker in trained.tickers for _ in ensemble.horizons]
    assert rows["horizon"].to_list() == list(ensemble.horizons) * len(trained.tickers)
    assert quantiles(rows) == pytest.approx(expected.reshape(-1, 7))
    assert rows["point"].equals(rows["q50"].alias("point"))
    assert set(rows["role"]) == {"champion"}
    assert set(rows["model_id"]) == {trained.model_id}


def test_the_breakdown_adds_up_to_the_forecast_and_holds_the_naive_member(trained: Setting) -> None:
    for row in trained.forecasts().to_dicts():
        assert [entry["member"] for entry in row["members"]] == ["lstm", "naive", "ridge"]
        assert sum(entry["weight"] for entry in row["members"]) == pytest.approx(1.0)
        shares = row["location_weights"]
        assert sum(shares) == pytest.approx(1.0)
        point = sum(share * entry["point"] for share, entry in zip(shares, row["members"], strict=True))
        assert row["point"] == pytest.approx(point)
        for name in QUANTILE_COLUMNS:
            width = sum(entry["weight"] * (entry[name] - entry["point"]) for entry in row["members"])
            assert row[name] == pytest.approx(point + width)


def test_a_forecast_says_when_it_was_made_from_which_close_and_for_when(trained: Setting) -> None:
    row = trained.forecasts().filter((pl.col("ticker") == "T003") & (pl.col("horizon") == 5)).to_dicts()[0]
    bar = trained.tables["market_prices"].filter((pl.col("ticker") == "T003") & (pl.col("session") == trained.session))
    assert row["reference_close"] == bar["close"][0]
    assert row["made_at"] == CALENDAR.close_at(trained.session) + timedelta(minutes=20)
    assert row["target_session"] == CALENDAR.offset(trained.session, 5)
    daily = np.sqrt((bar_volatility(trained, "T003") ** 2).mean())
    assert row["sigma"] == pytest.approx(daily * np.sqrt(5))


def bar_volatility(setting: Setting, ticker: str) -> np.ndarray[Any, Any]:
    rows = setting.tables["feature_rows"]
    last = rows.filter((pl.col("ticker") == ticker) & (pl.col("session") == setting.session))
    return last.select("volatility_20", "volatility_60").to_numpy().astype(np.float64)


def test_without_a_champion_the_naive_forecast_is_stated_as_what_it_is(trained: Setting) -> None:
    rows = without(trained, "model_promotions", "model_registry").forecasts()
    assert set(rows["role"]) == set(rows["model_id"]) == {"naive"}
    assert rows["horizon"].unique().sort().to_list() == [1, 5, 20]
    assert rows["point"].to_list() == [0.0] * rows.height
    assert rows["probability_up"].to_list() == [0.5] * rows.height
    assert rows["confidence"].to_list() == [0.0] * rows.height
    assert {len(members) for members in rows["members"]} == {1}
    expected = default_z((1, 5, 20), QUANTILES)[None] * rows["sigma"].to_numpy().reshape(-1, 3)[:, :, None]
    assert quantiles(rows) == pytest.approx(expected.reshape(-1, 7))


def test_a_champion_of_another_feature_set_gives_way_to_the_naive_forecast(trained: Setting) -> None:
    other = trained.tables["model_registry"].with_columns(feature_set=pl.lit("f0"))
    assert set(trained.forecasts(model_registry=other)["role"]) == {"naive"}


def test_a_window_that_lacks_a_further_feature_gets_no_forecast_of_a_model_that_uses_it(trained: Setting) -> None:
    name, tables = "f1+0123abcd", trained.tables
    lacking = (pl.col("ticker") == "T001") & (pl.col("session") == trained.session)
    rows = tables["feature_rows"].with_columns(
        feature_set=pl.lit(name), further=pl.when(lacking).then(None).otherwise(pl.col("return_5"))
    )
    changes = {
        "feature_rows": rows,
        "feature_windows": tables["feature_windows"].with_columns(feature_set=pl.lit(name)),
    }
    assert trained.forecasts(**changes).equals(trained.forecasts()), "the model does not use it"
    registry = tables["model_registry"]
    features = [["further" if one == "return_5" else one for one in registry["features"][0]]] * registry.height
    registry = registry.with_columns(feature_set=pl.lit(name), features=pl.Series(features))
    made = trained.forecasts(**changes, model_registry=registry)
    assert set(made["ticker"]) == {*trained.tickers} - {"T001"}
    assert made.equals(trained.forecasts().filter(pl.col("ticker") != "T001"))


def test_a_champion_that_is_not_registered_is_an_error_and_not_a_naive_forecast(trained: Setting) -> None:
    lost = models.promotions("m-20150302-00000000", trained.session)
    with pytest.raises(RegistryError, match="is not registered"):
        trained.forecasts(model_promotions=lost)


def test_a_measured_bias_moves_the_whole_distribution(trained: Setting) -> None:
    before = CALENDAR.previous(trained.session)
    rows = trained.forecasts(bias_flags=flags({"session": before, "adjustment": 0.002}))
    plain = trained.forecasts()
    moved = quantiles(rows) - quantiles(plain)
    one = rows["horizon"].to_numpy() == 1
    assert moved[one] == pytest.approx(0.002)
    assert moved[~one] == pytest.approx(0.0)
    assert rows["bias_adjustment"].to_list() == pytest.approx([-0.002 if at_one else 0.0 for at_one in one])


def test_learned_coverage_widens_the_interval_around_the_same_point(trained: Setting) -> None:
    before = CALENDAR.previous(trained.session)
    learned = {"session": before, "metric": "interval_scale", "value": 1.5, "verdict": "learned"}
    rows, plain = trained.forecasts(feedback_metrics=metric_rows(learned)), trained.forecasts()
    scale = np.where(plain["horizon"].to_numpy() == 1, 1.5, 1.0)
    spread, before_spread = (quantiles(frame) - quantiles(frame)[:, 3:4] for frame in (rows, plain))
    assert spread == pytest.approx(before_spread * scale[:, None])
    assert rows["point"].to_list() == plain["point"].to_list()
    assert rows["interval_scale"].to_list() == scale.tolist()


def test_corrections_of_the_session_itself_and_stale_ones_do_not_count(trained: Setting) -> None:
    stale = CALENDAR.offset(trained.session, -6)
    lessons = flags({"session": trained.session}, {"session": stale})
    assert trained.forecasts(bias_flags=lessons).equals(trained.forecasts())


def test_confidence_is_agreement_times_measured_skill(trained: Setting) -> None:
    before = CALENDAR.previous(trained.session)
    sure = metric_rows({"session": before, "value": 0.2, "low": 0.15, "high": 0.25})
    unsure = metric_rows({"session": before, "value": -0.1, "low": -0.2, "high": 0.0})
    one = pl.col("horizon") == 1
    high = trained.forecasts(feedback_metrics=sure).filter(one)["confidence"]
    plain = trained.forecasts().filter(one)["confidence"]
    assert high.to_list() == pytest.approx((plain / PredictionParams().unmeasured_skill).to_list())
    assert trained.forecasts(feedback_metrics=unsure).filter(one)["confidence"].to_list() == [0.0] * len(plain)


def test_a_bound_that_acts_is_named(trained: Setting) -> None:
    before = CALENDAR.previous(trained.session)
    rows = trained.forecasts(bias_flags=flags({"session": before, "adjustment": 0.5}))
    at_one = rows.filter(pl.col("horizon") == 1)
    assert set(at_one["bounds"].list.join(",")) == {"point_cap"}
    assert at_one["point"].to_list() == pytest.approx((2 * at_one["sigma"]).to_list())
    assert set(rows.filter(pl.col("horizon") == 5)["bounds"].list.len()) == {0}


def test_a_forecast_does_not_depend_on_who_else_is_asked_about(trained: Setting) -> None:
    alone = trained.tables["ticker_priorities"].filter(pl.col("ticker") == "T007")
    rows = trained.forecasts(ticker_priorities=alone)
    assert rows.equals(trained.forecasts().filter(pl.col("ticker") == "T007"))


def test_what_comes_after_the_session_changes_no_forecast(trained: Setting) -> None:
    after = CALENDAR.next(trained.session)
    poison = (
        trained.tables["market_prices"]
        .filter(pl.col("session") == trained.session)
        .with_columns(session=pl.lit(after), close=pl.col("close") * 1_000)
    )
    bars = pl.concat([trained.tables["market_prices"], poison])
    rows = trained.tables["feature_rows"]
    later = rows.filter(pl.col("session") == trained.session).with_columns(
        session=pl.lit(after), return_1=pl.col("return_1") * 1_000
    )
    poisoned = trained.forecasts(market_prices=bars, feature_rows=pl.concat([rows, later]))
    assert poisoned.equals(trained.forecasts())


def test_a_batch_that_is_not_there_is_named(trained: Setting) -> None:
    with pytest.raises(ValueError, match="no windows of batch 'f1-20990101-000000000000'"):
        predict_batch(
            "f1-20990101-000000000000",
            **{name: trained.tables[name] for name in ("feature_windows", "feature_rows", "market_prices")},
            **{name: trained.tables[name] for name in ("ticker_universe", "model_registry", "model_promotions")},
            corporate_actions=CORPORATE_ACTIONS.empty(),
            bias_flags=flags(),
            slice_lessons=SLICE_LESSONS.empty(),
            feedback_metrics=metric_rows(),
            strategic_priorities=STRATEGIC_PRIORITIES.empty(),
            made_at=CALENDAR.close_at(trained.session),
            calendar=CALENDAR,
            params=PredictionParams(),
        )


def test_what_is_missing_gets_no_forecast_and_a_reason(trained: Setting) -> None:
    today = pl.col("session") == trained.session
    tables = trained.tables | {
        "feature_windows": trained.tables["feature_windows"]
        .filter(pl.col("ticker") != "T000")
        .with_columns(
            usable=pl.col("ticker") != "T001", present=pl.when(pl.col("ticker") == "T001").then(3).otherwise(5)
        ),
        "market_prices": trained.tables["market_prices"].filter(~(today & (pl.col("ticker") == "T002"))),
        "ticker_priorities": trained.tables["ticker_priorities"].with_columns(selected=pl.col("ticker") != "T003"),
    }
    moment = at(trained.session, calendar=CALENDAR)
    forecasts = run_and_keep(predict.STAGE, tables, moment)
    assert set(trained.tickers) - set(forecasts["ticker"]) == {"T000", "T001", "T002", "T003"}
    log = {row["ticker"]: row for row in run(inference_log.STAGE, tables, moment).to_dicts()}
    assert "T003" not in log
    assert [log[t]["status"] for t in ("T000", "T001", "T002")] == ["no_window", "incomplete_window", "no_bar"]
    assert log["T001"]["reason"] == "3 of 5 sessions have complete features"
    assert (log["T004"]["status"], log["T004"]["horizons"]) == ("predicted", 2)
    assert log["T004"]["reason"] == f"2 horizons by {trained.model_id}"
    assert log["T000"]["model_id"] is None


def test_without_a_bar_the_last_forecast_stands_until_it_matures_and_is_told_as_stale(trained: Setting) -> None:
    tables = dict(trained.tables)
    made = run_and_keep(predict.STAGE, tables, at(trained.session, calendar=CALENDAR))
    longest = made["horizon"].max()
    assert isinstance(longest, int)
    for age, status in ((1, "stale"), (longest - 1, "stale"), (longest, "no_window")):
        later = CALENDAR.offset(trained.session, age)
        tables["ticker_priorities"] = trained.tables["ticker_priorities"].with_columns(session=pl.lit(later))
        log = run(inference_log.STAGE, tables, at(later, calendar=CALENDAR)).row(0, named=True)
        assert (log["status"], log["horizons"]) == (status, 0)
        if status == "stale":
            standing = made.filter(ticker=log["ticker"]).filter(pl.col("target_session") > later)
            assert log["reason"] == (
                f"no bar since {trained.session}: the forecast made then, {counted(age, 'session')} ago,"
                f" stands for {counted(standing.height, 'horizon')}"
            )
            assert (log["model_id"], log["features_id"]) == (trained.model_id, made["features_id"][0])


def test_nothing_to_forecast_gives_nothing(trained: Setting) -> None:
    assert without(trained, "feature_windows").forecasts().is_empty()
    assert without(trained, "market_prices").forecasts().is_empty()


def renamed(registry: pl.DataFrame, model_id: str, session: date, **changes: pl.Expr) -> pl.DataFrame:
    return registry.with_columns(model_id=pl.lit(model_id), session=pl.lit(session)).with_columns(**changes)


def test_a_challenger_forecasts_beside_the_champion_and_changes_nothing_of_it(trained: Setting) -> None:
    registry = trained.tables["model_registry"]
    alone = trained.forecasts()
    challenger = renamed(registry, "m-later", trained.session)
    made = trained.forecasts(model_registry=pl.concat([registry, challenger]))
    shadow = made.filter(pl.col("role") == "shadow")
    assert made.filter(pl.col("role") == "champion").equals(alone)
    assert shadow["model_id"].unique().to_list() == ["m-later"]
    named = ("model_id", "role", "prediction_id")
    assert shadow.drop(named).equals(alone.drop(named)), "the same model says the same under another name"
    assert not set(shadow["prediction_id"]) & set(alone["prediction_id"])


def test_a_shadow_is_corrected_as_the_champion_is(trained: Setting) -> None:
    registry = trained.tables["model_registry"]
    before = CALENDAR.previous(trained.session)
    made = trained.forecasts(
        model_registry=pl.concat([registry, renamed(registry, "m-later", trained.session)]),
        bias_flags=flags({"session": before, "adjustment": 0.01}),
    )
    one, other = (made.filter(pl.col("role") == role)["bias_adjustment"].to_list() for role in ("champion", "shadow"))
    assert one == other
    assert set(one) == {0.0, -0.01}


def test_the_newest_model_that_can_be_loaded_is_the_shadow(trained: Setting) -> None:
    registry, session = trained.tables["model_registry"], trained.session
    older = renamed(registry, "m-older", CALENDAR.offset(session, -9))
    newer = renamed(registry, "m-newer", CALENDAR.offset(session, -1))
    damaged = renamed(registry, "m-damaged", session, weights=pl.lit(b"\0" * 64))
    foreign = renamed(registry, "m-foreign", session, feature_set=pl.lit("f9"))
    made = trained.forecasts(model_registry=pl.concat([registry, older, newer, damaged, foreign]))
    assert made.filter(pl.col("role") == "shadow")["model_id"].unique().to_list() == ["m-newer"]


def test_the_naive_forecast_decides_beside_a_challenger_that_was_kept_out(trained: Setting) -> None:
    made = without(trained, "model_promotions").forecasts()
    assert made["role"].unique().sort().to_list() == ["naive", "shadow"]
    none = run(
        predict.STAGE,
        without(trained, "model_promotions").tables,
        at(trained.session, calendar=CALENDAR),
        PredictionParams(shadows=0),
    )
    assert none["role"].unique().to_list() == ["naive"]


def test_a_specialist_speaks_for_its_names_alone_and_is_named(trained: Setting) -> None:
    """Its line is the champion's the other way round, so that what it says cannot be mistaken for what he says."""
    registry = trained.tables["model_registry"]
    tuned = registry.with_columns(
        specialist_id=pl.lit("s-1"),
        champion=pl.lit(trained.model_id),
        target=pl.lit("ticker=T003"),
        names=pl.lit(1, dtype=pl.Int64),
    )
    weights = []
    for member, content, sha256 in tuned.select("member", "weights", "weights_sha256").iter_rows():
        arrays = decode(content, sha256, member)
        turned = {name: -value if name.endswith("coefficients") else value for name, value in arrays.items()}
        weights.append(encode(turned))
    tuned = tuned.with_columns(weights=pl.Series(weights), weights_sha256=pl.Series([digest(one) for one in weights]))
    eve = CALENDAR.previous(trained.session)
    specialists = tuned.with_columns(session=pl.lit(eve)).select(*SPECIALISTS.columns)
    verdict = dict.fromkeys(TARGETED_TRAININGS.columns) | {
        "session": eve,
        "target": "ticker=T003",
        "outcome": "registered",
        "specialist_id": "s-1",
        "champion": trained.model_id,
        "speaks": True,
        "reason": "planted by a test",
    }
    frames = {
        "specialists": SPECIALISTS.check(specialists),
        "targeted_trainings": TARGETED_TRAININGS.check(pl.DataFrame([verdict], schema=TARGETED_TRAININGS.schema)),
    }
    plain, with_one = trained.forecasts(), trained.forecasts(**frames)
    mine = pl.col("ticker") == "T003"
    assert with_one.filter(~mine).equals(plain.filter(~mine)), "no other ticker is touched"
    assert with_one.filter(mine)["specialist"].unique().to_list() == ["s-1"]
    assert with_one.filter(~mine)["specialist"].null_count() == with_one.filter(~mine).height
    assert with_one["model_id"].unique().to_list() == [trained.model_id], "the champion decides"
    first = pl.col("horizon") == 1
    points = [frame.filter(mine & first)["point"][0] for frame in (plain, with_one)]
    assert points[0] == pytest.approx(-points[1], rel=0.2)
    assert with_one.select("ticker", "horizon").equals(plain.select("ticker", "horizon"))
