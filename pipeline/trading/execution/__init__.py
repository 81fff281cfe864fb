"""What a fill costs and how orders are filled."""
