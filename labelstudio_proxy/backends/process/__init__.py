"""Label Studio as a local process."""
