"""Facts about markets that every stage shares: sessions, calendars, returns."""
