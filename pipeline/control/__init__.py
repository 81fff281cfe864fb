"""The control plane: what is due, when it runs, and what to do when it fails."""
