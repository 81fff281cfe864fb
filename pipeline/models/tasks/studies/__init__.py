"""Published studies of daily prices: their files, what they rebuild to, and what our models make of them."""
