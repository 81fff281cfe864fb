"""The resident control plane: what is owed, when, and what to do on failure."""
