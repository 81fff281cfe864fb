"""Settings as a TOML document: what `config show` prints, and what `init` leaves in a lake."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import date
from pathlib import Path
from typing import Any

from lake.storage.atomic import write_atomic
from pipeline.config.home import FILE_NAME


def toml_document(values: Iterable[tuple[str, Any]], remarks: Mapping[str, str] | None = None) -> str:
    """Dotted keys and values as TOML, grouped by section, with a remark behind each line that has one.

    What is None is left out: TOML has no null, and leaving a key out means its default.
    """
    remarks = remarks or {}
    sections: dict[str, list[str]] = {}
    for key, value in values:
        section, _, name = key.rpartition(".")
        remark = f"  # {_one_line(remarks[key])}" if key in remarks else ""
        line = f"# {name} is not set" if value is None else f"{name} = {toml_value(value)}"
        sections.setdefault(section, []).append(line + remark)
    blocks = ["\n".join(sections.pop("", []))]
    blocks += ["\n".join([f"[{section}]", *lines]) for section, lines in sections.items()]
    return "\n\n".join(block for block in blocks if block) + "\n"


def toml_value(value: Any) -> str:
    """One value as TOML.

    Raises:
        TypeError: for a type that no setting has.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, str):
        # JSON escapes what TOML escapes, DEL apart.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(toml_value(one) for one in value)}]"
    if is_dataclass(value) and not isinstance(value, type):
        inner = ", ".join(f"{name} = {toml_value(one)}" for name, one in asdict(value).items() if one is not None)
        return "{" + f" {inner} " + "}"
    raise TypeError(f"a setting cannot be {type(value).__name__}")


def write_document(lake: Path, text: str) -> Path:
    """Write the lake's configuration file in one step, so that a reader never sees half of it."""
    path = lake / FILE_NAME
    write_atomic(path, text)
    return path


def _one_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
