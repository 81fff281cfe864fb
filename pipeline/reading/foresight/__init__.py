"""What comes of something before it is asked for: what will be true, what it takes, and why it would be refused."""
