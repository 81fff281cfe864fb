"""From forecasts to planned trades: regime, candidates, rules."""
