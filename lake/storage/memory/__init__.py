"""What one process keeps of the tables between its reads: copies that are dropped and made again at will."""
