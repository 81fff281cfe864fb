"""The members of the ensemble, in the order in which they are fitted: the network builds on the linear member."""

from collections.abc import Iterable

from pipeline.models.members.lstm import LSTM
from pipeline.models.members.member import Member
from pipeline.models.members.naive import NAIVE
from pipeline.models.members.ridge import RIDGE

MEMBERS: tuple[Member, ...] = (NAIVE, RIDGE, LSTM)

FIRST_MEMBERS = ("naive", "ridge", "lstm")
"""The names of the first program's members, which every run has; a run records whatever other members it has."""


def list_members(recorded: Iterable[Member] = ()) -> tuple[Member, ...]:
    """The first program's members and those that a run records: built-in ones in their order, then those of plugins.

    Members of plugins come last: they may build on any of the others.

    Raises:
        ValueError: if two have the same name.
    """
    recorded = tuple(recorded)
    built_in = tuple(one for one in MEMBERS if one.name in FIRST_MEMBERS or one in recorded)
    members = (*built_in, *(one for one in recorded if one not in MEMBERS))
    names = [member.name for member in members]
    if twice := [name for name in names if names.count(name) > 1]:
        raise ValueError(f"{len(twice)} members are named {twice[0]!r}; rename all but one")
    return members
