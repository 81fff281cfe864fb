"""Puts a failed run in a file of its own: recipe, settings, what the stage read, plugins, versions, traceback, log."""

from __future__ import annotations

import io
import json
import os
import traceback
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from lake.access import OWN_FILE, make_private_folder
from lake.migrations import FORMAT
from lake.runs import Run
from lake.storage.atomic import replace_atomic
from pipeline.config.home import FILE_NAME
from pipeline.config.resolving import values_of
from pipeline.config.secrets import SECRETS, secret
from pipeline.config.settings import Settings
from pipeline.config.toml_document import toml_document
from pipeline.engine.capsules.capsule_plugins import PLUGINS, choose_plugins

FOLDER = "capsules"
"""Folder of a lake with its capsules."""
CONTENT, SETTINGS, TRACE, LOG, FRAMES = "capsule.json", FILE_NAME, "traceback.txt", "log.txt", "frames/"
"""What a capsule has in it."""
VERSION = 1
"""Of the way a capsule is written."""
MAX_BYTES = 5_000_000
"""Size of the largest; plugins come first, and frames that do not fit are left out, the largest first, and named."""
KEPT = 20
"""Capsules that a lake keeps, the newest."""
LOG_BYTES = 100_000
ROOM = MAX_BYTES - 2 * LOG_BYTES
"""Bytes there are for plugins and frames."""


def write_capsule(
    lake: Path,
    run: Run,
    error: BaseException,
    frames: Mapping[str, pl.DataFrame],
    plugins: Mapping[str, bytes],
    settings: Settings,
) -> Path:
    """Write a failed run and what it saw into the lake's folder of capsules, and return where.

    It holds market data, settings, the operator's plugins that the run used and what the stage said; keys are in none
    of them.

    Args:
        lake: its folder.
        run: as it failed.
        error: what the stage raised.
        frames: what it read, by table; none where reading failed.
        plugins: name -> content of those that it used.
        settings: in force then.

    Raises:
        OSError: if it cannot be written.
    """
    held = {name: _to_parquet(frame) for name, frame in frames.items()}
    code, left_out = choose_plugins(plugins, ROOM, os.environ)
    missing = _leave_out(held, ROOM - sum(map(len, code.values())))
    content = {
        "version": VERSION,
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(),
        "run": replace(run, error=_blot(run.error)).row(),
        "error": _blot(f"{type(error).__name__}: {error}"),
        "missing": missing,
        "left_out": left_out,
    }
    values = [(key, value) for key, value in values_of(settings) if value is not None]
    texts = {
        CONTENT: json.dumps(content, indent=1, default=str),
        SETTINGS: toml_document(values),
        TRACE: _blot("".join(traceback.format_exception(error))),
        LOG: _blot(_read_log(lake)),
    }
    folder = lake / FOLDER
    make_private_folder(folder)
    path = folder / f"{run.run_id}-{run.recipe.attempt}.zip"
    with replace_atomic(path, durable=False) as draft:
        draft.touch(mode=OWN_FILE)
        _zip(draft, texts, held, code)
    _forget_old(folder)
    return path


def list_capsules(lake: Path) -> list[Path]:
    """Return a lake's capsules, the newest first."""
    folder = lake / FOLDER
    return sorted(folder.glob("*.zip"), key=lambda one: -one.stat().st_mtime) if folder.is_dir() else []


def _blot(text: str) -> str:
    """The text without the values of keys, which an error of a plugin or of a library may repeat."""
    for name in SECRETS:
        if key := secret(name, os.environ):
            text = key.blot(text)
    return text


def _to_parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd", compression_level=9)
    return buffer.getvalue()


def _leave_out(held: dict[str, bytes], room: int) -> list[str]:
    """Take the largest frames out until the rest fits; their tables."""
    missing = []
    while sum(map(len, held.values())) > room:
        missing.append(max(held, key=lambda name: len(held[name])))
        del held[missing[-1]]
    return missing


def _zip(path: Path, texts: Mapping[str, str], frames: Mapping[str, bytes], plugins: Mapping[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, text in texts.items():
            file.writestr(name, text)
        for name, source in plugins.items():
            file.writestr(f"{PLUGINS}{name}", source)
        for name, content in frames.items():
            file.writestr(zipfile.ZipInfo(f"{FRAMES}{name}.parquet"), content)


def _read_log(lake: Path) -> str:
    """The end of the daemon's newest log; empty where there is none."""
    logs = sorted((lake / "control" / "logs").glob("*"), key=lambda one: one.stat().st_mtime)
    return logs[-1].read_text(encoding="utf-8", errors="replace")[-LOG_BYTES:] if logs else ""


def _forget_old(folder: Path) -> None:
    for old in list_capsules(folder.parent)[KEPT:]:
        old.unlink(missing_ok=True)
