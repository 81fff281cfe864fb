"""What came of a span of sessions: one summary, one report, the same for terminal, page and JSON."""
