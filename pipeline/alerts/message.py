"""What one message says: its alerts as they were noticed, in one text without anything that steers a terminal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

MAX_LINES = 20
"""Alerts that a text names one by one."""
SIGNS = {"error": "✗", "warning": "!", "information": "✓"}
REPEATED = "This may repeat the message before: whether that one arrived is not known."
Severity = Literal["information", "warning", "error"]
GRAVITY: Mapping[str, int] = {"information": 0, "warning": 1, "error": 2}


@dataclass(frozen=True, kw_only=True)
class AlertLine:
    """One change, as the table `alerts` has it."""

    alert_id: str
    noticed_at: datetime
    kind: str
    about: str
    state: str
    previous: str
    severity: Severity
    words: str


@dataclass(frozen=True, kw_only=True)
class Message:
    """What goes out at once by one channel."""

    delivery_id: str
    lake: str
    """The name of the lake's folder."""
    alerts: tuple[AlertLine, ...]
    repeat: bool = False

    @property
    def severity(self) -> Severity:
        """That of the gravest."""
        return max((one.severity for one in self.alerts), key=GRAVITY.__getitem__)

    @property
    def title(self) -> str:
        """One line."""
        more = f" and {len(self.alerts) - 1} more" if len(self.alerts) > 1 else ""
        again = "repeated: " if self.repeat else ""
        return plain(f"nextgen {self.lake}: {again}{self.alerts[0].words[:100]}{more}")

    @property
    def text(self) -> str:
        """All of it, a line for each alert."""
        lines = [f"nextgen {plain(self.lake)}"]
        lines += [REPEATED] if self.repeat else []
        for one in self.alerts[:MAX_LINES]:
            lines.append(f"{SIGNS[one.severity]} {one.noticed_at:%Y-%m-%d %H:%M} UTC {plain(one.words)}")
        if (left := len(self.alerts) - MAX_LINES) > 0:
            lines.append(f"and {left} more; `nextgen alerts` lists them")
        return "\n".join(lines)

    def record(self) -> dict[str, Any]:
        """All of it as plain values, for a program."""
        alerts = [asdict(one) | {"noticed_at": one.noticed_at.isoformat()} for one in self.alerts]
        return {
            "delivery_id": self.delivery_id,
            "lake": self.lake,
            "repeat": self.repeat,
            "severity": self.severity,
            "text": self.text,
            "alerts": alerts,
        }


def plain(text: str) -> str:
    """A text on one line, without what a terminal or a mail's head would obey."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
