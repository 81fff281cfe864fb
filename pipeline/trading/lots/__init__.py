"""Tax lots: which shares a sale sold, under the method that the tax return uses."""
