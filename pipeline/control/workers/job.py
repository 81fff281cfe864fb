"""What a worker is to do, and what it reports: the two documents that pass between daemon and worker."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from lake.storage.atomic import write_atomic
from pipeline.control.schedule.task import ExpectedOutput

GO = "go"
"""The line that lets a worker begin: it comes once the attempt is on record."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """One attempt at one slot of a task."""

    task: str
    slot: str
    attempt: int
    run: tuple[str, ...]
    session: date | None
    due_at: datetime
    timeout: timedelta
    grace: timedelta
    memory: int | None = None
    fallback: str = ""
    """A source to use in place of the configured one."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    outputs: tuple[ExpectedOutput, ...] = ()
    target: str = ""
    """What a training is for: a target, or `search`; empty for all names under the settings as they are."""
    requested: bool = False
    """True where a person requested it: it is then done again even if it was done before."""

    @property
    def key(self) -> tuple[str, str]:
        """The task and the slot."""
        return self.task, self.slot

    @property
    def file_stem(self) -> str:
        """A file name for the attempt: safe in a path, unique."""
        plain = "".join(sign if sign.isalnum() else "-" for sign in f"{self.task}-{self.slot}")[:60]
        return f"{plain}-{sha256(repr(self.key).encode()).hexdigest()[:8]}-{self.attempt}"

    def to_json(self) -> str:
        """One line of JSON."""
        plain = asdict(self) | {
            "timeout": self.timeout.total_seconds(),
            "grace": self.grace.total_seconds(),
            "outputs": [
                {**asdict(one), "fresh_within": one.fresh_within.total_seconds() if one.fresh_within else None}
                for one in self.outputs
            ],
        }
        return json.dumps(plain, default=str)

    @staticmethod
    def from_json(text: str) -> Job:
        """Read a job back."""
        values = json.loads(text)
        for name in ("timeout", "grace"):
            values[name] = timedelta(seconds=values[name])
        values["session"] = date.fromisoformat(values["session"]) if values["session"] else None
        values["due_at"] = datetime.fromisoformat(values["due_at"])
        values["run"] = tuple(values["run"])
        values["outputs"] = tuple(_parse_output(one) for one in values["outputs"])
        return Job(**values)


@dataclass(frozen=True, kw_only=True)
class JobReport:
    """How a worker reports the end of its job."""

    ok: bool
    reason: str = ""
    cycle_id: str = ""

    def write(self, path: Path) -> None:
        """Write the report where the daemon looks for it, atomically."""
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(path, json.dumps(asdict(self)), durable=False)

    @staticmethod
    def read(path: Path) -> JobReport | None:
        """The report at a path; None if the worker left none."""
        try:
            return JobReport(**json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError, TypeError):
            return None


def _parse_output(values: dict[str, Any]) -> ExpectedOutput:
    fresh = values.pop("fresh_within")
    return ExpectedOutput(**values, fresh_within=timedelta(seconds=fresh) if fresh else None)
