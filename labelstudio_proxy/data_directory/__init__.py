"""Label Studio's data directory: its files, its lock, its upgrades."""
