"""What one line of the health report is made of."""

from __future__ import annotations

Check = tuple[str, str, str, float | None, float | None, str]
"""service, check, status (ok, warn or fail), value, limit, message"""
