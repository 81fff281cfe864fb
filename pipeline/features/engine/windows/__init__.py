"""Statistics of trailing windows: loops over blocks of sessions by tickers that are compiled to machine code."""
