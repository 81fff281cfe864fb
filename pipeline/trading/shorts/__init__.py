"""Short sales: whether there are any, what can be borrowed at which rate, and what has to stay in cash for them."""
