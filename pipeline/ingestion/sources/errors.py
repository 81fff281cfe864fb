"""What can go wrong in a source: it cannot deliver, or it does not answer at the moment."""

LIMITED = "the source does not limit requests"
UNREACHABLE = "the source can be reached"
SECOND_ANSWERS = "the second source answers"
"""Rules that a landed failure names: what has to hold for a source to answer at all."""


class SourceError(ValueError):
    """A source cannot deliver; the text names what was looked for, what is there, and the fix."""


class OutOfReachError(SourceError):
    """A source does not answer at the moment; nothing is wrong with what was asked.

    Asking again later may help: the command line ends with the code for that.
    """
