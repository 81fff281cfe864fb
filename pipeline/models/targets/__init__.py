"""Trainings for some names: a specialist begins as the champion, learns from its names alone, and speaks for them."""
