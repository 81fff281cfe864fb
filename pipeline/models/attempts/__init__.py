"""Trainings on record: what came of each, and what was lacking where nothing did."""
