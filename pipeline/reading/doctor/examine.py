"""Looks at everything that may have to be mended, each part by itself: one that fails costs no other."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from lake.errors import LakeError
from lake.store import Lake
from lake.tables import TABLES
from pipeline.config import ConfigError
from pipeline.config.home import state_home
from pipeline.config.loading import load
from pipeline.config.settings import Settings
from pipeline.market.sessions import exchange_sessions
from pipeline.plugins.plugins import Plugins
from pipeline.reading.doctor.clock import look_at_clocks
from pipeline.reading.doctor.finding import Finding, blot, in_order
from pipeline.reading.doctor.keys import look_at_channels, look_at_keys, read_secrets
from pipeline.reading.doctor.lake_state import compare_clock, look_at_lake, look_at_mandate
from pipeline.reading.doctor.machine import look_at_folder, look_at_machine
from pipeline.reading.doctor.network import ask_machines, list_machines, look_at_network
from pipeline.reading.doctor.terminal import TerminalState, look_at_terminal
from pipeline.reading.doctor.versions import compare_with_last_run, look_at_program
from pipeline.reading.health_verdict import judge_health

Look = Callable[[], Iterable[Finding]]


@dataclass(frozen=True, kw_only=True)
class Surroundings:
    """What is known of the place before anything is looked at."""

    lake_path: Path
    environ: Mapping[str, str]
    version: str
    """What `nextgen --version` says."""
    terminal: TerminalState
    online: bool = False
    """Whether other machines are asked."""
    debug: bool = False
    """Whether what cannot be looked at ends the whole, with its traceback."""


def examine(place: Surroundings) -> tuple[Finding, ...]:
    """Everything that was found, in the order of `TOPICS`, without any secret."""
    lake, settings, found = _open(place)
    looks: list[tuple[str, Look]] = [
        ("machine", look_at_machine),
        ("versions", lambda: look_at_program(place.version)),
        ("keys", lambda: look_at_keys(settings, place.environ, Path.home())),
        ("disk", lambda: look_at_folder("The folder of caches", state_home(place.environ))),
        ("clock", lambda: look_at_clocks(datetime.now(UTC))),
        ("terminal", lambda: look_at_terminal(place.terminal)),
    ]
    if settings is not None:
        looks += _configured(place, settings)
    if lake is not None:
        looks += _published(lake)
    if lake is not None and settings is not None:
        looks.append(("configuration", partial(look_at_mandate, lake, settings)))
    for topic, look in looks:
        found += list(look()) if place.debug else _look(topic, look)
    secrets = read_secrets(place.environ)
    return in_order(blot(one, secrets) for one in found)


def _open(place: Surroundings) -> tuple[Lake | None, Settings | None, list[Finding]]:
    """The lake and its configuration, or why there are none."""
    lake, settings, found = None, None, list[Finding]()
    try:
        lake = Lake.open(place.lake_path)
    except (LakeError, OSError) as error:
        what, _, fix = str(error).rstrip(".").partition("; ")
        found.append(Finding("lake", "fail", what, fix or "`nextgen init` creates a lake, --lake names another"))
    try:
        settings = load(place.lake_path, place.environ).settings
    except ConfigError as error:
        if lake is None:  # with a lake, the verdict on health says so
            fix = "correct it; `nextgen config validate` reads it again"
            found.append(Finding("configuration", "fail", f"The configuration cannot be used: {error}", fix))
    return lake, settings, found


def _configured(place: Surroundings, settings: Settings) -> list[tuple[str, Look]]:
    machines = list_machines(settings, place.environ)
    looks: list[tuple[str, Look]] = [
        ("network", lambda: look_at_network(machines, place.environ)),
        ("alerts", lambda: [look_at_channels(settings, place.environ)]),
        ("plugins", lambda: _plugins(place.lake_path, settings)),
    ]
    return [*looks, *([("network", lambda: ask_machines(machines))] if place.online else [])]


def _published(lake: Lake) -> list[tuple[str, Look]]:
    return [
        ("lake", lambda: look_at_lake(lake, judge_health(lake), frozenset(TABLES))),
        ("versions", lambda: [compare_with_last_run(lake)]),
        ("disk", lambda: look_at_folder("The folder of the lake", lake.path)),
        ("clock", lambda: compare_clock(lake, datetime.now(UTC))),
    ]


def _plugins(lake: Path, settings: Settings) -> Iterable[Finding]:
    paths = settings.plugins.paths(lake)
    if not paths:
        yield Finding("plugins", "ok", "There are no plugins")
        return
    for plugin in Plugins.load(paths, exchange_sessions(settings.market.exchange)).files:
        if plugin.error:
            yield Finding("plugins", "fail", plugin.error, "correct it; `nextgen plugins` tries it again")
        else:
            count = sum(len(names) for names in plugin.declared.values())
            yield Finding("plugins", "ok", f"{plugin.path} works and declares {count}", facts={"declares": count})


def _look(topic: str, look: Look) -> list[Finding]:
    found: list[Finding] = []
    try:
        for one in look():
            found.append(one)
    except Exception as error:  # what cannot be looked at is a finding, and what else was found is told all the same
        words = f"This could not be looked at: {type(error).__name__}: {error}"
        found.append(Finding(topic, "fail", words, "`nextgen doctor --debug` has the traceback"))
    return found
