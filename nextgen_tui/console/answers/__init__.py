"""Answers to questions in SQL, as a screen like any other."""
