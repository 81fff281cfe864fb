"""The real settings: documented, settable from file and environment, and consistent."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.config.document import toml_document
from pipeline.config.errors import ConfigError
from pipeline.config.fields import settings_of
from pipeline.config.layers import variable_of
from pipeline.config.loading import choice, load
from pipeline.config.resolving import values_of
from pipeline.config.settings import Settings
from pipeline.engine.stages import STAGES

KNOWN = settings_of(Settings)


@pytest.mark.parametrize("key", KNOWN)
def test_every_setting_says_what_it_is(key: str) -> None:
    assert len(KNOWN[key].doc) > 10, f"{key} has no sentence under it"


def test_every_stage_finds_its_section_of_the_right_kind() -> None:
    settings = Settings()
    for stage in STAGES:
        assert type(settings.section(stage.section)) is type(stage.params), stage.name
    with pytest.raises(KeyError, match="no configuration section 'stages'"):
        settings.section("stages")


def test_all_defaults_written_to_a_file_and_read_back_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "nextgen.toml").write_text(toml_document(values_of(Settings())), encoding="utf-8")
    loaded = load(tmp_path, {})
    assert loaded.settings == Settings()
    assert "default" not in loaded.origins.values()


def test_no_two_settings_share_a_variable() -> None:
    assert len({variable_of(key) for key in KNOWN}) == len(KNOWN)


def test_a_lake_follows_one_exchange() -> None:
    both = {"NEXTGEN_MARKET__EXCHANGE": "XLON", "NEXTGEN_SOURCE__SIMULATED__EXCHANGE": "XLON"}
    assert load(None, both).settings.market.exchange == "XLON"
    with pytest.raises(ConfigError, match=r"market\.exchange is XLON but source\.simulated\.exchange is XNYS"):
        load(None, {"NEXTGEN_MARKET__EXCHANGE": "XLON"})


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("NEXTGEN_RUNTIME__THREADS", "0", "threads has to lie in 1..256"),
        ("NEXTGEN_RUNTIME__SEED", "-1", "seed has to be 0 or more"),
        ("NEXTGEN_MARKET__DECISION_LAG_MINUTES", "-5", "decision_lag_minutes has to lie in 0..960"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_origin(variable: str, value: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        load(None, {variable: value})
    assert said in str(refusal.value)
    assert f"env {variable}" in str(refusal.value)


def test_a_choice_on_the_spot_is_held_to_the_same_rules() -> None:
    assert choice("runtime.seed", "5").value == 5
    with pytest.raises(ConfigError, match=r"there is no setting runtime\.sede; did you mean runtime\.seed\?"):
        choice("runtime.sede", "5")
    with pytest.raises(ConfigError, match=r"the command line: runtime\.seed expects a whole number"):
        choice("runtime.seed", "five")
