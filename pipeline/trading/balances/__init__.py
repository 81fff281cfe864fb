"""What the ledger adds up to after each session, carried on from one to the next."""
