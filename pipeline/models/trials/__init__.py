"""The ledger of trials: everything that was tried on held-out sessions, and what that makes of the best of it."""
