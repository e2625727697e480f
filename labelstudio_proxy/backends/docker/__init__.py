"""Label Studio as a container."""
