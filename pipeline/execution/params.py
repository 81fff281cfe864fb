"""The settings of where work runs; none of them changes a bit of what comes out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

SchedulerAddress = Annotated[
    str,
    Field(
        pattern=r"^((tcp|tls|ws|wss)://[^\s/]{1,200})?$",
        description="the address of a Dask scheduler, such as tcp://10.0.0.5:8786, or empty",
    ),
]


@dataclass(frozen=True, kw_only=True)
class ExecutionParams:
    """Where work that can be shared out runs, and in how large pieces."""

    executor: Literal["local", "dask"] = "local"
    """Who works: local is this machine, in this process or in others beside it; dask is a cluster of workers (it takes
    pip install 'nextgen-trading[dask]')."""
    address: SchedulerAddress = ""
    """Where the scheduler of the Dask cluster listens; empty starts a cluster of processes on this machine for as long
    as the program runs."""
    workers: Annotated[int, Field(ge=0, le=256)] = 0
    """Processes that are started here; 0 for none beside this one with the local executor, and for one a processor with
    a Dask cluster that is started here. How many a cluster at an address has is its own affair."""
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    """How often a piece of work is begun again whose worker was lost; then the work ends, and says so."""
    piece_rows: Annotated[int, Field(ge=10_000, le=100_000_000)] = 400_000
    """Rows of a table that are computed and written at a time where a stage can be split: what bounds memory."""

    def contradictions(self) -> Iterator[str]:
        """An address that nobody uses."""
        if self.address and self.executor != "dask":
            yield (
                f"address is {self.address} and executor is {self.executor}; set executor to dask, or take the"
                " address out"
            )
