"""Yahoo's charts, screeners and news, requested slowly and landed as they came."""
