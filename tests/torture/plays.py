"""Something to be cut off at any call by which it changes files, and what holds afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.copies import copy_lake
from tests.torture.conftest import STRIDE
from tests.torture.faults import Fault, Worker, cut_power

FAULTS = (Fault.KILL, Fault.TORN, Fault.NO_SPACE, Fault.IO_ERROR_ONCE, Fault.DONE_BUT_ERROR)
Check = Callable[[Path], None]


@dataclass(frozen=True)
class Play:
    """Something to cut off, the lake it is done to, and what holds afterwards."""

    do: str
    lake: Path
    folder: Path
    whole: Check
    goes_on: Check
    step: int = 1
    """Between the calls that are tried."""
    begins: Check = field(default=lambda _: None)
    """Done to the copy of the lake before."""
    counted: list[int] = field(default_factory=list)

    def calls(self, order: Worker) -> int:
        """By which it changes files, when nothing goes wrong: the same number each time, so it is counted once."""
        if not self.counted:
            done = order(self.do, self._copy(), mode=int(Fault.NOTHING), k=0, durable=True)
            assert "error" not in done, done
            self.counted.append(int(done["calls"]))
        return self.counted[0]

    def cut_off(self, order: Worker, fault: Fault, k: int, drop_names: bool | None = None) -> None:
        """Do it with a fault at the k-th call, look at what is left, and go on."""
        lake = self._copy()
        journal = lake.with_suffix(".journal")
        given: dict[str, Any] = {} if drop_names is None else {"journal": str(journal)}
        ended = order(self.do, lake, mode=int(fault), k=k, durable=True, **given)
        assert not ended["hung"], (fault.name, k)
        assert ended.get("code") != 70, f"an error without words: {ended}"
        if drop_names is None:
            self.whole(lake)
        else:
            cut_power(journal, drop_names=drop_names)
        for path in lake.rglob("*"):  # what is young may still be in the making; time passes
            os.utime(path, (path.stat().st_mtime - 120, path.stat().st_mtime - 120))
        self.goes_on(lake)

    def cut_off_everywhere(self, order: Worker, fault: Fault) -> None:
        """At every call, or every so many where the programme is to be short."""
        for k in self._stride(self.calls(order)):
            self.cut_off(order, fault, k)

    def cut_power_everywhere(self, order: Worker, *, drop_names: bool) -> None:
        """The same with a power cut, and with one after all is done."""
        calls = self.calls(order)
        for k in (*self._stride(calls), calls + 1):
            self.cut_off(order, Fault.KILL, k, drop_names)

    def _stride(self, calls: int) -> range:
        return range(1, calls + 1, STRIDE * self.step)

    def _copy(self) -> Path:
        shutil.rmtree(self.folder, ignore_errors=True)
        lake = copy_lake(self.lake, self.folder / "lake")
        self.begins(lake)
        return lake
