"""Who can be traded when."""
