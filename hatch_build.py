"""Notes the commit in a built wheel, so that `nextgen --version` can say it where there is no checkout."""

import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CommitHook(BuildHookInterface):  # type: ignore[type-arg]
    """Adds `nextgen_tui/cli/commit.txt`; a build outside a checkout, or without git, goes without."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the file where the build takes it from."""
        command = ["git", "-C", self.root, "describe", "--always", "--exclude=*", "--dirty", "--abbrev=12"]
        try:
            found = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return
        if version == "standard":  # an editable install asks its checkout
            note = Path(mkdtemp()) / "commit.txt"
            note.write_text(found + "\n", encoding="ascii")
            build_data["force_include"][str(note)] = "nextgen_tui/cli/commit.txt"
