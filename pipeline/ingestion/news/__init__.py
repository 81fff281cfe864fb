"""News: landed, parsed into articles, linked to tickers, scored."""
