"""What can go wrong in a source."""


class SourceError(ValueError):
    """A source cannot deliver; the text names what was looked for, what is there, and the fix."""
