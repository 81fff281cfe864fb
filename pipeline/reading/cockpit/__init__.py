"""What screen 1 shows: what needs the operator, and one answer for each other screen."""
