"""Makes the workers of a Dask cluster load the operator's plugins, those that join later too."""

from __future__ import annotations

from collections.abc import Mapping

from distributed import Worker, WorkerPlugin

from pipeline.execution.plugin_files import import_plugin_files


class LoadPlugins(WorkerPlugin):
    """Loads them under the names that they have at home."""

    name = "nextgen-plugins"

    def __init__(self, files: Mapping[str, str]) -> None:
        self.files = dict(files)

    def setup(self, worker: Worker) -> None:  # noqa: ARG002
        """Called on each worker when it joins."""
        import_plugin_files(self.files)
