"""The console: reads the lake, follows what is published, never computes and never writes."""
