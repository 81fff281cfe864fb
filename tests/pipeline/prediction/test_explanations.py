"""What moved a forecast: parts that add up to its point, exact for the line, and named."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from lake.tables.explanations import EXPLANATIONS
from lake.tables.predictions import PREDICTIONS
from pipeline.models.explaining.contributions import explain_location, explain_member
from pipeline.models.inference import forecast_standardised
from pipeline.models.members.lstm import LSTM
from pipeline.models.members.naive import NAIVE
from pipeline.models.members.ridge import RIDGE
from pipeline.models.registry import Ensemble, load_members
from pipeline.models.scaling import horizon_sigma
from pipeline.prediction import explanations, predict
from pipeline.prediction.explanations import choose_top
from pipeline.prediction.params import PredictionParams
from tests.frames.feedback import Tables, at, flags, run
from tests.frames.predictions import predictions
from tests.pipeline.prediction.test_predict import CALENDAR, Setting, trained

__all__ = ["trained"]


def with_forecasts(setting: Setting, **changes: pl.DataFrame) -> Tables:
    return setting.tables | changes | {"predictions": setting.forecasts(**changes)}


def explained(setting: Setting, params: PredictionParams | None = None, **changes: pl.DataFrame) -> pl.DataFrame:
    tables, moment = with_forecasts(setting, **changes), at(setting.session, calendar=CALENDAR)
    return run(explanations.STAGE, tables, moment, params) if params else run(explanations.STAGE, tables, moment)


def total(rows: pl.DataFrame) -> pl.Series:
    inputs = pl.col("parts").list.eval(pl.element().struct.field("contribution")).list.sum()
    return rows.select(inputs + pl.sum_horizontal("rest", "level", "gap", "corrections")).to_series()


def weighed(setting: Setting, **location: float) -> Ensemble:
    """The champion with these shares of where a return lies."""
    ensemble = load_members(setting.tables["model_registry"], setting.model_id)
    shares = {name: np.full(len(ensemble.horizons), location.get(name, 0.0)) for name in ensemble.members}
    return replace(ensemble, locations=shares)


def windows_of(setting: Setting, ensemble: Ensemble, count: int = 5) -> np.ndarray:
    rows = setting.tables["feature_rows"].filter(pl.col("session") > CALENDAR.offset(setting.session, -5))
    names = rows["ticker"].unique().sort().to_list()[:count]
    found = [
        rows.filter(pl.col("ticker") == name).sort("session").select(ensemble.features).to_numpy() for name in names
    ]
    return np.stack(found).astype(np.float32)


def test_the_parts_of_every_forecast_add_up_to_its_point(trained: Setting) -> None:
    eve = CALENDAR.previous(trained.session)
    rows = EXPLANATIONS.check(explained(trained, bias_flags=flags({"session": eve, "adjustment": 0.01})))
    made = trained.forecasts(bias_flags=flags({"session": eve, "adjustment": 0.01}))
    assert rows.select("ticker", "horizon").equals(made.select("ticker", "horizon"))
    assert rows["point"].equals(made["point"])
    assert total(rows).to_list() == pytest.approx(rows["point"].to_list(), abs=1e-12)
    lessons = made.filter(pl.col("bias_adjustment") != 0).join(rows, on=["ticker", "horizon"])
    assert lessons.height
    assert lessons["corrections"].to_list() == pytest.approx((-lessons["bias_adjustment"]).to_list(), abs=1e-6)


def test_a_line_is_told_exactly_term_by_term(trained: Setting) -> None:
    ensemble = weighed(trained, ridge=1.0)
    windows = windows_of(trained, ensemble)
    parts = explain_member(RIDGE, ensemble.members["ridge"], windows)
    line = ensemble.members["ridge"]
    scaled = np.clip((windows[:, -1] - line["mean"]) / line["std"], -5, 5)
    assert parts.inputs == pytest.approx(scaled[:, None, :] * line["coefficients"].T[None], abs=1e-12)
    assert not parts.by_path.any() and not parts.level.any()
    found = explain_location(ensemble, windows)
    assert np.abs(found.gap).max() < 1e-15
    planted = ensemble.features.index("return_1")
    assert np.abs(found.inputs[:, 0]).argmax(axis=1).tolist() == [planted] * len(windows), "what was planted moves it"


def test_what_networks_say_is_told_along_a_path_and_adds_up(trained: Setting) -> None:
    """Weights that were hardly trained say little; these are made to say something."""
    ensemble = weighed(trained, lstm=1.0)
    random, arrays = np.random.default_rng(5), dict(ensemble.members["lstm"])
    for name, value in arrays.items():
        if name.endswith("head.weight"):
            arrays[name] = random.normal(0, 0.5, value.shape).astype(np.float32)
    loud = replace(ensemble, members={**ensemble.members, "lstm": arrays})
    windows = windows_of(trained, loud)
    found = explain_location(loud, windows)
    sigma = horizon_sigma(np.sqrt((windows[:, -1, 3:5] ** 2).mean(axis=1)).astype(np.float64), loud.horizons)
    location = forecast_standardised(loud, windows)["lstm"][:, :, 3] * sigma
    assert found.location == pytest.approx(location, rel=1e-6)
    own = np.abs(found.inputs).sum(axis=2)
    assert np.abs(found.gap).max() < 0.02 * own.max(), "the steps of the integral miss little"
    seen = sorted(int(number) for number in arrays["location_networks.inputs"])
    assert np.flatnonzero(found.by_path[0]).tolist() == seen


def test_a_network_of_an_earlier_program_is_explained_by_its_own_location(trained: Setting) -> None:
    ensemble = weighed(trained, lstm=1.0)
    arrays = {
        name: value for name, value in ensemble.members["lstm"].items() if not name.startswith("location_networks")
    }
    random = np.random.default_rng(5)
    arrays["location.weight"] = random.normal(0, 0.3, arrays["location.weight"].shape).astype(np.float32)
    arrays["location_trust"] = np.full_like(arrays["location_trust"], 0.5)
    windows = windows_of(trained, ensemble)
    parts = explain_member(LSTM, arrays, windows)
    middle = LSTM.quantiles(arrays, windows)[:, :, 3]
    missed = middle - parts.inputs.sum(axis=2) - parts.level
    assert np.abs(missed).max() < 0.02 * np.abs(parts.inputs).sum(axis=2).max()
    assert parts.by_path.all()


class Product:
    """A plugin's member that explains nothing of itself: twice the last return plus the product of two others."""

    name = "product"
    simple = False

    def quantiles(self, arrays: dict[str, np.ndarray], windows: np.ndarray) -> np.ndarray:
        last = windows[:, -1].astype(np.float64)
        middle = arrays["scale"][0] * last[:, 0] + last[:, 1] * last[:, 2]
        return np.repeat(middle[:, None, None], 7, axis=2)


