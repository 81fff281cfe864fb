"""A language model that scores articles."""
