"""What a run uses beyond the features, rules and members that the program began with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["features", "rules", "members"]
"""What can be added by a declaration."""


@dataclass(frozen=True, kw_only=True)
class Extensions:
    """Declared objects by kind; each domain knows the type of its own.

    A run records them by name, so that it is repeated with the ones it had, whatever is declared by then.
    """

    feature_set: str = "f1"
    """The set of features that all others are added to."""
    features: tuple[Any, ...] = ()
    """Features (`pipeline.features.feature.Feature`) beyond those of `feature_set`, in the order of their columns."""
    definitions: Mapping[str, str] = field(default_factory=dict)
    """Name of each of these features -> the hash of its declaration and code."""
    hashes: Mapping[str, str] = field(default_factory=dict)
    """Every feature of the set -> the hash of its own declaration and code; noted by the set's first run."""
    carried_from: str = ""
    """The set from whose rows the values of `carried` are taken over."""
    carried: tuple[str, ...] = ()
    """Features that mean the same there, and are not computed again."""
    rules: tuple[Any, ...] = ()
    """Rules (`pipeline.trading.planning.rule.Rule`) beyond the first program's: built-in, then plugins'."""
    members: tuple[Any, ...] = ()
    """Members (`pipeline.models.members.member.Member`) beyond the first program's: built-in, then plugins'."""

    def record(self) -> dict[str, Any]:
        """What a recipe keeps: names, and hashes and flags in their order; nothing of what is as it always was."""
        kept = {
            "feature_set": self.feature_set if self.feature_set != "f1" else "",
            "features": dict(self.definitions),
            "hashes": "".join(self.hashes[name] for name in sorted(self.hashes)),
            "carried_from": self.carried_from,
            "carried": "".join("1" if name in set(self.carried) else "0" for name in sorted(self.hashes))
            if self.carried
            else "",
            "rules": [rule.name for rule in self.rules],
            "members": [member.name for member in self.members],
        }
        return {name: value for name, value in kept.items() if value}


NONE = Extensions()
"""Nothing beyond what the program began with."""
