"""The research bench: what would have happened otherwise, told from chance, and every look counted."""

from lake.errors import LakeError


class ResearchError(LakeError):
    """An experiment or a comparison cannot be made as it was asked for; nothing was recorded, and nothing was run."""
