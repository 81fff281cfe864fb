"""Charts drawn with text."""
