"""Configuration: layers, origins, and what it refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pipeline.config.errors import ConfigError
from pipeline.config.resolving import Loaded, resolve


@dataclass(frozen=True, kw_only=True)
class Costs:
    half_spread: float = 5.0
    """Basis points paid against the open."""
    minimum: int = 1


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

    def __post_init__(self) -> None:
        if not self.horizons:
            raise ValueError("horizons must not be empty")


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
        ("zzz = 1", "there is no setting zzz; there are trading"),
        ("trading = 5", "trading is a section of further keys, got the whole number 5"),
        ("[trading]\ncapital = 5", "trading.capital expects text, got the whole number 5"),
        (
            "[trading]\nhorizons = [1, 'x']",
            "trading.horizons expects a list, each a whole number, got the list [1, 'x'] at position 1",
        ),
        ("[trading.costs]\nhalf_spread = nan", "trading.costs.half_spread has to be a finite number"),
        ("[trading]\nshorts = 1", "trading.shorts expects true or false, got the whole number 1"),
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
            "trading.costs.minimum expects a whole number, got the text 'many'",
        ),
        ("NEXTGEN_TRADING__COSTS__HALF_SPREAD", "inf", "has to be a finite number, got inf"),
        ("NEXTGEN_TRADING__HORIZONS", "[1,", "trading.horizons expects a list, each a whole number"),
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
