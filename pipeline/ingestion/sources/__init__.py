"""Where market data and news come from: one small protocol, one package per vendor, one registry."""
