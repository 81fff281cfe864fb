"""Does again what a capsule holds: the same stage, on the same frames, under the same settings, anywhere."""

from __future__ import annotations

import json
import re
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from lake.migrations import FORMAT
from lake.runs import Recipe, Run
from pipeline.config import ConfigError
from pipeline.config.resolving import resolve
from pipeline.config.settings import Settings
from pipeline.engine.capsules.capsule_plugins import (
    PLUGINS,
    CapsuleError,
    is_plain_name,
    read_plugins,
    require_allowed,
    running_plugins,
)
from pipeline.engine.capsules.write_capsule import CONTENT, FRAMES, LOG, MAX_BYTES, SETTINGS, TRACE, VERSION
from pipeline.engine.code_fingerprint import code_fingerprint
from pipeline.engine.executor import CURRENCY, EXTENSIONS, find_test_window, parse_params
from pipeline.engine.session_order import find_stage
from pipeline.engine.stage import Moment, Stage
from pipeline.market.sessions import Sessions, exchange_sessions
from pipeline.plugins.plugins import Plugins

MAX_UNPACKED = 1 << 30
"""Bytes that a capsule may unpack to."""
UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    RuntimeError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OSError,
    pl.exceptions.PolarsError,
    ConfigError,
)
"""What reading a file that is none, is damaged or is encrypted can raise."""


@dataclass(frozen=True)
class Capsule:
    """A failed run with what it saw."""

    run: Run
    error: str
    trace: str
    settings: Settings
    missing: tuple[str, ...]
    """Tables whose rows did not fit into it."""
    frames: Mapping[str, pl.DataFrame]
    plugins: Mapping[str, bytes]
    """Name -> content of each plugin in it, which is the file that the run used."""
    left_out: Mapping[str, str]
    """Plugin that is not in it -> why."""


@dataclass(frozen=True, kw_only=True)
class CapsuleReplay:
    """What came of doing it again."""

    stage: str
    session: date
    error: str
    """Then."""
    again: str
    """Now; empty where it did not fail."""
    rows: int | None
    """What it gave where it did not fail."""
    code_changed: bool
    """Whether the stage's code is another one than then."""

    @property
    def is_same(self) -> bool:
        """Whether it failed as it did."""
        return self.again == self.error


def read_capsule(path: Path) -> Capsule:
    """Read a capsule; what is in it counts as hostile until it is checked.

    Raises:
        CapsuleError: if it is none, damaged, made by another version, has names that no capsule has, or a plugin in it
            was changed.
    """
    try:
        with zipfile.ZipFile(path) as file:
            _require_ours(path, file)
            content = json.loads(file.read(CONTENT))
            _require_version(path, content)
            run = _read_run(content["run"])
            frames = _read_frames(path, file, find_stage(run.recipe.stage))
            settings = _read_settings(file.read(SETTINGS))
            trace = file.read(TRACE).decode("utf-8", errors="replace")
            return Capsule(
                run=run,
                error=str(content["error"]),
                trace=trace,
                settings=settings,
                missing=tuple(map(str, content["missing"])),
                frames=frames,
                plugins=read_plugins(path, file, run.recipe.plugins),
                left_out={str(name): str(why) for name, why in content["left_out"].items()},
            )
    except UNREADABLE as error:
        raise CapsuleError(f"{path} is no capsule that can be read ({error}); copy it anew") from error


def replay_capsule(capsule: Capsule, *, run_plugins: bool = False) -> CapsuleReplay:
    """Run the stage again on what the capsule has.

    Args:
        capsule: as it was read.
        run_plugins: whether a person allows the code of others that is in it to be run.

    Raises:
        CapsuleError: if it needs what is not in it (an answer from outside, rows or plugins that did not fit), or
            plugins that nobody allowed.
    """
    recipe = capsule.run.recipe
    stage = find_stage(recipe.stage)
    _require_all(capsule, stage)
    require_allowed(recipe.plugins, capsule.plugins, capsule.left_out, run_plugins)
    again, rows = _compute(capsule, stage, recipe)
    changed = code_fingerprint(stage) != recipe.code
    return CapsuleReplay(
        stage=stage.name, session=recipe.session, error=capsule.error, again=again, rows=rows, code_changed=changed
    )


# ---- inner workings


