"""Models that learned from other series: baselines that are asked, never trained and never part of a forecast."""

from lake.errors import LakeError


class PretrainedModelError(LakeError):
    """A pretrained model is not installed, or is asked for what it does not tell."""
