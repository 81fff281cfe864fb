"""Reads price files a block at a time: what is in memory is bounded by a block, whatever the files hold."""
