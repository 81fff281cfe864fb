"""The operator's plugins on workers: objects of theirs may be sent there, and are made again by their modules."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

LOADER = "pipeline.plugins.load_plugin_file"
"""Imported where there are plugins: it brings most of the program along, which takes a worker a second."""


def list_plugin_files() -> dict[str, str]:
    """The plugins that this process has loaded: path -> hash of the file as it is now."""
    if LOADER not in sys.modules:
        return {}
    from pipeline.plugins.load_plugin_file import MODULE_PREFIX

    files = [str(one.__file__) for name, one in sorted(sys.modules.items()) if name.startswith(MODULE_PREFIX)]
    return {file: sha256(Path(file).read_bytes()).hexdigest() for file in files if Path(file).exists()}


def import_plugin_files(files: Mapping[str, str]) -> None:
    """Load plugins under the names that they have at home.

    Raises:
        ValueError: if a file is not the one that was loaded there.
        OSError: if there is none.
    """
    if not files:
        return
    from pipeline.plugins.load_plugin_file import import_plugin

    for file, digest in files.items():
        source = Path(file).read_bytes()
        if sha256(source).hexdigest() != digest:
            raise ValueError(f"plugin {file} is another file here than where the work was begun; copy it here")
        import_plugin(Path(file), source)
