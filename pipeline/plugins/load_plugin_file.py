"""Load one Python file of the operator and check what it declares: features, rules and members.

A plugin is code that runs with the operator's rights, like the program itself. It is loaded from its own path under a
name made from the file's: the folder it lies in is not searched for imports, and no compiled copy is read or left.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from importlib.abc import InspectLoader
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path
from traceback import extract_tb
from types import CodeType, ModuleType
from typing import Any

from pipeline.features.catalogue import ALL
from pipeline.features.feature import Feature, refuse_duplicates
from pipeline.features.feature_set import refuse_unhashed
from pipeline.market.sessions import Sessions
from pipeline.models.members import MEMBERS
from pipeline.models.members.member import Member
from pipeline.trading.planning.rule import Rule
from pipeline.trading.planning.rules import RULES

MODULE_PREFIX = "nextgen_plugin_"
DECLARATIONS = ("FEATURES", "RULES", "MEMBERS")
"""Names of the tuples that a plugin may have at its top level."""
MEMBER_PARTS = ("fit", "quantiles", "shapes", "settings")


@dataclass(frozen=True, kw_only=True)
class Plugin:
    """A file of the operator, and what came of loading it."""

    path: Path
    sha256: str = ""
    """Of its content; empty where it cannot be read."""
    source: bytes = field(default=b"", repr=False)
    """The content that was loaded, whatever the file has by now; empty where it does not work."""
    features: tuple[Feature, ...] = ()
    rules: tuple[Rule, ...] = ()
    members: tuple[Member, ...] = ()
    error: str = ""
    """What is wrong with it, where, and what to do; empty where it works."""

    @property
    def name(self) -> str:
        """The file's name, under which runs record it."""
        return self.path.name

    @property
    def declared(self) -> dict[str, list[str]]:
        """Kind of declaration -> the names declared."""
        kinds: dict[str, Iterable[Any]] = {"features": self.features, "rules": self.rules, "members": self.members}
        return {kind: [one.name for one in found] for kind, found in kinds.items()}


class _DeclarationError(Exception):
    """Something about a declaration is wrong; the text says what and how to put it right."""


def load_plugin(path: Path, calendar: Sessions) -> Plugin:
    """Load a file and check its declarations. Never raises for what is wrong with the file: the plugin says it.

    Args:
        path: the file.
        calendar: sessions on which its features are tried.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        fix = "correct plugins.files, or take it out there"
        return Plugin(path=path, error=f"plugin {path} cannot be read ({error.strerror}); {fix}")
    digest = sha256(source).hexdigest()
    try:
        declared = _declarations(import_plugin(path, source))
        features = _check_features(declared["FEATURES"], calendar)
        _check_rules(declared["RULES"])
        _check_members(declared["MEMBERS"])
    except (Exception, SystemExit) as error:  # the operator's code can raise anything, and try to end the program
        return Plugin(path=path, sha256=digest, error=_describe(path, error))
    return Plugin(
        path=path,
        sha256=digest,
        source=source,
        features=features,
        rules=declared["RULES"],
        members=declared["MEMBERS"],
    )


class _SourceLoader(InspectLoader):
    """Makes a module of the very bytes that were hashed."""

    def __init__(self, path: Path, source: bytes) -> None:
        self._path, self._source = path, source

    def get_source(self, fullname: str) -> str:  # noqa: ARG002
        return self._source.decode("utf-8")

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_source(fullname), str(self._path))

    def is_package(self, fullname: str) -> bool:  # noqa: ARG002
        return False


def import_plugin(path: Path, source: bytes) -> ModuleType:
    """Run a plugin's source as the module of its name, which takes the place of an earlier one."""
    name = MODULE_PREFIX + re.sub(r"\W", "_", path.stem)
    spec = ModuleSpec(name, _SourceLoader(path, source), origin=str(path))
    module = module_from_spec(spec)
    module.__file__ = str(path)
    sys.modules[name] = module  # where a dataclass looks for the types it names
    try:
        _SourceLoader.exec_module(spec.loader, module)  # type: ignore[arg-type]
    except BaseException:  # as Python does with what could not be imported
        sys.modules.pop(name, None)
        raise
    return module