def test_a_plugins_member_is_asked_without_one_input_after_the_other() -> None:
    windows = np.random.default_rng(1).normal(size=(6, 5, 4)).astype(np.float32)
    arrays = {"scale": np.array([2.0])}
    parts = explain_member(Product(), arrays, windows)  # type: ignore[arg-type]
    off = windows[:, -1, 0] - windows[:, -1, 0].mean()
    assert parts.inputs[:, 0, 0] == pytest.approx(2 * off.astype(np.float64), abs=1e-5)
    assert not parts.inputs[:, 0, 3].any()
    whole = Product().quantiles(arrays, windows)[:, :, 3]
    assert parts.inputs.sum(axis=2) + parts.level == pytest.approx(whole)


def test_the_naive_forecast_has_no_parts(trained: Setting) -> None:
    ensemble = weighed(trained, naive=1.0)
    windows = windows_of(trained, ensemble)
    parts = explain_member(NAIVE, ensemble.members["naive"], windows)
    assert not parts.inputs.any() and not parts.level.any()
    nobody = {name: rows for name, rows in trained.tables.items() if name != "model_promotions"}
    assert explained(replace(trained, tables=nobody)).is_empty()


def test_the_tickers_with_the_largest_points_are_explained() -> None:
    made = predictions(
        *({"ticker": name, "point": point, "sigma": 0.02} for name, point in (("A", 0.01), ("B", -0.03), ("C", 0.02)))
    )
    assert PREDICTIONS.check(made).height == 3
    assert choose_top(made, 2)["ticker"].unique().sort().to_list() == ["B", "C"]
    assert choose_top(made, 0).is_empty()


def test_only_the_largest_parts_are_told_by_name(trained: Setting) -> None:
    rows = explained(trained, PredictionParams(explained=3, explained_inputs=2))
    assert rows["ticker"].n_unique() == 3
    assert rows["parts"].list.len().max() == 2
    assert total(rows).to_list() == pytest.approx(rows["point"].to_list(), abs=1e-12)
    sizes = rows["parts"].list.eval(pl.element().struct.field("contribution").abs())
    assert all(one == sorted(one, reverse=True) for one in sizes.to_list())


def test_a_shadow_is_not_explained(trained: Setting) -> None:
    registry = trained.tables["model_registry"]
    later = registry.with_columns(model_id=pl.lit("m-later"), session=pl.lit(trained.session))
    rows = explained(trained, model_registry=pl.concat([registry, later]))
    assert rows["model_id"].unique().to_list() == [trained.model_id]
    assert predict.STAGE.writes is PREDICTIONS
