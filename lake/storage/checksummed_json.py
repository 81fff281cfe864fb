"""Small JSON files that vouch for themselves: a changed bit in one is told from a change in what it speaks of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

SEAL = "seal"


def sealed(content: Mapping[str, Any]) -> str:
    """The content as JSON, with a hash of it as a further value."""
    return json.dumps({**content, SEAL: _hash(content)})


def unsealed(text: bytes) -> dict[str, Any]:
    """The content; files of earlier programs have no seal, and are taken as they are.

    Raises:
        ValueError: if it is no JSON object, or not what was sealed.
    """
    content = json.loads(text)
    if not isinstance(content, dict) or content.pop(SEAL, _hash(content)) != _hash(content):
        raise ValueError("not what was sealed")
    return content


def is_sealed(text: bytes) -> bool:
    """Whether the file carries a seal and is what was sealed."""
    try:
        return SEAL in json.loads(text) and bool(unsealed(text))
    except ValueError:
        return False


def _hash(content: Mapping[str, Any]) -> str:
    kept = {name: value for name, value in content.items() if name != SEAL}
    return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