def _require_ours(path: Path, file: zipfile.ZipFile) -> None:
    """Refuse an archive that no capsule is: too large, or with a name twice or of another kind."""
    entries = file.infolist()
    if sum(one.file_size for one in entries) > MAX_UNPACKED:
        raise CapsuleError(f"{path} would unpack to more than {MAX_UNPACKED:,} bytes; it is no capsule of ours")
    counts = Counter(one.filename for one in entries)
    if strange := [name for name, count in counts.items() if count > 1 or not _is_ours(name)]:
        first = f"{len(strange)} names that no capsule has, the first is {strange[0][:100]!r}"
        raise CapsuleError(f"{path} has {first}; it is none of ours: do not use it")
    for one in entries:
        if one.filename.startswith(PLUGINS) and one.file_size > MAX_BYTES:
            raise CapsuleError(
                f"{path}: {one.filename} has {one.file_size:,} bytes; no capsule holds more than {MAX_BYTES:,}"
            )


def _is_ours(name: str) -> bool:
    if name.startswith(PLUGINS):
        return is_plain_name(name.removeprefix(PLUGINS))
    return name in (CONTENT, SETTINGS, TRACE, LOG) or bool(re.fullmatch(rf"{FRAMES}[a-z0-9_]+\.parquet", name))


def _require_version(path: Path, content: Mapping[str, Any]) -> None:
    if content["version"] != VERSION or content["format"] != FORMAT:
        raise CapsuleError(
            f"{path} was made by another version (capsule {content['version']}, lake format {content['format']}; this"
            f" program has {VERSION} and {FORMAT}); replay it with the program that its run names"
        )


def _read_run(row: dict[str, Any]) -> Run:
    days = {name: date.fromisoformat(row[name]) for name in ("session", "since")}
    times = {name: datetime.fromisoformat(row[name]) for name in ("as_of", "started_at")}
    return Run.from_row(row | days | times)


def _read_settings(text: bytes) -> Settings:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / SETTINGS
        path.write_bytes(text)
        return resolve(Settings, path, {}).settings


def _read_frames(path: Path, file: zipfile.ZipFile, stage: Stage) -> dict[str, pl.DataFrame]:
    """The frames of tables that the stage reads, each with the columns that it asks for."""
    there = set(file.namelist())
    frames = {}
    for read in stage.reads:
        name = f"{FRAMES}{read.table.name}.parquet"
        if name in there:
            frame = pl.read_parquet(file.read(name))
            wanted = set(read.columns or read.table.columns)
            if not wanted <= set(frame.columns) and read.table.further is None:
                lacking = sorted(wanted - set(frame.columns))
                raise CapsuleError(f"{path}: its {read.table.name} lacks the column {lacking[0]}; copy it anew")
            frames[read.table.name] = frame
    return frames


def _require_all(capsule: Capsule, stage: Stage) -> None:
    if stage.kind == "landing":
        raise CapsuleError(f"{stage.name} asks the world, and its answer is not in a capsule; read its traceback")
    if lacking := [read.table.name for read in stage.reads if read.table.name not in capsule.frames]:
        why = "did not fit into it" if set(lacking) <= set(capsule.missing) else "could not be read then"
        raise CapsuleError(f"{', '.join(lacking)} {why}; look for the cause where the lake is")


def _compute(capsule: Capsule, stage: Stage, recipe: Recipe) -> tuple[str, int | None]:
    """What the stage raises now, empty where it does not, and how many rows it gives then."""
    market, named = capsule.settings.market, capsule.settings.plugins
    calendar = market.changes.apply(exchange_sessions(market.exchange), recipe.as_of.date())
    with running_plugins(capsule.plugins, named.files, calendar, named.feature_sets) as plugins:
        moment = _moment(calendar, plugins, stage, recipe)
        try:
            given = [capsule.frames[read.table.name] for read in stage.reads]
            rows = stage.writes.check(stage.function(*given, moment, parse_params(stage, recipe.params)))
        except Exception as error:  # whatever it raised then, it may raise now
            return f"{type(error).__name__}: {error}", None
        return "", rows.height


def _moment(calendar: Sessions, plugins: Plugins, stage: Stage, recipe: Recipe) -> Moment:
    return Moment(
        session=recipe.session,
        since=recipe.since,
        as_of=recipe.as_of,
        seed=recipe.seed,
        versions=recipe.inputs,
        calendar=calendar,
        currency=recipe.params.get(CURRENCY, ""),
        extensions=plugins.restore(stage.uses, recipe.params.get(EXTENSIONS, {})),
        test_from=find_test_window(stage, recipe.params),
    )
