"""How rows get onto the disk and off it: the log, the reader, the writer, and what a crash leaves."""
