"""Looks for what knows the future among an operator's features, members and folds, by detectors seen to work."""
