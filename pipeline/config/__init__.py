"""The one authoritative configuration: defaults, file, environment; everything else receives values."""
