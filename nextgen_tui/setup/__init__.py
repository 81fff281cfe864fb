"""Making lakes: a new one, the demo, the live demo."""
