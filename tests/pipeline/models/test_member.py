"""A member of a plugin is trained, weighed, stored and asked like the built-in ones, and missed in words when gone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from lake.tables.models import MODEL_REGISTRY
from lake.tables.predictions import QUANTILES
from pipeline.models.ensemble import combine
from pipeline.models.inference import forecast_members
from pipeline.models.members import FIRST_MEMBERS, MEMBERS, list_members
from pipeline.models.members.member import Arrays, Choices, FitTask, Fitted, Floats, Sizes
from pipeline.models.registry import Ensemble, RegistryError, load_members
from tests.frames.models import FEATURES, Market, market, promotions, trained


@dataclass(frozen=True)
class Momentum:
    """The naive quantiles around the last return, as far as it has foretold the next one."""

    name: str = "momentum"
    simple: bool = True
    choice: str = "slope"

    def fit(self, task: FitTask) -> Fitted:
        told = self._told(task.examples.last_rows(task.rows))
        target = task.examples.relative[task.rows]
        slope = (told[:, None] * target).sum(axis=0) / (told * told).sum()
        return Fitted({"slope": slope, "z": task.earlier["naive"].arrays["z"]}, {self.choice: tuple(slope.tolist())})

    def quantiles(self, arrays: Arrays, windows: np.ndarray) -> Floats:
        centre: Floats = self._told(windows[:, -1])[:, None] * arrays["slope"][None]
        return centre[:, :, None] + arrays["z"][None]

    def shapes(self, arrays: Arrays, sizes: Sizes) -> Mapping[str, tuple[int, ...]]:  # noqa: ARG002
        return {"slope": (sizes.horizons,), "z": (sizes.horizons, sizes.quantiles)}

    def settings(self, choices: Choices) -> Mapping[str, Any]:
        return {"slope": choices[self.choice]}

    def _told(self, rows: np.ndarray) -> Floats:
        return np.clip(rows[:, FEATURES.index("return_1")].astype(np.float64), -3, 3)


MOMENTUM = Momentum()


@dataclass(frozen=True)
class Faulty(Momentum):
    """Something is wrong with what it returns."""

    fault: str = ""

    def quantiles(self, arrays: Arrays, windows: np.ndarray) -> Floats:
        told = super().quantiles(arrays, windows)
        if self.fault == "shape":
            return told[:, :, :3]
        told[3] = np.nan if self.fault == "no number" else told[3, :, ::-1]
        return told


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("no number", "'momentum': 1 of .* forecasts are no finite numbers; .* the first is of window 3"),
        ("crossing", "'momentum': 1 of .* forecasts fall from one quantile to the next; sort them"),
        (
            "shape",
            r"'momentum' returned quantiles of the shape .*, 3\); it has to be .*, 7\): windows, horizons",
        ),
    ],
)
def test_a_member_that_returns_no_quantiles_is_refused_by_name(world: Market, fault: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        trained(world, members=(*MEMBERS, Faulty(fault=fault)))


@pytest.fixture(scope="module")
def world() -> Market:
    return market(tickers=30, sessions=180, signal=0.3)


@pytest.fixture(scope="module")
def rows(world: Market) -> pl.DataFrame:
    return trained(world, members=[MOMENTUM])


def name(rows: pl.DataFrame) -> str:
    found: str = rows["model_id"][0]
    return found


def loaded(rows: pl.DataFrame) -> Ensemble:
    return load_members(rows, name(rows), members=list_members([MOMENTUM]))


def test_it_is_stored_with_what_it_chose_how_it_did_and_the_file_that_declares_it(rows: pl.DataFrame) -> None:
    assert rows["member"].to_list() == ["lstm", "momentum", "naive", "ridge"]
    own = rows.filter(pl.col("member") == "momentum").row(0, named=True)
    config, figures = json.loads(own["config"]), json.loads(own["metrics"])["member"]
    assert config["declared_in"] == "test_member.py"
    assert len(config["chosen"]["slope"]) == 2
    assert {"slope", "penalties", "line_trust", "epochs"} <= set(figures["folds"][0]["choices"])
    assert "declared_in" not in json.loads(rows["config"][0])


def test_it_earns_weight_where_it_knows_something_and_the_shares_sum_to_one(rows: pl.DataFrame) -> None:
    weights = {row["member"]: row["ensemble_weights"] for row in rows.to_dicts()}
    assert weights["momentum"][0] + weights["ridge"][0] > 0.5
    assert np.sum(list(weights.values()), axis=0) == pytest.approx([1, 1])


def test_the_built_in_members_are_fitted_to_the_same_bits_with_and_without_it(
    world: Market, rows: pl.DataFrame
) -> None:
    alone = trained(world)
    both = rows.filter(pl.col("member") != "momentum")
    assert both["weights_sha256"].to_list() == alone["weights_sha256"].to_list()
    assert name(rows) != name(alone)


def test_its_ensemble_forecasts_with_it(rows: pl.DataFrame) -> None:
    ensemble = loaded(rows)
    windows = np.random.default_rng(3).uniform(0.01, 0.04, (6, 5, len(FEATURES))).astype(np.float32)
    members = forecast_members(ensemble, windows)
    assert sorted(members) == ["lstm", "momentum", "naive", "ridge"]
    combined = combine(members, ensemble.weights)
    assert combined.shape == (6, 2, len(QUANTILES)) and (np.diff(combined, axis=2) >= 0).all()


def test_without_its_plugin_its_model_is_refused_naming_the_file_and_other_models_go_on(
    world: Market, rows: pl.DataFrame
) -> None:
    with pytest.raises(RegistryError, match=r"needs the member 'momentum', which the plugin test_member\.py declared"):
        load_members(rows, name(rows))
    alone = trained(world)
    assert sorted(load_members(alone, name(alone), members=list_members([MOMENTUM])).members) == [
        "lstm",
        "naive",
        "ridge",
    ]


def test_a_champion_whose_plugin_is_gone_does_not_block_its_successor(world: Market, rows: pl.DataFrame) -> None:
    earlier = rows.with_columns(session=pl.lit(world.sessions[120]), train_last=pl.lit(world.sessions[100]))
    later = trained(world, registry=earlier, promotions=promotions(name(rows)))
    comparison = json.loads(later["metrics"][0])["comparison"]
    assert not comparison["champion_can_forecast"]
    assert "momentum" in comparison["champion_missing"]


def test_members_of_one_name_and_choices_of_one_name_are_refused(world: Market) -> None:
    with pytest.raises(ValueError, match="2 members are named 'ridge'; rename all but one"):
        list_members([Momentum(name="ridge")])
    with pytest.raises(ValueError, match="the members lstm and momentum both have a choice 'epochs'; rename one"):
        trained(world, members=[Momentum(choice="epochs")])


def test_names_that_are_stored_fit_the_contract() -> None:
    pattern = MODEL_REGISTRY.columns["member"].pattern
    assert pattern == r"[a-z][a-z0-9_]*"
    assert all(re.fullmatch(pattern, member.name) for member in MEMBERS)
    assert [name for name in (member.name for member in MEMBERS) if name in FIRST_MEMBERS] == ["naive", "ridge", "lstm"]
