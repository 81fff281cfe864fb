"""Turns the layouts that price files come in into one: a row for each ticker and day, a column for each value."""
