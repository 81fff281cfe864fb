"""What is true: versioned tables on disk, their contracts, and who wrote which row from what."""
