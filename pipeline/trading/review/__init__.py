"""Looking back: trades, the operator's decisions, the track record."""
