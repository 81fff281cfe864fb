"""What the operator wrote down, and what came of what he foretold."""
