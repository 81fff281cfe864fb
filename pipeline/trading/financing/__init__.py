"""What carrying the book over a night costs or brings: interest on cash, and what borrowed shares cost."""
