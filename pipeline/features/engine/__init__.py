"""Features as expressions over blocks of sessions by tickers, computed many tickers at a time."""
