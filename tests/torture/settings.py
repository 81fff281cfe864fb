"""The operation that is tortured: everything real, as small as still trades."""

from dataclasses import replace

from pipeline.config.settings import RuntimeParams, Settings
from tests.operation.conftest import small_settings

NAMES = 6


def tortured_settings(*, durable: bool = False) -> Settings:
    """The settings of the tests' small operation, with fewer names."""
    small = small_settings()
    simulated = replace(small.source.simulated, names=NAMES)
    return replace(
        small,
        runtime=RuntimeParams(durable=durable),
        source=replace(small.source, simulated=simulated),
        models=replace(small.models, least_rows=200),
    )
