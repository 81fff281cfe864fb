"""What an operator has to know of the place where the program runs: each finding with what mends it."""
