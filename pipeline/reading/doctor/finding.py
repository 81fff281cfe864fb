"""One thing that was looked at: how it is, and what mends it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipeline.alerts.channel import blot_all
from pipeline.health.checks import Status

TOPICS = (
    "machine",
    "versions",
    "configuration",
    "lake",
    "schedule",
    "network",
    "keys",
    "alerts",
    "disk",
    "clock",
    "terminal",
    "plugins",
)
"""In the order in which they are told."""


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at."""

    topic: str
    """One of `TOPICS`."""
    status: Status
    what: str
    """A full sentence without its stop."""
    fix: str = ""
    """What mends it; never empty where the status is not ok."""
    facts: dict[str, Any] = field(default_factory=dict)
    """The figures behind it: texts, numbers, moments; never a secret."""


def blot(finding: Finding, secrets: Mapping[str, str]) -> Finding:
    """The finding without any secret that another program's words may have carried into it.

    Args:
        finding: what was found.
        secrets: name -> value.
    """
    facts = {
        name: blot_all(value, secrets) if isinstance(value, str) else value for name, value in finding.facts.items()
    }
    return replace(finding, what=blot_all(finding.what, secrets), fix=blot_all(finding.fix, secrets), facts=facts)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """By topic, as `TOPICS` has them; within one as they were found."""
    return tuple(sorted(findings, key=lambda one: TOPICS.index(one.topic)))
