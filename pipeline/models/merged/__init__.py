"""What was trained on branches and brought over: how it becomes rows of the registry and of the ledger of trials."""
