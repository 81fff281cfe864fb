"""From what sources say to clean prices, actions, news and who can be traded."""
