"""A file gives actions other keys; what it says wrongly is refused with the nearest that can be said."""

from __future__ import annotations

from pathlib import Path

import pytest

from nextgen_tui.console.operator.own_keys import list_keys, reserved_keys
from nextgen_tui.remembered.keymap_file import KeymapError, keymap_path, read_keymap


def read(tmp_path: Path, text: str) -> dict[str, str]:
    file = tmp_path / "keys.toml"
    file.write_text(text)
    return read_keymap(file, list_keys(), reserved_keys())


def test_without_a_file_every_action_has_its_own_key(tmp_path: Path) -> None:
    assert read_keymap(tmp_path / "none.toml", list_keys(), reserved_keys()) == {}


def test_an_action_gets_one_key_or_several(tmp_path: Path) -> None:
    assert read(tmp_path, '[keys]\nsort = "o"\nquit = ["ctrl+q", "f10"]\n') == {"sort": "o", "quit": "ctrl+q,f10"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[keys]\nsrot = "o"', "there is no action 'srot'; did you mean 'sort'?"),
        ('[keys]\nsort = "spcae"', "'spcae' is no key; did you mean 'space'?"),
        ('[keys]\nsort = "oo"', "'oo' is no key; "),
        ("[keys]\nsort = 7", "sort has to be a key"),
        ("[keys]\nsort = []", "sort has to be a key"),
        ('[keys]\nsort = "3"', "'3' leads to a screen"),
        ('[keys]\nsort = "q"', "'q' is the key of quit and of sort"),
        ('[keys]\nsort = "o"\ncopy = "o"', "'o' is the key of"),
        ('[colours]\nred = "x"', "has 'colours'; it may have the table [keys] only"),
        ('keys = "x"', "keys is no table"),
        ("[keys", "cannot be read"),
    ],
)
def test_what_is_wrong_is_refused_in_words(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(KeymapError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value) and "keys.toml" in str(caught.value)


def test_two_actions_can_change_places(tmp_path: Path) -> None:
    assert read(tmp_path, '[keys]\nsort = "y"\ncopy = "s"') == {"sort": "y", "copy": "s"}


def test_the_file_lies_where_configuration_does(tmp_path: Path) -> None:
    assert keymap_path({}, tmp_path) == tmp_path / ".config/nextgen/keys.toml"
    assert keymap_path({"XDG_CONFIG_HOME": "/etc/x"}, tmp_path) == Path("/etc/x/nextgen/keys.toml")
    assert keymap_path({"XDG_CONFIG_HOME": "relative"}, tmp_path) == tmp_path / ".config/nextgen/keys.toml"


def test_every_action_has_a_name_that_can_be_typed() -> None:
    assert {"sort", "note", "tree", "columns", "quit", "veto"} <= set(list_keys())
    assert all(name.replace("-", "").isalnum() for name in list_keys())
