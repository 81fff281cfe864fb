"""What came of a span of sessions, as the operator gets it: on the terminal, as a page, and as data."""
