"""What the reconciliation of the books rests on: none of it is shared with what posts the ledger or adds it up."""
