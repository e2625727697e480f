"""Label Studio's scripts and styles, cached."""
