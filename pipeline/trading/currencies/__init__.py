"""What the book holds in other currencies than its own, and how that is converted."""
