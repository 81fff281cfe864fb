"""What the operator wants of the book: its benchmark, its risk, what it may hold."""
