"""Yahoo's charts, screeners and news, asked gently and kept as they came."""
