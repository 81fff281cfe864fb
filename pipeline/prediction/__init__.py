"""Whom to forecast, the forecast with its honest interval, and why one is missing."""
