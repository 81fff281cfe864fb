"""What was decided, trained and tried on a branch becomes its lake's own, by a decision on record."""
