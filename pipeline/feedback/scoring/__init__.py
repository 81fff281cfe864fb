"""What became of a forecast and how it is scored: outcomes of companies, and proper scores."""
