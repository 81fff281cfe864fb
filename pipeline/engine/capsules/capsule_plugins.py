"""The operator's plugins in a capsule: which go in, what is refused on the way out, and running them where allowed."""

from __future__ import annotations

import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path, PurePath
from types import ModuleType

from lake.errors import LakeError
from pipeline.config.secrets import SECRETS, secret
from pipeline.market.sessions import Sessions
from pipeline.plugins.load_plugin_file import MODULE_PREFIX
from pipeline.plugins.plugins import Plugins

PLUGINS = "plugins/"
"""Folder of a capsule with them."""
MAX_NAME = 255
"""Bytes of a file's name; what file systems take."""


class CapsuleError(LakeError):
    """A capsule cannot be read or replayed."""


def choose_plugins(
    sources: Mapping[str, bytes], room: int, environ: Mapping[str, str]
) -> tuple[dict[str, bytes], dict[str, str]]:
    """Choose the files that go into a capsule.

    Args:
        sources: name -> content of the files that the run used.
        room: bytes there are for them.
        environ: where the keys to services are, none of which may go in.

    Returns:
        The files, and for each other one why it is left out.
    """
    left_out = {name: why for name, source in sources.items() if (why := _why_not(name, source, environ))}
    held = {name: source for name, source in sources.items() if name not in left_out}
    for name in sorted(held, key=lambda one: -len(held[one])):
        if sum(map(len, held.values())) > room:
            left_out[name] = f"its {len(held.pop(name)):,} bytes did not fit into it"
    return held, left_out


def read_plugins(path: Path, file: zipfile.ZipFile, recorded: Mapping[str, str]) -> dict[str, bytes]:
    """Read the plugins that a run recorded, of which each is the file that it used or is refused.

    Args:
        path, file: the capsule, whose names were checked.
        recorded: file -> SHA-256 of the content that the run used.

    Raises:
        CapsuleError: if one was changed.
    """
    there = set(file.namelist())
    held = {name: file.read(f"{PLUGINS}{name}") for name in recorded if f"{PLUGINS}{name}" in there}
    for name, source in held.items():
        if (digest := sha256(source).hexdigest()) != recorded[name]:
            raise CapsuleError(
                f"{path}: its plugin {name} has SHA-256 {digest}, and the run used a file with {recorded[name]}; it was"
                " changed since: run none of it, and ask for the capsule anew where it was made"
            )
    return held


def is_plain_name(name: str) -> bool:
    """Whether it is a Python file's name and no more: no folder, no drive, nothing invisible, no longer than a name."""
    return name.isprintable() and bool(re.fullmatch(r"[^/\\:]+\.py", name)) and len(name.encode()) <= MAX_NAME


def require_allowed(
    recorded: Mapping[str, str], held: Mapping[str, bytes], left_out: Mapping[str, str], allowed: bool
) -> None:
    """Refuse to go on without a plugin that the run used, or without a person's word that it may be run.

    Args:
        recorded: file -> SHA-256, as the run has them.
        held: the files that are in the capsule.
        left_out: why others are not.
        allowed: whether a person said so.

    Raises:
        CapsuleError: naming the files with their hashes, and what allows them.
    """
    if lacking := [name for name in recorded if name not in held]:
        why = left_out.get(lacking[0], "somebody took it out")
        more = f" (and {len(lacking) - 1} more)" if len(lacking) > 1 else ""
        raise CapsuleError(f"the run used the plugin {lacking[0]}{more}, not in the capsule: {why}; ask for the file")
    if recorded and not allowed:
        files = "\n".join(f"{name}, SHA-256 {digest}" for name, digest in recorded.items())
        raise CapsuleError(
            f"the run used plugins, and a replay runs their code with your rights:\n{files}\nRead them first (`nextgen"
            " capsule show FILE --code`) and ask the sender for the hashes; then allow it with --run-plugins"
        )


@contextmanager
def running_plugins(
    held: Mapping[str, bytes], configured: Sequence[str], calendar: Sessions, feature_sets: Sequence[str]
) -> Iterator[Plugins]:
    """Load plugins of a capsule from a folder that only this user can open and that is gone afterwards.

    Within the block their modules have the names that they had at home; afterwards this process has its own again.

    Args:
        held: name -> content, checked.
        configured: `plugins.files` then, whose order is that of the declarations.
        calendar: sessions on which features are tried.
        feature_sets: named sets that were configured.

    Raises:
        CapsuleError: if one does not load here.
    """
    order = {PurePath(one).name: at for at, one in enumerate(configured)}
    own = _plugin_modules()
    with tempfile.TemporaryDirectory(prefix="nextgen-capsule-") as folder:
        paths = [Path(folder) / name for name in sorted(held, key=lambda one: order.get(one, len(order)))]
        for path in paths:
            path.write_bytes(held[path.name])
        try:
            plugins = Plugins.load(paths, calendar, feature_sets)
            if broken := [one for one in plugins.files if one.error]:
                raise CapsuleError(f"a plugin of the capsule does not load here: {broken[0].error}")
            yield plugins
        finally:
            for name in _plugin_modules().keys() - own.keys():
                del sys.modules[name]
            sys.modules.update(own)


# ---- inner workings


def _why_not(name: str, source: bytes, environ: Mapping[str, str]) -> str:
    """Why a file may not go in; empty where it may."""
    if not is_plain_name(name):
        return "its name has signs that not every system can store"
    for key in SECRETS:
        if (one := secret(key, environ)) and one.reveal().encode() in source:
            return f"the value of {key} is written in it; read it from the environment there"
    return ""


def _plugin_modules() -> dict[str, ModuleType]:
    return {name: one for name, one in sys.modules.items() if name.startswith(MODULE_PREFIX)}
