"""The members of the ensemble, in the order in which they are fitted: the network builds on the line."""

from collections.abc import Iterable

from pipeline.models.members.lstm import LSTM
from pipeline.models.members.member import Member
from pipeline.models.members.naive import NAIVE
from pipeline.models.members.ridge import RIDGE

MEMBERS: tuple[Member, ...] = (NAIVE, RIDGE, LSTM)


def list_members(declared: Iterable[Member] = ()) -> tuple[Member, ...]:
    """The built-in members, and after them those that plugins declare, which may build on any of them.

    Raises:
        ValueError: if two have the same name.
    """
    members = (*MEMBERS, *declared)
    names = [member.name for member in members]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{len(twice)} members are named {twice[0]!r}; rename all but one")
    return members
