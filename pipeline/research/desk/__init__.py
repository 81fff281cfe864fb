"""What the book would have been, from stored forecasts: no stage runs, and nothing is written."""


class NotOnDeskError(Exception):
    """A question that the desk cannot answer to the cent; running the stages again can."""
