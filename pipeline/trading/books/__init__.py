"""The exact books: ledger, positions, value."""
