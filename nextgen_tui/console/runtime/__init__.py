"""The console as a process: terminal, browser, change detection, shutdown."""
