"""The operator's plugins: which files there are, what they add to a run, and how a recorded run gets its own again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from lake.errors import LakeError
from pipeline.features.catalogue import ALL, choose
from pipeline.features.feature_set import extend, feature_set
from pipeline.market.sessions import Sessions
from pipeline.models.members import FIRST_MEMBERS, MEMBERS
from pipeline.plugins.extensions import NONE, Extensions, Kind
from pipeline.plugins.load_plugin_file import Plugin, load_plugin
from pipeline.trading.planning.rules import FIRST_RULES, RULES


class PluginError(LakeError):
    """A plugin does not load, or what a run used of one is not there any more."""


@dataclass(frozen=True)
class Plugins:
    """What the configuration adds to the program: files in its order, and named sets of features."""

    files: tuple[Plugin, ...] = ()
    feature_sets: tuple[str, ...] = ()

    @staticmethod
    def load(paths: Sequence[Path], calendar: Sessions, feature_sets: Sequence[str] = ()) -> Plugins:
        """Load every file; what is wrong with one is said where it is needed, not here."""
        loaded: list[Plugin] = []
        for path in paths:
            plugin = load_plugin(path, calendar)
            loaded.append(plugin if plugin.error else _refuse_clash(plugin, loaded))
        return Plugins(tuple(loaded), tuple(feature_sets))

    def require_working(self, uses: Sequence[Kind]) -> None:
        """Refuse to go on if work needs what plugins declare and one of them does not load.

        Raises:
            PluginError: naming the first file, what is wrong with it, and how many more there are.
        """
        if uses and (broken := [plugin for plugin in self.files if plugin.error]):
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            raise PluginError(f"{broken[0].error}{more}")

    def extend(self, uses: Sequence[Kind]) -> Extensions:
        """What a run that begins now uses of these kinds.

        Raises:
            PluginError: if a plugin does not load.
        """
        self.require_working(uses)
        return _only(self._all, uses) if uses else NONE

    def restore(self, uses: Sequence[Kind], record: Mapping[str, Any]) -> Extensions:
        """What a run used, from its record and what is declared now under the same names.

        Raises:
            PluginError: naming what is declared no more.
        """
        if not uses:
            return NONE
        declared = *ALL, *self._declared("features")
        recorded = record.get("features", {})  # its keys are sorted; columns are in the order of the declarations
        order = [one.name for one in declared if one.name in recorded]
        told = Extensions(
            feature_set=record.get("feature_set", "f1"),
            features=self._named("feature", [*order, *sorted(recorded.keys() - order)], declared),
            definitions=dict(recorded),
            rules=self._named("rule", record.get("rules", ()), (*RULES, *self._declared("rules"))),
            members=self._named("member", record.get("members", ()), (*MEMBERS, *self._declared("members"))),
        )
        flags = zip(sorted(feature_set(told).names), record.get("carried", ""), strict=False)
        kept = tuple(name for name, flag in flags if flag == "1")
        return replace(told, carried_from=record.get("carried_from", ""), carried=kept)

    def hashes(self, uses: Sequence[Kind]) -> dict[str, str]:
        """File -> sha256 of its content, for the files that declare any of these kinds."""
        return {one.name: one.sha256 for one in self.files if any(one.declared[kind] for kind in uses)}

    def sources(self, names: Collection[str]) -> dict[str, bytes]:
        """File -> the content that was loaded, for the files of these names that work."""
        return {one.name: one.source for one in self.files if one.name in names and not one.error}

    def changes(self, recorded: Mapping[str, str]) -> list[str]:
        """What is no longer as a run recorded it, in words."""
        now = {one.name: one.sha256 for one in self.files}
        return [
            f"plugin {name}" + ("" if name in now else " (no longer among plugins.files)")
            for name, was in recorded.items()
            if now.get(name) != was
        ]

    @cached_property
    def _all(self) -> Extensions:
        added = extend((*choose(self.feature_sets), *self._declared("features")))
        return Extensions(
            feature_set=added.feature_set,
            features=added.features,
            definitions=added.definitions,
            rules=(*(one for one in RULES if one.name not in FIRST_RULES), *self._declared("rules")),
            members=(*(one for one in MEMBERS if one.name not in FIRST_MEMBERS), *self._declared("members")),
        )

    def _declared(self, kind: Kind) -> Iterator[Any]:
        return (one for plugin in self.files for one in getattr(plugin, kind))

    def _named(self, kind: str, names: Sequence[str], declared: Sequence[Any]) -> tuple[Any, ...]:
        by_name = {one.name: one for one in declared}
        if gone := [name for name in names if name not in by_name]:
            broken = "".join(f"; {plugin.error}" for plugin in self.files if plugin.error)
            raise PluginError(
                f"it used {len(gone)} {kind}s that nothing declares any more, the first is {gone[0]!r}; "
                f"name the plugin that declared it in plugins.files again{broken}"
            )
        return tuple(by_name[name] for name in names)


def _only(everything: Extensions, uses: Sequence[Kind]) -> Extensions:
    features = "features" in uses
    return Extensions(
        feature_set=everything.feature_set if features else NONE.feature_set,
        features=everything.features if features else (),
        definitions=everything.definitions if features else {},
        rules=everything.rules if "rules" in uses else (),
        members=everything.members if "members" in uses else (),
    )


def _refuse_clash(plugin: Plugin, earlier: Sequence[Plugin]) -> Plugin:
    """The plugin, or what is wrong with it beside those before it."""
    if any(plugin.name == other.name for other in earlier):
        return Plugin(
            path=plugin.path,
            sha256=plugin.sha256,
            error=f"two plugins are called {plugin.name}; rename one of the files",
        )
    for other in earlier:
        for kind, names in plugin.declared.items():
            if twice := sorted(set(names) & set(other.declared[kind])):
                clash = (
                    f"plugin {plugin.path}: {kind[:-1]} {twice[0]!r} is declared by {other.path} as well; rename one"
                )
                return Plugin(path=plugin.path, sha256=plugin.sha256, error=clash)
    return plugin