def _declarations(module: ModuleType) -> dict[str, tuple[Any, ...]]:
    found = {name: getattr(module, name, ()) for name in DECLARATIONS}
    for name, value in found.items():
        if not isinstance(value, tuple | list):
            raise _DeclarationError(f"{name} is {type(value).__name__}; make it a tuple: {name} = (..., )")
    if not any(found.values()):
        raise _DeclarationError(
            f"it declares nothing; give it a tuple {', '.join(DECLARATIONS[:-1])} or {DECLARATIONS[-1]}"
        )
    return {name: tuple(value) for name, value in found.items()}


def _check_features(features: tuple[Any, ...], calendar: Sessions) -> tuple[Feature, ...]:
    for feature in features:
        if not isinstance(feature, Feature):
            raise _DeclarationError(f"FEATURES holds {feature!r}; put in objects of pipeline.features.feature.Feature")
    refuse_duplicates(features, taken=[feature.name for feature in ALL])
    for feature in features:
        refuse_unhashed(feature)
    from pipeline.features.try_feature import try_feature  # loads numba: only where a plugin has features

    return tuple(try_feature(feature, calendar) for feature in features)


def _check_rules(rules: tuple[Any, ...]) -> None:
    for rule in rules:
        if not isinstance(rule, Rule):
            raise _DeclarationError(
                f"RULES holds {_name(rule)}; declare each with @rule(unit) of pipeline.trading.planning.rule"
            )
    _refuse_repeated("rules", [rule.name for rule in rules], {rule.name for rule in RULES})


def _check_members(members: tuple[Any, ...]) -> None:
    for member in members:
        lacking = [part for part in MEMBER_PARTS if not callable(getattr(member, part, None))]
        lacking += [] if isinstance(getattr(member, "name", None), str) else ["name"]
        lacking += [] if isinstance(getattr(member, "simple", None), bool) else ["simple"]
        if isinstance(member, type):
            raise _DeclarationError(
                f"MEMBERS holds the class {member.__name__}; put in an object of it: {member.__name__}()"
            )
        if lacking:
            raise _DeclarationError(
                f"MEMBERS holds {_name(member)}, which lacks {', '.join(lacking)}; see"
                " pipeline.models.members.member.Member"
            )
        if not re.fullmatch(r"[a-z][a-z0-9_]{0,30}", member.name):
            raise _DeclarationError(
                f"member {member.name!r}: use lower-case letters, digits and underscores, at most 31 of them"
            )
    _refuse_repeated("members", [member.name for member in members], {member.name for member in MEMBERS})


def _name(declared: Any) -> str:
    """What the file's author calls it: a function, or an object of a class, rather than where it lies in memory."""
    if name := getattr(declared, "__name__", ""):
        return f"the function {name}" if callable(declared) else str(name)
    words = repr(declared)
    return f"an object of {type(declared).__name__}" if " object at 0x" in words else words


def _refuse_repeated(kind: str, names: list[str], taken: set[str]) -> None:
    if repeated := [name for at, name in enumerate(names) if name in taken or name in names[:at]]:
        raise _DeclarationError(
            f"{len(repeated)} {kind} have names in use, the first is {repeated[0]!r}; give it another name"
        )


def _describe(path: Path, error: BaseException) -> str:
    """File, line, what is wrong; what the file itself raised is told with its type."""
    line = error.lineno if isinstance(error, SyntaxError) else _line(path, error)
    at = f"plugin {path}" + (f", line {line}" if line else "")
    if isinstance(error, SyntaxError):
        return f"{at}: {error.msg}; correct it and check it with `nextgen plugins`"
    words = str(error) if isinstance(error, _DeclarationError | TypeError) else f"{type(error).__name__}: {error}"
    return f"{at}: {words}" + ("" if isinstance(error, _DeclarationError) else "; check it with `nextgen plugins`")


def _line(path: Path, error: BaseException) -> int | None:
    """The last line of the file that was at work when it happened."""
    first = error.__cause__ or error
    lines = [frame.lineno for frame in extract_tb(first.__traceback__) if frame.filename == str(path)]
    return lines[-1] if lines else None
