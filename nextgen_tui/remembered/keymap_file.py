"""Keys as the operator wants them: a TOML file that gives actions of the console other keys, refused in words."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path

FILE = Path("nextgen") / "keys.toml"
"""Below the user's folder of configuration."""
_NAMED = """
space enter tab escape backspace delete insert home end pageup pagedown up down left right
comma full_stop slash backslash colon semicolon minus plus equals_sign underscore asterisk at number_sign
dollar_sign percent_sign ampersand question_mark exclamation_mark less_than_sign greater_than_sign
left_square_bracket right_square_bracket vertical_line tilde grave_accent quotation_mark apostrophe
"""
NAMED = tuple(_NAMED.split())
"""Names of keys that are no letter or digit, as the terminal's library has them."""
A_KEY = re.compile(rf"(?:ctrl\+[a-z]|(?:shift\+|ctrl\+|alt\+)?(?:{'|'.join(NAMED)}|f1?[0-9])|[A-Za-z0-9])")


class KeymapError(ValueError):
    """The file cannot be used; the text says where, why, and what can be written."""


def keymap_path(environ: Mapping[str, str], home: Path) -> Path:
    """Where the file lies: XDG_CONFIG_HOME, or .config in the home folder."""
    named = environ.get("XDG_CONFIG_HOME", "")
    root = Path(named) if named and Path(named).is_absolute() else home / ".config"
    return root / FILE


def read_keymap(file: Path, actions: Mapping[str, str], reserved: Collection[str] = ()) -> dict[str, str]:
    """Action -> its keys, comma between them; none where there is no file.

    Args:
        file: a table [keys] of action = "key" or action = ["key", "key"].
        actions: action -> its own keys, of every action that can be given others.
        reserved: keys that lead to screens, which no action may have.

    Raises:
        KeymapError: naming the first thing that is wrong.
    """
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeymapError(f"{file} cannot be read: {error}") from None
    if unknown := [name for name in found if name != "keys"]:
        raise KeymapError(f"{file} has {unknown[0]!r}; it may have the table [keys] only")
    keys = found.get("keys", {})
    if not isinstance(keys, dict):
        raise KeymapError(f"{file}: keys is no table; write [keys] on a line of its own")
    chosen = {name: _keys(file, name, value, actions, reserved) for name, value in keys.items()}
    _refuse_clash(file, {name: own.split(",") for name, own in actions.items()} | chosen, chosen)
    return {name: ",".join(one) for name, one in chosen.items()}


def _keys(file: Path, name: str, value: object, actions: Mapping[str, str], reserved: Collection[str]) -> list[str]:
    if name not in actions:
        near = get_close_matches(name, actions, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(sorted(actions))}"
        raise KeymapError(f"{file}: there is no action {name!r}; {hint}")
    keys = [value] if isinstance(value, str) else value
    if not isinstance(keys, list) or not keys:
        raise KeymapError(f'{file}: {name} has to be a key such as "o" or a list of keys, and is {value!r}')
    for key in keys:
        if not isinstance(key, str) or not A_KEY.fullmatch(key):
            near = get_close_matches(str(key), NAMED, n=1)
            hint = f"did you mean {near[0]!r}?" if near else 'write a letter, a digit, "ctrl+o", "f5" or "space"'
            raise KeymapError(f"{file}: {name}: {key!r} is no key; {hint}")
        if key in reserved:
            raise KeymapError(f"{file}: {name}: {key!r} leads to a screen; choose another key")
    return keys


def _refuse_clash(file: Path, keys: Mapping[str, Collection[str]], chosen: Collection[str]) -> None:
    """Refuse a key that two actions would have, where one of them was chosen."""
    taken: dict[str, str] = {}
    for name, own in sorted(keys.items(), key=lambda one: one[0] in chosen):
        for key in own:
            if key in taken and name in chosen:
                raise KeymapError(f"{file}: {key!r} is the key of {taken[key]} and of {name}; give one of them another")
            taken[key] = name
