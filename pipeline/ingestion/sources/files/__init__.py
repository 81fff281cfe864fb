"""The operator's own files."""
