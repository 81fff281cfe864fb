"""RSS and Atom feeds of news."""
