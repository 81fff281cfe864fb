"""What keeps a lake fast, small and safe over years: compaction, vacuum, log archive, backup, scrub."""
