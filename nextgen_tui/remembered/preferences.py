"""What the operator chose in the console: columns and their widths, filters by name, lakes that he opened."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lake.access import make_private_folder, write_output
from nextgen_tui.remembered.typed_history import FILE as TYPED
from nextgen_tui.remembered.typed_history import TypedHistory
from pipeline.config.home import state_home

FILE = "console.json"
"""Below the folder of caches."""
MAX_LAKES = 12
"""Lakes that are remembered, the last ones."""
MAX_FILTERS = 200
LEAST_WIDTH, MOST_WIDTH = 4, 200
"""Characters of a column whose width was chosen."""
A_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")


@dataclass(frozen=True)
class ColumnChoice:
    """What was chosen for the columns of one sheet, by heading."""

    hidden: tuple[str, ...] = ()
    """Never shown."""
    always: tuple[str, ...] = ()
    """Shown before others where there is little room."""
    widths: Mapping[str, int] = field(default_factory=dict)
    """Heading -> characters."""

    @property
    def empty(self) -> bool:
        """Whether nothing was chosen."""
        return not (self.hidden or self.always or self.widths)


class Preferences:
    """What is kept for the operator; without a folder it lasts as long as the program.

    What cannot be read counts as nothing chosen, and what cannot be written is forgotten: neither stops anybody.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.history = TypedHistory(folder / TYPED if folder is not None else None)
        self._file = folder / FILE if folder is not None else None
        self._kept: dict[str, Any] = _read(self._file)

    # ---- columns

    def columns(self, sheet: str) -> ColumnChoice:
        """What was chosen for a sheet, named as `screen/sheet`."""
        kept = _table(_table(self._kept, "columns"), sheet)
        widths = {
            name: min(max(width, LEAST_WIDTH), MOST_WIDTH)
            for name, width in _table(kept, "widths").items()
            if isinstance(width, int) and not isinstance(width, bool)
        }
        return ColumnChoice(_texts(kept.get("hidden")), _texts(kept.get("always")), widths)

    def choose_columns(self, sheet: str, choice: ColumnChoice) -> None:
        """Keep what was chosen for a sheet."""
        columns = {name: one for name, one in _table(self._kept, "columns").items() if name != sheet}
        if not choice.empty:
            told = {"hidden": list(choice.hidden), "always": list(choice.always), "widths": dict(choice.widths)}
            columns[sheet] = told
        self._keep("columns", columns)

    # ---- filters

    def filters(self) -> dict[str, str]:
        """Name -> words of each filter that was saved."""
        return {name: words for name, words in _table(self._kept, "filters").items() if isinstance(words, str)}

    def save_filter(self, name: str, words: str) -> None:
        """Keep a filter by a name.

        Raises:
            ValueError: if the name cannot be typed after a command, there are too many, or the filter shows every row.
        """
        if not A_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for a filter; use small letters, digits, - and _, 40 at most")
        if not words.strip():
            raise ValueError("no filter is set here; type one after / first")
        if len(self.filters()) >= MAX_FILTERS and name not in self.filters():
            raise ValueError(f"{MAX_FILTERS} filters are saved already; `:filter forget NAME` makes room")
        self._keep("filters", self.filters() | {name: words.strip()})

    def forget_filter(self, name: str) -> None:
        """Keep a filter no longer.

        Raises:
            ValueError: if there is none of that name.
        """
        self.find_filter(name)
        self._keep("filters", {one: words for one, words in self.filters().items() if one != name})

    def find_filter(self, name: str) -> str:
        """The words of a filter.

        Raises:
            ValueError: naming the nearest, if there is none of that name.
        """
        from difflib import get_close_matches

        known = self.filters()
        if name not in known:
            near = get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(known) or 'none yet'}"
            raise ValueError(f"no filter is called {name!r}; {hint}")
        return known[name]

    # ---- lakes

    def lakes(self) -> tuple[str, ...]:
        """The lakes that were opened, the last one first."""
        return _texts(self._kept.get("lakes"))

    def note_lake(self, path: Path) -> None:
        """Remember that a lake was opened."""
        name = str(path.absolute())
        if self.lakes()[:1] != (name,):
            self._keep("lakes", [name, *(one for one in self.lakes() if one != name)][:MAX_LAKES])

    def _keep(self, name: str, value: Any) -> None:
        now = _read(self._file) if self._file is not None else self._kept  # another console may have kept something
        self._kept = now | {name: value}
        if self._file is not None:
            try:
                make_private_folder(self._file.parent)
                write_output(self._file, json.dumps(self._kept, indent=1, sort_keys=True) + "\n")
            except OSError:
                return


def own_preferences(environ: Mapping[str, str]) -> Preferences:
    """The preferences of the user, in his folder of caches."""
    return Preferences(state_home(environ))


def _read(file: Path | None) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8")) if file is not None else {}
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _table(found: Mapping[str, Any], name: str) -> dict[str, Any]:
    inner = found.get(name)
    return inner if isinstance(inner, dict) else {}


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(one for one in value if isinstance(one, str)) if isinstance(value, list) else ()
