"""What of a feed is given to a parser at all: nothing whose reading takes more than the time of its length."""
