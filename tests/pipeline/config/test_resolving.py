"""Configuration: layers, origins, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field

from pipeline.config import ConfigError
from pipeline.config.check_values import Given
from pipeline.config.recorded import first_names, from_record
from pipeline.config.resolving import Loaded, resolve
from pipeline.config.setting_types import Earlier, Formerly


@dataclass(frozen=True, kw_only=True)
class Costs:
    half_spread: float = 5.0
    """Basis points paid against the open."""
    minimum: Annotated[int, Field(ge=0, le=9), Formerly("least"), Formerly("lowest")] = 1


@dataclass(frozen=True, kw_only=True)
class Band:
    name: str
    width: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Trading:
    capital: str = "1000000.00"
    horizons: tuple[int, ...] = (1, 5, 20)
    shorts: bool = False
    costs: Costs = field(default_factory=lambda: Costs(half_spread=7.5))
    bands: tuple[Band, ...] = ()
    sector: str | None = None

    def contradictions(self) -> Iterator[str]:
        if not self.horizons:
            yield "horizons must not be empty"


@dataclass(frozen=True, kw_only=True)
class Small:
    trading: Trading = field(default_factory=Trading)


def resolved(tmp_path: Path, toml: str = "", environ: Mapping[str, str] | None = None) -> Loaded[Small]:
    path = tmp_path / "nextgen.toml"
    path.write_text(toml, encoding="utf-8")
    return resolve(Small, path, environ or {})


def test_without_file_or_environment_every_value_is_its_default() -> None:
    loaded = resolve(Small, None, {})
    assert loaded.settings == Small()
    assert set(loaded.origins.values()) == {"default"}


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    loaded = resolved(
        tmp_path,
        "[trading]\ncapital = '5'\nshorts = true\n",
        {"NEXTGEN_TRADING__CAPITAL": "7", "HOME": "/nowhere"},
    )
    assert (loaded.settings.trading.capital, loaded.settings.trading.shorts) == ("7", True)
    assert loaded.origins["trading.capital"] == "env NEXTGEN_TRADING__CAPITAL"
    assert loaded.origins["trading.shorts"] == f"file {tmp_path / 'nextgen.toml'}"
    assert loaded.origins["trading.horizons"] == "default"


def test_a_nested_section_keeps_the_defaults_its_parent_gave_it(tmp_path: Path) -> None:
    settings = resolved(tmp_path, "[trading.costs]\nminimum = 3\n").settings
    assert settings.trading.costs == Costs(half_spread=7.5, minimum=3)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1, 5", (1, 5)), ("[2, 3]", (2, 3)), ("20", (20,))],
)
def test_a_variable_may_give_a_list_with_commas_or_as_json(text: str, expected: tuple[int, ...]) -> None:
    loaded = resolve(Small, None, {"NEXTGEN_TRADING__HORIZONS": text})
    assert loaded.settings.trading.horizons == expected


def test_an_empty_variable_unsets_what_may_be_unset(tmp_path: Path) -> None:
    loaded = resolved(tmp_path, "[trading]\nsector = 'Energy'\n", {"NEXTGEN_TRADING__SECTOR": ""})
    assert loaded.settings.trading.sector is None


def test_rows_in_a_list_become_their_dataclass(tmp_path: Path) -> None:
    loaded = resolved(tmp_path, "[trading]\nbands = [{name = 'narrow', width = 0.5}]\n")
    assert loaded.settings.trading.bands == (Band(name="narrow", width=0.5),)


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[trading]\ncaptial = '5'", "there is no setting trading.captial; did you mean trading.capital?"),
        ("[tradign]\ncapital = '5'", "there is no setting tradign; did you mean trading?"),
        (
            "[trading.costs]\nhalf_spred = 1",
            "no setting trading.costs.half_spred; did you mean trading.costs.half_spread?",
        ),
        ("zzz = 1", "there is no setting zzz; choose from trading"),
        ("trading = 5", "trading is a section of further keys, got the whole number 5"),
        ("[trading]\ncapital = 5", "trading.capital must be text, got the whole number 5"),
        (
            "[trading]\nhorizons = [1, 'x']",
            "trading.horizons must be a list, each a whole number, got the list [1, 'x'] at position 1",
        ),
        ("[trading.costs]\nhalf_spread = nan", "trading.costs.half_spread must be a number, got the number nan"),
        ("[trading]\nshorts = 1", "trading.shorts must be true or false, got the whole number 1"),
        ("[trading]\nbands = [{nam = 'x'}]", "trading.bands[0] has no field nam; did you mean name?"),
        ("[trading]\nhorizons = []", "trading: horizons must not be empty (set by file "),
        ("[trading\n", "is not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_is_named_with_the_file_and_the_key(tmp_path: Path, toml: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        resolved(tmp_path, toml)
    assert said in str(refusal.value)
    assert str(tmp_path / "nextgen.toml") in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "NEXTGEN_TRADING__CAPITL",
            "1",
            "variable NEXTGEN_TRADING__CAPITL sets nothing; did you mean NEXTGEN_TRADING__CAPITAL?",
        ),
        ("NEXTGEN_LAEK", "/tmp", "NEXTGEN_LAEK sets nothing; did you mean NEXTGEN_LAKE?"),
        (
            "NEXTGEN_TRADING__COSTS__MINIMUM",
            "many",
            "trading.costs.minimum must be a whole number from 0 to 9, got the text 'many'",
        ),
        (
            "NEXTGEN_TRADING__COSTS__HALF_SPREAD",
            "inf",
            "trading.costs.half_spread must be a number, got the text 'inf'",
        ),
        ("NEXTGEN_TRADING__HORIZONS", "[1,", "trading.horizons must be a list, each a whole number"),
        (
            "NEXTGEN_TRADING__HORIZONS",
            "",
            "must not be empty (set by env NEXTGEN_TRADING__HORIZONS)",
        ),
    ],
)
def test_a_mistake_in_a_variable_is_named_with_the_variable(name: str, text: str, said: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        resolve(Small, None, {name: text})
    assert said in str(refusal.value)


@pytest.mark.parametrize("name", ["NEXTGEN_LAKE", "NEXTGEN_CONFIG", "NEXTGEN_DATA", "NEXTGEN_YAHOO_PROXY"])
def test_variables_that_are_no_settings_are_let_through(name: str) -> None:
    assert resolve(Small, None, {name: "/somewhere"}).settings == Small()


def test_a_file_that_is_not_text_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "nextgen.toml"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="is not UTF-8 text"):
        resolve(Small, path, {})


def test_an_earlier_name_still_works_in_file_environment_and_choice(tmp_path: Path) -> None:
    loaded = resolved(tmp_path, "[trading.costs]\nleast = 3\n")
    assert loaded.settings.trading.costs.minimum == 3
    assert loaded.origins["trading.costs.minimum"] == f"file {tmp_path / 'nextgen.toml'}"
    assert loaded.renamed == {"trading.costs.minimum": "trading.costs.least"}
    environ = {"NEXTGEN_TRADING__COSTS__LOWEST": "4"}
    loaded = resolved(tmp_path, "[trading.costs]\nleast = 3\n", environ)
    assert loaded.settings.trading.costs.minimum == 4
    assert loaded.renamed == {"trading.costs.minimum": "trading.costs.lowest"}
    chosen = {"trading.costs.least": Given(5, "the command line")}
    assert resolve(Small, None, {}, chosen).settings.trading.costs.minimum == 5
    assert resolved(tmp_path, "[trading.costs]\nminimum = 3\n").renamed == {}


def test_two_names_of_one_setting_may_not_say_different_things(tmp_path: Path) -> None:
    both = "[trading.costs]\nleast = 3\nminimum = {}\n"
    assert resolved(tmp_path, both.format(3)).settings.trading.costs.minimum == 3
    with pytest.raises(
        ConfigError, match=r"costs\.minimum is set twice, once by its earlier name trading\.costs\.least"
    ):
        resolved(tmp_path, both.format(4))


def test_a_mistake_under_an_earlier_name_names_the_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"trading\.costs\.minimum must be a whole number from 0 to 9, got .* 10"):
        resolved(tmp_path, "[trading.costs]\nleast = 10\n")


def test_what_a_run_recorded_is_read_as_it_was() -> None:
    old = {"capital": "7", "horizons": [], "costs": {"least": -5, "gone": 1}, "bands": [{"name": "n", "width": 2}]}
    read = from_record(Trading, old)
    assert read.costs == Costs(half_spread=5.0, minimum=-5), (
        "no range is asked of history, and names that went are left"
    )
    assert (read.capital, read.horizons, read.shorts, read.sector) == ("7", (), False, None)
    assert read.bands == (Band(name="n", width=2),)


def test_every_new_record_can_be_read_back() -> None:
    params = Trading(horizons=(1, 2), costs=Costs(minimum=7), bands=(Band(name="n"),))
    assert from_record(Trading, json.loads(json.dumps(asdict(params)))) == params


def test_content_keeps_the_first_name_of_a_setting() -> None:
    assert first_names(Trading(costs=Costs(minimum=7)))["costs"] == {"half_spread": 5.0, "lowest": 7}


@dataclass(frozen=True, kw_only=True)
class Sizing:
    """A section that gained a setting."""

    convention: Annotated[Literal[1, 2], Earlier(1)] = 2
    """How it is done."""
    weight: float = 0.5
    """How much."""


def test_a_run_from_before_a_setting_has_what_was_done_then() -> None:
    assert from_record(Sizing, {"weight": 0.1}) == Sizing(convention=1, weight=0.1)
    assert from_record(Sizing, {"convention": 2}) == Sizing(convention=2)
    assert first_names(Sizing(convention=1)) == {"weight": 0.5}
    assert first_names(Sizing()) == {"convention": 2, "weight": 0.5}
