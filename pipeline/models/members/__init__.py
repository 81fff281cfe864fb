"""The members of the ensemble, in the order in which they are fitted: the network builds on the line."""

from pipeline.models.member import Member
from pipeline.models.members.lstm import LSTM
from pipeline.models.members.naive import NAIVE
from pipeline.models.members.ridge import RIDGE

MEMBERS: tuple[Member, ...] = (NAIVE, RIDGE, LSTM)
