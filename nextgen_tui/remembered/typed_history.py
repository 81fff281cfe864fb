"""What the operator typed before, kept from one session to the next in a file of his own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lake.access import make_private_folder, write_output
from pipeline.config.home import state_home

FILE = "typed.jsonl"
"""Below the folder of caches: a text a line, the newest last."""
MAX_KEPT = 500
SQL = "sql "
"""How a question in SQL begins among the commands of the console."""


class TypedHistory:
    """Commands as they were typed, each once, the newest last; without a file it lasts as long as the program."""

    def __init__(self, file: Path | None = None) -> None:
        self._file = file
        self._texts: list[str] | None = [] if file is None else None

    def texts(self) -> list[str]:
        """Everything that is remembered; a line that cannot be read is left out, and so is a file."""
        if self._texts is None:
            self._texts = _read(self._file) if self._file is not None else []
        return list(self._texts)

    def add(self, text: str) -> None:
        """Remember a text. What cannot be kept is forgotten: that is no reason not to do what was typed."""
        text = text.strip()
        before = _read(self._file) if self._file is not None else self.texts()  # another program may have added some
        self._texts = [*(one for one in before if one != text), text][-MAX_KEPT:]
        if self._file is not None:
            try:
                make_private_folder(self._file.parent)
                write_output(self._file, "".join(f"{json.dumps(one)}\n" for one in self._texts))
            except OSError:
                return


def own_history(environ: Mapping[str, str]) -> TypedHistory:
    """The history of the user, in his folder of caches."""
    return TypedHistory(state_home(environ) / FILE)


def _read(file: Path) -> list[str]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    found = []
    for line in lines[-MAX_KEPT:]:
        try:
            text = json.loads(line)
        except ValueError:
            continue
        found += [text] if isinstance(text, str) else []
    return found
