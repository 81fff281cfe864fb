"""The portfolios that the book is compared with, as they could have been held."""
